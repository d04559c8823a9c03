package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/p2p"
	"croft/internal/store"
)

// A newcomer has a code and keys, and is nobody yet. It talks to one node, that of
// the member who invited it, over one protocol: it gets the genesis, which must
// hash to the network of the code; hands over its application; and asks how that
// stands until members have admitted it. Then its node is one among others and
// fetches the blocks.
//
// The node at the door believes the invite's key, not the stranger: every request
// is signed with it, over the caller's peer id, so that who has no code learns
// nothing, and who listens cannot repeat it.

const (
	joinProtocol = "join/1"
	knockDomain  = "knock"
)

// knock is a request of a newcomer.
type knock struct {
	Invite croft.PublicKey `cbor:"1,keyasint"`
	Proof  croft.Signature `cbor:"2,keyasint"`           // by the invite's key over the caller's peer id
	Tx     []byte          `cbor:"3,keyasint,omitempty"` // its application; none: the genesis is wanted
}

// maxKnock bounds a request: an application and a little.
const maxKnock = ledger.MaxTx + 1<<10

// opened is the answer: the genesis, or how the application stands.
type opened struct {
	Genesis  []byte          `cbor:"1,keyasint,omitempty"`
	Standing ledger.Standing `cbor:"2,keyasint,omitempty"`
	Yes      uint16          `cbor:"3,keyasint,omitempty"`
	Needed   uint16          `cbor:"4,keyasint,omitempty"`
	// Once admitted: the members, whom to ask for blocks while one's own ledger does
	// not know them.
	Members []croft.Member `cbor:"5,keyasint,omitempty"`
}

// maxGenesis bounds a genesis: 1,000 members.
const maxGenesis = 512 << 10

// joined is what a folder keeps of its joining.
type joined struct {
	Network  croft.NetworkID `cbor:"1,keyasint"` // as the code had it
	Newcomer croft.Member    `cbor:"2,keyasint"`
	Inviter  croft.PublicKey `cbor:"3,keyasint"` // node key
	Addrs    []string        `cbor:"4,keyasint"`
	Members  []croft.Member  `cbor:"5,keyasint,omitempty"` // once admitted, as the inviter said
}

const joinFile = "join.cbor"

// Progress is how far a joining is, for people.
type Progress struct {
	Network  string // its name
	Newcomer croft.Member
	Digits   string // to compare with the one who invited
	Standing ledger.Standing
	Yes      int // votes
	Needed   int
}

// Lock is how a newcomer's member key lies in its folder.
type Lock struct {
	New keys.Passphrase // of a key that has none yet; empty: it gets none
	Ask keys.Ask        // asks for the one that it has from an earlier call; nil: nobody is asked
}

// Join makes dir the folder of a new member of the network that the code invites
// to, and returns when the network has admitted it. It may be stopped at any time
// and called again with the same code, or a newer one of the same network: what
// was done is not done twice, and name may be left out. A light member's node keeps
// headers only, for good. tell hears of each change.
//
// It fails with croft.ErrInvite, croft.ErrGenesis, croft.ErrPassphrase, croft.ErrPeer if the inviter's
// node was not reached at all, croft.ErrFolderUsed if dir holds another node, or
// with the ledger's refusal.
//
//	Crash: keys, join.cbor and genesis are each there or not, in this order. The
//	application is made anew from them, the same to the last byte.
func Join(ctx context.Context, dir string, v croft.Invite, name string, light bool, lock Lock, tell func(Progress)) (p Progress, err error) {
	j, begun, err := beginJoin(dir, v, name)
	if err != nil {
		return p, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return p, croft.E(croft.ErrFolder, dir, err)
	}
	release, err := store.Lock(dir)
	if err != nil {
		return p, err
	}
	defer release()
	k, err := keys.Create(dir)
	if errors.Is(err, croft.ErrFolderUsed) {
		k, err = keys.Load(dir, lock.Ask)
	}
	if err == nil && len(lock.New) > 0 && !keys.Locked(dir) {
		err = keys.SetPassphrase(dir, nil, func() (keys.Passphrase, error) { return lock.New, nil })
	}
	if err != nil {
		return p, err
	}
	d, err := approach(k, v)
	if err != nil {
		return p, err
	}
	defer d.host.Close()

	if !begun {
		j.Newcomer = k.Member(j.Newcomer.Name, !light)
		j.Newcomer.Light = light
	}
	j.Network, j.Inviter, j.Addrs = v.Network, v.Node, d.addrs // of the latest code
	if err := j.save(dir); err != nil {
		return p, err
	}
	if !begun {
		g, err := d.genesis(ctx)
		if err != nil {
			return p, err
		}
		if err := Found(dir, g); err != nil {
			return p, err
		}
	}
	g, err := Genesis(dir)
	if err != nil {
		return p, err
	}
	application := ledger.SealJoin(g.Scope(), v.Public(), j.Newcomer, func(role croft.Role, scope croft.Scope, domain string, body []byte) croft.Signature {
		if role == croft.RoleInvite {
			return signAs(v, scope, domain, body)
		}
		return k.Sign(role, scope, domain, body)
	})

	p = Progress{Network: g.Name, Newcomer: j.Newcomer, Digits: croft.CheckDigits(v.Network, j.Newcomer)}
	for reached := false; ; {
		answer, err := d.ask(ctx, application)
		switch {
		case ctx.Err() != nil:
			return p, context.Cause(ctx)
		case reached && errors.Is(err, croft.ErrPeer): // it is away for a while: go on asking
		case err != nil:
			return p, err
		case answer.Standing == ledger.Late:
			return p, croft.E(croft.ErrInvite, "it had expired when the application arrived")
		default:
			before := p
			if p.Standing, p.Yes, p.Needed = answer.Standing, int(answer.Yes), int(answer.Needed); p != before {
				tell(p)
			}
			if reached = true; p.Standing == ledger.Admitted || p.Standing == ledger.AsGuest {
				j.Members = answer.Members
				return p, j.save(dir)
			}
		}
		select {
		case <-ctx.Done():
			return p, context.Cause(ctx)
		case <-time.After(askAgain):
		}
	}
}

