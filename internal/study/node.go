package study

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
)

// Ledger is what the flows need of the network's ledger.
type Ledger interface {
	Submit(ctx context.Context, tx []byte) error
	// Read returns one record of the last committed state, proved or run by this
	// node itself; nil if there is none.
	Read(ctx context.Context, key string) ([]byte, error)
	// Watch wakes up after blocks with news; a hint only, what happened is in the state.
	Watch(ctx context.Context) <-chan struct{}
}

// Blobs keeps content-addressed bytes, durably when Put returns.
type Blobs interface {
	Put(data []byte) (croft.Hash, error)
	Get(hash croft.Hash) ([]byte, error)
	Delete(hash croft.Hash) error
}

// Docs keeps small named documents, durably when Put returns. Get returns an
// error for which Absent is true when there is none.
type Docs interface {
	Put(kind, name string, data []byte) error
	Get(kind, name string) ([]byte, error)
	Delete(kind, name string) error
	List(kind string) ([]string, error)
}

// Peers reaches other members' nodes.
type Peers interface {
	// Fetch gets a blob of at most so many bytes from the first of the members that has
	// it, and checks its hash.
	Fetch(ctx context.Context, hash croft.Hash, most int, from ...croft.MemberID) ([]byte, error)
	// Call sends a request and returns the answer.
	Call(ctx context.Context, to croft.MemberID, protocol string, request []byte) ([]byte, error)
}

// Node is a node as the flows see it. All fields are set by whoever builds it.
type Node struct {
	Self   croft.MemberID
	Sign   ledger.Signer
	Scope  croft.Scope
	Ledger Ledger
	Blobs  Blobs
	Docs   Docs
	Peers  Peers
	Data   *data.Registry
	// Quiet are the hours in which the node takes no part in rounds.
	Quiet Hours
	Log   *slog.Logger
	// Report is told of each step that this node took, for progress on screens.
	Report func(Event)
	// At is called at each named line with its name; nil in the product. Tests stop
	// the process there.
	At func(line string)

	// accounts is held from looking at what was released of a record group to
	// writing down the next release: two studies over the same people would
	// otherwise each find the other not yet there.
	accounts sync.Mutex
	// pipes is held while a pipe is made: the last of two would win, and what the
	// other sealed would never open.
	pipes sync.Mutex
	// answered is sent when answers about proofs are kept: seats that ask wait for it.
	answered signal

	sending inFlight

	// rooms is held while it is decided whether something is carried for others.
	rooms sync.Mutex
}

// A signal wakes all who wait for it.
type signal struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns what is closed when the signal is sent next.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}

// Event is one step of one study at this node.
type Event struct {
	Study croft.StudyID `json:"study"`
	Round uint32        `json:"round"`
	Word  string        `json:"word"` // the step's word: open, report, acknowledge, sum, step, publish, pause, refuse, doubt (a seat lies, nobody knows which), liar …
	Text  string        `json:"text,omitempty"`
	Bytes int           `json:"bytes,omitempty"`
	Loss  float64       `json:"loss,omitempty"` // of the step: mean log-loss over the training rows
}

// retry is how long a study waits after a failure that may pass: an unreachable
// peer, a ledger without quorum.
const retry = 500 * time.Millisecond

// glance is how often deadlines are looked at while nothing happens.
const glance = time.Second

// Run follows every study on the ledger until ctx ends. It returns nil then; an
// error means that this node can no longer be trusted to go on (its disk fails).
func (n *Node) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.resend(ctx, group) })
	moved := n.Ledger.Watch(ctx)
	kept := n.over()
	over, next, sure := kept, kept.Studies, kept.Studies == 0
	for {
		for ctx.Err() == nil {
			if !sure {
				last, _, err := get[croft.StudyID](ctx, n, ledger.StudyAtKey(next-1))
				if err != nil {
					break
				}
				if sure = true; last != over.Last { // a rescue took the ledger back: others may be in their places
					over, next = overStudies{}, 0
				}
			}
			id, found, err := get[croft.StudyID](ctx, n, ledger.StudyAtKey(next))
			if err != nil || !found {
				break
			}
			next++
			f := &follower{Node: n, id: id}
			if _, err := n.Docs.Get(endedKind, f.name()); err == nil {
				if over.Studies == next-1 {
					over = overStudies{next, id}
				}
				continue // nothing is left to do, nor to erase
			}
			group.Go(func() error { return f.follow(ctx) })
		}
		if over != kept {
			kept = over
			if err := n.Docs.Put(overKind, overName, croft.Encode(over)); err != nil {
				group.Go(func() error { return err })
			}
		}
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-moved:
		case <-time.After(glance):
		}
	}
}

