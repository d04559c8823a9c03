// Runs an ONNX model in ONNX Runtime. Standard input: {"model": base64, "inputs":
// {name: {"type", "dims", "data"}}}, numbers as texts; output: {name: the same}.
// Exit status 3: there is no onnxruntime-node where node looks (see NODE_PATH).
let ort;
try {
  ort = require('onnxruntime-node');
} catch (e) {
  console.error(e.message);
  process.exit(3);
}
const make = {
  float64: (d) => Float64Array.from(d, Number),
  float32: (d) => Float32Array.from(d, Number),
  int64: (d) => BigInt64Array.from(d, BigInt),
  bool: (d) => Uint8Array.from(d, (v) => (v === 'true' ? 1 : 0)),
  string: (d) => d,
};
const show = { bool: (v) => (v ? 'true' : 'false') };
(async () => {
  const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const session = await ort.InferenceSession.create(Buffer.from(asked.model, 'base64'), { logSeverityLevel: 3 });
  const feeds = {};
  for (const [name, t] of Object.entries(asked.inputs)) feeds[name] = new ort.Tensor(t.type, make[t.type](t.data), t.dims);
  const out = {};
  for (const [name, t] of Object.entries(await session.run(feeds)))
    out[name] = { type: t.type, dims: t.dims.map(Number), data: Array.from(t.data, show[t.type] ?? String) };
  console.log(JSON.stringify(out));
})();
