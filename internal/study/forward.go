package study

import (
	"context"
	"errors"
	"strings"
	"time"

	"croft"
	"croft/internal/ledger"
	"croft/internal/store"
)

// Who is on for minutes a day and who is on at other minutes never meet. So every
// member's node that is on keeps, for a while and for everybody, what the open rounds
// announce on the ledger: reports, sealed to the seats, and shares of sums, sealed to the
// readers. (A light node gets them from full members alone.) It can open nothing of it
// that is not sealed to itself, and whoever fetches it compares the hash. It keeps a
// report until its round is over, a share until the study is (a reader longer, as its
// own), and of one member at most maxCarried bytes.
//
// What two seats say to each other directly (answers about proofs, seeds of a box that did
// not open) is not carried: for that they must be on together.

const (
	carriedKind = "carried"   // hashes that this node keeps for others: see carried
	maxCarried  = 64 << 20    // bytes of one member
	carryAgain  = time.Minute // after a source was away; its return wakes nobody
)

// carried is a document: what is kept of one member's part in a round.
type carried struct {
	Blobs []croft.Hash `cbor:"1,keyasint"`
	Bytes uint64       `cbor:"2,keyasint"`
}

// carrier fetches for others, beside the line of the round: a member whose bytes come
// slowly, or never, must not hold that up.
type carrier struct {
	round uint32             // of which it does so
	stop  context.CancelFunc // nil: it does not run
	ended chan error
}

// carryOn has the carrier at work for a round, and returns why it gave up if it did.
func (f *follower) carryOn(ctx context.Context, round uint32) error {
	c := &f.carrier
	if c.round != round {
		f.putDown()
	}
	if c.stop == nil {
		ctx, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		*c = carrier{round, stop, ended}
		go func() { ended <- f.carryAll(ctx) }()
	}
	select {
	case err := <-c.ended:
		c.stop()
		c.stop = nil
		return err
	default:
		return nil
	}
}

// putDown ends the carrier.
func (f *follower) putDown() {
	if c := &f.carrier; c.stop != nil {
		c.stop()
		<-c.ended
		c.stop = nil
	}
}

// carryAll carries each time the ledger moves, until ctx ends or the disk fails.
func (f *follower) carryAll(ctx context.Context) error {
	moved := f.Ledger.Watch(ctx)
	for {
		st, _, err := f.study(ctx)
		if err == nil {
			err = f.carry(ctx, st)
		}
		if fatal(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case <-time.After(carryAgain):
		}
	}
}

// carry fetches what the open round and the one before announce and this node does not
// have. It is of help to others only: what fails is tried again later, and stops nothing.
func (f *follower) carry(ctx context.Context, st ledger.Study) error {
	var failed error
	try := func(err error) {
		if fatal(err) {
			failed = errors.Join(failed, err)
		}
	}
	if st.Round != f.carrier.round {
		return nil // the round's line is about to begin another
	}
	for n := max(st.Round, 1) - 1; n <= st.Round; n++ {
		r, _, err := get[ledger.Round](ctx, f.Node, ledger.RoundKey(st.ID, n))
		if err != nil {
			return err
		}
		for _, report := range r.Reports {
			if r.Phase == croft.PhaseReport && len(report.Acks) < int(st.Quorum) { // else enough seats have it
				try(f.carryOne(ctx, report.Site, "report", n, uint64(report.Header.Size), report.Header.Head, report.Header.Blob))
			}
		}
		for _, share := range r.Shares {
			try(f.carryOne(ctx, share.Seat, "share", n, share.Cost.Bytes, share.Blob))
		}
	}
	return failed
}

// carryOne keeps blobs of one member, of so many bytes by its own word.
//
//	Crash between the two documents: the blobs are named, and erased with the rest.
func (f *follower) carryOne(ctx context.Context, of croft.MemberID, what string, round uint32, size uint64, blobs ...croft.Hash) error {
	name := f.name(roundTag(round), tag(of), what)
	if of == f.Self || time.Now().Before(f.carryNext[name]) {
		return nil
	}
	if f.carryNext == nil {
		f.carryNext = map[string]time.Time{}
	}
	f.carryNext[name] = time.Now().Add(carryAgain)
	var lacks []croft.Hash
	for _, hash := range blobs {
		if _, err := f.Blobs.Get(hash); err != nil { // what is here for another reason is not ours to erase
			lacks = append(lacks, hash)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	if room, err := f.makeRoom(name, of, carried{lacks, size}); err != nil || !room {
		return err
	}
	left := int(size)
	for _, hash := range lacks {
		data, err := f.fetch(ctx, hash, left, []croft.MemberID{of})
		if err != nil {
			return err
		}
		left -= len(data)
	}
	return nil
}

// makeRoom takes note of what is about to be carried of a member, if it is not too much
// with all that is.
func (n *Node) makeRoom(name string, of croft.MemberID, c carried) (bool, error) {
	n.rooms.Lock() // studies share what a member may have carried
	defer n.rooms.Unlock()
	names, err := n.Docs.List(carriedKind)
	if err != nil || c.Bytes == 0 || c.Bytes > maxCarried {
		return false, err
	}
	total := c.Bytes
	for _, other := range names {
		if kept, err := doc[carried](n, carriedKind, other); err == nil && other != name && strings.Contains(other, tag(of)) {
			total += kept.Bytes
		}
	}
	if total > maxCarried {
		return false, nil
	}
	return true, n.Docs.Put(carriedKind, name, croft.Encode(c))
}

// drop erases what was carried under the names that are meant. Without the blobs it
// only stops to count them.
func (f *follower) drop(meant func(doc string) bool, blobs bool) error {
	f.putDown() // or what it is fetching would stay for good
	names, errs := f.Docs.List(carriedKind)
	for _, name := range names {
		if !meant(name) {
			continue
		}
		kept, err := doc[carried](f.Node, carriedKind, name)
		if err != nil && !errors.Is(err, store.ErrAbsent) {
			errs = errors.Join(errs, err)
		}
		if blobs {
			errs = errors.Join(errs, f.release(kept.Blobs, meant))
		}
		errs = errors.Join(errs, f.Docs.Delete(carriedKind, name))
	}
	return errs
}

// anybody returns the members that are likely to have a blob, and after them all others,
// who may be carrying it.
func (f *follower) anybody(ctx context.Context, likely ...croft.MemberID) []croft.MemberID {
	network, _, _ := get[ledger.Network](ctx, f.Node, ledger.NetworkKey) // without it the likely ones are asked
	for _, id := range network.Members {
		if !has(likely, id) {
			likely = append(likely, id)
		}
	}
	return likely
}
