package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/market"
	"croft/internal/serve"
)

// Offered is what the network offers, and how programs on this machine reach it.
type Offered struct {
	Services []market.Listing `json:"services"`
	Local    []string         `json:"local"`         // models that this node serves to its own programs alone
	URL      string           `json:"url,omitempty"` // of the API for programs
}

// ToPublish is what a person needs to publish a service.
type ToPublish struct {
	Version uint32          `json:"version"` // of the next publication of this name
	Till    croft.PublicKey `json:"till"`    // this node's payment key
	Use     croft.Use       `json:"use"`     // of the model that was asked about; empty: none was
	Cohort  []Party         `json:"cohort,omitempty"`
	Task    string          `json:"task,omitempty"` // of the service that is there
}

// Wallet is all of a member's credits on one page.
type Wallet struct {
	Self     Party           `json:"self"`
	Payer    croft.PublicKey `json:"payer"`    // this node's payment key
	Next     uint64          `json:"next"`     // the number of this member's next transfer
	Free     croft.Credits   `json:"free"`     // on the ledger, to spend
	Reserved croft.Credits   `json:"reserved"` // locked in channels of this member
	Earned   croft.Credits   `json:"earned"`   // by this node, and not paid out yet
	Issued   croft.Credits   `json:"issued"`   // in the whole network
	Decided  uint64          `json:"decided"`  // votes on that so far
	Channels []Channel       `json:"channels"`
	Watchers []Watcher       `json:"watchers"` // who would object for this node while it is off
	Watching int             `json:"watching"` // channels of others for which this node would
}

// Watcher is a member or guest whose node watches for this one.
type Watcher struct {
	Party
	Told *time.Time `json:"told,omitempty"` // when it last had everything; none: not since this node started
}

// Channel is a channel as the ledger and this node know it.
type Channel struct {
	ID        croft.ChannelID `json:"id"`
	Earns     bool            `json:"earns"` // this member is paid from it
	Other     Party           `json:"other"`
	Sponsor   *Party          `json:"sponsor,omitempty"` // who funds it, if not who pays from it
	Status    string          `json:"status"`
	Deposit   croft.Credits   `json:"deposit"`
	Left      croft.Credits   `json:"left"` // that can still be promised
	Spent     croft.Credits   `json:"spent"`
	Lost      croft.Credits   `json:"lost,omitempty"` // promised for calls that got no answer
	Earned    croft.Credits   `json:"earned"`
	Paid      croft.Credits   `json:"paid"` // out, by the ledger
	Claimable croft.Credits   `json:"claimable"`
	Until     *time.Time      `json:"until,omitempty"` // when the ledger pays
	Window    uint32          `json:"window"`          // seconds
	InFlight  int             `json:"in_flight"`
}

// Calling asks for a call of a service.
type Calling struct {
	Ref        string          `json:"ref"`
	Body       json.RawMessage `json:"body"`
	Columns    []string        `json:"columns,omitempty"`
	Any        bool            `json:"any,omitempty"` // provider of a service of this name may answer
	Remote     bool            `json:"remote,omitempty"`
	Registered bool            `json:"registered,omitempty"`
	Most       *croft.Credits  `json:"most,omitempty"` // the caller pays no more
}

// Called is what came of it.
type Called struct {
	Body     json.RawMessage `json:"body"`
	Service  string          `json:"service"`
	Provider string          `json:"provider"`
	Remote   bool            `json:"remote"` // the request was sent to the provider
	Here     bool            `json:"here"`   // this member's own service: nothing was paid
	Receipt  *croft.Receipt  `json:"receipt,omitempty"`
	Left     croft.Credits   `json:"left"` // in the channels to this provider
	Tried    []market.Tried  `json:"tried,omitempty"`
}

// Checking asks for a check of a service's answers.
type Checking struct {
	Calling
	Want      json.RawMessage `json:"want,omitempty"` // the answer that is known; none: answers are compared with each other
	Tolerance float64         `json:"tolerance"`      // of numbers, relative
}

// Checked is what came of it.
type Checked struct {
	Body     json.RawMessage  `json:"body,omitempty"` // the answer that holds
	Verdicts []market.Verdict `json:"verdicts"`
	Why      string           `json:"why,omitempty"` // no answer holds
}

// Receipt is a call as one of its ends remembers it.
type Receipt struct {
	At            time.Time     `json:"at"`
	Service       string        `json:"service"`
	Earned        bool          `json:"earned"` // this node was the provider
	Countersigned bool          `json:"countersigned"`
	Receipt       croft.Receipt `json:"receipt"`
}

