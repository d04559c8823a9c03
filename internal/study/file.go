package study

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"croft"
	"croft/internal/ledger"
	"croft/internal/table"
)

// File is a study file: TOML that people write, in which members have names. It
// becomes a croft.Study, which the ledger holds and approvals bind, by Study.
type File struct {
	name string
	text studyFile
}

// studyFile is the file's form, and Draft's text its manual. What is left out has
// the value that Parse puts in before it reads.
type studyFile struct {
	Name       string         `toml:"name"`
	Purpose    string         `toml:"purpose"`
	LegalBasis string         `toml:"legal_basis"`
	Contact    string         `toml:"contact"`
	Expires    toml.LocalDate `toml:"expires"` // the last day, UTC

	Sites struct {
		Members  []string `toml:"members"`
		Required []string `toml:"required"`
		Min      uint8    `toml:"min"`
	} `toml:"sites"`

	People struct {
		Unit       string  `toml:"unit"`
		HoldOut    *uint8  `toml:"hold_out"` // percent
		HoldOutKey *string `toml:"hold_out_key"`
	} `toml:"people"`

	Columns []struct {
		Name         string           `toml:"name"`
		Kind         croft.ColumnKind `toml:"kind"`
		Unit         string           `toml:"unit"`
		Low          number           `toml:"low"`
		High         number           `toml:"high"`
		Levels       []string         `toml:"levels"`
		Other        string           `toml:"other"`
		MissingCodes []string         `toml:"missing_codes"`
		Missing      string           `toml:"missing"` // "drop", "mean" or "indicator", or left out
		Fill         number           `toml:"fill"`
	} `toml:"column"`

	Model struct {
		Family     string            `toml:"family"`
		Goal       *croft.Goal       `toml:"goal"`
		Intercepts *croft.Intercepts `toml:"intercepts"`
		Ridge      number            `toml:"ridge"`
		Label      string            `toml:"label"`
		Positive   string            `toml:"positive"`
		Features   []string          `toml:"features"` // left out: all columns without another part
		MaxRounds  *uint8            `toml:"max_rounds"`

		Time     string `toml:"time"`
		Ties     string `toml:"ties"`
		Exposure string `toml:"exposure"`
		Weight   string `toml:"weight"`
		Clusters bool   `toml:"clusters"`
		Grid     struct {
			Width number `toml:"width"`
			Cells uint16 `toml:"cells"`
		} `toml:"grid"`
		Bins uint16 `toml:"bins"`
	} `toml:"model"`

	Evaluation struct {
		Threshold number   `toml:"threshold"`
		Groups    []string `toml:"groups"`
	} `toml:"evaluation"`

	MayLeave struct {
		Readers     []string `toml:"readers"`
		SiteMetrics bool     `toml:"site_metrics"`
	} `toml:"may_leave"`

	Result struct {
		Use    croft.Use `toml:"use"`
		Export bool      `toml:"export"`
	} `toml:"result"`

	Sums struct {
		Profile  string `toml:"profile"`
		Checked  bool   `toml:"checked"`
		Proof    bool   `toml:"proof"`
		Patience string `toml:"patience"`
	} `toml:"sums"`
}

// number is the text of a number in a file; "" where there is none. TOML's own
// numbers are binary and would round.
type number string

// UnmarshalText keeps the text.
func (n *number) UnmarshalText(text []byte) error { *n = number(text); return nil }

// The words for readers.
const (
	readSites    = "sites"    // the study's sites
	readProposer = "proposer" // the member who proposes it
	readSeats    = "seats"    // the members that are seats
)

// maxFile bounds a study file; a valid one is far smaller.
const maxFile = 64 << 10

