package serve

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"croft"
)

// Backend is what the dialects need of a node.
type Backend interface {
	// Offers lists what can be called from here.
	Offers() []Offer
	// Call makes a call. What it answers is JSON, whoever provides it; a part of a stream
	// need not be.
	Call(ctx context.Context, c Call) (Result, error)
	// Schema says what goes into a model and what comes out.
	Schema(ctx context.Context, name string) (Schema, error)
}

// Offer is something that can be called, as a dialect lists it.
type Offer struct {
	Name     string
	Task     string
	Provider string // the member's name
	Version  uint32
	Created  int64         // Unix seconds; 0: not known
	Most     croft.Credits // that a call costs
	PayTo    croft.MemberID
	Network  croft.NetworkID
	Here     bool // this node answers, without payment
	Any      bool // whichever of several providers is best answers
}

// Call is a call that came in through a dialect.
type Call struct {
	Name    string
	Request Request
	Columns []string // of a request with tensors
	Remote  bool     // it may leave this node
	Any     bool     // to any provider of that name
	Most    croft.Credits
	Part    func([]byte) error
}

// Result is what became of it.
type Result struct {
	Body []byte
	Cost croft.Credits // at most: of a call that got no receipt, all that it was promised
	// Quoted is what the provider asked for this request, also where nothing could pay
	// it; 0: the offer's price counts.
	Quoted croft.Credits
}

// Dialects answers programs on this machine.
type Dialects struct {
	Backend Backend
	Keys    *Keys
	Log     *slog.Logger
}

// The limits of the server.
const (
	bodyTime   = 30 * time.Second // in which a request's body must have arrived
	writeTime  = 30 * time.Second // in which a piece of an answer must be taken
	maxServed  = 512              // requests at a time
	maxHeld    = 32 * MaxBody     // bytes of their bodies
	retryAfter = 500 * time.Millisecond
)

//go:embed openapi.json
var openAPI []byte

// Handler returns the server's routes. Whoever serves it listens on loopback; it
// answers to loopback's names alone, so that no page in a browser can point its own
// name there, and to nobody without an API key.
func (d Dialects) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(openAPI)
	})
	d.openAI(mux)
	d.inference(mux)
	d.grpc(mux)
	slots, room := make(chan struct{}, maxServed), semaphore.NewWeighted(maxHeld)
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w := timed{out}
		id := fmt.Sprintf("req_%016x", rand.Uint64())
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !OnLoopback(r.Host) {
			http.Error(w, "call this server as 127.0.0.1, [::1] or localhost", http.StatusMisdirectedRequest)
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			d.fail(w, r, croft.E(croft.ErrBusy, "this node"), Offer{})
			return
		}
		control := http.NewResponseController(out)
		if r.ContentLength != 0 { // nobody without a key takes up memory
			_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // net/http's writers can, and it lifts that for the next request
			if _, err := d.key(r.Header); err != nil {
				d.fail(w, r, err, Offer{})
				return
			}
		}
		defer func() { _ = control.SetWriteDeadline(time.Now().Add(writeTime)) }() // for what is still on its way
		body := &arriving{ReadCloser: http.MaxBytesReader(out, r.Body, MaxBody), of: r, room: room}
		defer func() { room.Release(body.held) }()
		r.Body = body
		mux.ServeHTTP(w, r)
		d.Log.Debug("served", "request", id, "method", r.Method, "path", r.URL.Path)
	})
}

// OnLoopback says whether a Host header names this machine's loopback.
func OnLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// key returns the API key in a request's headers: a bearer token, as OpenAI's clients send it.
func (d Dialects) key(h http.Header) (*openKey, error) {
	secret, _ := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	return d.Keys.find(secret)
}

