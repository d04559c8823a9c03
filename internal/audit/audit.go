// Package audit checks a network's ledger and trusts nobody who ordered it: it
// starts from the genesis, checks what was signed, runs every transaction again,
// and compares what comes out with what was claimed.
//
//	audit.go   blocks → state: the replay, the checkpoint, the report
//	log.go     who did what, when
//	export.go  a chain as one file, checked elsewhere without a network
//	node.go    what else lies in a node's folder: state values, blobs, documents
//
// What an audit cannot say: that a genesis is the right one, and that a chain
// which ends well has not been cut off before its end. Both show when a
// [Checkpoint] from somebody else is compared.
//
// Whatever does not hold is croft.ErrAudit, and its sentence names the block, the
// key or the file.
package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
)

// Options of an audit. The zero value checks everything that is signed, compares
// with nothing, and is silent.
type Options struct {
	// Claim is where, by the word of whoever hands over the blocks, the chain
	// ends. It must end there.
	Claim Checkpoint
	// Checkpoints are what others say the state was on the way.
	Checkpoints []Checkpoint
	// Unsigned accepts the blocks of a chain.Twin, which nobody signs.
	Unsigned bool
	// Progress is told of each block, with the number that is expected; 0 if that
	// is not known.
	Progress func(done, total int64)
	// Log is told of each transaction, in order.
	Log func(Entry)
	// Inherited finds the state that a successor chain begins with. VerifyNode finds it
	// by itself, and an export holds it.
	Inherited ledger.Pieces
}

// Checkpoint says what a network's state was after a block. Two members that
// print the same one have the same history up to there.
type Checkpoint struct {
	Network croft.NetworkID `cbor:"1,keyasint" json:"network"` // hash of the chain's genesis: the network's id, unless it was rescued
	Height  int64           `cbor:"2,keyasint" json:"height"`
	AppHash croft.Hash      `cbor:"3,keyasint" json:"app_hash"`
}

// String returns NETWORK/HEIGHT/HASH, for mail and for the telephone.
func (c Checkpoint) String() string { return fmt.Sprintf("%s/%d/%s", c.Network, c.Height, c.AppHash) }

// MarshalText gives the form of JSON.
func (c Checkpoint) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the form that MarshalText gives.
func (c *Checkpoint) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCheckpoint(string(text))
	return err
}

// ParseCheckpoint reads the form that String writes. It fails with
// croft.ErrUsage.
func ParseCheckpoint(text string) (Checkpoint, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 3 {
		height, err := strconv.ParseInt(parts[1], 10, 64)
		network, err1 := croft.ParseID[croft.Genesis](parts[0])
		hash, err2 := croft.ParseID[byte](parts[2])
		c := Checkpoint{network, height, hash}
		if errors.Join(err, err1, err2) == nil && height > 0 && c.String() == text {
			return c, nil
		}
	}
	return Checkpoint{}, croft.E(croft.ErrUsage, fmt.Sprintf("%.200q is not a checkpoint", text),
		"give NETWORK/HEIGHT/HASH, as croft status and croft audit export print it")
}

// Report is what an audit found to hold.
type Report struct {
	End      Checkpoint `json:"checkpoint"`        // after the last block, as computed here
	Network  string     `json:"network"`           // its name
	Founders []string   `json:"founders"`          // members in the genesis, which is trusted
	Rescued  string     `json:"rescued,omitempty"` // of a successor chain: the chain that ended, block by block not checked here
	Signers  int        `json:"signers,omitempty"` // of a successor chain: members who signed its first state
	Signed   bool       `json:"signed"`            // false: blocks of a twin
	First    time.Time  `json:"first"`             // time of the first block
	Last     time.Time  `json:"last"`              // time of the last block
	Blocks   int64      `json:"blocks"`
	Entries  int        `json:"entries"` // transactions
	Refused  int        `json:"refused"` // of them without effect
	Studies  int        `json:"studies"`
	Rounds   int        `json:"rounds"`  // committed
	Models   int        `json:"models"`  // of finished studies
	Records  int        `json:"records"` // in the state
	Matched  int        `json:"matched"` // checkpoints of others that were compared
	// Proved says that a signed header names the state after the last block. The
	// block that does is made at once, so a chain at rest without it was cut off.
	Proved bool    `json:"proved"`
	Stored *Stored `json:"stored,omitempty"` // of VerifyNode
}