// Parse reads a study file; name is for messages. Everything but the members'
// names is checked: ErrStudyFile says the line and column of what is not TOML,
// unknown, there twice or of another type; ErrStudyValue names the key whose
// value cannot be.
func Parse(text []byte, name string) (*File, error) {
	f := &File{name: name}
	if len(text) > maxFile {
		return nil, f.bad("", fmt.Sprintf("%d bytes; a study file has at most %d", len(text), maxFile))
	}
	if keys := unfilled(text); keys != nil { // all at once: what follows stops at the first
		return nil, f.bad(strings.Join(keys, ", "), "only you know what belongs there: fill in what the file marks as REQUIRED")
	}
	t := &f.text
	t.Sites.Min = ledger.MinSites
	t.Model.Family = "logistic"
	t.MayLeave.Readers = []string{readSites, readProposer}
	t.Result.Use = croft.UseMembers
	t.Sums.Profile, t.Sums.Checked, t.Sums.Proof, t.Sums.Patience = "majority", true, true, "10m"

	if err := f.lowerCaseKeys(text); err != nil {
		return nil, err
	}
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(t); err != nil {
		return nil, f.badSyntax(text, err)
	}
	if _, err := f.anyone(); err != nil {
		return nil, err
	}
	return f, nil
}

// emptyKey matches a line of a draft that nobody has filled in yet, or the head of a
// table.
var emptyKey = regexp.MustCompile(`(?m)^(?:(\w+) *= *(?:""|\[\]) *#.*REQUIRED|\[+(\w+)\])`)

// unfilled lists the keys that a draft marks as REQUIRED and that are still empty.
func unfilled(text []byte) (keys []string) {
	table := ""
	for _, m := range emptyKey.FindAllStringSubmatch(string(text), -1) {
		if m[1] == "" {
			table = m[2] + "."
			continue
		}
		keys = append(keys, table+m[1])
	}
	return keys
}

// Anyone returns the study as if every name in it were a member's: its ids are none. It
// serves what does not ask who takes part.
func (f *File) Anyone() croft.Study {
	s, _ := f.anyone() // Parse has seen that it fits
	return s
}

// anyone leaves the members to the community that the file is proposed to.
func (f *File) anyone() (croft.Study, error) {
	return f.Study(croft.MemberID{1}, []croft.MemberID{{2}}, func(name string) (croft.MemberID, bool) { return croft.MemberID(croft.Sum([]byte(name))), true })
}

// lowerCaseKeys refuses Name beside name: the decoder takes both for one key, and
// the last would win unseen.
func (f *File) lowerCaseKeys(text []byte) error {
	var p unstable.Parser
	p.Reset(text)
	for p.NextExpression() {
		if key := mixedCase(p.Expression()); key != nil {
			at := p.Shape(key.Raw).Start
			return croft.E(croft.ErrStudyFile, f.name, at.Line, at.Column, fmt.Sprintf("unknown key %.40q; keys are in lower case", key.Data))
		}
	}
	return nil // what is not TOML is the decoder's to report
}

// mixedCase returns the first key under n with a letter that is not lower-case.
func mixedCase(n *unstable.Node) *unstable.Node {
	switch n.Kind {
	case unstable.KeyValue, unstable.Table, unstable.ArrayTable:
		for it := n.Key(); it.Next(); {
			if key := it.Node(); !bytes.Equal(key.Data, bytes.ToLower(key.Data)) {
				return key
			}
		}
	}
	switch n.Kind {
	case unstable.KeyValue:
		return mixedCase(n.Value())
	case unstable.Array, unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			if key := mixedCase(it.Node()); key != nil {
				return key
			}
		}
	}
	return nil
}

// badSyntax says in words of this project what the decoder found.
func (f *File) badSyntax(text []byte, err error) error {
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		line, column := unknown.Errors[0].Position()
		return croft.E(croft.ErrStudyFile, f.name, line, column, fmt.Sprintf("unknown key %.80q", strings.Join(unknown.Errors[0].Key(), ".")))
	}
	why := strings.TrimPrefix(err.Error(), "toml: ")
	if kind, ok := strings.CutPrefix(why, "cannot decode TOML "); ok {
		kind, _, _ = strings.Cut(kind, " into ") // the Go type is of no use to people
		why = "a value of type " + kind + " cannot stand here"
	}
	why = fmt.Sprintf("%.200s", comment(why)) // it may quote the file
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := at.Position()
		if lines := bytes.Split(text, []byte("\n")); line <= len(lines) && bytes.HasPrefix(bytes.TrimSpace(lines[line-1]), []byte("expires")) {
			why = "a day is written as 2027-01-31, without quotes"
		}
		return croft.E(croft.ErrStudyFile, f.name, line, column, why)
	}
	return f.bad("", why)
}

