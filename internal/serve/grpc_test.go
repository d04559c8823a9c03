package serve

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // what the server does not take
	rpcmeta "google.golang.org/grpc/metadata"
	rpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"croft"
	"croft/internal/oip"
)

// dial returns a call of a server by a stock client, grpc-go, with a key.
func dial(t *testing.T, url, secret string) func(method string, in, out proto.Message, options ...grpc.CallOption) error {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func(method string, in, out proto.Message, options ...grpc.CallOption) error {
		ctx := rpcmeta.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret)
		return conn.Invoke(ctx, "/"+inferenceService+"/"+method, in, out, options...)
	}
}

// one is a request of one row for the model of these tests.
func one(age float64, sex string) *oip.ModelInferRequest {
	return &oip.ModelInferRequest{ModelName: "heart", Id: "7", Inputs: []*oip.ModelInferRequest_InferInputTensor{
		{Name: "age", Datatype: "FP64", Shape: []int64{1}, Contents: &oip.InferTensorContents{Fp64Contents: []float64{age}}},
		{Name: "sex", Datatype: "BYTES", Shape: []int64{1}, Contents: &oip.InferTensorContents{BytesContents: [][]byte{[]byte(sex)}}}}}
}

// The calls of the service, as a stock client makes them.
func TestGRPC(t *testing.T) {
	url, secret, b, _, keys := server(t, APIKey{Name: "k", Cap: 10 * croft.Credit})
	g, err := OpenGraph(graphFile(t, network()))
	if err != nil {
		t.Fatal(err)
	}
	b.engines["net"], b.offers = g, append(b.offers, Offer{Name: "net", Task: Predict, Version: 3, Most: 2 * croft.Credit})
	ask := dial(t, url, secret)
	for _, c := range []struct {
		method        string
		in, out, want proto.Message
	}{
		{"ServerLive", &oip.ServerLiveRequest{}, &oip.ServerLiveResponse{}, &oip.ServerLiveResponse{Live: true}},
		{"ServerReady", &oip.ServerReadyRequest{}, &oip.ServerReadyResponse{}, &oip.ServerReadyResponse{Ready: true}},
		{"ServerMetadata", &oip.ServerMetadataRequest{}, &oip.ServerMetadataResponse{}, &oip.ServerMetadataResponse{Name: "croft", Version: croft.EngineVersion}},
		{"ModelReady", &oip.ModelReadyRequest{Name: "net", Version: "3"}, &oip.ModelReadyResponse{}, &oip.ModelReadyResponse{Ready: true}},
		{"ModelMetadata", &oip.ModelMetadataRequest{Name: "heart"}, &oip.ModelMetadataResponse{}, &oip.ModelMetadataResponse{Name: "heart", Versions: []string{"1"}, Platform: "croft_study",
			Inputs:  []*oip.ModelMetadataResponse_TensorMetadata{{Name: "age", Datatype: "FP64", Shape: []int64{-1}}, {Name: "sex", Datatype: "BYTES", Shape: []int64{-1}}},
			Outputs: []*oip.ModelMetadataResponse_TensorMetadata{{Name: "probability", Datatype: "FP64", Shape: []int64{-1}}}}},
		{"ModelMetadata", &oip.ModelMetadataRequest{Name: "net"}, &oip.ModelMetadataResponse{}, &oip.ModelMetadataResponse{Name: "net", Versions: []string{"3"}, Platform: "onnx_onnxv1",
			Inputs:  []*oip.ModelMetadataResponse_TensorMetadata{{Name: "x", Datatype: "FP32", Shape: []int64{-1, 2}}, {Name: "ward", Datatype: "BYTES", Shape: []int64{-1, 1}}},
			Outputs: []*oip.ModelMetadataResponse_TensorMetadata{{Name: "p", Datatype: "FP32", Shape: []int64{-1, 2}}, {Name: "code", Datatype: "INT64", Shape: []int64{-1, 1}}}}},
		{"ModelInfer", one(50, "f"), &oip.ModelInferResponse{}, &oip.ModelInferResponse{ModelName: "heart", ModelVersion: "1", Id: "7", Outputs: []*oip.ModelInferResponse_InferOutputTensor{
			{Name: "probability", Datatype: "FP64", Shape: []int64{1}, Contents: &oip.InferTensorContents{Fp64Contents: []float64{1 / (1 + math.Exp(-0.1))}}}}}},
		// Raw contents are answered with raw ones; NaN is a missing value.
		{"ModelInfer", &oip.ModelInferRequest{ModelName: "net", Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}}, {Name: "ward", Datatype: "BYTES", Shape: []int64{1, 1}}},
			Outputs:          []*oip.ModelInferRequest_InferRequestedOutputTensor{{Name: "code"}},
			RawInputContents: [][]byte{binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.5)), math.Float32bits(float32(math.NaN()))), []byte("\x01\x00\x00\x00B")}},
			&oip.ModelInferResponse{}, &oip.ModelInferResponse{ModelName: "net", ModelVersion: "3", Outputs: []*oip.ModelInferResponse_InferOutputTensor{{Name: "code", Datatype: "INT64", Shape: []int64{1, 1}}},
				RawOutputContents: [][]byte{{2, 0, 0, 0, 0, 0, 0, 0}}}},
	} {
		if err := ask(c.method, c.in, c.out); err != nil || !proto.Equal(c.out, c.want) {
			t.Errorf("%s: %v %v\nwant %v", c.method, c.out, err, c.want)
		}
	}
	if got := b.calls[0].Columns; !slices.Equal(got, []string{"age", "sex"}) {
		t.Error("what leaves a node is checked by its columns: ", got)
	}
	if spent := keys.List()[0].Spent; spent != croft.Credit {
		t.Errorf("a call that cost 1 credit, and one that was free: %s spent", spent)
	}
}

