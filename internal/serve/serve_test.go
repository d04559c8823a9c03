package serve

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"croft"
	"croft/internal/fed"
	"croft/internal/store"
)

// double is a server that speaks OpenAI's API: a stand-in, labelled so.
type double struct {
	*httptest.Server
	mu      sync.Mutex
	headers []http.Header
	bodies  []map[string]any
	status  int
	cut     bool // a stream ends half-way
}

func newDouble(t *testing.T) *double {
	d := &double{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		json.NewDecoder(r.Body).Decode(&body)
		d.mu.Lock()
		d.headers, d.bodies = append(d.headers, r.Header.Clone()), append(d.bodies, body)
		status, cut := d.status, d.cut
		d.mu.Unlock()
		switch {
		case status != 0:
			w.WriteHeader(status)
			io.WriteString(w, `{"error":{"message":"said by the double"}}`)
		case strings.HasSuffix(r.URL.Path, "/embeddings"):
			io.WriteString(w, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1,2]}],"usage":{"prompt_tokens":3}}`)
		case body["stream"] == true:
			w.Header().Set("Content-Type", "text/event-stream")
			for _, word := range []string{"Hel", "lo"} {
				fmt.Fprintf(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word)
				w.(http.Flusher).Flush()
				if cut {
					return
				}
			}
			io.WriteString(w, "data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n")
		default:
			fmt.Fprintf(w, `{"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"I am %s"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`, body["model"])
		}
	}))
	t.Cleanup(d.Close)
	return d
}