// askAgain is how often a newcomer asks how its application stands.
const askAgain = 500 * time.Millisecond

// beginJoin refuses what will fail before anything is written. It returns what an
// earlier call left, and whether that got so far that its keys and name stand.
func beginJoin(dir string, v croft.Invite, name string) (j joined, begun bool, err error) {
	j, found, err := readJoined(dir)
	if err != nil {
		return j, false, err
	}
	_, err = Genesis(dir)
	begun = found && err == nil
	switch {
	case err == nil && (!found || j.Network != v.Network):
		return j, begun, croft.E(croft.ErrFolderUsed, dir)
	case begun && name != "" && name != j.Newcomer.Name:
		return j, begun, croft.E(croft.ErrUsage, fmt.Sprintf("this folder has applied as %q", j.Newcomer.Name), "leave out --name, or take another folder: --dir")
	case begun:
		return j, begun, nil
	}
	if name != "" {
		j.Newcomer.Name = name
	}
	if ledger.CheckName(j.Newcomer.Name) != nil {
		return j, begun, croft.E(croft.ErrUsage, "a member needs a name of 1 to 40 printable characters (ä counts as 2, 院 as 3), without space at its ends", "croft join CODE --name \"Clinic A\"")
	}
	if end := time.Unix(v.Expires, 0); !end.After(time.Now()) {
		return j, begun, croft.E(croft.ErrInvite, "it expired at "+end.UTC().Format("2006-01-02 15:04 MST"))
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return j, begun, croft.E(croft.ErrFolder, dir, err)
	}
	for _, e := range entries {
		if n := e.Name(); n != "lock" && n != joinFile && n != joinFile+".new" && n != genesisFile+".new" && !strings.HasPrefix(n, "keys") {
			return j, begun, notEmpty(dir, n)
		}
	}
	return j, begun, nil
}

// readJoined reads what a folder keeps of its joining; false if it never joined.
func readJoined(dir string) (j joined, found bool, err error) {
	path := filepath.Join(dir, joinFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return j, false, nil
	} else if err != nil {
		return j, false, croft.E(croft.ErrFolder, dir, err)
	}
	if err := croft.Decode(raw, &j); err != nil {
		return j, false, croft.E(croft.ErrStoreCorrupt, path, err)
	}
	return j, true, nil
}

func (j joined) save(dir string) error { return replace(dir, joinFile, croft.Encode(j)) }

// door is the inviter's node as the newcomer sees it, the only one it talks to.
type door struct {
	host    *p2p.Host
	invite  croft.Invite
	inviter p2p.PeerID
	addrs   []string
}