// Each failure has gRPC's code, the reason that HTTP's callers get, and what to do.
func TestGRPCFailures(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k", Cap: 100 * croft.Credit})
	b.offers = append(b.offers, Offer{Name: "dear", Task: Predict, Most: 1000 * croft.Credit})
	ask := dial(t, url, secret)
	for _, c := range []struct {
		err    error // of the engine
		ask    func() error
		code   codes.Code
		reason string
	}{
		{ask: func() error {
			return dial(t, url, secret+"x")("ServerLive", &oip.ServerLiveRequest{}, &oip.ServerLiveResponse{})
		}, code: codes.Unauthenticated, reason: "INVALID_API_KEY"},
		{ask: func() error {
			return ask("ModelReady", &oip.ModelReadyRequest{Name: "nix"}, &oip.ModelReadyResponse{})
		}, code: codes.NotFound, reason: "MODEL_NOT_FOUND"},
		{ask: func() error {
			return ask("ModelMetadata", &oip.ModelMetadataRequest{Name: "heart", Version: "9"}, &oip.ModelMetadataResponse{})
		}, code: codes.NotFound, reason: "MODEL_NOT_FOUND"},
		{ask: func() error { return ask("Nothing", &oip.ModelReadyRequest{}, &oip.ModelReadyResponse{}) }, code: codes.Unimplemented},
		{ask: func() error { return ask("ModelInfer", one(99, "f"), &oip.ModelInferResponse{}) }, code: codes.InvalidArgument, reason: "INVALID_VALUE"},
		{ask: func() error {
			r := one(50, "f")
			r.RawInputContents = make([][]byte, 1)
			return ask("ModelInfer", r, &oip.ModelInferResponse{})
		}, code: codes.InvalidArgument, reason: "INVALID_VALUE"},
		{ask: func() error {
			r := one(50, "f")
			r.RawInputContents = [][]byte{binary.LittleEndian.AppendUint64(nil, math.Float64bits(50)), []byte("\x01\x00\x00\x00f")}
			return ask("ModelInfer", r, &oip.ModelInferResponse{})
		}, code: codes.InvalidArgument, reason: "INVALID_VALUE"},
		{ask: func() error {
			return ask("ModelInfer", one(50, strings.Repeat("f", MaxBody)), &oip.ModelInferResponse{})
		}, code: codes.ResourceExhausted, reason: "REQUEST_TOO_LARGE"},
		{ask: func() error { // small as it comes, large as it would cross the network
			return ask("ModelInfer", &oip.ModelInferRequest{ModelName: "heart", Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "age", Datatype: "UINT8", Shape: []int64{MaxBody / 2}}},
				RawInputContents: [][]byte{bytes.Repeat([]byte{200}, MaxBody/2)}}, &oip.ModelInferResponse{})
		}, code: codes.ResourceExhausted, reason: "REQUEST_TOO_LARGE"},
		{ask: func() error {
			return ask("ModelInfer", &oip.ModelInferRequest{ModelName: "heart", Inputs: make([]*oip.ModelInferRequest_InferInputTensor, 5000)}, &oip.ModelInferResponse{})
		}, code: codes.InvalidArgument},
		{ask: func() error {
			return ask("ServerLive", &oip.ServerLiveRequest{}, &oip.ServerLiveResponse{}, grpc.UseCompressor("gzip"))
		}, code: codes.Unimplemented},
		{ask: func() error {
			r := one(50, "f")
			r.ModelName = "dear"
			return ask("ModelInfer", r, &oip.ModelInferResponse{})
		}, code: codes.FailedPrecondition, reason: "PAYMENT_REQUIRED"},
		{err: croft.E(croft.ErrNoChannel, "Ada", 2, "heart"), code: codes.FailedPrecondition, reason: "PAYMENT_REQUIRED"},
		{err: croft.E(croft.ErrRemote, "a", "b", "c"), code: codes.PermissionDenied, reason: "CONSENT_DENIED"},
		{err: croft.E(croft.ErrBusy, "heart"), code: codes.ResourceExhausted, reason: "RATE_LIMIT_EXCEEDED"},
		{err: croft.E(croft.ErrPeer, "Ada", "away"), code: codes.Unavailable, reason: "UNAVAILABLE"},
		{err: croft.E(croft.ErrCallNumber, 1, "x"), code: codes.FailedPrecondition, reason: "REFUSED"},
		{err: croft.E(croft.ErrEngineFailed, "heart", "x"), code: codes.Internal, reason: "ENGINE_FAILED"},
		{err: errors.New("a secret path"), code: codes.Internal, reason: "INTERNAL_ERROR"},
	} {
		var trailer rpcmeta.MD
		b.err = c.err
		if c.err != nil {
			c.ask = func() error {
				return ask("ModelInfer", one(50, "f"), &oip.ModelInferResponse{}, grpc.Trailer(&trailer))
			}
		}
		s := rpcstatus.Convert(c.ask())
		info := &errdetails.ErrorInfo{}
		for _, detail := range s.Details() {
			info, _ = detail.(*errdetails.ErrorInfo)
		}
		if s.Code() != c.code || info.Reason != c.reason || c.reason != "" && (info.Domain != "croft" || !strings.HasPrefix(info.Metadata["code"], "CROFT-")) || strings.Contains(s.String(), "secret") {
			t.Errorf("%v %v, want %v %s", s, info, c.code, c.reason)
		}
		if c.err != nil && c.reason == "PAYMENT_REQUIRED" && (len(trailer.Get("payment-required")) != 1 || info.Metadata["next"] == "") {
			t.Error("no quote, or no next step: ", trailer, info)
		}
	}
}

