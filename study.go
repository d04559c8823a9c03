package croft

import "slices"

// EngineVersion names the plan engine of this build. A node refuses a study that
// names another: two engines may not agree bit by bit.
const EngineVersion = "croft-plan/1"

// Goal says what a model is for.
type Goal string

// The goals.
const (
	Inference  Goal = "inference"  // odds ratios with intervals and p-values; no ridge
	Prediction Goal = "prediction" // ridge allowed; coefficients are marked shrunk, no p-values
)

// Intercepts says how the sites' base rates are modelled.
type Intercepts string

// The choices.
const (
	SiteIntercepts  Intercepts = "site"   // one a site, profiled out at the site: nothing of it leaves
	CommonIntercept Intercepts = "common" // one for all
)

// Use says who may use the result.
type Use string

// The uses, each wider than the one before.
const (
	UseMembers Use = "members" // the study's sites and proposer
	UseNetwork Use = "network"
	UseMarket  Use = "market"
	UsePublic  Use = "public"
)

// Study is what sites approve: the whole declarative plan. Its hash is the plan
// hash that every approval binds.
type Study struct {
	Version    uint8  `cbor:"1,keyasint" json:"version"` // 1
	Name       string `cbor:"2,keyasint" json:"name"`
	Purpose    string `cbor:"3,keyasint" json:"purpose"`
	LegalBasis string `cbor:"4,keyasint" json:"legal_basis"`
	Contact    string `cbor:"5,keyasint" json:"contact"`
	Expires    int64  `cbor:"6,keyasint" json:"expires"` // Unix seconds, ledger time

	Sites    []MemberID `cbor:"7,keyasint" json:"sites"`                        // who may be a site
	Required []MemberID `cbor:"8,keyasint,omitempty" json:"required,omitempty"` // without whom it does not start
	MinSites uint8      `cbor:"9,keyasint" json:"min_sites"`                    // at least 3

	Schema  Schema  `cbor:"10,keyasint" json:"schema"`
	HoldOut HoldOut `cbor:"11,keyasint" json:"hold_out"`
	Model   Model   `cbor:"12,keyasint" json:"model"`

	PerSiteMetrics bool       `cbor:"13,keyasint,omitempty" json:"per_site_metrics"` // may each site's metrics leave, named?
	Use            Use        `cbor:"14,keyasint" json:"use"`
	Export         bool       `cbor:"15,keyasint,omitempty" json:"export"`
	Readers        []MemberID `cbor:"16,keyasint" json:"readers"` // who reads the sums

	Strict    bool   `cbor:"17,keyasint,omitempty" json:"strict"`    // profile strict instead of majority
	Unchecked bool   `cbor:"18,keyasint,omitempty" json:"unchecked"` // q = t+1: a lying seat may go unnoticed
	Patience  uint32 `cbor:"19,keyasint" json:"patience"`            // seconds without news after which a guard counts as passed
	Engine    string `cbor:"20,keyasint" json:"engine"`
	Unproved  bool   `cbor:"21,keyasint,omitempty" json:"unproved"` // reports carry no proof: a site's bound is its word
}

// HoldOut says which people test the model: those whose keyed hash falls below
// Percent. The same person is held out in every study with the same key.
type HoldOut struct {
	Percent uint8  `cbor:"1,keyasint" json:"percent"` // 0 to 50
	Key     string `cbor:"2,keyasint" json:"key"`
}

// Preflight is the family of studies that compare the sites' columns before a study.
const Preflight = "preflight"