func approach(k *keys.Keys, v croft.Invite) (*door, error) {
	d := &door{invite: v, inviter: p2p.PeerOf(v.Node)}
	for _, a := range v.Addrs {
		d.addrs = append(d.addrs, a.String()+"/p2p/"+string(d.inviter))
	}
	var err error
	d.host, err = p2p.Listen(p2p.Config{Key: k.NodeSecret(), Allow: func(p p2p.PeerID) bool { return p == d.inviter }})
	return d, err
}

// ask sends one request. A guest's connection ends soon, so each is dialled anew
// if need be.
func (d *door) ask(ctx context.Context, tx []byte) (answer opened, err error) {
	if err := d.host.Learn(d.addrs...); err != nil {
		return answer, err
	}
	proof := signAs(d.invite, croft.Scope{Network: d.invite.Network}, knockDomain, []byte(d.host.ID()))
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	raw, err := d.host.Call(within, d.inviter, joinProtocol, croft.Encode(knock{d.invite.Public(), proof, tx}), 2*maxGenesis)
	if err != nil {
		return answer, err
	}
	if err := croft.Decode(raw, &answer); err != nil || answer.Standing > ledger.AsGuest || len(answer.Genesis) > maxGenesis {
		return opened{}, croft.E(croft.ErrPeer, d.inviter, "its answer cannot be understood")
	}
	return answer, nil
}

// genesis asks for the genesis and believes it only if it is the network's.
func (d *door) genesis(ctx context.Context) (g croft.Genesis, err error) {
	answer, err := d.ask(ctx, nil)
	if err != nil {
		return g, err
	}
	if croft.Decode(answer.Genesis, &g) != nil || croft.NetworkID(g.Hash()) != d.invite.Network {
		return g, croft.E(croft.ErrGenesis)
	}
	return g, ledger.CheckGenesis(g)
}

// signAs signs with an invite's key.
func signAs(v croft.Invite, scope croft.Scope, domain string, body []byte) croft.Signature {
	return croft.Signature(ed25519.Sign(v.Key(), scope.Preimage(domain, body)))
}

// welcome answers a newcomer's request: the other side of door.ask.
func (n *Node) welcome(ctx context.Context, from p2p.PeerID, request []byte) ([]byte, error) {
	var k knock
	if err := croft.Decode(request, &k); err != nil {
		return nil, err
	}
	v, found, err := read[ledger.Invitation](ctx, n, ledger.InviteKey(k.Invite))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, croft.E(croft.ErrInvite, "the ledger does not know it")
	}
	if scope := (croft.Scope{Network: croft.NetworkID(n.genesis.Hash())}); !scope.Verify(k.Invite, knockDomain, []byte(from), k.Proof) {
		return nil, croft.E(croft.ErrTxSignature)
	}
	if len(k.Tx) == 0 {
		if err := usable(v); err != nil {
			return nil, err
		}
		return croft.Encode(opened{Genesis: croft.Encode(n.genesis)}), nil
	}
	tx, _, err := ledger.Parse(k.Tx)
	if err != nil {
		return nil, err
	}
	join, ok := tx.Body.(*ledger.Join)
	if !ok || join.Invite != k.Invite || p2p.PeerOf(join.Newcomer.Node) != from {
		return nil, croft.E(croft.ErrTxRights, string(from), "a newcomer applies for itself, and does nothing else")
	}
	a, found, err := read[ledger.Application](ctx, n, ledger.ApplicationKey(join.Newcomer.ID))
	if err != nil {
		return nil, err
	}
	if anew := a.Standing == ledger.Late || a.Standing == ledger.AsGuest; !found || a.Newcomer != join.Newcomer || anew && a.Invite != join.Invite {
		if err := usable(v); err != nil {
			return nil, err
		}
		within, cancel := context.WithTimeout(ctx, submitTime)
		defer cancel()
		if err := n.Chain.Submit(within, k.Tx); err != nil && !errors.Is(err, croft.ErrNoQuorum) {
			return nil, err
		}
		// Without a block in time the newcomer asks again, with the same application.
		if a, _, err = read[ledger.Application](ctx, n, ledger.ApplicationKey(join.Newcomer.ID)); err != nil {
			return nil, err
		}
	}
	answer := opened{Standing: a.Standing}
	members := n.members()
	ballot, _, err := read[ledger.Ballot](ctx, n, ledger.BallotKey(ledger.Vote{Action: ledger.Admit, Newcomer: &join.Newcomer}))
	for _, m := range members {
		if slices.Contains(ballot.Yes, m.ID) {
			answer.Yes++
		}
	}
	if answer.Needed = uint16(ledger.Majority(len(members))); a.Guest {
		answer.Needed = 1
	}
	if a.Standing == ledger.Admitted || a.Standing == ledger.AsGuest {
		answer.Yes, answer.Members = answer.Needed, members
	}
	return croft.Encode(answer), err
}

