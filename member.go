package croft

// Member is an organisation of a network, as the ledger holds it.
type Member struct {
	ID        MemberID  `cbor:"1,keyasint" json:"id"`
	Name      string    `cbor:"2,keyasint" json:"name"`            // unique in the network, 1 to 40 printable characters
	Key       PublicKey `cbor:"3,keyasint" json:"key"`             // member key: approvals and votes; ID is its hash
	Node      PublicKey `cbor:"4,keyasint" json:"node"`            // node key: libp2p identity, the node's own transactions
	Validator PublicKey `cbor:"5,keyasint" json:"validator"`       // CometBFT consensus key
	Seat      bool      `cbor:"6,keyasint,omitempty" json:"seat"`  // declared ready to be a seat of studies
	Ready     bool      `cbor:"7,keyasint,omitempty" json:"ready"` // its node may order blocks
	Revoked   bool      `cbor:"8,keyasint,omitempty" json:"revoked"`
	// Seats of a study found out that it lied: no seat, until the members vote otherwise.
	Unseated bool `cbor:"9,keyasint,omitempty" json:"unseated"`
	// Its node keeps headers and no blocks, for good: no seat, and it orders no blocks.
	Light bool `cbor:"10,keyasint,omitempty" json:"light"`
}

// IDOf returns the member id of a member key.
func IDOf(key PublicKey) MemberID { return MemberID(Sum(key[:])) }

// Genesis is the first state of a chain. That of a network's first chain names the
// network: its hash is the network's id. A chain that cannot go on for good has a
// successor, which keeps the id and goes on from the last state (see Rescue).
type Genesis struct {
	Version  uint8     `cbor:"1,keyasint"`
	Name     string    `cbor:"2,keyasint"`
	Time     int64     `cbor:"3,keyasint"`           // Unix seconds
	Members  []Member  `cbor:"4,keyasint"`           // the founders, or who goes on, in order; the first orders blocks until four are ready
	Previous NetworkID `cbor:"5,keyasint,omitempty"` // of a successor chain: the network that it continues
	State    Hash      `cbor:"6,keyasint,omitempty"` // of a successor chain: the exported state, or its first piece
	Rescue   *Rescue   `cbor:"7,keyasint,omitempty"` // of a successor chain
}

// Hash names the chain that begins with this genesis: an invite, a checkpoint. It
// leaves out who signed, so that it is there to be signed. Of a network's first chain
// it is the network's id.
func (g Genesis) Hash() Hash { return HashOf(g.unsigned()) }

// Network returns the network's id.
func (g Genesis) Network() NetworkID {
	if g.Rescue != nil {
		return g.Previous
	}
	return NetworkID(g.Hash())
}

// Scope returns the chain's scope: what is signed for one chain counts on no other.
func (g Genesis) Scope() Scope {
	id, chain := g.Network(), "1"
	if g.Rescue != nil {
		chain = g.Hash().String()[:16]
	}
	return Scope{Network: id, Chain: "croft-" + id.String()[:16] + "-" + chain}
}