// overStudies is a document: so many of the oldest studies are over and erased here. A
// start looks at none of them again, which a light node would ask others for, one by one.
type overStudies struct {
	Studies uint32        `cbor:"1,keyasint"`
	Last    croft.StudyID `cbor:"2,keyasint"` // of them
}

const overKind, overName = "over", "studies"

// over reads the document; without it, or if it is damaged, all are looked at.
func (n *Node) over() (over overStudies) {
	if raw, err := n.Docs.Get(overKind, overName); err != nil || croft.Decode(raw, &over) != nil {
		return overStudies{}
	}
	return over
}

// follower plays this node's part in one study.
type follower struct {
	*Node
	id croft.StudyID

	rows      *rows   // the site's rows, once read
	ticks     backoff // about a deadline, in ms
	judges    backoff // of a round: when to ask the other seats about its proofs
	warns     backoff // when to log why it waits
	stepped   uint32  // rounds whose step is taken
	forgotten uint32  // rounds whose leftovers are erased
	carrier   carrier
	carryNext map[string]time.Time // when to fetch again what is carried for others; the carrier's own
	said      map[string]bool      // events reported once
	mu        sync.Mutex
}

// A backoff says when to ask about the same thing again: ever more rarely.
type backoff struct {
	about int64
	next  time.Time
	pause time.Duration
}

// due says whether to ask now. The first two times are a first pause apart, and the
// pause doubles up to the longest.
func (b *backoff) due(about int64, first, longest time.Duration) bool {
	now := time.Now()
	if b.pause == 0 || b.about != about {
		*b = backoff{about, now, first}
	}
	if now.Before(b.next) {
		return false
	}
	b.next, b.pause = now.Add(b.pause), min(2*b.pause, longest)
	return true
}

// follow runs the round's lines each time the ledger moves, until the study has
// ended and this node's last duty is done.
func (f *follower) follow(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	defer stop() // or each study that ended would keep a watcher
	moved := f.Ledger.Watch(watching)
	defer f.putDown()
	for {
		ended, err := f.advance(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case fatal(err):
			return fmt.Errorf("study %s: %w", f.id.Short(), err)
		case err != nil:
			if f.warns.due(0, retry, time.Minute) { // a site may be off for weeks
				f.Log.Warn("wait", "study", f.id.Short(), "why", err)
			}
		case ended:
			return nil
		}
		wait := glance
		if err != nil {
			wait = retry
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case <-time.After(wait):
		}
	}
}

// advance does what this node owes the study now.
func (f *follower) advance(ctx context.Context) (ended bool, err error) {
	if halted, err := f.halted(ctx); err != nil || halted {
		return false, err // nobody does anything until a vote ends it
	}
	st, plan, err := f.study(ctx)
	if err != nil {
		return false, err
	}
	switch st.Status {
	case ledger.Proposed:
		if err = f.enrol(ctx, st, plan); err == nil {
			err = f.tick(ctx, st, plan)
		}
	case ledger.Running, ledger.Paused:
		if st.Status == ledger.Paused {
			f.say(Event{Round: st.Round, Word: "pause", Text: f.names(ctx, st.Missing)})
		}
		// Deadlines first, and whatever keeps the round from going on: after a night in
		// which all were off, an expired approval must end the study before it opens
		// another sum.
		err = f.tick(ctx, st, plan)
		if _, resting, trouble := f.Resting(); resting || trouble != nil {
			return false, errors.Join(err, trouble)
		}
		err = errors.Join(err, f.round(ctx), f.carryOn(ctx, st.Round))
	case ledger.Done:
		if err = f.round(ctx); err == nil || errors.Is(err, croft.ErrKeyLost) {
			return true, f.erase(ctx, st)
		}
	case ledger.Stopped:
		f.say(Event{Round: st.Round, Word: "stop", Text: f.why(ctx, st)})
		return true, f.erase(ctx, st)
	}
	return false, err
}

// halted says whether the network is under an emergency stop.
func (n *Node) halted(ctx context.Context) (bool, error) {
	network, _, err := get[ledger.Network](ctx, n, ledger.NetworkKey)
	return network.Stopped, err
}

