package croft

// ColumnKind says how a column is read.
type ColumnKind string

// The kinds of columns.
const (
	Number   ColumnKind = "number"   // a decimal number within a declared range
	Category ColumnKind = "category" // one of the declared levels; the first is the reference
)

// MissingRule says what happens to a row without a value in a column.
type MissingRule string

// The rules. Without one a missing value stops the site (ErrMissingValue).
const (
	MissingDrop  MissingRule = "drop"  // the row is left out, and counted
	MissingValue MissingRule = "value" // the declared value is put in
	MissingMean  MissingRule = "mean"  // the column's mean over all sites' rows to train on is put in, a private sum
	// MissingIndicator keeps the row and adds a model column that says that there is no
	// value; the feature itself stands at the middle of its range, or at its first level.
	MissingIndicator MissingRule = "indicator"
	MissingCount     MissingRule = "count" // a preflight counts it, and so a value outside of range or levels
)

// Column declares one column of a schema. The range and the levels are declared
// by the study, never taken from data, so that they say nothing about anyone.
type Column struct {
	Name    string      `cbor:"1,keyasint" json:"name"`
	Kind    ColumnKind  `cbor:"2,keyasint" json:"kind"`
	Unit    string      `cbor:"3,keyasint,omitempty" json:"unit,omitempty"` // of measurement, for people
	Low     Decimal     `cbor:"4,keyasint,omitempty" json:"low"`            // numbers: inclusive
	High    Decimal     `cbor:"5,keyasint,omitempty" json:"high"`           // numbers: inclusive, above Low
	Levels  []string    `cbor:"6,keyasint,omitempty" json:"levels,omitempty"`
	Codes   []string    `cbor:"7,keyasint,omitempty" json:"codes,omitempty"` // cell texts that mean missing, besides the empty one
	Missing MissingRule `cbor:"8,keyasint,omitempty" json:"missing,omitempty"`
	Fill    Decimal     `cbor:"9,keyasint,omitempty" json:"fill"` // with MissingValue
	// Other is the level that every value counts as which is none of the Levels; ""
	// refuses such a value. It merges levels that few people have.
	Other string `cbor:"10,keyasint,omitempty" json:"other,omitempty"`
}

// Schema declares the columns that a study reads. All other columns of a file
// are ignored.
type Schema struct {
	Columns []Column `cbor:"1,keyasint" json:"columns"`
	// UnitColumn names the column that identifies a person: it never leaves, and
	// hold-out and minimums count its distinct values. "row" says that each row
	// is a person.
	UnitColumn string `cbor:"2,keyasint" json:"unit_column"`
}

// Column returns the named column.
func (s Schema) Column(name string) (Column, bool) {
	for _, c := range s.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Dataset is a registered version of an owner's data, as the ledger holds it:
// commitments only, never content.
type Dataset struct {
	ID         DatasetID `cbor:"1,keyasint"`
	Owner      MemberID  `cbor:"2,keyasint"`
	Name       string    `cbor:"3,keyasint"`
	Commitment Hash      `cbor:"4,keyasint"`           // HMAC of the file's content under a key that never leaves the owner
	Group      Hash      `cbor:"5,keyasint"`           // record group: datasets that share rows share it, and its budget
	Releases   uint32    `cbor:"6,keyasint"`           // un-noised releases that the owner allows for the group, over all studies
	Public     bool      `cbor:"7,keyasint,omitempty"` // published research data: disclosure rules only warn
}