// Publish hands over how this node serves something, and the signed publication;
// without one it is for this node's programs alone.
type Publish struct {
	Spec market.Spec `json:"spec"`
	Tx   []byte      `json:"tx,omitempty"`
}

// NewKey is an API key and its secret, which is shown this once.
type NewKey struct {
	serve.APIKey
	Secret string `json:"secret"`
	URL    string `json:"url"`
}

// trade adds the routes of the market.
func (s Services) trade(mux *http.ServeMux) {
	get(mux, "/v1/services", s.offered)
	get(mux, "/v1/services/next", s.toPublish)
	get(mux, "/v1/services/schema", s.schema)
	post(mux, "/v1/services", s.publish)
	post(mux, "/v1/services/stop", s.stopServing)
	post(mux, "/v1/services/call", s.call)
	post(mux, "/v1/services/check", s.checkService)
	get(mux, "/v1/wallet", s.wallet)
	post(mux, "/v1/wallet/close", s.closeChannel)
	post(mux, "/v1/wallet/accept", s.acceptChannel)
	post(mux, "/v1/wallet/watchers", s.watchers)
	get(mux, "/v1/receipts", s.receipts)
	get(mux, "/v1/apikeys", s.apiKeys)
	post(mux, "/v1/apikeys", s.createKey)
	post(mux, "/v1/apikeys/revoke", s.revokeKey)
}

func (s Services) offered(r *http.Request) (Offered, error) {
	if err := s.Market.Look(r.Context()); err != nil {
		return Offered{}, err
	}
	out := Offered{Services: append([]market.Listing{}, s.Market.Listings()...), Local: append([]string{}, s.Market.Local()...)}
	if s.Serve != "" {
		out.URL = "http://" + s.Serve
	}
	return out, nil
}

func (s Services) toPublish(r *http.Request) (ToPublish, error) {
	ctx := r.Context()
	name, ref := r.URL.Query().Get("name"), r.URL.Query().Get("model")
	old, found, err := record[croft.Service](ctx, s, ledger.ServiceKey(croft.Service{Provider: s.Self, Name: name}.ID()))
	if err != nil {
		return ToPublish{}, err
	}
	out := ToPublish{Version: 1, Till: s.Market.Key}
	if found {
		out.Version, out.Task = old.Version+1, old.Task
	}
	if ref == "" {
		return out, nil
	}
	id, err := croft.ParseID[croft.Study](ref)
	if err != nil {
		return out, croft.E(croft.ErrNotFound, "study", ref, "croft study ls")
	}
	on, found, err := record[ledger.Model](ctx, s, ledger.ModelKey(id))
	if err != nil {
		return out, err
	}
	if !found {
		return out, croft.E(croft.ErrTxUnknown, "model of study", id.Short())
	}
	out.Use, out.Cohort = on.Use, s.parties(ctx, on.Cohort)
	return out, nil
}

func (s Services) schema(r *http.Request) (serve.Schema, error) {
	return s.Market.SchemaOf(r.Context(), r.URL.Query().Get("ref"))
}

// publish begins to serve, then puts the service on the ledger: a call may come as
// soon as that is read.
func (s Services) publish(r *http.Request, body Publish) (Submitted, error) {
	body.Spec.Local = body.Tx == nil
	if body.Tx == nil {
		return Submitted{}, s.Market.Begin(r.Context(), body.Spec)
	}
	tx, _, err := ledger.Parse(body.Tx)
	if err != nil {
		return Submitted{}, err
	}
	published, is := tx.Body.(*ledger.Publish)
	if !is || published.Service.Name != body.Spec.Name {
		return Submitted{}, croft.E(croft.ErrEncoding, "publication", "the transaction is of something else")
	}
	if err := s.Market.Begin(r.Context(), body.Spec); err != nil {
		return Submitted{}, err
	}
	done, err := s.send(r.Context(), tx, func(ctx context.Context) error { return s.Study.Send(ctx, body.Tx) })
	if err != nil {
		return done, err
	}
	return done, s.Market.Look(r.Context())
}

// Name names something of this node.
type Name struct {
	Name string `json:"name"`
}

func (s Services) stopServing(_ *http.Request, body Name) (struct{}, error) {
	return struct{}{}, s.Market.End(body.Name)
}

func (s Services) call(r *http.Request, body Calling) (Called, error) {
	got, err := s.Market.Call(r.Context(), body.wish())
	if err != nil {
		return Called{}, err
	}
	out := Called{Tried: got.Tried, Body: got.Body, Service: got.Listing.Name, Provider: s.party(r.Context(), got.Listing.Provider).Name, Remote: got.Remote, Here: got.Listing.Serving}
	if got.Receipt.Number > 0 {
		out.Receipt = &got.Receipt
	}
	for _, b := range s.Market.Balances() {
		if !b.Provider && b.Channel.Payee == got.Listing.Provider {
			out.Left += b.Left
		}
	}
	return out, nil
}