// An engine's answer may come from anybody.
func TestGRPCAnswersAreChecked(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	ask := dial(t, url, secret)
	for answer, good := range map[string]bool{
		`{"outputs":[{"name":"p","shape":[2],"datatype":"BOOL","data":[true,false]}]}`:          true,
		`{"outputs":[{"name":"p","shape":[1,2],"datatype":"INT8","data":[[-128,127]]}]}`:        true,
		`{"outputs":[{"name":"p","shape":[2],"datatype":"BYTES","data":["é",""]}]}`:             true,
		`{"outputs":[{"name":"p","shape":[1],"datatype":"FP32","data":[null]}]}`:                true,
		`{"outputs":[{"name":"p","shape":[1],"datatype":"INT8","data":[128]}]}`:                 false,
		`{"outputs":[{"name":"p","shape":[1],"datatype":"UINT64","data":[-1]}]}`:                false,
		`{"outputs":[{"name":"p","shape":[1],"datatype":"INT64","data":[null]}]}`:               false,
		`{"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[1e999]}]}`:               false,
		`{"outputs":[{"name":"p","shape":[2],"datatype":"FP64","data":[1]}]}`:                   false,
		`{"outputs":[{"name":"p","shape":[-1,-1],"datatype":"FP64","data":[1]}]}`:               false,
		`{"outputs":[{"name":"p","shape":[4294967296,4294967296],"datatype":"FP64"}]}`:          false,
		`{"outputs":[{"name":"p","shape":[0,9223372036854775807],"datatype":"FP64"}]}`:          false,
		`{"outputs":[{"name":"p","shape":[1],"datatype":"FP16","data":[1]}]}`:                   false,
		`{"outputs":[{"name":"p","shape":[1],"datatype":"BYTES","data":[1]}]}`:                  true, // a number is a text, too
		`{"outputs":[{"name":"\u0000","shape":[],"datatype":"BYTES","data":["\ud800\udc00"]}]}`: true,
	} {
		b.engines["heart"] = says(answer)
		for _, raw := range []bool{false, true} {
			r := one(50, "f")
			if raw {
				r.RawInputContents = [][]byte{make([]byte, 8), {1, 0, 0, 0, 'f'}}
				r.Inputs[0].Contents, r.Inputs[1].Contents = nil, nil
			}
			if err := ask("ModelInfer", r, &oip.ModelInferResponse{}); (err == nil) != good || !good && rpcstatus.Code(err) != codes.Internal {
				t.Errorf("%s, raw %v: %v", answer, raw, err)
			}
		}
	}
}