// tick asks the ledger to look at a deadline that this node's clock says is due.
// The node's clock only decides when to ask; the ledger's time decides.
func (f *follower) tick(ctx context.Context, st ledger.Study, plan croft.Study) error {
	now := time.Now().UnixMilli()
	deadlines := []int64{plan.Expires * 1000}
	for _, a := range st.Answers {
		if a.Approved {
			deadlines = append(deadlines, a.Expires*1000)
		}
	}
	if waits := st.Status != ledger.Running || f.reporting(ctx, st); waits && st.News > 0 {
		deadlines = append(deadlines, st.News+int64(plan.Patience)*1000)
	}
	passed := int64(0)
	for _, d := range deadlines {
		if d <= now {
			passed = max(passed, d)
		}
	}
	// Asking again about the same deadline only makes blocks, unless clocks differ:
	// a proposal may wait for its answers for days.
	if passed == 0 || !f.ticks.due(passed, askPause, 24*time.Hour) {
		return nil
	}
	return f.Submit(ctx, uint64(now/1000), &ledger.Tick{Study: f.id}) // the nonce tells it from the last one
}

// askPause is the time between the first two ticks about one deadline.
const askPause = 5 * time.Second

// reporting says whether the open round still waits for reports: only then has
// patience a meaning.
func (f *follower) reporting(ctx context.Context, st ledger.Study) bool {
	r, found, err := get[ledger.Round](ctx, f.Node, ledger.RoundKey(st.ID, st.Round))
	return err == nil && found && r.Phase == croft.PhaseReport
}

func (f *follower) study(ctx context.Context) (ledger.Study, croft.Study, error) {
	st, found, err := get[ledger.Study](ctx, f.Node, ledger.StudyKey(f.id))
	if err == nil && !found {
		err = croft.E(croft.ErrTxUnknown, "study", f.id.Short())
	}
	if err != nil {
		return st, croft.Study{}, err
	}
	plan, _, err := get[croft.Study](ctx, f.Node, ledger.PlanKey(f.id))
	if err == nil && plan.PlanHash() != st.Plan {
		err = croft.E(croft.ErrDiffers, "the plan on the ledger")
	}
	return st, plan, err
}

func (f *follower) read(ctx context.Context) (ledger.Study, croft.Study, ledger.Round, error) {
	st, plan, err := f.study(ctx)
	if err != nil {
		return st, plan, ledger.Round{}, err
	}
	r, _, err := get[ledger.Round](ctx, f.Node, ledger.RoundKey(f.id, st.Round))
	return st, plan, r, err
}

// say reports an event once.
func (f *follower) say(e Event) {
	e.Study = f.id
	key := fmt.Sprintf("%d %s %s", e.Round, e.Word, e.Text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.said[key] {
		return
	}
	if f.said == nil {
		f.said = map[string]bool{}
	}
	f.said[key] = true
	f.Log.Info(e.Word, "study", f.id.Short(), "round", e.Round, "bytes", e.Bytes, "text", e.Text)
	if f.Node.Report != nil {
		f.Node.Report(e)
	}
}

// at marks a named line: where a crash is worth testing.
func (n *Node) at(line string) {
	if n.At != nil {
		n.At(line)
	}
}

// names returns members' names for people.
func (n *Node) names(ctx context.Context, ids []croft.MemberID) string {
	text := ""
	for i, id := range ids {
		m, _, _ := get[croft.Member](ctx, n, ledger.MemberKey(id))
		if i > 0 {
			text += ", "
		}
		text += m.Name
	}
	return text
}

// why says for people why a study was stopped, and on whose account.
func (n *Node) why(ctx context.Context, st ledger.Study) string {
	if len(st.Missing) == 0 {
		return st.Reason
	}
	return st.Reason + ": " + n.names(ctx, st.Missing)
}

// get reads one proved record of the ledger.
func get[T any](ctx context.Context, n *Node, key string) (record T, found bool, err error) {
	raw, err := n.Ledger.Read(ctx, key)
	if err != nil {
		return record, false, err
	}
	return ledger.Decode[T](raw)
}

// doc reads a document of this node's own encoding.
func doc[T any](n *Node, kind, name string) (v T, err error) {
	kept, err := n.Docs.Get(kind, name)
	if err == nil {
		if err = croft.Decode(kept, &v); err != nil {
			err = croft.E(croft.ErrStoreCorrupt, kind+" "+name, err)
		}
	}
	return v, err
}

// fatal says whether an error means that this machine cannot go on.
func fatal(err error) bool {
	return errors.Is(err, croft.ErrDiskFull) || errors.Is(err, croft.ErrStoreCorrupt) || errors.Is(err, croft.ErrFolder)
}

func has(set []croft.MemberID, id croft.MemberID) bool { return slices.Contains(set, id) }