func (c Calling) wish() market.Wish {
	return market.Wish{Ref: c.Ref, Any: c.Any, Request: serve.Request{Body: c.Body}, Columns: c.Columns,
		Remote: c.Remote, Registered: c.Registered, Most: c.Most}
}

func (s Services) checkService(r *http.Request, body Checking) (Checked, error) {
	got, verdicts, err := s.Market.Check(r.Context(), body.wish(), body.Want, body.Tolerance)
	out := Checked{Body: got.Body, Verdicts: verdicts}
	if e, is := errors.AsType[*croft.Error](err); is && e.Code == croft.ErrUnproven {
		out.Why, err = e.Args[1], nil
	}
	return out, err
}

func (s Services) wallet(r *http.Request) (Wallet, error) {
	ctx := r.Context()
	account, _, err := record[ledger.Account](ctx, s, ledger.AccountKey(s.Self))
	if err != nil {
		return Wallet{}, err
	}
	supply, _, err := record[ledger.Supply](ctx, s, ledger.SupplyKey)
	if err != nil {
		return Wallet{}, err
	}
	out := Wallet{Self: Party{s.Self, s.Name}, Payer: s.Market.Key, Next: account.Sequence + 1, Free: account.Free, Issued: supply.Issued, Decided: supply.Decisions, Channels: []Channel{}, Watchers: []Watcher{}}
	watchers, watching := s.Market.Watchers()
	out.Watching = watching
	for _, w := range watchers {
		one := Watcher{Party: s.party(ctx, w.ID)}
		if !w.Told.IsZero() {
			told := w.Told.UTC()
			one.Told = &told
		}
		out.Watchers = append(out.Watchers, one)
	}
	balances := s.Market.Balances()
	channels, err := s.Market.Channels(ctx)
	if err != nil {
		return out, err
	}
	for _, id := range channels {
		on, found, err := record[ledger.Channel](ctx, s, ledger.ChannelKey(id))
		if err != nil {
			return out, err
		}
		if !found { // accepted in a block that a rescue left behind
			continue
		}
		c := Channel{ID: id, Earns: on.Terms.Payee == s.Self, Status: on.Status.String(), Deposit: on.Terms.Deposit, Paid: on.Paid, Window: on.Terms.Window}
		other := on.Terms.Payee
		if c.Earns {
			other = on.Terms.Funder
		}
		c.Other = s.party(ctx, other)
		if !c.Earns && on.Terms.Funder != s.Self {
			sponsor := s.party(ctx, on.Terms.Funder)
			c.Sponsor = &sponsor
		}
		if on.Until > 0 {
			until := time.UnixMilli(on.Until).UTC()
			c.Until = &until
		}
		if at := slices.IndexFunc(balances, func(b market.Balance) bool { return b.Channel.ID == id }); at >= 0 {
			b := balances[at]
			c.Left, c.Spent, c.Lost, c.Earned, c.InFlight = b.Left, b.Bought, b.Lost, b.Earned, b.Waiting
			if b.Provider {
				c.Claimable = b.Claim - min(b.Claim, on.Paid)
			}
		}
		if on.Status != ledger.ChannelClosed {
			if c.Earns {
				out.Earned += c.Claimable
			} else if on.Terms.Funder == s.Self {
				out.Reserved += on.Terms.Deposit - on.Paid
			}
		}
		out.Channels = append(out.Channels, c)
	}
	return out, nil
}

func (s Services) closeChannel(r *http.Request, body Name) (struct{}, error) {
	id, err := croft.ParseID[croft.Channel](body.Name)
	if err != nil {
		return struct{}{}, croft.E(croft.ErrNotFound, "channel", body.Name, "croft wallet show")
	}
	ctx, cancel := context.WithTimeout(r.Context(), sendTime)
	defer cancel()
	return struct{}{}, s.Market.Close(ctx, id)
}

func (s Services) acceptChannel(r *http.Request, body Name) (struct{}, error) {
	id, err := croft.ParseID[croft.Channel](body.Name)
	if err != nil {
		return struct{}{}, croft.E(croft.ErrNotFound, "channel", body.Name, "croft wallet show")
	}
	return struct{}{}, s.Market.Accept(r.Context(), id)
}

// Watchers names who watches for this node.
type Watchers struct {
	IDs []croft.MemberID `json:"ids"`
}

