// Package ledger is the state machine of a network: what a block of transactions
// does to the state, and nothing else.
//
// It is deterministic: time, height and proposer are arguments, amounts are
// integers, iteration is over sorted keys; there is no clock, no randomness, no
// float, no goroutine. Whoever runs the same blocks from the same genesis (a
// validator, the in-memory twin, the offline audit) gets the same state hash.
//
//	machine.go  a block, top to bottom: head → transactions → hash → commit
//	tx.go       the transactions, their signatures, and the one type switch
//	members.go  who belongs to the network, votes, validators, the emergency stop
//	attendance.go which orderers stay away
//	invites.go  how somebody new comes to be voted on
//	datasets.go registered versions of data and the budget of their record groups
//	studies.go  proposal, answers, opening, end
//	rounds.go   report → freeze → sum → commit, moved by guards
//	proofs.go   the key that proofs are asked with; reports whose proof fails
//	committee.go the seats of a study, computed
//	accounts.go credits: issued by vote, moved, conserved; guests
//	services.go what is offered, and to whom it may be
//	channels.go deposits for calls: opened, claimed, contested, settled
//	rescue.go   a chain that goes on from the state of one that cannot
//	tree.go     the Merkle tree under it, and proofs
//	invariants.go what always holds
package ledger

import (
	"croft"
)

// Block is all that the rules may know of the block they run in.
type Block struct {
	Height int64
	// Time is in Unix milliseconds. A transaction in this block happened at the
	// time of the next one (protocol §2): rules that must know "now" put their
	// question on the due list and have it answered at the head of the next block.
	Time     int64
	Proposer croft.PublicKey // validator key
	// Silent are the orderers of the block before whose signature under it is not in
	// this one, by validator key.
	Silent []croft.PublicKey
}

// Validator is one voting key with its power; power 0 removes it.
type Validator struct {
	Key   croft.PublicKey
	Power int64
}

// Effect says what one transaction did. Code 0 means that it holds, newly or
// already; any other code is a croft.Code, and the transaction had no effect.
type Effect struct {
	Tx   croft.Hash
	Code croft.Code
	Log  string
}

// Err returns nil for code 0, else an error of the result's code.
func (r Effect) Err() error {
	if r.Code == 0 {
		return nil
	}
	return croft.Refused(r.Code, r.Log)
}

// Outcome is what a block did.
type Outcome struct {
	Effects    []Effect
	Validators []Validator // changes to the validator set
	AppHash    croft.Hash
}

// Machine runs blocks over a tree. It has one owner: calls do not overlap.
type Machine struct {
	tree    *Tree
	genesis croft.Genesis
	scope   croft.Scope

	founding  croft.Hash        // of the genesis state, before it is in a block
	inherited map[string][]byte // of a successor chain: what its genesis state begins with
}

// New returns the machine of the chain that g begins, at the height where the tree
// stands. A successor chain with an empty tree also needs its state: see Continue.
func New(g croft.Genesis, tree *Tree) (*Machine, error) {
	if err := CheckGenesis(g); err != nil {
		return nil, err
	}
	m := &Machine{tree: tree, genesis: g, scope: g.Scope()}
	if m.Height() == 0 && g.Rescue != nil {
		return nil, croft.E(croft.ErrBlob, g.State.Short())
	}
	m.found()
	return m, nil
}

// found computes the hash of the genesis state, as long as that is in no block.
func (m *Machine) found() {
	if m.Height() > 0 {
		return
	}
	s := m.state()
	s.flush()
	m.founding = m.tree.WorkingHash()
	m.tree.Rollback()
}

// state returns the state to run on: the last committed one, before the first
// block the genesis.
func (m *Machine) state() *State {
	s := newState(m.tree)
	if m.Height() == 0 {
		m.writeGenesis(s)
	}
	return s
}

// Scope returns the network and chain that every signature binds.
func (m *Machine) Scope() croft.Scope { return m.scope }

// Scopes returns the scopes of all chains of the network so far, this one's last.
func (m *Machine) Scopes() []croft.Scope { return m.state().scopes(m.scope) }

// Height returns the height of the last committed block; 0 before the first.
func (m *Machine) Height() int64 { return m.tree.Height() }

// AppHash returns the state's hash after the last committed block; before the
// first it is the genesis state's.
func (m *Machine) AppHash() croft.Hash {
	if m.Height() > 0 {
		return m.tree.Hash()
	}
	return m.founding
}

// Founders returns the first validator set.
func (m *Machine) Founders() []Validator {
	return validatorDiff(nil, orderers(m.genesis.Members))
}

// Execute runs the next block. Nothing is durable before Commit: a crash here
// leaves the state of the block before, and the same block is run again.
func (m *Machine) Execute(b Block, txs [][]byte) Outcome {
	m.tree.Rollback()
	s := m.state()
	before := s.validators()

	head(s, b) // answer what the block before could not: it did not know its own time
	out := Outcome{Effects: make([]Effect, len(txs))}
	for i, raw := range txs {
		out.Effects[i] = m.apply(s, raw)
	}
	if s.changed() {
		s.attend(b)
	}
	out.Validators = validatorDiff(before, s.validators())
	s.flush()
	out.AppHash = m.tree.WorkingHash()
	return out
}

// apply runs one transaction; a refused one leaves no trace in the state.
func (m *Machine) apply(s *State, raw []byte) Effect {
	r := Effect{Tx: croft.Sum(raw)}
	tx, _, err := m.open(s, raw)
	if err == nil {
		sub := s.branch()
		if err = Apply(sub, tx); err == nil {
			sub.merge()
		}
	}
	if err != nil {
		r.Code, r.Log = croft.CodeOf(err), err.Error()
	}
	return r
}

// Commit makes the block that Execute ran durable.
func (m *Machine) Commit() error {
	if err := m.tree.Save(); err != nil {
		return err
	}
	m.inherited = nil
	return nil
}

// Check says whether a transaction may wait for a block: size, form, scope,
// membership, signature. It returns its sender, and the member on whose account it
// waits: another one if a guest or newcomer sends it.
func (m *Machine) Check(raw []byte) (sender, answers croft.MemberID, err error) {
	s := m.state()
	tx, answers, err := m.open(s, raw)
	if _, vote := tx.Body.(*Vote); err == nil && !vote && s.network().Stopped {
		err = croft.E(croft.ErrTxStopped) // or each try would make a block
	}
	return tx.Member, answers, err
}

// Get reads one key of the last committed state; nil if it is absent.
func (m *Machine) Get(key string) []byte { return m.tree.Get(key) }

// Prove reads one key of the last committed state with its proof, of presence or
// of absence, against the returned hash.
func (m *Machine) Prove(key string) (Proof, error) { return m.tree.Prove(key) }