// submitTime is how long a guest's application is waited for.
const submitTime = 5 * time.Second

// usable says whether an invite is good for one more application, by this node's
// clock; the ledger decides.
func usable(v ledger.Invitation) error {
	switch {
	case v.Used >= v.Uses:
		return croft.E(croft.ErrInvite, "it has been used")
	case v.Expires <= time.Now().Unix():
		return croft.E(croft.ErrInvite, "it expired at "+time.Unix(v.Expires, 0).UTC().Format("2006-01-02 15:04 MST"))
	}
	return nil
}

// expects says whether a stranger may come to the door: until the last invite of
// this node's member expires (who comes with a used one is told so), and whoever
// applied with one until it is a member. Anybody can knock, as often as they like.
func (n *Node) expects(stranger p2p.PeerID) bool {
	r := n.roll()
	return time.Now().Unix() < r.open || r.applied[stranger]
}

// invited returns when the last invite of this node's member expires, in Unix seconds,
// and the nodes of those who applied with one and are not admitted.
func (n *Node) invited() (until int64, applied map[p2p.PeerID]bool) {
	applied = map[p2p.PeerID]bool{}
	if n.light != nil {
		return 0, applied
	}
	own := map[string]bool{}
	_ = n.Chain.Range("invite/", func(key string, raw []byte) { // a closed node expects nobody
		if v, _, err := ledger.Decode[ledger.Invitation](raw); err == nil && v.By == n.Self {
			own[key], until = true, max(until, v.Expires)
		}
	})
	_ = n.Chain.Range("application/", func(_ string, raw []byte) {
		if a, _, err := ledger.Decode[ledger.Application](raw); err == nil && own[ledger.InviteKey(a.Invite)] && a.Standing < ledger.Admitted {
			applied[p2p.PeerOf(a.Newcomer.Node)] = true
		}
	})
	return until, applied
}

// volunteer offers to order blocks, once the node has caught up with the block
// that admitted its member, and again after it was dropped for its absence, as long as
// the others who are ready are there. The ledger decides what becomes of it.
func (n *Node) volunteer(ctx context.Context) error {
	moved := n.Chain.Watch(ctx)
	waits := false
	for {
		m, member, _ := read[croft.Member](ctx, n, ledger.MemberKey(n.Self)) // a closed node's has no member
		if m.Revoked {
			return nil
		}
		offers := member && !m.Ready && !n.Chain.Status().CatchingUp
		waited := waits
		if waits = offers && !quorate(n.members(), n.Self, n.Host.Connected()); waits && !waited {
			n.cfg.Log.Info("ready", "waits", "too few of those who are ready are connected: the ledger would stand still")
		}
		if offers && !waits {
			n.cfg.Log.Info("ready")
			dropped, _, _ := read[uint32](ctx, n, ledger.DroppedKey(n.Self))
			if err := n.Study.Ledger.Submit(ctx, ledger.Seal(n.Study.Scope, n.Self, 0, &ledger.Ready{Dropped: dropped}, n.Study.Sign)); err != nil {
				n.cfg.Log.Warn("ready", "why", err) // stopped by vote, say: again with the next block
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case <-time.After(time.Second): // the end of catching up is no block
		}
	}
}

// quorate says whether the ledger still moves once a member is ready, if no other nodes
// are there but these. With fewer than four ready members one orders and nobody sees
// whether the rest is gone; the fourth makes all of them count, and a ledger that stands
// still cannot be told that one has left.
func quorate(members []croft.Member, self croft.MemberID, connected []p2p.PeerID) bool {
	ready, here := 1, 1
	for _, m := range members {
		if m.Ready && m.ID != self {
			ready++
			if slices.Contains(connected, p2p.PeerOf(m.Node)) {
				here++
			}
		}
	}
	return ready < 4 || 3*here > 2*ready
}

// read reads one record of the node's own ledger.
func read[T any](ctx context.Context, n *Node, key string) (record T, found bool, err error) {
	raw, err := n.Chain.Read(ctx, key)
	if err != nil {
		return record, false, err
	}
	return ledger.Decode[T](raw)
}