// A client of gRPC does not say how long a request is: as many are in flight as others
// may have.
func TestGRPCInFlight(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	const calls = maxHeld/MaxBody + 8
	all := new(sync.WaitGroup)
	all.Add(calls)
	b.engines["heart"] = meeting{all}
	ask := dial(t, url, secret)
	failures := make(chan error)
	for range calls {
		go func() { failures <- ask("ModelInfer", one(50, "f"), &oip.ModelInferResponse{}) }()
	}
	for range calls {
		if err := <-failures; err != nil {
			t.Fatal(err)
		}
	}
}

// meeting answers when all calls are there.
type meeting struct{ all *sync.WaitGroup }

func (m meeting) Infer(context.Context, Request, func([]byte) error) (Answer, error) {
	m.all.Done()
	m.all.Wait()
	return Answer{Body: []byte(`{}`)}, nil
}

// Pages in browsers may not call: no gRPC-Web, no JSON, and no HTTP/1.1.
func TestOnlyGRPC(t *testing.T) {
	url, secret, _, _, _ := server(t, APIKey{Name: "k"})
	for _, kind := range []string{"application/json", "application/proto", "application/grpc-web+proto", "application/grpc+json", "application/grpc"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/"+inferenceService+"/ServerLive", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Content-Type", kind)
		if a, err := http.DefaultClient.Do(r); err != nil || a.StatusCode != http.StatusUnsupportedMediaType {
			t.Error(kind, a, err)
		}
	}
}

