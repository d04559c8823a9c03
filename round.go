package croft

// Phase is where a round stands on the ledger. A round moves report → freeze →
// sum → commit; freeze is not a place to stay in: it happens inside the block in
// which the reports are complete.
type Phase uint8

// The phases.
const (
	PhaseReport Phase = iota + 1 // sites report, seats acknowledge
	PhaseSum                     // the accepted set is frozen; seats publish shares of the sum
	PhaseCommit                  // done: sum and next state are agreed
)

// String returns the word on the ledger.
func (p Phase) String() string {
	switch p {
	case PhaseReport:
		return "report"
	case PhaseSum:
		return "sum"
	case PhaseCommit:
		return "commit"
	}
	return "unknown"
}

// Header is what the ledger holds of one site's report.
type Header struct {
	Head Hash   `cbor:"1,keyasint"` // blob: commitments and one sealed box a seat
	Blob Hash   `cbor:"2,keyasint"` // blob: the masked vector
	Size uint32 `cbor:"3,keyasint"` // bytes of both
}

// Cost is what one phase cost one node: measured, not estimated.
type Cost struct {
	CPU   uint64 `cbor:"1,keyasint,omitempty" json:"cpu_us"` // microseconds
	Bytes uint64 `cbor:"2,keyasint,omitempty" json:"bytes"`  // sent
}
