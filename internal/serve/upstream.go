package serve

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"croft"
)

// Upstream is the engine of a server that somebody runs already: one that speaks
// OpenAI's API (Ollama, llama.cpp, vLLM), or plain HTTP with JSON both ways. With
// several addresses calls go to them in turn, past those that fail.
type Upstream struct {
	cfg     UpstreamConfig
	urls    []*url.URL
	http    *http.Client
	next    atomic.Uint64
	mu      sync.Mutex           // guards resting
	resting map[string]time.Time // addresses that failed, and until when they are passed over
}

// UpstreamConfig says where an upstream is and what it may be asked.
type UpstreamConfig struct {
	Task        string   // Chat, Embed or HTTP
	URLs        []string // of Chat and Embed the base, which usually ends in /v1; of HTTP what is posted to
	Model       string   // what the upstream calls its model: no caller chooses another
	Credentials string   // path of a file with what goes into the Authorization header; "": none
	// Quote is the path on the same servers that says what a request would cost: it is
	// posted there, and the answer is JSON with the number credits. "": nothing does.
	Quote string
	// Public allows addresses outside of this machine and its private networks.
	Public bool

	silence time.Duration // maxSilence if 0; tests do not wait for that
}

const (
	restTime   = 10 * time.Second // for which an address that failed is passed over
	maxSilence = 2 * time.Minute  // without a byte from an upstream: then it has failed
)

// NewUpstream checks what can be checked without a call. It fails with
// croft.ErrUsage.
func NewUpstream(cfg UpstreamConfig) (*Upstream, error) {
	cfg.silence = cmp.Or(cfg.silence, maxSilence)
	u := &Upstream{cfg: cfg, resting: map[string]time.Time{}}
	if len(cfg.URLs) == 0 || len(cfg.URLs) > 16 {
		return nil, croft.E(croft.ErrUsage, "an upstream has from 1 to 16 addresses", "give one with --upstream")
	}
	if !slices.Contains([]string{Chat, Embed, HTTP}, cfg.Task) {
		return nil, croft.E(croft.ErrUsage, fmt.Sprintf("an upstream cannot %.40q", cfg.Task), "take --task chat, embed or http")
	}
	if cfg.Quote != "" && !strings.HasPrefix(cfg.Quote, "/") {
		return nil, croft.E(croft.ErrUsage, fmt.Sprintf("%.80q is not a path of the server", cfg.Quote), "give one such as --quote /price")
	}
	for _, text := range cfg.URLs {
		a, err := url.Parse(text)
		if err != nil || a.Scheme != "http" && a.Scheme != "https" || a.Host == "" || a.User != nil || a.Fragment != "" {
			return nil, croft.E(croft.ErrUsage, fmt.Sprintf("%.200q is not the address of a server", text), "give one such as http://127.0.0.1:11434/v1, without a password in it")
		}
		u.urls = append(u.urls, a)
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if !cfg.Public {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			if near(address) {
				return nil
			}
			return reason("its address is outside of this machine's networks, which was not allowed")
		}
	}
	u.http = &http.Client{
		// An upstream that sends us elsewhere would choose what this machine connects to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         dialer.DialContext, // and no proxy, whatever the environment says
			MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: cfg.silence,
		},
	}
	return u, nil
}