// Words says what holds, and on what trust, a line each.
func (r Report) Words() []string {
	seal := "every signature and link holds"
	if !r.Signed {
		seal = "every link and effect holds; nobody signed these blocks, so they say nothing about who made them"
	}
	lines := []string{
		fmt.Sprintf("%s, %s (%d refused), %s.", count(r.Blocks, "block"), count(r.Entries, "entry"), r.Refused, seal),
		fmt.Sprintf("%s, %s, %s: run again, and the %s of the state came out the same.",
			count(r.Studies, "study"), count(r.Rounds, "round"), count(r.Models, "model"), count(r.Records, "record")),
	}
	if s := r.Stored; s != nil {
		lines = append(lines, fmt.Sprintf("On this disk: %s, %s, %s as they were written; %s and %s fit the ledger.",
			count(s.Values, "state value"), count(s.Blobs, "blob"), count(s.Documents, "document"),
			count(s.States, "model state"), count(s.Approvals, "approval")))
	}
	if !r.Proved {
		lines = append(lines, fmt.Sprintf("Block %d is the last, and no header names yet what it did.", r.Blocks))
	}
	if r.Rescued != "" {
		lines = append(lines, fmt.Sprintf("Trusted: the state in which %s ended. %d members signed it; who has that chain can audit it.", r.Rescued, r.Signers))
	}
	if r.Matched == 0 {
		lines = append(lines, fmt.Sprintf("Trusted: the genesis of %q by %s. Compare the checkpoint with another member's.",
			r.Network, strings.Join(r.Founders, ", ")))
	}
	return append(lines, "Checkpoint "+r.End.String())
}

// count puts a number before a word.
func count[N int | int64](n N, word string) string {
	if n != 1 {
		if stem, y := strings.CutSuffix(word, "y"); y {
			word = stem + "ie"
		}
		word += "s"
	}
	return fmt.Sprintf("%d %s", n, word)
}

// Chain yields the blocks of a ledger up to a height. A block that is not there
// or cannot be read is an error by its height.
func Chain(blocks chain.Blocks, height int64) iter.Seq2[chain.BlockData, error] {
	return span(blocks, 1, height)
}

