// Package api is the node's local API: what a person's commands ask of their own
// node, as JSON over a socket that only this user can open. Handlers and client
// stand side by side, so that the two ends of a call cannot drift apart.
//
// The member key stays with the person. A command builds and signs its
// transaction and hands over the bytes; the node, which does not have that key,
// keeps and sends them. So whoever takes over a node cannot approve a study.
//
//	api.go       what crosses the socket
//	server.go    the socket, the routes, the limits
//	ledger.go    the network as the ledger holds it; transactions
//	council.go   votes, newcomers, invites
//	data.go      datasets of the node's owner
//	past.go      those that a restored folder has forgotten
//	studies.go   studies, what they let leave, predictions
//	result.go    what a finished study says; evaluation.go, what its model is worth
//	preflight.go what looks wrong in this node's own rows
//	market.go    services, channels, API keys
//	audit.go     what the node has stored, verified
//	rescue.go    a successor for a chain that cannot go on
//	pause.go     when the node takes no part in rounds
//	events.go    what happens at this node, in order
//	client.go    the other end
//	failure.go   how an error crosses
//	health.go    facts about the node's condition
//	doctor.go    what they mean, and what to do
//	metrics.go   numbers for a machine that watches
//	page.go      the status page
package api

import (
	"context"
	"log/slog"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/data"
	"croft/internal/market"
	"croft/internal/p2p"
	"croft/internal/serve"
	"croft/internal/study"
)

// Services is what the API shows of a node. Whoever builds the node fills it in.
type Services struct {
	Self   croft.MemberID
	Dir    string // the node's folder
	Name   string // the member's
	Light  bool   // it keeps headers only
	Ledger interface {
		chain.Ledger
		chain.Blocks
	}
	Study  *study.Node
	Data   *data.Registry
	Peers  func() []Peer
	Node   croft.PublicKey // the node's key
	Addrs  func() []string // where others reach the node; may be nil
	Stop   func()          // ends the node; nil: it cannot be stopped from here
	Log    *slog.Logger
	Events *Events

	Market  *market.Desk
	APIKeys *serve.Keys
	Serve   string // the address of the API for programs; empty: none

	// Of a network that cannot go on: the successor's genesis if these members are
	// lost, and whether one that others signed can be believed.
	Successor func(lost []croft.MemberID) (croft.Genesis, error)
	Believe   func(g croft.Genesis) error

	// What a check of the node's condition asks beyond that; each may be nil.
	Neighbours func(ctx context.Context, anew bool) ([]Neighbour, time.Time) // the other members' nodes, and when they were asked; anew: now
	LastBackup func() time.Time                                              // zero: none
	Carries    func() (p2p.Load, bool)                                       // for others, as a relay; may be nil
	Sent       func() int64                                                  // bytes to other nodes since the start
}

// Party is a member as people know it.
type Party struct {
	ID   croft.MemberID `json:"id"`
	Name string         `json:"name"`
}

// Peer is another member's node as this one sees it.
type Peer struct {
	Name      string         `json:"name"`
	Member    croft.MemberID `json:"member"`
	PeerID    string         `json:"peer_id"`
	Connected bool           `json:"connected"`
	Relayed   bool           `json:"relayed,omitempty"` // through another member's node
	Unmet     bool           `json:"unmet,omitempty"`   // both are light: they connect when one calls the other, and not before
	Addrs     []string       `json:"addrs,omitempty"`
}

// Member is a member as the ledger holds it.
type Member struct {
	Party
	Seat    bool `json:"seat"`    // declared ready to be a seat of studies
	Ready   bool `json:"ready"`   // its node may order blocks
	Orders  bool `json:"orders"`  // its node orders blocks now
	Revoked bool `json:"revoked"` // no member any more
	// It was found to lie as a seat, and is none until the members vote otherwise.
	Unseated bool `json:"unseated"`
	Self     bool `json:"self"`
	Light    bool `json:"light"` // its node keeps headers only
}

// Status says where the node and its network stand.
type Status struct {
	Member      Party      `json:"member"`
	Dir         string     `json:"dir"`
	NetworkName string     `json:"network_name"`
	Scope       Scope      `json:"scope"`
	Light       bool       `json:"light"` // it keeps headers only, and has what it reads proved
	Height      int64      `json:"height"`
	AppHash     croft.Hash `json:"app_hash"`
	BlockTime   time.Time  `json:"block_time"` // of the last block: the past, on an idle ledger
	CatchingUp  bool       `json:"catching_up"`
	Stopped     bool       `json:"stopped"`   // by vote: the emergency stop
	Members     int        `json:"members"`   // 0 until the first block is here
	Left        bool       `json:"left"`      // this one is a member no more
	Connected   int        `json:"connected"` // other members' nodes
	Orderers    []Party    `json:"orderers"`
	Needed      int        `json:"orderers_needed"` // so many orderers must be up for the ledger to move
	Away        []Party    `json:"away,omitempty"`  // orderers whose nodes are not connected
	Moves       bool       `json:"moves"`           // enough orderers are up
	Studies     []Summary  `json:"studies"`         // those that have not ended
	Waiting     []Summary  `json:"waiting"`         // those that wait for this member's answer
	Votes       []Question `json:"votes"`           // those that wait for this member's
	Rest        *Rest      `json:"rest,omitempty"`  // this node takes no part in rounds now
	Relay       *p2p.Load  `json:"relay,omitempty"` // what this node carries for others, if it relays
	Engine      string     `json:"engine"`
}