// near says whether an address is this machine's or of a private network. It is asked
// of what is about to be dialled, so that a name cannot be pointed elsewhere in
// between.
func near(address string) bool {
	at, err := netip.ParseAddrPort(address)
	ip := at.Addr().Unmap()
	return err == nil && !slices.Contains(clouds, ip) && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// clouds are where clouds hand credentials to whoever asks.
var clouds = []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("169.254.170.2"), netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254")}

// Infer hands a request on. The credentials stay here, whatever the upstream says.
func (u *Upstream) Infer(ctx context.Context, r Request, part func([]byte) error) (Answer, error) {
	body, path, err := u.body(r)
	if err != nil {
		return Answer{}, err
	}
	return u.post(ctx, body, r, part, func(a *url.URL) { a.Path = strings.TrimSuffix(a.Path, "/") + path })
}

// Quote asks the server for the price of a request.
func (u *Upstream) Quote(ctx context.Context, r Request) (croft.Credits, error) {
	body, _, err := u.body(r)
	if err != nil {
		return 0, err
	}
	if u.cfg.Quote == "" {
		return 0, croft.E(croft.ErrEngineFailed, "this service", "it names no price")
	}
	answer, err := u.post(ctx, body, Request{Task: HTTP}, nil, func(a *url.URL) { a.Path, a.RawQuery = u.cfg.Quote, "" })
	if err != nil {
		return 0, err
	}
	var says struct{ Credits json.Number }
	if json.Unmarshal(answer.Body, &says) == nil {
		if price, err := croft.ParseCredits(says.Credits.String()); err == nil {
			return price, nil
		}
	}
	return 0, croft.E(croft.ErrEngineFailed, "this service", "its server names no price")
}

// post hands a body to one address after the other, at the path that at sets.
func (u *Upstream) post(ctx context.Context, body []byte, r Request, part func([]byte) error, at func(*url.URL)) (Answer, error) {
	var last error
	for _, a := range u.order() {
		target := *a
		at(&target)
		answer, begun, err := u.ask(ctx, &target, body, r, part)
		if err == nil || begun || errors.Is(err, croft.ErrRequest) || ctx.Err() != nil {
			return answer, err
		}
		u.rest(a.String())
		last = err
	}
	if errors.Is(last, croft.ErrBusy) {
		return Answer{}, last
	}
	return Answer{}, croft.E(croft.ErrEngineFailed, "this service", plain(last))
}

// order returns the addresses in the order to try them: in turn, those that rest last.
func (u *Upstream) order() []*url.URL {
	first := int(u.next.Add(1) % uint64(len(u.urls)))
	turn := slices.Concat(u.urls[first:], u.urls[:first])
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	slices.SortStableFunc(turn, func(a, b *url.URL) int {
		rest := func(a *url.URL) int {
			if u.resting[a.String()].After(now) {
				return 1
			}
			return 0
		}
		return rest(a) - rest(b)
	})
	return turn
}

func (u *Upstream) rest(address string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.resting[address] = time.Now().Add(restTime)
}

// body makes what is posted, and says where. Of a request only its JSON object is
// handed on: no header of a caller reaches an upstream.
func (u *Upstream) body(r Request) (body []byte, path string, err error) {
	if r.Task != u.cfg.Task {
		return nil, "", croft.E(croft.ErrRequest, "the service's task is "+u.cfg.Task)
	}
	if u.cfg.Task == HTTP {
		if !json.Valid(r.Body) {
			return nil, "", croft.E(croft.ErrRequest, "its body is not JSON")
		}
		return r.Body, "", nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &fields); err != nil {
		return nil, "", croft.E(croft.ErrRequest, "its body is not a JSON object")
	}
	drop := func(name string) {
		maps.DeleteFunc(fields, func(field string, _ json.RawMessage) bool { return strings.EqualFold(field, name) }) // as servers in Go read them
	}
	set := func(name string, value any) {
		drop(name)
		fields[name], _ = json.Marshal(value) // a text, a flag
	}
	set("model", u.cfg.Model)
	path = "/embeddings"
	if u.cfg.Task == Chat {
		path = "/chat/completions"
		drop("stream_options")
		if set("stream", r.Stream); r.Stream {
			set("stream_options", map[string]bool{"include_usage": true}) // what the call costs
		}
	} else {
		set("encoding_format", "float") // each caller gets the form it asked for at its own node
	}
	body, err = json.Marshal(fields)
	return body, path, err
}

func (u *Upstream) request(ctx context.Context, target *url.URL, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "croft")
	if u.cfg.Credentials != "" {
		secret, err := os.ReadFile(u.cfg.Credentials) // each time, so that it can be changed
		if err != nil {
			return nil, reason("its credentials cannot be read")
		}
		request.Header.Set("Authorization", strings.TrimSpace(string(secret)))
	}
	return request, nil
}

// usage is what OpenAI's API says that a call used.
type usage struct {
	Prompt     uint64 `json:"prompt_tokens"`
	Completion uint64 `json:"completion_tokens"`
}

