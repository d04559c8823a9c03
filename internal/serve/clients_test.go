package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"croft"
	"croft/internal/store"
)

// shop is a server as clients meet it, with a service for each way in which a call
// can end. The model behind it is a double, labelled so; the clients are real.
func shop(t *testing.T) (url, secret string, asked func(model string) int) {
	d := newDouble(t)
	chat := upstream(t, UpstreamConfig{Task: Chat, URLs: []string{d.URL + "/v1"}, Model: "double"})
	back := &backend{engines: map[string]Engine{"chat": chat, "broken": breaks{}, "busy": busy{}, "embed": upstream(t, UpstreamConfig{Task: Embed, URLs: []string{d.URL + "/v1"}})}}
	for _, name := range []string{"chat", "broken", "busy"} {
		back.offers = append(back.offers, Offer{Name: name, Task: Chat, Here: true})
	}
	back.offers = append(back.offers, Offer{Name: "embed", Task: Embed, Here: true}, Offer{Name: "dear", Task: Chat, Most: 1000 * croft.Credit, Provider: "Ada"})
	keys, err := OpenKeys(store.NewMemoryDocs(new(store.Memory)))
	if err != nil {
		t.Fatal(err)
	}
	if _, secret, err = keys.Create(APIKey{Name: "k", Cap: croft.Credit}, time.Now()); err != nil {
		t.Fatal(err)
	}
	handler := Dialects{Backend: back, Keys: keys, Log: slog.New(slog.DiscardHandler)}.Handler()
	var mu sync.Mutex
	count := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var a struct{ Model string }
		if json.Unmarshal(raw, &a) == nil {
			mu.Lock()
			count[a.Model]++
			mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, secret, func(model string) int {
		mu.Lock()
		defer mu.Unlock()
		return count[model]
	}
}

// breaks hands out one part and no more; busy has no room.
type (
	breaks struct{}
	busy   struct{}
)

func (breaks) Infer(_ context.Context, _ Request, part func([]byte) error) (Answer, error) {
	err := part([]byte(`{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hel"}}]}`))
	return Answer{Partial: croft.E(croft.ErrEngineFailed, "broken", "its server's stream broke off")}, err
}

func (busy) Infer(context.Context, Request, func([]byte) error) (Answer, error) {
	return Answer{}, croft.E(croft.ErrBusy, "busy")
}

// The official Go client: answers, streams, usage, embeddings, and errors of the
// right sort, of which it tries again only what costs nothing.
func TestClientOpenAIGo(t *testing.T) {
	url, secret, asked := shop(t)
	client := openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey(secret))
	messages := []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hello")}
	ask := func(model string) (*openai.ChatCompletion, error) {
		return client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: model, Messages: messages})
	}
	done, err := ask("chat")
	if err != nil || done.Choices[0].Message.Content != "I am double" || done.Usage.CompletionTokens != 4 {
		t.Fatal(done, err)
	}
	stream := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: "chat", Messages: messages,
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}})
	var text string
	var used int64
	for stream.Next() {
		part := stream.Current()
		used = max(used, part.Usage.CompletionTokens)
		for _, c := range part.Choices {
			text += c.Delta.Content
		}
	}
	if stream.Err() != nil || text != "Hello" || used != 2 {
		t.Fatal(text, used, stream.Err())
	}
	vectors, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: "embed", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("x")}})
	if err != nil || !slices.Equal(vectors.Data[0].Embedding, []float64{0.5, -1, 2}) {
		t.Fatal(vectors, err)
	}
	models, err := client.Models.List(t.Context())
	if err != nil || len(models.Data) != 5 {
		t.Fatal(models, err)
	}
	for model, want := range map[string]struct {
		status, tries int
		code          string
	}{"dear": {402, 1, "payment_required"}, "nix": {404, 1, "model_not_found"}, "embed": {422, 1, "invalid_value"}, "busy": {429, 3, "rate_limit_exceeded"}} {
		before := asked(model)
		_, err := ask(model)
		var e *openai.Error
		if !errors.As(err, &e) || e.StatusCode != want.status || e.Code != want.code || asked(model)-before != want.tries {
			t.Errorf("%s: %v, asked %d times", model, err, asked(model)-before)
		}
		if want.status == 402 && e.Response.Header.Get("PAYMENT-REQUIRED") == "" {
			t.Error("no quote")
		}
	}
	broken := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: "broken", Messages: messages})
	for broken.Next() {
	}
	if err := broken.Err(); err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Error("a stream that breaks off: ", err)
	}
}

// modules returns the folder where an npm package lies: in $NODE_PATH.
func modules(t *testing.T, name string) (node, folder string) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node here")
	}
	for _, folder := range filepath.SplitList(os.Getenv("NODE_PATH")) {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return node, folder
		}
	}
	t.Skipf("npm's %s is not in $NODE_PATH: npm install --prefix DIR %s, then NODE_PATH=DIR/node_modules", name, name)
	return
}