// Scope is what every signature binds.
type Scope struct {
	Network croft.NetworkID `json:"network"`
	Chain   string          `json:"chain"`
}

// Dataset is a dataset of the node's owner.
type Dataset struct {
	data.Entry
	Registered bool   `json:"registered"` // its registration is on the ledger
	Used       uint32 `json:"used"`       // releases that its record group was in, by the ledger
	Cap        uint32 `json:"cap"`        // releases allowed to its record group, as last declared there
}

// Prepared is what registering a file would put on the ledger.
type Prepared struct {
	data.Prepared
	People int    `json:"people"` // distinct ones
	Cap    uint32 `json:"cap"`    // releases allowed to its record group so far; 0: the group is new
}

// Add asks to register a file.
type Add struct {
	Path string `json:"path"` // absolute
	Name string `json:"name"`
	data.Options
	Tx []byte `json:"tx,omitempty"` // the signed ledger.Register; none to prepare
}

// Summary is a study in a list.
type Summary struct {
	ID       croft.StudyID `json:"id"`
	Name     string        `json:"name"`
	Status   string        `json:"status"` // proposed, running, paused, done, stopped
	Reason   string        `json:"reason,omitempty"`
	Proposer Party         `json:"proposer"`
	Expires  time.Time     `json:"expires"`
	Round    uint32        `json:"round"`
	Sites    []Site        `json:"sites"`
	Mine     bool          `json:"mine"`            // this member may be a site of it
	Waits    []Party       `json:"waits,omitempty"` // for whom the open round waits now: sites, or once their reports are there seats
	Doubt    bool          `json:"doubt,omitempty"` // this node saw that a seat lies in the open round, and cannot tell which; Waits are seats that are away and could
}

// Site is what a site answered.
type Site struct {
	Party
	Answer  string `json:"answer"` // waiting, approved, or why not: policy, consent, expired, differs, unavailable
	Missing bool   `json:"missing,omitempty"`
}

// Study is all that this node knows of a study.
type Study struct {
	Summary
	Plan      croft.Study `json:"plan"`
	PlanHash  croft.Hash  `json:"plan_hash"`
	Seats     []Party     `json:"seats"`
	Threshold uint8       `json:"threshold"` // t: so many seats together learn nothing
	Quorum    uint8       `json:"quorum"`    // shares wanted
	Readers   []Party     `json:"readers"`
	Cohort    []Party     `json:"cohort,omitempty"`
	Leaves    Leaves      `json:"leaves"`
	Rounds    []Round     `json:"rounds,omitempty"`
	Model     *Model      `json:"model,omitempty"`
}

// Leaves is what a study lets leave each site, at most.
type Leaves struct {
	Rounds     int `json:"rounds"`      // sealed reports
	Numbers    int `json:"numbers"`     // in the largest report
	AllNumbers int `json:"all_numbers"` // in all reports together
	Bytes      int `json:"bytes"`       // of the largest report, sealed
	AllBytes   int `json:"all_bytes"`
}

// Round is a round as the ledger holds it.
type Round struct {
	Number    uint32     `json:"number"`
	Phase     string     `json:"phase"`
	Reports   []Report   `json:"reports"`
	Shares    int        `json:"shares"`
	Sum       croft.Hash `json:"sum"`
	Next      croft.Hash `json:"next"`
	Liars     []Party    `json:"liars,omitempty"`
	Unchecked bool       `json:"unchecked,omitempty"`
	Cost      croft.Cost `json:"cost"` // of all its nodes, as each declared its own
}

// Report is a site's report of a round.
type Report struct {
	Party
	Bytes uint32 `json:"bytes"`
	Acks  int    `json:"acks"`            // seats that hold it durably
	Bound uint32 `json:"bound,omitempty"` // that it proves of its vector's norm; not said of the first round's
	// Seats that have it and cannot use it.
	Refused []Party `json:"refused,omitempty"`
}

// Model is a finished study's model on the ledger: hashes, never numbers.
type Model struct {
	State     croft.Hash `json:"state"`
	Rounds    uint32     `json:"rounds"`
	Unchecked bool       `json:"unchecked"` // some sum was opened without a seat to check it
}

// Check is what a study would find at this site, computed here; nothing of it
// leaves the machine.
type Check struct {
	Dataset  string   `json:"dataset"`
	Public   bool     `json:"public"` // public data: disclosure rules only warn
	People   int      `json:"people"` // distinct ones in those rows
	Train    int      `json:"train"`  // rows
	Test     int      `json:"test"`
	Rows     uint32   `json:"rows_allowed"`       // both, rounded up: what an approval says of them on the ledger
	Bound    uint32   `json:"bound,omitempty"`    // of the first report's norm, if every site allows as many rows; 0: none is proved
	Dropped  []string `json:"dropped,omitempty"`  // rows left out, by column
	Withheld string   `json:"withheld,omitempty"` // why this site would send nothing
	Warnings []string `json:"warnings,omitempty"`
	Leaves   Leaves   `json:"leaves"`
	Exact    float64  `json:"numbers_per_row"` // exact totals at most, for each row to train on, were all sites as large as this one
	Used     uint32   `json:"used"`            // releases of the record group so far
	Cap      uint32   `json:"cap"`
	Local    *Score   `json:"local,omitempty"`     // a model of these rows alone, on the rows held out
	LocalWhy string   `json:"local_why,omitempty"` // why there is none
}