// call makes a call for the key in a request's headers, within what that may do and
// spend.
func (d Dialects) call(ctx context.Context, h http.Header, c Call) (Result, Offer, error) {
	key, err := d.key(h)
	if err != nil {
		return Result{}, Offer{}, err
	}
	offer, err := d.offer(c.Name)
	if err == nil {
		err = key.may(offer)
	}
	if err != nil {
		return Result{}, offer, err
	}
	if offer.Task != c.Request.Task {
		return Result{}, offer, croft.E(croft.ErrRequest, fmt.Sprintf("%s is for %s, not for %s", c.Name, offer.Task, c.Request.Task))
	}
	c.Remote, c.Any, c.Most = key.Remote, offer.Any, offer.Most
	if offer.Here {
		c.Most = 0
	}
	listed := c.Most
	var settle func(croft.Credits)
	if c.Most, settle, err = d.Keys.spend(key, listed); err != nil {
		return Result{}, offer, err
	}
	result, err := d.Backend.Call(ctx, c)
	settle(result.Cost)
	offer.Most = cmp.Or(result.Quoted, offer.Most)
	if errors.Is(err, croft.ErrDear) && c.Most < listed { // it is the key that would not pay more
		err = croft.E(croft.ErrSpendCap, key.Cap, c.Most, offer.Name, offer.Most)
	}
	return result, offer, err
}

func (d Dialects) offer(name string) (Offer, error) {
	for _, o := range d.Backend.Offers() {
		if o.Name == name {
			return o, nil
		}
	}
	return Offer{}, croft.E(croft.ErrNotFound, "model", fmt.Sprintf("%.80s", name), "GET /v1/models")
}

// offers lists what a key may call.
func (d Dialects) offers(key *openKey) (out []Offer) {
	for _, o := range d.Backend.Offers() {
		if key.may(o) == nil {
			out = append(out, o)
		}
	}
	return out
}

// status returns the HTTP status of a failure and OpenAI's word for it. 409 is never
// among them: clients take it for "try again", and would pay again.
func status(err error) (code int, word string) {
	switch c := croft.CodeOf(err); c {
	case croft.ErrNoChannel, croft.ErrChannelEmpty, croft.ErrChannelClosed, croft.ErrSpendCap, croft.ErrOwed, croft.ErrDear:
		return http.StatusPaymentRequired, "payment_required"
	case croft.ErrAPIKey:
		return http.StatusUnauthorized, "invalid_api_key"
	case croft.ErrRemote, croft.ErrUse, croft.ErrPolicy:
		return http.StatusForbidden, "consent_denied"
	case croft.ErrBusy, croft.ErrTillBusy, croft.ErrInFlight:
		return http.StatusTooManyRequests, "rate_limit_exceeded"
	case croft.ErrTooLarge:
		return http.StatusRequestEntityTooLarge, "request_too_large"
	case croft.ErrEngineFailed:
		return http.StatusBadGateway, "engine_failed"
	default:
		switch c.Kind() {
		case croft.NotFound:
			return http.StatusNotFound, "model_not_found"
		case croft.Usage:
			return http.StatusBadRequest, "invalid_request"
		case croft.Invalid:
			return http.StatusUnprocessableEntity, "invalid_value"
		case croft.Denied:
			return http.StatusForbidden, "denied"
		case croft.Unavailable:
			return http.StatusServiceUnavailable, "unavailable"
		case croft.Timeout:
			return http.StatusGatewayTimeout, "timeout"
		case croft.Conflict, croft.Pending, croft.Exhausted:
			return http.StatusUnprocessableEntity, "refused"
		}
	}
	return http.StatusInternalServerError, "internal_error"
}

// head sets what all dialects say of a failure in headers: whether to try again and
// when, and what to pay. It returns the HTTP status.
func head(h http.Header, err error, o Offer) int {
	code, _ := status(err)
	switch code {
	case http.StatusPaymentRequired:
		h.Set("PAYMENT-REQUIRED", quote(err, o))
		h.Set("X-Should-Retry", "false")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
		h.Set("Retry-After-Ms", strconv.FormatInt(retryAfter.Milliseconds(), 10))
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	default:
		h.Set("X-Should-Retry", "false")
	}
	return code
}

