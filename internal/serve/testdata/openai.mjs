// Calls a server with the npm package openai, as a program would, and prints what
// came of it as JSON. Arguments: the package's folder, the server's URL, the API key.
import { createRequire } from "node:module";

const [folder, url, key] = process.argv.slice(2);
const OpenAI = createRequire(folder + "/")("openai");
const client = new OpenAI({ baseURL: url + "/v1", apiKey: key });
const messages = [{ role: "user", content: "Hello" }];
const out = {};

out.models = (await client.models.list()).data.map((m) => m.id);
const chat = await client.chat.completions.create({ model: "chat", messages });
out.chat = chat.choices[0].message.content;
out.usage = chat.usage.completion_tokens;

out.stream = "";
for await (const part of await client.chat.completions.create({ model: "chat", messages, stream: true, stream_options: { include_usage: true } })) {
  out.stream += part.choices[0]?.delta?.content ?? "";
  out.streamUsage = part.usage?.completion_tokens ?? out.streamUsage;
}
out.embedding = (await client.embeddings.create({ model: "embed", input: "x" })).data[0].embedding;

const failure = async (call) => {
  try {
    await call();
    return "no error";
  } catch (e) {
    return { kind: e.constructor.name, status: e.status, code: e.code, type: e.type, request: e.requestID?.slice(0, 4), quote: !!e.headers?.get?.("payment-required") };
  }
};
out.unpaid = await failure(() => client.chat.completions.create({ model: "dear", messages }));
out.unknown = await failure(() => client.chat.completions.create({ model: "nix", messages }));
out.busy = await failure(() => client.chat.completions.create({ model: "busy", messages }));
out.key = await failure(() => new OpenAI({ baseURL: url + "/v1", apiKey: "croft_x" }).models.list());
out.broken = await failure(async () => {
  for await (const _ of await client.chat.completions.create({ model: "broken", messages, stream: true })) {
  }
});
console.log(JSON.stringify(out));