// Model is the plan that a study runs. What a family does not know it refuses;
// docs/ref/plans has a page for each.
type Model struct {
	Family     string     `cbor:"1,keyasint" json:"family"` // logistic, linear, poisson, firth, cox, kaplan-meier or describe
	Goal       Goal       `cbor:"2,keyasint" json:"goal"`
	Intercepts Intercepts `cbor:"3,keyasint" json:"intercepts"`
	Ridge      Decimal    `cbor:"4,keyasint,omitempty" json:"ridge"` // λ on standardised columns; 0 with Inference
	Label      string     `cbor:"5,keyasint" json:"label"`
	Positive   string     `cbor:"6,keyasint" json:"positive"` // the label's level that counts as 1; of a label that is a number, none
	Features   []string   `cbor:"7,keyasint" json:"features"`
	MaxRounds  uint8      `cbor:"8,keyasint" json:"max_rounds"` // Newton rounds at most

	Time     string `cbor:"9,keyasint,omitempty" json:"time,omitempty"`          // cox, kaplan-meier: the column of follow-up times; the label says how they ended
	Ties     string `cbor:"10,keyasint,omitempty" json:"ties,omitempty"`         // cox: "efron", which is also "", or "breslow"
	Exposure string `cbor:"11,keyasint,omitempty" json:"exposure,omitempty"`     // poisson: the column whose logarithm is the offset
	Weight   string `cbor:"12,keyasint,omitempty" json:"weight,omitempty"`       // linear, poisson: the column of weights
	Clusters bool   `cbor:"13,keyasint,omitempty" json:"clusters,omitempty"`     // linear, logistic, poisson: standard errors that allow for several rows of one person
	Grid     Grid   `cbor:"14,keyasint,omitzero" json:"grid,omitzero"`           // kaplan-meier; cox for its check of proportional hazards
	Bins     uint16 `cbor:"15,keyasint,omitempty" json:"bins,omitempty"`         // describe: of each number's histogram, over its declared range
	Classes  uint8  `cbor:"16,keyasint,omitempty" json:"label_levels,omitempty"` // describe: how many levels the label has, for tables by label
	Cells    uint16 `cbor:"17,keyasint,omitempty" json:"cells,omitempty"`        // preflight: how many numbers a site's tally has

	Means []string `cbor:"20,keyasint,omitempty" json:"means,omitempty"` // regressions: the features with MissingMean, in their order

	// Of the evaluation on held-out rows.
	Threshold Decimal `cbor:"18,keyasint,omitzero" json:"threshold,omitzero"`         // logistic, firth: the probability from which on a row is taken for positive; 0 stands for ½
	Groups    []Group `cbor:"19,keyasint,omitempty" json:"evaluate_groups,omitempty"` // also by the levels of these columns
}

// Grid divides time since 0 into equal cells: cell j holds the times from j·Width,
// exclusive, to (j+1)·Width. It is declared, so that the times at which curves
// step say nothing about anyone.
type Grid struct {
	Width Decimal `cbor:"1,keyasint" json:"width"` // in the unit of the time column
	Cells uint16  `cbor:"2,keyasint" json:"cells"`
}

// Group is a category by whose levels a model is evaluated.
type Group struct {
	Column string `cbor:"1,keyasint" json:"column"`
	Levels uint8  `cbor:"2,keyasint" json:"levels"` // how many it has
}

// Columns returns the columns that the model reads, each once: the features, then
// the label, the time, the exposure, the weight and the groups, as far as there are
// any.
func (m Model) Columns() []string {
	out := slices.Clone(m.Features)
	others := []string{m.Label, m.Time, m.Exposure, m.Weight}
	for _, g := range m.Groups {
		others = append(others, g.Column)
	}
	for _, c := range others {
		if c != "" && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// PlanHash returns the hash that approvals bind.
func (s Study) PlanHash() Hash { return HashOf(s) }

// Approval is a site's consent to one study, signed with its member key. The site
// obeys its own signed copy, not the ledger's.
type Approval struct {
	Study      StudyID    `cbor:"1,keyasint" json:"study"`
	Plan       Hash       `cbor:"2,keyasint" json:"plan_hash"`
	Dataset    DatasetID  `cbor:"3,keyasint" json:"dataset"`
	Seats      []MemberID `cbor:"4,keyasint" json:"seats"`     // the eligible seats, in order
	Threshold  uint8      `cbor:"5,keyasint" json:"threshold"` // t: this many seats together learn nothing
	Readers    []MemberID `cbor:"6,keyasint" json:"readers"`
	Releases   uint32     `cbor:"7,keyasint" json:"releases"` // rounds that this approval allows
	Expires    int64      `cbor:"8,keyasint" json:"expires"`  // Unix seconds, ledger time
	Engine     string     `cbor:"9,keyasint" json:"engine"`
	Purpose    string     `cbor:"10,keyasint" json:"purpose"`
	LegalBasis string     `cbor:"11,keyasint" json:"legal_basis"`
	// Rows bounds the site's rows, held-out ones included. It stands on the ledger,
	// so it is rounded up; the proof of each report is of a bound that grows with it.
	Rows uint32 `cbor:"12,keyasint,omitempty" json:"rows"`
}

// Refusal is why a site does not take part: one of a closed list, so that the
// ledger says nothing else about it.
type Refusal uint8

// The refusals.
const (
	RefusedPolicy Refusal = iota + 1
	RefusedConsent
	RefusedExpired
	RefusedDiffers
	RefusedUnavailable
)

// String returns the word on the ledger.
func (r Refusal) String() string {
	words := [...]string{"", "policy", "consent", "expired", "differs", "unavailable"}
	if int(r) >= len(words) {
		return "unknown"
	}
	return words[r]
}