func upstream(t *testing.T, cfg UpstreamConfig) *Upstream {
	t.Helper()
	u, err := NewUpstream(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUpstream(t *testing.T) {
	d := newDouble(t)
	secret := filepath.Join(t.TempDir(), "secret")
	os.WriteFile(secret, []byte("Bearer sesame\n"), 0o600)
	u := upstream(t, UpstreamConfig{Task: Chat, URLs: []string{d.URL + "/v1"}, Model: "tiny", Credentials: secret})
	defer func() { // whoever asks
		for _, body := range d.bodies {
			if body["model"] != "tiny" {
				t.Errorf("%v was asked for", body["model"])
			}
		}
	}()
	a, err := u.Infer(t.Context(), Request{Task: Chat, Body: []byte(`{"model":"mine","messages":[]}`)}, nil)
	if err != nil || !strings.Contains(string(a.Body), "I am tiny") || a.Meter != (croft.Meter{Input: 3, Output: 4}) {
		t.Fatalf("%s %+v %v", a.Body, a.Meter, err)
	}
	if got := d.headers[0].Get("Authorization"); got != "Bearer sesame" {
		t.Fatal(got)
	}
	var parts []string
	a, err = u.Infer(t.Context(), Request{Task: Chat, Body: []byte(`{"messages":[]}`), Stream: true}, func(p []byte) error { parts = append(parts, string(p)); return nil })
	if err != nil || len(parts) != 3 || a.Meter != (croft.Meter{Input: 3, Output: 2}) {
		t.Fatalf("%q %+v %v", parts, a.Meter, err)
	}
	// Who ends a stream before its server has said what it used pays for what it asked and got.
	long := `{"messages":["` + strings.Repeat("long ", 200) + `"]}`
	a, err = u.Infer(t.Context(), Request{Task: Chat, Body: []byte(long), Stream: true}, func([]byte) error { return io.ErrClosedPipe })
	if !errors.Is(err, io.ErrClosedPipe) || a.Meter.Output != 1 || a.Meter.Input < 250 || a.Meter.Input > 300 {
		t.Fatalf("%+v %v", a.Meter, err)
	}
	// Servers in Go take a field by any name that folds to theirs, and the last of them.
	_, err = u.Infer(t.Context(), Request{Task: Chat, Body: []byte(`{"messages":[],"MODEL":"dear","\u017ftream":false,"\u017ftream_option\u017f":{"include_usage":false}}`), Stream: true}, func([]byte) error { return nil })
	if last := d.bodies[len(d.bodies)-1]; err != nil || len(last) != 4 {
		t.Fatalf("%v, %v", last, err)
	}
	d.cut, parts = true, nil
	a, err = u.Infer(t.Context(), Request{Task: Chat, Body: []byte(`{}`), Stream: true}, func(p []byte) error { parts = append(parts, string(p)); return nil })
	if err != nil || !errors.Is(a.Partial, croft.ErrEngineFailed) || a.Meter.Output != 1 || len(parts) != 1 {
		t.Fatalf("%q %+v %v", parts, a, err)
	}
	d.cut = false
	for status, want := range map[int]croft.Code{400: croft.ErrRequest, 401: croft.ErrEngineFailed, 500: croft.ErrEngineFailed, 302: croft.ErrEngineFailed} {
		d.status = status
		if _, err := u.Infer(t.Context(), Request{Task: Chat, Body: []byte(`{}`)}, nil); !errors.Is(err, want) || strings.Contains(err.Error(), d.URL) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%d: %v", status, err)
		}
	}
	d.status = 0
	for _, bad := range []Request{{Task: Chat, Body: []byte("[]")}, {Task: Embed, Body: []byte("{}")}} {
		if _, err := u.Infer(t.Context(), bad, nil); !errors.Is(err, croft.ErrRequest) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Of several addresses one that fails is passed over, and rests.
func TestUpstreamReplicas(t *testing.T) {
	good, bad := newDouble(t), newDouble(t)
	bad.status = 500
	u := upstream(t, UpstreamConfig{Task: HTTP, URLs: []string{bad.URL, good.URL}})
	for range 6 {
		if _, err := u.Infer(t.Context(), Request{Task: HTTP, Body: []byte(`{}`)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(bad.bodies) > 1 || len(good.bodies) != 6 {
		t.Fatalf("%d to the bad one, %d to the good one", len(bad.bodies), len(good.bodies))
	}
}

func TestUpstreamRefuses(t *testing.T) {
	for _, urls := range [][]string{nil, {"ftp://127.0.0.1"}, {"http://user:pass@127.0.0.1"}, {"127.0.0.1:80"}, {"http://"}} {
		if _, err := NewUpstream(UpstreamConfig{Task: Chat, URLs: urls}); !errors.Is(err, croft.ErrUsage) {
			t.Errorf("%q: %v", urls, err)
		}
	}
	for address, want := range map[string]bool{"127.0.0.1:1": true, "10.1.2.3:1": true, "[::1]:1": true, "[fd00::1]:1": true, "192.0.2.1:80": false, "169.254.169.254:80": false, "[fd00:ec2::254]:80": false, "0.0.0.0:80": false, "[2001:db8::1]:1": false} {
		if got := near(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() }))
	defer hang.Close()
	u := upstream(t, UpstreamConfig{Task: HTTP, URLs: []string{hang.URL}, silence: 50 * time.Millisecond})
	if _, err := u.Infer(t.Context(), Request{Task: HTTP, Body: []byte(`{}`)}, nil); !errors.Is(err, croft.ErrEngineFailed) {
		t.Fatal(err)
	}
}

func number(t testing.TB, s string) croft.Decimal {
	t.Helper()
	d, err := croft.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func model(t testing.TB) *Model {
	t.Helper()
	m, err := NewModel(croft.Study{Name: "m", Schema: croft.Schema{UnitColumn: "id", Columns: []croft.Column{
		{Name: "age", Kind: croft.Number, Low: number(t, "20"), High: number(t, "80")},
		{Name: "sex", Kind: croft.Category, Levels: []string{"f", "m"}, Missing: croft.MissingDrop},
		{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}}}},
		Model: croft.Model{Family: "logistic", Label: "ill", Positive: "yes", Features: []string{"age", "sex"}}},
		fed.Result{Family: "logistic", Terms: []fed.Term{{Coef: 0.1}, {Name: "age", Coef: 2}, {Name: "sex=m", Coef: -1}}, Mean: make([]float64, 2)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModel(t *testing.T) {
	m := model(t)
	ask := func(body string) (string, error) {
		a, err := m.Infer(t.Context(), Request{Task: Predict, Body: []byte(body)}, nil)
		return string(a.Body), err
	}
	body, err := Rows(m.Schema(), []string{"id", "sex", "age"}, [][]string{{"1", "f", "50"}, {"2", " m ", "80"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(string(body))
	if err != nil {
		t.Fatal(err)
	}
	name, out, err := Outputs([]byte(got))
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	if err != nil || name != "probability" || len(out) != 2 || math.Abs(out[0]-sigmoid(0.1)) > 1e-12 || math.Abs(out[1]-sigmoid(0.1+2-1)) > 1e-12 {
		t.Fatal(name, out, err)
	}
	nested := `{"inputs":[{"name":"age","shape":[2,1],"datatype":"INT64","data":[[50],[80]]},{"name":"sex","shape":[2],"datatype":"BYTES","data":["f","m"]}]}`
	if again, err := ask(nested); err != nil || again != got {
		t.Fatal(again, err)
	}
	for why, body := range map[string]string{
		"not JSON":            `{`,
		"no rows":             `{"inputs":[]}`,
		"a column is missing": `{"inputs":[{"name":"age","shape":[1],"datatype":"FP64","data":[50]}]}`,
		"unknown input":       `{"inputs":[{"name":"zip","shape":[1],"datatype":"FP64","data":[50]}]}`,
		"out of range":        strings.Replace(nested, "[80]", "[81]", 1),
		"unknown level":       strings.Replace(nested, `"m"]`, `"x"]`, 1),
		"missing value":       strings.Replace(nested, `"m"]`, `null]`, 1),
		"shape lies":          strings.Replace(nested, "[2]", "[3]", 1),
		"shape is huge":       strings.Replace(nested, "[2]", "[1000000000]", 1),
		"shape is negative":   strings.Replace(nested, "[2]", "[-1]", 1),
		"datatype":            strings.Replace(nested, "INT64", "COMPLEX", 1),
		"text for a number":   strings.Replace(nested, "[50]", `["50"]`, 1),
		"an object":           strings.Replace(nested, "[[50],[80]]", `{"a":1}`, 1),
		"rows differ":         strings.Replace(strings.Replace(nested, "[2,1]", "[1,1]", 1), "[[50],[80]]", "[[50]]", 1),
		"other output":        strings.Replace(nested, `{"inputs"`, `{"outputs":[{"name":"x"}],"inputs"`, 1),
	} {
		if _, err := ask(body); err == nil || croft.CodeOf(err) == croft.ErrInternal {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func FuzzInfer(f *testing.F) {
	m := model(f)
	f.Add([]byte(`{"inputs":[{"name":"age","shape":[2,1],"datatype":"INT64","data":[[50],[80]]},{"name":"sex","shape":[2],"datatype":"BYTES","data":["f","m"]}]}`))
	f.Add([]byte(`{"inputs":[{"name":"age","shape":[1],"datatype":"FP64","data":[1e999]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := m.Infer(t.Context(), Request{Task: Predict, Body: body}, nil)
		if err == nil {
			if _, _, err := Outputs(a.Body); err != nil {
				t.Fatal(err)
			}
		} else if croft.CodeOf(err) == croft.ErrInternal {
			t.Fatal(err)
		}
	})
}

// backend is a node with one engine a task.
type backend struct {
	engines map[string]Engine
	offers  []Offer
	err     error
	quoted  croft.Credits // the price of any request; 0: the offer's
	mu      sync.Mutex    // guards calls while some are in flight
	calls   []Call
}

func (b *backend) Offers() []Offer { return b.offers }
func (b *backend) Call(ctx context.Context, c Call) (Result, error) {
	for _, o := range b.offers {
		if price := cmp.Or(b.quoted, o.Most); o.Name == c.Name && !o.Here && price > c.Most {
			return Result{Quoted: b.quoted}, croft.E(croft.ErrDear, c.Name, price, c.Most)
		}
	}
	b.mu.Lock()
	b.calls = append(b.calls, c)
	b.mu.Unlock()
	if b.err != nil {
		return Result{Quoted: b.quoted}, b.err
	}
	a, err := b.engines[c.Name].Infer(ctx, c.Request, c.Part)
	if err == nil {
		err = a.Partial
	}
	return Result{Body: a.Body, Cost: min(cmp.Or(b.quoted, croft.Credit), c.Most), Quoted: b.quoted}, err
}
func (b *backend) Schema(ctx context.Context, name string) (Schema, error) {
	if s, is := b.engines[name].(slow); is { // it comes from far away
		_, err := s.Infer(ctx, Request{}, nil)
		return Schema{}, err
	}
	return b.engines[name].(Described).Schema(), nil
}

func server(t *testing.T, key APIKey) (url, secret string, b *backend, d *double, k *Keys) {
	t.Helper()
	d = newDouble(t)
	b = &backend{engines: map[string]Engine{"heart": model(t),
		"chat":  upstream(t, UpstreamConfig{Task: Chat, URLs: []string{d.URL + "/v1"}, Model: "tiny"}),
		"embed": upstream(t, UpstreamConfig{Task: Embed, URLs: []string{d.URL + "/v1"}})},
		offers: []Offer{{Name: "heart", Task: Predict, Here: true}, {Name: "chat", Task: Chat, Most: 2 * croft.Credit, Provider: "Ada"}, {Name: "embed", Task: Embed}}}
	k, err := OpenKeys(store.NewMemoryDocs(new(store.Memory)))
	if err != nil {
		t.Fatal(err)
	}
	if _, secret, err = k.Create(key, time.Now()); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(Dialects{Backend: b, Keys: k, Log: slog.New(slog.DiscardHandler)}.Handler())
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, secret, b, d, k
}

func post(t *testing.T, url, secret, body string) (int, http.Header, string) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	return a.StatusCode, a.Header, string(text)
}

func TestOpenAI(t *testing.T) {
	url, secret, b, d, _ := server(t, APIKey{Name: "k", Cap: 100 * croft.Credit})
	if code, _, text := post(t, url+"/v1/models", secret, ""); code != 200 || !strings.Contains(text, `"id":"chat"`) {
		t.Fatal(code, text)
	}
	code, head, text := post(t, url+"/v1/chat/completions", secret, `{"model":"chat","messages":[]}`)
	if code != 200 || !strings.Contains(text, "I am tiny") || head.Get("X-Request-Id") == "" {
		t.Fatal(code, text)
	}
	_, head, text = post(t, url+"/v1/chat/completions", secret, `{"model":"chat","stream":true,"messages":[]}`)
	if head.Get("Content-Type") != "text/event-stream" || !strings.HasSuffix(text, "data: [DONE]\n\n") || strings.Count(text, "data: ") != 3 {
		t.Fatal(text)
	}
	_, _, text = post(t, url+"/v1/chat/completions", secret, `{"model":"chat","stream":true,"stream_options":{"include_usage":true},"messages":[]}`)
	if !strings.Contains(text, `"choices":[]`) {
		t.Fatal(text)
	}
	d.cut = true
	_, _, text = post(t, url+"/v1/chat/completions", secret, `{"model":"chat","stream":true,"messages":[]}`)
	if !strings.Contains(text, `data: {"error":{`) || strings.Contains(text, "[DONE]") {
		t.Fatal(text)
	}
	d.cut = false
	_, _, text = post(t, url+"/v1/embeddings", secret, `{"model":"embed","input":"x"}`)
	if !strings.Contains(text, "[0.5,-1,2]") {
		t.Fatal(text)
	}
	_, _, text = post(t, url+"/v1/embeddings", secret, `{"model":"embed","input":"x","encoding_format":"base64"}`)
	var e struct{ Data []struct{ Embedding string } }
	json.Unmarshal([]byte(text), &e)
	if raw, err := base64.StdEncoding.DecodeString(e.Data[0].Embedding); err != nil || len(raw) != 12 || math.Float32frombits(binary.LittleEndian.Uint32(raw[4:])) != -1 {
		t.Fatal(text, err)
	}
	for _, c := range []struct {
		err  error
		code int
		word string
	}{
		{croft.E(croft.ErrNoChannel, "Ada", 2, "chat"), 402, "payment_required"}, {croft.E(croft.ErrRemote, "a", "b", "c"), 403, "consent_denied"},
		{croft.E(croft.ErrBusy, "chat"), 429, "rate_limit_exceeded"}, {croft.E(croft.ErrRequest, "x"), 422, "invalid_value"},
		{croft.E(croft.ErrPeer, "Ada", "away"), 503, "unavailable"}, {croft.E(croft.ErrCallNumber, 1, "x"), 422, "refused"},
		{croft.E(croft.ErrEngineFailed, "chat", "x"), 502, "engine_failed"}, {errors.New("a secret path"), 500, "internal_error"},
	} {
		b.err = c.err
		code, head, text := post(t, url+"/v1/chat/completions", secret, `{"model":"chat","messages":[]}`)
		var f struct {
			Error struct {
				Message, Type string
				Param, Code   *string
			}
		}
		if json.Unmarshal([]byte(text), &f) != nil || code != c.code || f.Error.Code == nil || *f.Error.Code != c.word || f.Error.Type == "" || strings.Contains(text, "secret") {
			t.Errorf("%v: %d %s", c.err, code, text)
		}
		if (head.Get("Retry-After-Ms") != "") != (code == 429 || code == 503) {
			t.Errorf("%v: %v", c.err, head)
		}
		if code == 402 {
			raw, err := base64.StdEncoding.DecodeString(head.Get("PAYMENT-REQUIRED"))
			if err != nil || !strings.Contains(string(raw), `"amount":"2000000"`) || !strings.Contains(string(raw), `"x402Version":2`) {
				t.Errorf("%s, %v", raw, err)
			}
		}
	}
}

func TestOpenInference(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	for _, path := range []string{"/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models/heart", "/v2/models/heart/ready", "/v2/models/heart/versions/1", "/v2/models/heart/versions/1/ready"} {
		if code, _, text := post(t, url+path, secret, ""); code != 200 {
			t.Error(path, code, text)
		}
	}
	body := `{"id":"7","inputs":[{"name":"age","shape":[1],"datatype":"FP64","data":[50]},{"name":"sex","shape":[1],"datatype":"BYTES","data":["f"]}]}`
	code, _, text := post(t, url+"/v2/models/heart/infer", secret, body)
	if code != 200 || !strings.Contains(text, `"id":"7"`) || !strings.Contains(text, `"model_name":"heart"`) || !strings.Contains(text, `"probability"`) {
		t.Fatal(code, text)
	}
	if got := b.calls[0].Columns; !slices.Equal(got, []string{"age", "sex"}) {
		t.Fatal(got)
	}
	for path, want := range map[string]int{"/v2/models/nix/infer": 404, "/v2/models/heart/versions/9/infer": 404, "/v2/models/chat/infer": 422, "/v2/nix": 404} {
		code, _, text := post(t, url+path, secret, body)
		var f struct{ Error string } // a text, unlike OpenAI's
		if json.Unmarshal([]byte(text), &f) != nil || code != want || f.Error == "" {
			t.Error(path, code, text)
		}
	}
}

// What a key may call and spend holds, also across a restart.
func TestKeys(t *testing.T) {
	disk := store.NewMemoryDocs(new(store.Memory))
	k, _ := OpenKeys(disk)
	made, secret, err := k.Create(APIKey{Name: "app", Cap: 10 * croft.Credit, Services: []string{"heart"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if raw, _ := disk.Get(apiKeyKind, made.ID); strings.Contains(string(raw), secret) || strings.Contains(string(raw), secret[len(apiKeyPrefix):]) {
		t.Fatal("the secret is on the disk")
	}
	if _, _, err := k.Create(APIKey{Name: "app"}, time.Now()); !errors.Is(err, croft.ErrConflict) {
		t.Fatal(err)
	}
	key, err := k.find(secret)
	if err != nil || key.may(Offer{Name: "heart"}) != nil || !errors.Is(key.may(Offer{Name: "chat"}), croft.ErrAPIKey) || !errors.Is(key.may(Offer{Name: "heart", Any: true}), croft.ErrAPIKey) {
		t.Fatal(err)
	}
	for range 3 {
		set, settle, err := k.spend(key, 3*croft.Credit)
		if err != nil || set != 3*croft.Credit {
			t.Fatal(set, err)
		}
		settle(2 * croft.Credit)
	}
	_, settle, _ := k.spend(key, 3*croft.Credit)
	for _, want := range []croft.Credits{croft.Credit, 0} {
		if set, _, err := k.spend(key, 2*croft.Credit); err != nil || set != want {
			t.Fatalf("with calls in flight %s are set aside, not %s: %v", set, want, err)
		}
	}
	settle(0)
	again, _ := OpenKeys(disk)
	key, _ = again.find(secret)
	if left := key.Cap - min(key.spent, key.Cap); left > 4*croft.Credit {
		t.Fatalf("a restart gave some back: %s left", left)
	}
	if _, err := again.Revoke("app"); err != nil {
		t.Fatal(err)
	}
	if _, err := again.find(secret); !errors.Is(err, croft.ErrAPIKey) {
		t.Fatal(err)
	}
	if _, _, err := again.spend(key, croft.Credit); !errors.Is(err, croft.ErrAPIKey) { // a call that was under way
		t.Fatal(err)
	}
	if names, _ := disk.List(apiKeyKind); len(names) > 0 {
		t.Fatal("a revoked key came back: ", names)
	}
}

// A key pays what it has left: a call that may cost more is refused, by the key's name for
// it, and one that is quoted less is made. Free calls need no credits.
func TestKeyPaysWhatIsLeft(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k", Cap: croft.Credit})
	ask := func() (int, string) {
		code, _, text := post(t, url+"/v1/chat/completions", secret, `{"model":"chat"}`)
		return code, text
	}
	if code, text := ask(); code != 402 || !strings.Contains(text, "a call of chat may cost 2 credits; of the 1 that the API key may spend 1 are left") {
		t.Error(code, text)
	}
	b.quoted = croft.Credit / 2
	for range 2 {
		if code, text := ask(); code != 200 {
			t.Error(code, text)
		}
	}
	if code, text := ask(); code != 402 || !strings.Contains(text, "may cost 0.5 credits; of the 1 that the API key may spend 0 are left") {
		t.Error(code, text)
	}
	b.quoted, b.offers[1].Most = 0, 0
	if code, text := ask(); code != 200 {
		t.Error("without payment: ", code, text)
	}
}

// What is wrong with a request is said in bounded memory, and nothing of the caller
// reaches an upstream's headers.
func TestBadRequests(t *testing.T) {
	url, secret, b, d, _ := server(t, APIKey{Name: "k", Cap: croft.Credit, Services: []string{"chat", "embed"}})
	for _, c := range []struct {
		path, secret, body string
		want               int
	}{
		{"/v1/chat/completions", "", `{"model":"chat"}`, 401},
		{"/v1/chat/completions", secret + "x", `{"model":"chat"}`, 401},
		{"/v1/chat/completions", secret, `{"model":"chat"}`, 402}, // the cap is below the price
		{"/v1/chat/completions", secret, `{"model":"nix"}`, 404},
		{"/v1/chat/completions", secret, `{"model":"heart"}`, 401},
		{"/v1/chat/completions", secret, `{"model":"embed"}`, 422},
		{"/v1/chat/completions", secret, `{}`, 400},
		{"/v1/chat/completions", secret, `nonsense`, 400},
		{"/v1/embeddings", secret, `{"model":"embed","encoding_format":"int8"}`, 400},
		{"/v1/embeddings", secret, `{"model":"embed","input":"` + strings.Repeat("x", MaxBody) + `"}`, 413},
		{"/v1/files", secret, `{}`, 404},
	} {
		if code, _, text := post(t, url+c.path, c.secret, c.body); code != c.want || code == 409 {
			t.Errorf("%s %.60s: %d %s", c.path, c.body, code, text)
		}
	}
	if len(b.calls) != 0 {
		t.Fatal(b.calls)
	}
	r, _ := http.NewRequest(http.MethodPost, url+"/v1/embeddings", strings.NewReader(`{"model":"embed","input":"x"}`))
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("X-Injected", "yes")
	if _, err := http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	for _, h := range d.headers {
		if h.Get("X-Injected") != "" || strings.Contains(h.Get("Authorization"), secret) {
			t.Fatal(h)
		}
	}
	r, _ = http.NewRequest(http.MethodGet, url+"/v1/models", nil)
	r.Host = "evil.example"
	if a, err := http.DefaultClient.Do(r); err != nil || a.StatusCode != http.StatusMisdirectedRequest {
		t.Fatal(a.Status, err)
	}
}

// Every route is in the document, and the other way round.
func TestOpenAPI(t *testing.T) {
	url, secret, _, _, _ := server(t, APIKey{Name: "k"})
	_, _, text := post(t, url+"/openapi.json", secret, "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatal(err)
	}
	for path, verbs := range doc.Paths {
		for verb := range verbs {
			target := strings.NewReplacer("{name}", "heart", "{version}", "1").Replace(path)
			body := ""
			if verb == "post" {
				body = `{"model":"heart"}`
			}
			if code, _, text := post(t, url+target, secret, body); code == 404 && strings.Contains(text, "no call") || code == 405 {
				t.Errorf("%s %s: %d %s", verb, path, code, text)
			}
		}
	}
}

// pipes is a listener and a dialer over pipes, which a virtual clock can drive.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, open := <-p; open {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p <- there
	return here, nil
}

// slow answers after a time; a stream begins at once and ends then.
type slow time.Duration

func (s slow) Infer(ctx context.Context, r Request, part func([]byte) error) (Answer, error) {
	if r.Stream {
		if err := part([]byte(`{"choices":["first"]}`)); err != nil {
			return Answer{}, err
		}
	}
	select {
	case <-time.After(time.Duration(s)):
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	if r.Stream {
		return Answer{}, part([]byte(`{"choices":["last"]}`))
	}
	return Answer{Body: []byte(`{}`)}, nil
}

// A call may take minutes, with or without a body, and so may the next part of a stream; a
// body may not: whoever sends it drop by drop is dropped.
func TestSlowCallsAndSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, err := OpenKeys(store.NewMemoryDocs(new(store.Memory)))
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := keys.Create(APIKey{Name: "k"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		line := make(pipes)
		back := &backend{engines: map[string]Engine{"slow": slow(5 * time.Minute)}, offers: []Offer{{Name: "slow", Task: Chat, Here: true}}}
		s := &http.Server{Handler: Dialects{Backend: back, Keys: keys, Log: slog.New(slog.DiscardHandler)}.Handler(), ErrorLog: log.New(io.Discard, "", 0)}
		var done sync.WaitGroup
		done.Go(func() { s.Serve(line) })
		s.Protocols = new(http.Protocols)
		s.Protocols.SetHTTP1(true)
		s.Protocols.SetUnencryptedHTTP2(true)
		client := &http.Client{Transport: &http.Transport{DialContext: line.dial, DisableKeepAlives: true}}
		send := func(method, path string, body io.Reader) (int, string, error) {
			r, _ := http.NewRequest(method, "http://127.0.0.1"+path, body)
			r.Header.Set("Authorization", "Bearer "+secret)
			a, err := client.Do(r)
			if err != nil {
				return 0, "", err
			}
			defer a.Body.Close()
			text, err := io.ReadAll(a.Body)
			return a.StatusCode, string(text), err
		}
		ask := func(body io.Reader) (int, error) {
			code, _, err := send(http.MethodPost, "/v1/chat/completions", body)
			return code, err
		}
		if code, _, err := send(http.MethodGet, "/v2/models/slow", nil); code != 200 {
			t.Error("a question of five minutes without a body: ", code, err)
		}
		second := &http.Transport{DialContext: line.dial, Protocols: new(http.Protocols)}
		second.Protocols.SetUnencryptedHTTP2(true)
		for version, transport := range []http.RoundTripper{client.Transport, second} {
			client.Transport = transport
			if _, text, err := send(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"model":"slow","stream":true}`)); err != nil || !strings.HasSuffix(text, "[DONE]\n\n") {
				t.Errorf("HTTP/%d: a stream that pauses for five minutes: %q %v", version+1, text, err)
			}
		}
		second.CloseIdleConnections()
		client.Transport = &http.Transport{DialContext: line.dial, DisableKeepAlives: true}
		if code, err := ask(strings.NewReader(`{"model":"slow"}`)); code != 200 {
			t.Error("a call of five minutes: ", code, err)
		}
		drops, end := io.Pipe()
		defer end.Close()
		go end.Write([]byte(`{"model":`))
		begun := time.Now()
		if code, _ := ask(drops); code != http.StatusUnprocessableEntity || time.Since(begun) > 2*bodyTime {
			t.Error("a body that never ends: ", code, time.Since(begun))
		}
		close(line)
		s.Close()
		done.Wait()
	})
}

// Who does not take what it asked for is cut off, a failure too; who took it late in one
// answer has its time again for the next.
func TestWhoDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, err := OpenKeys(store.NewMemoryDocs(new(store.Memory)))
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := keys.Create(APIKey{Name: "k"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		line := make(pipes)
		back := &backend{engines: map[string]Engine{"slow": slow(time.Minute)}, offers: []Offer{{Name: "slow", Task: Chat, Here: true}}}
		s := &http.Server{Handler: Dialects{Backend: back, Keys: keys, Log: slog.New(slog.DiscardHandler)}.Handler(), ErrorLog: log.New(io.Discard, "", 0)}
		var done sync.WaitGroup
		done.Go(func() { s.Serve(line) })
		for _, key := range []string{secret, "wrong"} {
			client, err := line.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(client, "GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", key)
			time.Sleep(2 * writeTime)
			if n, err := client.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("with the key %q the answer still waits: %v", key, err)
			}
		}
		client, err := line.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		const body = `{"model":"slow","stream":true}`
		fmt.Fprintf(client, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", secret, len(body), body)
		piece, text := make([]byte, 4096), ""
		for !strings.HasSuffix(text, "[DONE]\n\n\r\n") {
			n, err := client.Read(piece)
			if text += string(piece[:n]); err != nil {
				t.Fatal(text, err)
			}
		}
		time.Sleep(2 * writeTime)
		if n, err := client.Read(piece); n != 0 || err == nil {
			t.Errorf("the end of a stream still waits: %q %v", piece[:n], err)
		}
		if client, err = line.dial(t.Context(), "", ""); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(client, "POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n") // and no more
		begun := time.Now()
		if _, _ = io.ReadAll(client); time.Since(begun) > 2*bodyTime { // it may be told why, or not: both times end at once
			t.Errorf("who has no key and sends no body is kept for %s", time.Since(begun))
		}
		if client, err = line.dial(t.Context(), "", ""); err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(client)
		for range 2 {
			fmt.Fprintf(client, "POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", secret)
			if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
				t.Fatal(line, err)
			}
			answers.ReadString('\n')
			io.WriteString(client, "{}")
			a, err := http.ReadResponse(answers, nil)
			if err != nil || a.StatusCode != http.StatusBadRequest {
				t.Fatal(a, err)
			}
			io.Copy(io.Discard, a.Body)
			time.Sleep(2 * writeTime)
		}
		client.Close()
		close(line)
		s.Close()
		done.Wait()
	})
}

// Memory is kept for bodies of those with a key, and for so many of them.
func TestBodiesAreBounded(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	wait := make(chan struct{})
	b.engines["chat"], b.offers[1].Here = held{wait}, true
	r, _ := http.NewRequest(http.MethodPost, url+"/v1/chat/completions", iotest.ErrReader(errors.New("nobody may read this")))
	r.ContentLength = 1 << 20
	r.Header.Set("Expect", "100-continue")
	if a, err := http.DefaultClient.Do(r); err != nil || a.StatusCode != http.StatusUnauthorized {
		t.Fatal("without a key: ", err)
	}
	body := `{"model":"chat","x":"` + strings.Repeat("x", MaxBody-100) + `"}`
	codes := make(chan int)
	const calls = maxHeld/MaxBody + 4
	for range calls {
		go func() {
			code, _, _ := post(t, url+"/v1/chat/completions", secret, body)
			codes <- code
		}()
	}
	for range 3 { // at least so many are turned away, at once; the others wait
		if code := <-codes; code != http.StatusTooManyRequests {
			t.Error(code)
		}
	}
	close(wait)
	for range calls - 3 {
		<-codes
	}
	if code, _, _ := post(t, url+"/v1/chat/completions", secret, body); code != http.StatusOK {
		t.Error("what they held is not free again: ", code)
	}
}

type held struct{ until chan struct{} }

func (h held) Infer(context.Context, Request, func([]byte) error) (Answer, error) {
	<-h.until
	return Answer{Body: []byte(`{}`)}, nil
}

// A part of a stream is whatever its provider says, and must be JSON; it cannot be two
// events.
func TestAnswersAreJSON(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k"})
	b.offers[1].Here = true
	for _, c := range []struct {
		part, want string
	}{
		{"{\"choices\":[{}]}\n\ndata: {\"evil\":1}", "not JSON"},
		{"<script>", "not JSON"},
		{"{\"choices\":\r\n[{}]}", "data: {\"choices\":[{}]}\n\n"},
	} {
		b.engines["chat"] = says(c.part)
		_, _, text := post(t, url+"/v1/chat/completions", secret, `{"model":"chat","stream":true}`)
		if strings.Contains(text, "evil") || strings.Contains(text, "script") || !strings.Contains(text, c.want) {
			t.Errorf("%q: %q", c.part, text)
		}
	}
}

type says string

func (s says) Infer(_ context.Context, r Request, part func([]byte) error) (Answer, error) {
	if r.Stream {
		return Answer{}, part([]byte(s))
	}
	return Answer{Body: []byte(s)}, nil
}

// What becomes known of an upstream that fails is a sentence of ours.
func TestUpstreamTellsNothing(t *testing.T) {
	for name, say := range map[string]string{"nonsense": "secret\r\n\r\n", "a long head": "HTTP/1.1 200 secret\r\nX: " + strings.Repeat("secret", 1<<18), "cut": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsecret",
		"a redirect": "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/secret\r\nContent-Length: 0\r\n\r\n"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, say)
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		u := upstream(t, UpstreamConfig{Task: HTTP, URLs: []string{"http://" + l.Addr().String()}})
		_, err = u.Infer(t.Context(), Request{Task: HTTP, Body: []byte(`{}`)}, nil)
		if !errors.Is(err, croft.ErrEngineFailed) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "192.0.2") {
			t.Errorf("%s: %v", name, err)
		}
		l.Close()
	}
	u := upstream(t, UpstreamConfig{Task: HTTP, URLs: []string{"http://192.0.2.1:80"}})
	if _, err := u.Infer(t.Context(), Request{Task: HTTP, Body: []byte(`{}`)}, nil); err == nil || !strings.Contains(err.Error(), "outside of this machine's networks") {
		t.Error("a forbidden host: ", err)
	}
	d := newDouble(t)
	d.status = 429
	u = upstream(t, UpstreamConfig{Task: Chat, URLs: []string{d.URL}})
	if _, err := u.Infer(t.Context(), Request{Task: Chat, Body: []byte(`{}`)}, nil); !errors.Is(err, croft.ErrBusy) {
		t.Error("a busy one: ", err)
	}
}

// A stock client: curl.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl here")
	}
	url, secret, _, _, _ := server(t, APIKey{Name: "k", Cap: 100 * croft.Credit})
	out, err := exec.CommandContext(t.Context(), curl, "-sSN", url+"/v1/chat/completions", "-H", "Authorization: Bearer "+secret,
		"-H", "Content-Type: application/json", "-d", `{"model":"chat","stream":true,"messages":[]}`).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "data: [DONE]\n\n") {
		t.Fatalf("%s %v", out, err)
	}
	out, err = exec.CommandContext(t.Context(), curl, "-sS", "-w", "%{http_code}", url+"/v1/chat/completions", "-d", `{"model":"chat"}`).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "401") {
		t.Fatalf("%s %v", out, err)
	}
}