// quote is what a call costs, for a program: an x402 v2 PaymentRequired object in
// base64. The scheme is a deposit that many calls are paid from.
func quote(err error, o Offer) string {
	type accept struct {
		Scheme  string            `json:"scheme"`
		Network string            `json:"network"`
		Amount  string            `json:"amount"`
		Asset   string            `json:"asset"`
		PayTo   string            `json:"payTo"`
		Timeout int               `json:"maxTimeoutSeconds"`
		Extra   map[string]string `json:"extra"`
	}
	body, _ := json.Marshal(struct { // texts and numbers
		Version  int    `json:"x402Version"`
		Error    string `json:"error"`
		Resource struct {
			URL         string `json:"url"`
			Description string `json:"description"`
		} `json:"resource"`
		Accepts []accept `json:"accepts"`
	}{Version: 2, Error: err.Error(), Resource: struct {
		URL         string `json:"url"`
		Description string `json:"description"`
	}{"croft:service/" + o.Name, "a call of " + o.Name},
		Accepts: []accept{{Scheme: "batch-settlement", Network: "croft:" + o.Network.String()[:32], Amount: strconv.FormatUint(uint64(o.Most), 10),
			Asset: "credit", PayTo: o.PayTo.String(), Timeout: 3600, Extra: map[string]string{"unit": "millionths of a credit", "most": o.Most.String(), "next": croft.Next(err)}}}})
	return base64.StdEncoding.EncodeToString(body)
}

// fail answers in the shape of the dialect that was asked.
func (d Dialects) fail(w http.ResponseWriter, r *http.Request, err error, o Offer) {
	err = d.told(r.Context(), r.URL.Path, err)
	if isGRPC(r) {
		_ = rpcErrors.Write(w, r, rpcError(err, o)) // who does not read it is gone
		return
	}
	code := head(w.Header(), err, o)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	body := failureOf(err)
	if strings.HasPrefix(r.URL.Path, "/v2") {
		body = map[string]string{"error": err.Error()}
	}
	json.NewEncoder(w).Encode(body)
}

// told is what a caller hears of a failure: of one without a code the sentence is for
// the log alone.
func (d Dialects) told(ctx context.Context, path string, err error) error {
	switch gone := ctx.Err() != nil; {
	case croft.CodeOf(err) != croft.ErrInternal:
		return err
	case gone:
		return croft.E(croft.ErrRequest, "its caller did not wait for the answer")
	}
	d.Log.Error("call", "path", path, "why", err)
	return croft.E(croft.ErrInternal, "the node could not answer")
}

// failureOf is OpenAI's error object.
func failureOf(err error) any {
	code, word := status(err)
	kind := "invalid_request_error"
	switch {
	case code >= 500:
		kind = "server_error"
	case code == http.StatusPaymentRequired:
		kind = "payment_required"
	case code == http.StatusTooManyRequests:
		kind = "rate_limit_error"
	}
	message := err.Error()
	if next := croft.Next(err); next != "" {
		message += "; " + next
	}
	return map[string]any{"error": map[string]any{"message": message, "type": kind, "param": nil, "code": word}}
}

// arriving is a request's body, which takes up room as it arrives: many clients do not
// say how long it will be. What is wrong with it is said here, for all dialects. Once it
// is read, net/http lifts the deadline itself: a call may be long.
type arriving struct {
	io.ReadCloser
	of   *http.Request
	room *semaphore.Weighted
	held int64 // of room
}

func (b *arriving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	fits := b.room.TryAcquire(int64(n))
	if fits {
		b.held += int64(n)
	}
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case !fits:
		n, err = 0, croft.E(croft.ErrBusy, "this node")
	case err == nil || err == io.EOF:
		return n, err
	case tooLarge:
		err = croft.E(croft.ErrTooLarge, max(b.of.ContentLength, MaxBody+1), MaxBody)
	default:
		err = croft.E(croft.ErrRequest, "its body did not arrive")
	}
	if isGRPC(b.of) { // its library takes its own errors as they are
		err = rpcError(err, Offer{})
	}
	return n, err
}

// timed is a ResponseWriter whose client must take each piece of an answer in time:
// who does not read holds nothing up.
type timed struct{ http.ResponseWriter }

func (w timed) Write(piece []byte) (int, error) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTime)) // net/http's writers can
	return w.ResponseWriter.Write(piece)
}

// Flush and FlushError hand on what is written, and take as long as they like to write
// more: HTTP/2 ends a stream at its deadline, also one that has nothing to write. Unwrap
// lets a ResponseController reach the rest.
func (w timed) Flush() { _ = w.FlushError() }
func (w timed) FlushError() error {
	control := http.NewResponseController(w.ResponseWriter)
	err := control.Flush()
	_ = control.SetWriteDeadline(time.Time{})
	return err
}
func (w timed) Unwrap() http.ResponseWriter { return w.ResponseWriter }