func (f *File) bad(key, why string) error {
	return croft.E(croft.ErrStudyValue, f.name, cmp.Or(key, "the file"), why)
}

// Study returns the study in its canonical form: resolve finds a member by name,
// proposer and seats stand for those words among the readers. Lists of members
// are sorted, so that their order in the file does not matter. ErrStudyValue.
func (f *File) Study(proposer croft.MemberID, seats []croft.MemberID, resolve func(name string) (croft.MemberID, bool)) (croft.Study, error) {
	t := &f.text
	s := croft.Study{
		Version: 1, Name: t.Name, Purpose: t.Purpose, LegalBasis: t.LegalBasis, Contact: t.Contact,
		MinSites: t.Sites.Min,
		Schema:   croft.Schema{UnitColumn: t.People.Unit},
		Model: croft.Model{
			Family: t.Model.Family, Label: t.Model.Label, Positive: t.Model.Positive, Features: t.Model.Features,
			Time: t.Model.Time, Ties: t.Model.Ties, Exposure: t.Model.Exposure, Weight: t.Model.Weight,
			Clusters: t.Model.Clusters, Bins: t.Model.Bins,
		},
		PerSiteMetrics: t.MayLeave.SiteMetrics, Use: t.Result.Use, Export: t.Result.Export,
		Strict: t.Sums.Profile == "strict", Unchecked: !t.Sums.Checked, Unproved: !t.Sums.Proof, Engine: croft.EngineVersion,
	}
	usual := usualOf(t.Model.Family)
	s.HoldOut = croft.HoldOut{Percent: or(t.People.HoldOut, usual.HoldOut.Percent), Key: or(t.People.HoldOutKey, usual.HoldOut.Key)}
	s.Model.Goal, s.Model.Intercepts = or(t.Model.Goal, usual.Model.Goal), or(t.Model.Intercepts, usual.Model.Intercepts)
	s.Model.MaxRounds = or(t.Model.MaxRounds, usual.Model.MaxRounds)
	if t.Expires != (toml.LocalDate{}) {
		s.Expires = t.Expires.AsTime(time.UTC).AddDate(0, 0, 1).Unix()
	}
	if s.Strict == (t.Sums.Profile == "majority") {
		return s, f.bad("sums.profile", "it is neither majority nor strict")
	}
	patience, err := time.ParseDuration(t.Sums.Patience)
	if err != nil || patience != patience.Truncate(time.Second) || patience < 0 || patience > maxPatience {
		return s, f.bad("sums.patience", `it is not a time of whole seconds such as "10m", at most 720h`)
	}
	s.Patience = uint32(patience / time.Second)
	if s.Model.Ridge, err = t.Model.Ridge.decimal("0"); err != nil {
		return s, f.bad("model.ridge", err.Error())
	}
	if s.Model.Threshold, err = t.Evaluation.Threshold.decimal("0"); err != nil {
		return s, f.bad("evaluation.threshold", err.Error())
	}
	if s.Model.Threshold == usualThreshold { // so that a study has one hash, written out or not
		s.Model.Threshold = croft.Decimal{}
	}
	if t.Model.Grid.Width != "" || t.Model.Grid.Cells != 0 {
		if s.Model.Grid.Width, err = t.Model.Grid.Width.decimal(""); err != nil {
			return s, f.bad("model.grid.width", err.Error())
		}
		s.Model.Grid.Cells = t.Model.Grid.Cells
	}
	if err := f.columns(&s); err != nil {
		return s, err
	}
	members := func(key string, names []string, words map[string][]croft.MemberID) (ids []croft.MemberID) {
		for _, name := range names {
			if stands, ok := words[name]; ok {
				ids = append(ids, stands...)
				continue
			}
			id, ok := resolve(name)
			if !ok && err == nil {
				err = f.bad(key, fmt.Sprintf("there is no member called %.40q; croft member ls has the names", name))
			}
			ids = append(ids, id)
		}
		slices.SortFunc(ids, croft.MemberID.Compare)
		return ids
	}
	s.Sites = members("sites.members", t.Sites.Members, nil)
	s.Required = members("sites.required", t.Sites.Required, nil)
	s.Readers = slices.Compact(members("may_leave.readers", t.MayLeave.Readers, // a site may also be a seat
		map[string][]croft.MemberID{readSites: s.Sites, readProposer: {proposer}, readSeats: seats}))
	if err != nil {
		return s, err
	}
	if where, why := fault(s); why != "" {
		return s, f.bad(where, why)
	}
	return s, nil
}