// watchers sets who watches for this node, and tells them, as far as they answer now.
func (s Services) watchers(r *http.Request, body Watchers) (struct{}, error) {
	ctx, cancel := context.WithTimeout(r.Context(), sendTime)
	defer cancel()
	return struct{}{}, s.Market.WatchedBy(ctx, body.IDs)
}

func (s Services) receipts(r *http.Request) ([]Receipt, error) {
	names := map[croft.ServiceID]string{}
	for _, l := range s.Market.Listings() {
		names[l.ID] = l.ProviderName + "/" + l.Name
	}
	out := []Receipt{}
	for _, x := range s.Market.Receipts() {
		name := names[x.Service]
		if name == "" {
			name = x.Service.Short()
		}
		out = append(out, Receipt{At: x.At, Service: name, Earned: x.Provider, Countersigned: x.Payer != nil, Receipt: x.Signed.Receipt})
	}
	return out, nil
}

func (s Services) apiKeys(*http.Request) ([]serve.APIKey, error) { return s.APIKeys.List(), nil }

func (s Services) createKey(_ *http.Request, key serve.APIKey) (NewKey, error) {
	made, secret, err := s.APIKeys.Create(key, time.Now())
	out := NewKey{APIKey: made, Secret: secret}
	if s.Serve != "" {
		out.URL = "http://" + s.Serve
	}
	return out, err
}

func (s Services) revokeKey(_ *http.Request, body Name) (serve.APIKey, error) {
	return s.APIKeys.Revoke(body.Name)
}

// Offered lists the services that the network offers.
func (c *Client) Offered(ctx context.Context) (Offered, error) {
	return ask[Offered](ctx, c, "services")
}

// ToPublish says what the next publication of a name must say; model may be zero.
func (c *Client) ToPublish(ctx context.Context, name string, model croft.StudyID) (ToPublish, error) {
	query := url.Values{"name": {name}}
	if !model.IsZero() {
		query.Set("model", model.String())
	}
	return ask[ToPublish](ctx, c, "services/next?"+query.Encode())
}

// Schema says what goes into a service and what comes out.
func (c *Client) Schema(ctx context.Context, ref string) (serve.Schema, error) {
	return ask[serve.Schema](ctx, c, "services/schema?"+url.Values{"ref": {ref}}.Encode())
}

// Publish serves something from now on.
func (c *Client) Publish(ctx context.Context, p Publish) (Submitted, error) {
	return tell[Submitted](ctx, c, "services", p)
}

// StopServing forgets how this node serves a name.
func (c *Client) StopServing(ctx context.Context, name string) error {
	return c.order(ctx, "services/stop", Name{name})
}

// Call makes a call of a service.
func (c *Client) Call(ctx context.Context, call Calling) (Called, error) {
	return tell[Called](ctx, c, "services/call", call)
}

// CheckService asks several providers, or one about what is known, and compares.
func (c *Client) CheckService(ctx context.Context, check Checking) (Checked, error) {
	return tell[Checked](ctx, c, "services/check", check)
}

// Wallet returns this member's credits.
func (c *Client) Wallet(ctx context.Context) (Wallet, error) { return ask[Wallet](ctx, c, "wallet") }

// CloseChannel ends a channel.
func (c *Client) CloseChannel(ctx context.Context, id croft.ChannelID) error {
	return c.order(ctx, "wallet/close", Name{id.String()})
}

// AcceptChannel pays from a channel that somebody else opened for this node.
func (c *Client) AcceptChannel(ctx context.Context, id string) error {
	return c.order(ctx, "wallet/accept", Name{id})
}

// SetWatchers sets who watches for this node; none ends it. Those whose nodes answer have
// everything when it returns.
func (c *Client) SetWatchers(ctx context.Context, ids []croft.MemberID) error {
	return c.order(ctx, "wallet/watchers", Watchers{ids})
}

// Receipts returns this node's latest calls.
func (c *Client) Receipts(ctx context.Context) ([]Receipt, error) {
	return ask[[]Receipt](ctx, c, "receipts")
}

// APIKeys lists the API keys.
func (c *Client) APIKeys(ctx context.Context) ([]serve.APIKey, error) {
	return ask[[]serve.APIKey](ctx, c, "apikeys")
}

// CreateAPIKey makes an API key.
func (c *Client) CreateAPIKey(ctx context.Context, key serve.APIKey) (NewKey, error) {
	return tell[NewKey](ctx, c, "apikeys", key)
}

// RevokeAPIKey ends an API key, by id or name.
func (c *Client) RevokeAPIKey(ctx context.Context, ref string) (serve.APIKey, error) {
	return tell[serve.APIKey](ctx, c, "apikeys/revoke", Name{ref})
}