// ask makes one attempt. begun says that parts were handed out, so that there is no
// second one.
func (u *Upstream) ask(ctx context.Context, target *url.URL, body []byte, r Request, part func([]byte) error) (a Answer, begun bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := u.request(ctx, target, body)
	if err != nil {
		return a, false, err
	}
	answer, err := u.http.Do(request)
	if err != nil {
		return a, false, err
	}
	defer answer.Body.Close()
	idle := time.AfterFunc(u.cfg.silence, cancel)
	defer idle.Stop()
	from := &alive{answer.Body, idle, u.cfg.silence}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(from, 4096))
		why := reason("its server answers " + strconv.Itoa(answer.StatusCode))
		switch answer.StatusCode {
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
			return a, false, croft.E(croft.ErrRequest, said(text, why))
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return a, false, croft.E(croft.ErrBusy, "this service")
		}
		return a, false, why
	}
	if r.Stream && r.Task == Chat {
		return u.stream(from, len(body), part)
	}
	raw, err := io.ReadAll(io.LimitReader(from, MaxBody+1))
	if err != nil {
		return a, false, err
	}
	if len(raw) > MaxBody {
		return a, false, croft.E(croft.ErrTooLarge, len(raw), MaxBody)
	}
	if !json.Valid(raw) {
		return a, false, reason("its server's answer is not JSON")
	}
	a.Body = raw
	var used struct{ Usage usage }
	if r.Task != HTTP && json.Unmarshal(raw, &used) == nil {
		a.Meter = croft.Meter{Input: used.Usage.Prompt, Output: used.Usage.Completion}
	}
	return a, false, nil
}

// stream hands out the data of server-sent events. What was used the upstream says last:
// where it does not, or the caller did not wait for that, each piece counts as a token, and
// so do four bytes of the asked that the upstream was sent.
func (u *Upstream) stream(from io.Reader, asked int, part func([]byte) error) (a Answer, begun bool, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), 256<<10)
	var pieces uint64
	defer func() {
		if begun {
			a.Meter.Input, a.Meter.Output = cmp.Or(a.Meter.Input, uint64(asked)/4), cmp.Or(a.Meter.Output, pieces)
		}
	}()
	broken := func() (Answer, bool, error) {
		const why = "its server's stream broke off"
		if !begun {
			return Answer{}, false, reason(why)
		}
		a.Partial = croft.E(croft.ErrEngineFailed, "this service", why)
		return a, true, nil
	}
	for lines.Scan() {
		data, is := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if data = bytes.TrimSpace(data); !is || len(data) == 0 {
			continue
		}
		if string(data) == "[DONE]" {
			return a, begun, nil
		}
		var chunk struct {
			Usage   *usage
			Choices []json.RawMessage
			Error   json.RawMessage
		}
		if err := json.Unmarshal(data, &chunk); err != nil || chunk.Error != nil {
			return broken()
		}
		if chunk.Usage != nil {
			a.Meter.Input, a.Meter.Output = chunk.Usage.Prompt, chunk.Usage.Completion
		}
		if len(chunk.Choices) > 0 {
			pieces++
		}
		begun = true
		if err := part(bytes.Clone(data)); err != nil { // the caller went: it has had so much
			return a, begun, err
		}
	}
	return broken()
}

// alive keeps a timer off as long as bytes come.
type alive struct {
	io.Reader
	idle  *time.Timer
	limit time.Duration
}

func (a *alive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n > 0 {
		a.idle.Reset(a.limit)
	}
	return n, err
}

// said returns the sentence of an OpenAI error object, or what there is instead.
func said(text []byte, otherwise error) string {
	var body struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(text, &body) == nil && body.Error.Message != "" {
		return fmt.Sprintf("%.200s", body.Error.Message)
	}
	return otherwise.Error()
}

// reason is why an upstream failed, in words that callers may read.
type reason string

func (r reason) Error() string { return string(r) }

// plain says why an upstream failed. Callers read it, so it has no address of ours,
// and nothing that the upstream sent.
func plain(err error) string {
	if r, ok := errors.AsType[reason](err); ok {
		return string(r)
	}
	if e, ok := errors.AsType[*croft.Error](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.Canceled) {
		return "its server took too long"
	}
	return "its server does not answer"
}