// The official JavaScript client.
func TestClientOpenAINode(t *testing.T) {
	node, folder := modules(t, "openai")
	url, secret, asked := shop(t)
	raw, err := exec.CommandContext(t.Context(), node, "testdata/openai.mjs", folder, url, secret).Output()
	if err != nil {
		e, _ := errors.AsType[*exec.ExitError](err)
		t.Fatalf("%v %s", err, e.Stderr)
	}
	type failure struct {
		Kind, Code, Type, Request string
		Status                    int
		Quote                     bool
	}
	var got struct {
		Models                             []string
		Chat, Stream                       string
		Usage, StreamUsage                 int
		Embedding                          []float64
		Unpaid, Unknown, Busy, Key, Broken failure
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if len(got.Models) != 5 || got.Chat != "I am double" || got.Stream != "Hello" || got.Usage != 4 || got.StreamUsage != 2 || !slices.Equal(got.Embedding, []float64{0.5, -1, 2}) {
		t.Errorf("%s", raw)
	}
	for name, c := range map[string]struct{ got, want failure }{
		"no balance":    {got.Unpaid, failure{"APIError", "payment_required", "payment_required", "req_", 402, true}},
		"no such model": {got.Unknown, failure{"NotFoundError", "model_not_found", "invalid_request_error", "req_", 404, false}},
		"busy":          {got.Busy, failure{"RateLimitError", "rate_limit_exceeded", "rate_limit_error", "req_", 429, false}},
		"wrong key":     {got.Key, failure{"AuthenticationError", "invalid_api_key", "invalid_request_error", "req_", 401, false}},
		"mid-stream":    {got.Broken, failure{"APIError", "engine_failed", "server_error", "", 0, false}},
	} {
		c.got.Request = c.got.Request[:min(len(c.got.Request), len(c.want.Request))]
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
		}
	}
	if asked("dear") != 1 || asked("nix") != 1 || asked("busy") != 3 {
		t.Errorf("tried %d, %d, %d times", asked("dear"), asked("nix"), asked("busy"))
	}
}

// A scanner of other people's servers, with its profile for chat: what a request asks
// of the model reaches it, and what it answers comes back, tools and schemas too.
func TestClientCompatCanary(t *testing.T) {
	node, folder := modules(t, "compatcanary")
	d := httptest.NewServer(http.HandlerFunc(obliging))
	defer d.Close()
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	b.engines["chat"], b.offers[1].Here = upstream(t, UpstreamConfig{Task: Chat, URLs: []string{d.URL}}), true
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(folder, "compatcanary", "src", "cli.js"), "scan", "--base-url", url+"/v1", "--model", "chat", "--profile", "chat", "--fail-on", "any")
	cmd.Env = append(os.Environ(), "OPENAI_API_KEY="+secret)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// obliging is a double of a model's server: it calls the tool that it is told to call,
// and fills in the schema that it is given.
func obliging(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Stream bool
		Tools  []struct {
			Function struct {
				Name       string
				Parameters json.RawMessage
			}
		}
		Format struct {
			Schema struct{ Schema json.RawMessage } `json:"json_schema"`
		} `json:"response_format"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	message, why := map[string]any{"role": "assistant", "content": "OK"}, "stop"
	switch {
	case q.Stream:
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"double","choices":[{"index":0,"delta":{"role":"assistant","content":"OK"},"finish_reason":null}]}`+"\n\n"+
			`data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"double","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
		return
	case len(q.Tools) > 0:
		why, message["content"] = "tool_calls", nil
		message["tool_calls"] = []any{map[string]any{"id": "call_1", "type": "function", "function": map[string]any{"name": q.Tools[0].Function.Name, "arguments": string(fill(q.Tools[0].Function.Parameters))}}}
	case q.Format.Schema.Schema != nil:
		message["content"] = string(fill(q.Format.Schema.Schema))
	}
	json.NewEncoder(w).Encode(map[string]any{"id": "1", "object": "chat.completion", "created": 1, "model": "double", "usage": map[string]int{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
		"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": why}}})
}

// fill makes the simplest value of a JSON schema.
func fill(schema json.RawMessage) json.RawMessage {
	var s struct {
		Type       string
		Enum       []json.RawMessage
		Const      json.RawMessage
		Properties map[string]json.RawMessage
	}
	if json.Unmarshal(schema, &s) != nil {
		return json.RawMessage("null")
	}
	switch {
	case s.Const != nil:
		return s.Const
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == "object":
		out := map[string]json.RawMessage{}
		for name, of := range s.Properties {
			out[name] = fill(of)
		}
		raw, _ := json.Marshal(out)
		return raw
	}
	return json.RawMessage(map[string]string{"string": `"x"`, "number": "1", "integer": "1", "boolean": "true", "array": "[]"}[s.Type])
}