// What service show gives to grpcurl says what it gives to curl.
func TestGRPCOfAnExample(t *testing.T) {
	const body = `{"inputs":[{"name":"age","shape":[1],"datatype":"FP64","data":[50.5]},{"name":"sex","shape":[1],"datatype":"BYTES","data":["f'\""]},{"name":"n","shape":[2],"datatype":"INT64","data":[-1,9007199254740993]},{"name":"on","shape":[1],"datatype":"BOOL","data":[true]}]}`
	raw, err := GRPC("a'\"", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var m oip.ModelInferRequest
	if err := protojson.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	in, err := readRequest(&m)
	if again, _ := json.Marshal(in); err != nil || string(again) != body || m.ModelName != "a'\"" {
		t.Errorf("%s, %v", again, err)
	}
	if _, err := GRPC("m", []byte(`{"inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1]}]}`)); !errors.Is(err, croft.ErrRequest) {
		t.Error(err)
	}
}

// A stock client that learns the messages from the server.
func TestClientGRPCurl(t *testing.T) {
	grpcurl, err := exec.LookPath("grpcurl")
	if err != nil {
		t.Skip("there is no grpcurl here: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4")
	}
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	ask := func(words ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), grpcurl, append([]string{"-plaintext", "-H", "authorization: Bearer " + secret}, words...)...).CombinedOutput()
		return string(out), err
	}
	at := strings.TrimPrefix(url, "http://")
	page, err := os.ReadFile("../../docs/ref/services.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^grpcurl .*$`).FindAllString(string(page), -1)
	for _, line := range commands {
		shown := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(line, "127.0.0.1:7430", at))
		shown.Env = append(os.Environ(), "CROFT_API_KEY="+secret)
		if out, err := shown.CombinedOutput(); err != nil {
			t.Errorf("%s: %s %v", line, out, err)
		}
	}
	if len(commands) != 2 {
		t.Error("the page shows ", commands)
	}
	if out, err := ask(at, "list"); err != nil || strings.TrimSpace(out) != inferenceService {
		t.Error(out, err)
	}
	if out, err := ask(at, "describe", inferenceService); err != nil || strings.Count(out, "rpc ") != 6 {
		t.Error(out, err)
	}
	if out, err := ask("-d", `{"name":"heart"}`, at, inferenceService+"/ModelMetadata"); err != nil || !strings.Contains(out, `"platform": "croft_study"`) {
		t.Error(out, err)
	}
	const row = `{"model_name":"heart","id":"7","inputs":[{"name":"age","datatype":"FP64","shape":[1],"contents":{"fp64_contents":[50]}},{"name":"sex","datatype":"BYTES","shape":[1],"contents":{"bytes_contents":["Zg=="]}}]}`
	out, err := ask("-d", row, at, inferenceService+"/ModelInfer")
	var a struct {
		Outputs []struct {
			Contents struct{ Fp64Contents []float64 }
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &a) != nil || len(a.Outputs) != 1 || !slices.Equal(a.Outputs[0].Contents.Fp64Contents, []float64{1 / (1 + math.Exp(-0.1))}) {
		t.Error(out, err)
	}
	b.err = croft.E(croft.ErrNoChannel, "Ada", 2, "heart")
	out, err = ask("-d", row, at, inferenceService+"/ModelInfer")
	if err == nil || !strings.Contains(out, "FailedPrecondition") || !strings.Contains(out, "PAYMENT_REQUIRED") {
		t.Error(out, err)
	}
}

// Triton's own client, which sends raw contents.
func TestClientTriton(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import tritonclient.grpc").Run(); err != nil {
		t.Skip("Triton's client is not in $PYTHONPATH: pip install --target DIR 'tritonclient[grpc]', then PYTHONPATH=DIR")
	}
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	g, err := OpenGraph(graphFile(t, network()))
	if err != nil {
		t.Fatal(err)
	}
	b.engines["net"], b.offers = g, append(b.offers, Offer{Name: "net", Task: Predict, Here: true})
	out, err := exec.CommandContext(t.Context(), "python3", "testdata/triton.py", strings.TrimPrefix(url, "http://"), secret).Output()
	const want = `{"live": true, "ready": true, "platform": "onnx_onnxv1", "id": "9", "p": [0.1192, 0.8808, -1.0, -1.0], "code": [[2], [-1]], "refused": "StatusCode.NOT_FOUND"}`
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%s %v\nwant %s", out, err, want)
	}
}