// usualThreshold is what stands for itself where a study has none.
var usualThreshold = croft.Decimal{Mantissa: 5, Scale: 1}

// usualOf returns what a file may leave out, by family.
func usualOf(family string) (s croft.Study) {
	if counts(family) {
		s.Model.Goal = croft.Inference
		return s
	}
	s.HoldOut = croft.HoldOut{Percent: 25, Key: "croft"}
	s.Model.Intercepts, s.Model.MaxRounds = croft.SiteIntercepts, 25
	return s
}

// or returns what stands in a file, else what is usual.
func or[T any](given *T, usual T) T {
	if given == nil {
		return usual
	}
	return *given
}

// columns fills in the schema, the features where the file leaves them out, and the
// levels by which a description counts.
func (f *File) columns(s *croft.Study) error {
	others := s.Model.Columns() // none of them is a feature unless the file says so
	for _, c := range f.text.Columns {
		column := croft.Column{Name: c.Name, Kind: c.Kind, Unit: c.Unit, Levels: c.Levels, Other: c.Other, Codes: c.MissingCodes, Missing: croft.MissingRule(c.Missing)}
		where := columnKey(c.Name)
		if !slices.Contains([]croft.MissingRule{"", croft.MissingDrop, croft.MissingMean, croft.MissingIndicator}, column.Missing) {
			return f.bad(where+"missing", `the rule is "drop", "mean" or "indicator"; or leave it out, or put a number in with fill`)
		}
		if c.Fill != "" {
			if c.Missing != "" {
				return f.bad(where+"fill", "a value is filled in, or there is another rule, not both")
			}
			column.Missing = croft.MissingValue
		}
		if s.Model.Family == croft.Preflight {
			if column.Missing != "" {
				return f.bad(where+"missing", "a preflight counts what is missing: leave it out")
			}
			column.Missing = croft.MissingCount
		}
		missing := "" // for a number, low and high have no default
		if c.Kind != croft.Number {
			missing = "0"
			if c.Low != "" || c.High != "" || c.Fill != "" {
				return f.bad(where+"kind", "low, high and fill are for numbers")
			}
		}
		for _, n := range []struct {
			key, missing string
			text         number
			value        *croft.Decimal
		}{{"low", missing, c.Low, &column.Low}, {"high", missing, c.High, &column.High}, {"fill", "0", c.Fill, &column.Fill}} {
			var err error
			if *n.value, err = n.text.decimal(n.missing); err != nil {
				return f.bad(where+n.key, err.Error())
			}
		}
		s.Schema.Columns = append(s.Schema.Columns, column)
		if f.text.Model.Features == nil && !slices.Contains(others, c.Name) {
			s.Model.Features = append(s.Model.Features, c.Name)
		}
	}
	for _, name := range f.text.Evaluation.Groups { // a feature may be one too
		c, _ := s.Schema.Column(name)
		s.Model.Groups = append(s.Model.Groups, croft.Group{Column: name, Levels: uint8(min(len(c.Levels), table.MaxLevels))})
	}
	if label, ok := s.Schema.Column(s.Model.Label); ok && s.Model.Family == "describe" {
		s.Model.Classes = uint8(min(len(label.Levels), table.MaxLevels))
	}
	for _, name := range s.Model.Features {
		if c, _ := s.Schema.Column(name); c.Missing == croft.MissingMean {
			s.Model.Means = append(s.Model.Means, name)
		}
	}
	if s.Model.Family == croft.Preflight {
		s.Model.Cells = uint16(min(table.Cells(*s), 1<<16-1))
	}
	return nil
}

// decimal returns the number, or the one that stands for none.
func (n number) decimal(missing string) (croft.Decimal, error) {
	if n == "" {
		n = number(missing)
	}
	if n == "" {
		return croft.Decimal{}, errors.New("it is missing")
	}
	return croft.ParseDecimal(string(n))
}