func span(blocks chain.Blocks, from, to int64) iter.Seq2[chain.BlockData, error] {
	return func(yield func(chain.BlockData, error) bool) {
		for h := from; h <= to; h++ {
			b, err := blocks.Block(h)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// Verify runs the blocks from genesis on, checks the rules' invariants on what
// comes out, and compares it with the checkpoints. The report of a failed audit
// says how far it came.
func Verify(ctx context.Context, g croft.Genesis, blocks iter.Seq2[chain.BlockData, error], o Options) (Report, error) {
	r, err := newReplay(g, o)
	if err != nil {
		return Report{}, err
	}
	if err := r.run(ctx, blocks); err != nil {
		return r.report, err
	}
	err = r.finish()
	return r.report, err
}

// replay is a ledger that is built again in memory.
type replay struct {
	Options
	tree     *ledger.Tree
	machine  *ledger.Machine
	verifier *chain.Verifier
	claims   map[int64][]croft.Hash // of the checkpoints that are still ahead, by height
	total    int64
	log      journal
	report   Report
}

func newReplay(g croft.Genesis, o Options) (*replay, error) {
	r := &replay{Options: o, tree: ledger.NewMemoryTree(), claims: map[int64][]croft.Hash{}}
	r.report = Report{End: Checkpoint{Network: croft.NetworkID(g.Hash())}, Network: g.Name, Signed: !o.Unsigned}
	for _, m := range g.Members {
		r.report.Founders = append(r.report.Founders, m.Name)
	}
	r.total = o.Claim.Height
	for _, c := range o.Checkpoints {
		if c.Network != r.report.End.Network {
			return nil, fault("genesis: it begins chain %s; the checkpoint is of chain %s", r.report.End.Network, c.Network)
		}
		r.claims[c.Height] = append(r.claims[c.Height], c.AppHash)
		r.total = max(r.total, c.Height)
	}
	var err error
	if g.Rescue != nil {
		r.report.Rescued, r.report.Signers = g.Rescue.Chain, len(g.Rescue.Signed)
		r.machine, err = ledger.Continue(g, o.Inherited, r.tree)
	} else {
		r.machine, err = ledger.New(g, r.tree)
	}
	if err != nil {
		return nil, fault("genesis: %v", err)
	}
	if r.verifier, err = newVerifier(g, r.machine, o.Unsigned); err != nil {
		return nil, fault("genesis: %v", err)
	}
	r.log = journal{machine: r.machine, tell: o.Log}
	return r, nil
}

// newVerifier refuses a genesis that CometBFT cannot start from; to one with the
// same validator key twice its answer is a panic.
func newVerifier(g croft.Genesis, m *ledger.Machine, unsigned bool) (v *chain.Verifier, err error) {
	defer func() {
		if unfit := recover(); unfit != nil {
			err = fmt.Errorf("%.200v", unfit)
		}
	}()
	if unsigned {
		return chain.NewTwinVerifier(g, m)
	}
	return chain.NewVerifier(g, m)
}

// pruneEvery bounds the memory of a long audit: only the last state is read.
const pruneEvery = 64

// run checks and runs further blocks.
func (r *replay) run(ctx context.Context, blocks iter.Seq2[chain.BlockData, error]) error {
	for b, err := range blocks {
		height := r.machine.Height() + 1
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if kind := croft.CodeOf(err).Kind(); err != nil && (kind == croft.Unavailable || kind == croft.Timeout) {
			return err // whoever hands over the blocks went away: nothing is said about them
		} else if err != nil {
			return fault("block %d: it cannot be read: %v", height, err)
		}
		before := r.machine.AppHash()
		out, err := r.verifier.Next(b)
		if err != nil {
			return err
		}
		at, txs, err := b.Open()
		if err != nil {
			return fault("block %d: %v", height, err)
		}
		r.note(at, before, out)
		r.log.block(at, txs, out.Effects)
		for _, claimed := range r.claims[height] {
			if claimed != out.AppHash {
				return fault("block %d: the state after it is %s; the checkpoint says %s", height, out.AppHash, claimed)
			}
			r.report.Matched++
		}
		delete(r.claims, height)
		if height%pruneEvery == 0 {
			if err := r.tree.Prune(height); err != nil {
				return err
			}
		}
		if r.Progress != nil {
			r.Progress(height, r.total)
		}
	}
	return nil
}

// note counts a block.
func (r *replay) note(at ledger.Block, before croft.Hash, out ledger.Outcome) {
	p := &r.report
	p.Blocks, p.End.Height, p.End.AppHash, p.Last = at.Height, at.Height, out.AppHash, time.UnixMilli(at.Time).UTC()
	if at.Height == 1 {
		p.First = p.Last
	}
	p.Proved = before == out.AppHash // its own header names the state before it
	p.Entries += len(out.Effects)
	for _, result := range out.Effects {
		if result.Code != 0 {
			p.Refused++
		}
	}
}

// finish checks what only the whole shows.
func (r *replay) finish() error {
	r.log.flush(0)
	end := r.report.End
	claimed := r.Claim.Height
	for height := range r.claims {
		claimed = max(claimed, height)
	}
	switch {
	case end.Height == 0 || claimed > end.Height:
		return fault("block %d: it is missing; the chain ends before it, and should reach block %d", end.Height+1, max(claimed, 1))
	case r.Claim != Checkpoint{} && r.Claim != end:
		return fault("state after block %d: the checkpoint here is %s; %s was claimed", end.Height, end, r.Claim)
	}
	if err := ledger.CheckInvariants(r.tree); err != nil {
		return fault("state after block %d: %v", end.Height, err)
	}
	r.tree.Range("", func(key string, raw []byte) {
		r.report.Records++
		switch kind, _, _ := strings.Cut(key, "/"); kind {
		case "study":
			r.report.Studies++
		case "model":
			r.report.Models++
		case "round":
			if round, _, err := ledger.Decode[ledger.Round](raw); err == nil && round.Phase == croft.PhaseCommit {
				r.report.Rounds++
			}
		}
	})
	return nil
}

func fault(format string, args ...any) error {
	return croft.E(croft.ErrAudit, fmt.Sprintf(format, args...))
}