// Raw contents are what encoding/binary says they are, and come back from JSON as they
// were, but for the bits that say nothing: those of NaN and of truth.
func FuzzContents(f *testing.F) {
	f.Add("FP64", binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)))
	f.Add("FP32", binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))))
	f.Add("FP32", binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(-1)))))
	f.Add("INT8", []byte{0x80, 0x7f, 0xff})
	f.Add("INT64", []byte{0, 0, 0, 0, 0, 0, 0, 0x80})
	f.Add("UINT16", []byte{1, 2, 3})
	f.Add("BOOL", []byte{0, 1, 2})
	f.Add("BYTES", []byte("\x02\x00\x00\x00\xc3\xa9\x00\x00\x00\x00"))
	f.Add("BYTES", []byte("\xff\xff\xff\xffx"))
	f.Add("BYTES", []byte("\x01\x00\x00\x00\xff"))
	f.Add("FP16", []byte{0, 0})
	oracles := map[string]func([]byte) []string{"BOOL": truth[bool], "UINT8": truth[uint8], "UINT16": truth[uint16], "UINT32": truth[uint32], "UINT64": truth[uint64],
		"INT8": truth[int8], "INT16": truth[int16], "INT32": truth[int32], "INT64": truth[int64], "FP32": truth[float32], "FP64": truth[float64]}
	f.Fuzz(func(t *testing.T, datatype string, raw []byte) {
		width := widths[datatype]
		list, err := toJSON(values{Name: "x", Datatype: datatype}, width, raw, MaxBody)
		if err != nil {
			if !errors.Is(err, croft.ErrRequest) && !errors.Is(err, croft.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		var n []json.RawMessage
		if err := json.Unmarshal(list, &n); err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		cells, err := texts(values{Name: "x", Datatype: datatype, Data: list}, len(n), 1)
		if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		back, err := fromTexts(datatype, width, cells)
		if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		if oracle := oracles[datatype]; oracle != nil {
			if got, want := oracle(back), oracle(raw); !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		} else if !bytes.Equal(back, raw) {
			t.Fatalf("%x, want %x", back, raw)
		}
		typed, err := fromTexts(datatype, typedWidth(datatype), cells)
		if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		again, err := toJSON(values{Name: "x", Datatype: datatype}, typedWidth(datatype), packed(datatype, unpacked(datatype, len(n), typed)), MaxBody)
		if err != nil || !bytes.Equal(again, list) {
			t.Fatalf("%s %v, want %s", again, err, list)
		}
	})
}

// truth reads raw contents as encoding/binary does, and says them as text.
func truth[T any](raw []byte) (out []string) {
	for _, v := range elementsOf[T](len(raw)/binary.Size(*new(T)), raw) {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// A request may be any bytes, and so may an answer.
func FuzzMessages(f *testing.F) {
	request, err := oip.Codec{}.Marshal(one(50, "f"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request, []byte(`{"outputs":[{"name":"p","shape":[1,1],"datatype":"FP32","data":[null]}]}`))
	f.Add([]byte("\x2a\x00\x3a\x00"), []byte(`{"outputs":[{"shape":[0,9223372036854775807],"datatype":"BYTES"}]}`))
	f.Fuzz(func(t *testing.T, request, answer []byte) {
		var m oip.ModelInferRequest
		if err := (oip.Codec{}).Unmarshal(request, &m); err == nil {
			in, err := readRequest(&m)
			if err != nil && !errors.Is(err, croft.ErrRequest) && !errors.Is(err, croft.ErrTooLarge) {
				t.Fatal(err)
			}
			if raw, bad := json.Marshal(in); err == nil && (bad != nil || !json.Valid(raw)) {
				t.Fatal(bad)
			}
		}
		var a infer
		if json.Unmarshal(answer, &a) != nil {
			return
		}
		for _, raw := range []bool{false, true} {
			if out, err := writeAnswer(a, raw); err != nil && !errors.Is(err, croft.ErrEngineFailed) {
				t.Fatal(err)
			} else if err == nil && len(out.Outputs) != len(a.Outputs) {
				t.Fatal(out)
			}
		}
	})
}
