package study

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"croft"
	"croft/internal/data"
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
		Unit       string `toml:"unit"`
		HoldOut    uint8  `toml:"hold_out"` // percent
		HoldOutKey string `toml:"hold_out_key"`
	} `toml:"people"`

	Columns []struct {
		Name         string           `toml:"name"`
		Kind         croft.ColumnKind `toml:"kind"`
		Unit         string           `toml:"unit"`
		Low          number           `toml:"low"`
		High         number           `toml:"high"`
		Levels       []string         `toml:"levels"`
		MissingCodes []string         `toml:"missing_codes"`
		Missing      string           `toml:"missing"` // "drop", or left out
		Fill         number           `toml:"fill"`
	} `toml:"column"`

	Model struct {
		Family     string           `toml:"family"`
		Goal       croft.Goal       `toml:"goal"`
		Intercepts croft.Intercepts `toml:"intercepts"`
		Ridge      number           `toml:"ridge"`
		Label      string           `toml:"label"`
		Positive   string           `toml:"positive"`
		Features   []string         `toml:"features"` // left out: all columns but the label
		MaxRounds  uint8            `toml:"max_rounds"`
	} `toml:"model"`

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
	t := &f.text
	t.Sites.Min = ledger.MinSites
	t.People.HoldOut, t.People.HoldOutKey = 25, "croft"
	t.Model.Family, t.Model.Intercepts, t.Model.MaxRounds = "logistic", croft.SiteIntercepts, 25
	t.MayLeave.Readers = []string{readSites, readProposer}
	t.Result.Use = croft.UseMembers
	t.Sums.Profile, t.Sums.Checked, t.Sums.Patience = "majority", true, "10m"

	if err := f.lowerCaseKeys(text); err != nil {
		return nil, err
	}
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(t); err != nil {
		return nil, f.badSyntax(err)
	}
	// Members are checked by the community that the file is proposed to.
	anyone := func(name string) (croft.MemberID, bool) { return croft.MemberID(croft.Sum([]byte(name))), true }
	if _, err := f.Study(croft.MemberID{1}, []croft.MemberID{{2}}, anyone); err != nil {
		return nil, err
	}
	return f, nil
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
func (f *File) badSyntax(err error) error {
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
		HoldOut:  croft.HoldOut{Percent: t.People.HoldOut, Key: t.People.HoldOutKey},
		Model: croft.Model{
			Family: t.Model.Family, Goal: t.Model.Goal, Intercepts: t.Model.Intercepts,
			Label: t.Model.Label, Positive: t.Model.Positive, Features: t.Model.Features, MaxRounds: t.Model.MaxRounds,
		},
		PerSiteMetrics: t.MayLeave.SiteMetrics, Use: t.Result.Use, Export: t.Result.Export,
		Strict: t.Sums.Profile == "strict", Unchecked: !t.Sums.Checked, Engine: croft.EngineVersion,
	}
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
				err = f.bad(key, fmt.Sprintf("there is no member called %.40q", name))
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

// columns fills in the schema, and the features where the file leaves them out.
func (f *File) columns(s *croft.Study) error {
	for _, c := range f.text.Columns {
		column := croft.Column{Name: c.Name, Kind: c.Kind, Unit: c.Unit, Levels: c.Levels, Codes: c.MissingCodes, Missing: croft.MissingRule(c.Missing)}
		where := columnKey(c.Name)
		if c.Missing != "" && column.Missing != croft.MissingDrop {
			return f.bad(where+"missing", `the rule is "drop"; or leave it out, or put a number in with fill`)
		}
		if c.Fill != "" {
			if c.Missing != "" {
				return f.bad(where+"fill", "a row cannot be left out and its value filled in")
			}
			column.Missing = croft.MissingValue
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
		if f.text.Model.Features == nil && c.Name != s.Model.Label {
			s.Model.Features = append(s.Model.Features, c.Name)
		}
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

// Bounds of a study, so that what comes from the ledger costs little to look at.
const (
	maxMembers   = 32
	maxShort     = 64   // bytes of a name
	maxText      = 2000 // bytes of a text for people
	maxRounds    = 100
	maxPatience  = 720 * time.Hour
	maxRidge     = 1e6
	maxCodes     = 16
	maxHoldOut   = 50
	maxStudySize = 12 << 10 // bytes of the encoding; a transaction holds 16 KiB
)

// Validate checks that a study can be run and that everything in it is bounded.
// A node validates what it proposes and what it reads from the ledger. It does
// not know the time, the members or the engines that a node has. ErrStudyValue
// names the key in the words of the study file.
func Validate(s croft.Study) error {
	if where, why := fault(s); why != "" {
		return croft.E(croft.ErrStudyValue, "the study", where, why)
	}
	return nil
}

// fault returns the first key with a value that cannot be, and why; or "", "".
func fault(s croft.Study) (where, why string) {
	for _, check := range []func(croft.Study) (string, string){faultyText, faultySites, faultySchema, faultyModel, faultySums} {
		if where, why := check(s); why != "" {
			return where, why
		}
	}
	if n := len(croft.Encode(s)); n > maxStudySize {
		return "the study", fmt.Sprintf("its canonical form has %d bytes; at most %d are allowed", n, maxStudySize)
	}
	return "", ""
}

func faultyText(s croft.Study) (where, why string) {
	for _, t := range []struct {
		key, text string
		most      int
	}{{"name", s.Name, maxShort}, {"purpose", s.Purpose, maxText}, {"legal_basis", s.LegalBasis, maxText}, {"contact", s.Contact, maxText}} {
		if why := faultyName(t.text, t.most); why != "" {
			return t.key, why
		}
	}
	switch {
	case s.Version != 1:
		return "version", fmt.Sprintf("%d; this program knows 1", s.Version)
	case s.Expires <= 0 || s.Expires > 1<<40:
		return "expires", "it is missing or far away; write a date such as 2027-01-31"
	case !slices.Contains([]croft.Use{croft.UseMembers, croft.UseNetwork, croft.UseMarket, croft.UsePublic}, s.Use):
		return "result.use", "it is none of members, network, market, public"
	}
	return "", ""
}

// faultyName says why a text cannot be a name, a purpose, a level. People decide
// by reading it: no line ends that could imitate the screen around it, nothing
// invisible, nothing that reverses letters.
func faultyName(text string, most int) (why string) {
	switch {
	case text == "":
		return "it is empty"
	case len(text) > most:
		return fmt.Sprintf("it has %d bytes; at most %d are allowed", len(text), most)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "it holds characters that cannot be printed"
	case strings.TrimSpace(text) != text:
		return "it begins or ends with a space"
	}
	return ""
}

func faultySites(s croft.Study) (where, why string) {
	for _, l := range []struct {
		key   string
		ids   []croft.MemberID
		least int
	}{{"sites.members", s.Sites, ledger.MinSites}, {"sites.required", s.Required, 0}, {"may_leave.readers", s.Readers, 1}} {
		if len(l.ids) < l.least || len(l.ids) > maxMembers {
			return l.key, fmt.Sprintf("it has %d members; %d to %d are allowed", len(l.ids), l.least, maxMembers)
		}
		for i, id := range l.ids {
			if id.IsZero() || slices.Contains(l.ids[:i], id) {
				return l.key, "a member is there twice or has no id"
			}
		}
	}
	for _, id := range s.Required {
		if !slices.Contains(s.Sites, id) {
			return "sites.required", "a required site is not one of the members"
		}
	}
	if s.MinSites < ledger.MinSites || int(s.MinSites) > len(s.Sites) {
		return "sites.min", fmt.Sprintf("%d; at least %d hide each other, and there are %d", s.MinSites, ledger.MinSites, len(s.Sites))
	}
	return "", ""
}

func faultySchema(s croft.Study) (where, why string) {
	if n := len(s.Schema.Columns); n < 2 || n > table.MaxColumns {
		return "column", fmt.Sprintf("there are %d columns; 2 to %d are allowed", n, table.MaxColumns)
	}
	if why := faultyName(s.Schema.UnitColumn, table.MaxName); why != "" {
		return "people.unit", why + `; name the column that identifies a person, or write "row" if each row is one`
	}
	for i, c := range s.Schema.Columns {
		if why := faultyName(c.Name, table.MaxName); why != "" {
			return fmt.Sprintf("column %d: name", i+1), why
		}
		where := columnKey(c.Name)
		switch {
		case slices.ContainsFunc(s.Schema.Columns[:i], func(o croft.Column) bool { return o.Name == c.Name }):
			return where + "name", "it is there twice"
		case c.Name == s.Schema.UnitColumn:
			return where + "name", "the column that identifies people is only used to tell them apart"
		case c.Name != s.Model.Label && !slices.Contains(s.Model.Features, c.Name):
			return where + "name", "it is neither the label nor a feature, and a study reads nothing that it does not use"
		case c.Unit != "" && faultyName(c.Unit, maxShort) != "":
			return where + "unit", faultyName(c.Unit, maxShort)
		}
		key, why := faultyValues(c)
		if why == "" {
			key, why = faultyMissing(c)
		}
		if why != "" {
			return where + key, why
		}
	}
	return "", ""
}

func faultyValues(c croft.Column) (key, why string) {
	switch c.Kind {
	case croft.Number:
		for _, d := range []croft.Decimal{c.Low, c.High, c.Fill} {
			if !canonical(d) {
				return "low", "it, high or fill is not a plain decimal number of at most 18 digits"
			}
		}
		switch {
		case c.Low.Float() >= c.High.Float():
			return "low", fmt.Sprintf("%v is not below high, %v", c.Low, c.High)
		case len(c.Levels) > 0:
			return "levels", "a number has none"
		}
	case croft.Category:
		if c.Low != (croft.Decimal{}) || c.High != (croft.Decimal{}) || c.Fill != (croft.Decimal{}) {
			return "kind", "low, high and fill are for numbers"
		}
		if n := len(c.Levels); n < 2 || n > table.MaxLevels {
			return "levels", fmt.Sprintf("there are %d; 2 to %d are allowed", n, table.MaxLevels)
		}
		for i, l := range c.Levels {
			if why := faultyName(l, table.MaxName); why != "" {
				return "levels", fmt.Sprintf("%.40q: %s", l, why)
			}
			if slices.Contains(c.Levels[:i], l) {
				return "levels", fmt.Sprintf("%.40q is there twice", l)
			}
		}
	default:
		return "kind", "it is neither number nor category"
	}
	return "", ""
}

func faultyMissing(c croft.Column) (key, why string) {
	if len(c.Codes) > maxCodes {
		return "missing_codes", fmt.Sprintf("there are %d; at most %d are allowed", len(c.Codes), maxCodes)
	}
	for i, code := range c.Codes {
		if why := faultyName(code, table.MaxName); why != "" {
			return "missing_codes", fmt.Sprintf("%.40q: %s", code, why)
		}
		value, number := table.ParseNumber(code)
		for _, l := range append(slices.Clone(c.Levels), c.Codes[:i]...) {
			if v, ok := table.ParseNumber(l); l == code || ok && number && v == value {
				return "missing_codes", fmt.Sprintf("%.40q is a level or there twice", code)
			}
		}
	}
	switch c.Missing {
	case croft.MissingValue:
		if c.Kind != croft.Number {
			return "missing", "only a number can be filled in"
		}
		if f := c.Fill.Float(); f < c.Low.Float() || f > c.High.Float() {
			return "fill", fmt.Sprintf("%v is outside the declared range", c.Fill)
		}
	case croft.MissingDrop, "":
		if c.Fill != (croft.Decimal{}) {
			return "fill", "the column's rule does not fill in"
		}
	default:
		return "missing", `the rule is "drop" or a number to fill in`
	}
	return "", ""
}

// canonical reports whether a decimal is written as ParseDecimal writes it, so
// that equal numbers have equal hashes.
func canonical(d croft.Decimal) bool {
	again, err := croft.ParseDecimal(d.String())
	return err == nil && again == d
}

func faultyModel(s croft.Study) (where, why string) {
	m := s.Model
	label, found := s.Schema.Column(m.Label)
	switch {
	case m.Family != "logistic":
		return "model.family", "it is not logistic"
	case m.Goal != croft.Inference && m.Goal != croft.Prediction:
		return "model.goal", "it is neither inference nor prediction"
	case m.Intercepts != croft.SiteIntercepts && m.Intercepts != croft.CommonIntercept:
		return "model.intercepts", "it is neither site nor common"
	case !canonical(m.Ridge) || m.Ridge.Mantissa < 0 || m.Ridge.Float() > maxRidge:
		return "model.ridge", fmt.Sprintf("it is not a number from 0 to %g", float64(maxRidge))
	case m.Goal == croft.Inference && m.Ridge != croft.Decimal{}:
		return "model.ridge", "inference has none: it would bias odds ratios and their intervals"
	case !found || label.Kind != croft.Category:
		return "model.label", "it does not name a column of kind category"
	case !slices.Contains(label.Levels, m.Positive):
		return "model.positive", "it is not a level of the label"
	case len(m.Features) == 0:
		return "model.features", "there are none"
	case m.MaxRounds == 0 || m.MaxRounds > maxRounds:
		return "model.max_rounds", fmt.Sprintf("%d; 1 to %d are allowed", m.MaxRounds, maxRounds)
	}
	for i, f := range m.Features {
		switch _, found := s.Schema.Column(f); {
		case !found:
			return "model.features", fmt.Sprintf("there is no column %.40q", f)
		case f == m.Label:
			return "model.features", "the label cannot predict itself"
		case slices.Contains(m.Features[:i], f):
			return "model.features", fmt.Sprintf("%.40q is there twice", f)
		}
	}
	names := table.ColumnsOf(s)
	if len(names) > table.MaxModel {
		return "model.features", fmt.Sprintf("they make %d model columns; at most %d are allowed", len(names), table.MaxModel)
	}
	slices.Sort(names)
	for i, n := range names[1:] {
		if n == names[i] {
			return "model.features", fmt.Sprintf("%.140q would name two model columns", n)
		}
	}
	return "", ""
}

func faultySums(s croft.Study) (where, why string) {
	switch {
	case s.HoldOut.Percent > maxHoldOut:
		return "people.hold_out", fmt.Sprintf("%d percent; at most %d are allowed", s.HoldOut.Percent, maxHoldOut)
	case s.HoldOut != croft.HoldOut{} && faultyName(s.HoldOut.Key, maxShort) != "":
		return "people.hold_out_key", faultyName(s.HoldOut.Key, maxShort)
	case s.Patience == 0 || time.Duration(s.Patience)*time.Second > maxPatience:
		return "sums.patience", "it is not a time from one second to 720 hours"
	case faultyName(s.Engine, maxShort) != "":
		return "engine", faultyName(s.Engine, maxShort)
	}
	return "", ""
}

// columnKey begins the key of a value of a column.
func columnKey(name string) string { return fmt.Sprintf("column %.40q: ", name) }

// Draft returns the text of a study file for a CSV file that looks like d: with a
// comment for each key, and REQUIRED where only a person knows the value. Until
// those are filled in, Parse refuses it.
func Draft(csvName string, d data.Draft) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	base := filepath.Base(csvName)
	line(`# A Croft study. Every site that approves it approves exactly what stands here.
# Guessed from %s, %d rows. REQUIRED marks what only you know; where a value is
# given for a key outside of [[column]], the key may also be left out.
`, comment(base), d.Rows)
	line(`name = %s`, quoted(studyName(base)))
	line(`purpose = ""      # REQUIRED: the question, in words that a patient understands`)
	line(`legal_basis = ""  # REQUIRED: for example "research, ethics vote 12/2026 of ..."`)
	line(`contact = ""      # REQUIRED: who answers questions`)
	line(`expires = ""      # REQUIRED: the last day, as a date without quotes: 2027-01-31`)
	line(`
[sites]
members = []   # REQUIRED: who may take part, at least three: ["clinic-a", "clinic-b", "clinic-c"]
required = []  # without whom it does not start
min = 3        # it starts with so many; a site hides among the others, so never fewer than three

[people]`)
	if d.Unit != "" {
		line(`unit = %s  # the column that identifies a person; it never leaves a site. "row": each row is one`, quoted(d.Unit))
	} else {
		line(`unit = ""  # REQUIRED: the column that identifies a person (it never leaves a site), or "row" if each row is one`)
	}
	line(`hold_out = 25             # percent of people who test the model and do not train it
hold_out_key = "croft"    # the same people are held out in every study with the same key

[model]
family = "logistic"
goal = "inference"        # odds ratios with intervals; or "prediction", which allows ridge
intercepts = "site"       # each site's own base rate, which never leaves; or "common"
ridge = 0                 # above 0 only for prediction
label = ""                # REQUIRED: the category to explain%s
positive = ""             # REQUIRED: its level that counts as yes
# features = [...]        # left out: all columns but the label
max_rounds = 25

[may_leave]
readers = ["sites", "proposer"]  # who reads the totals; also "seats", or members' names
site_metrics = false             # true: each site's own accuracy is published by name

[result]
use = "members"           # who may use the model: members, network, market, public
export = false            # may it be saved as a file?

[sums]
profile = "majority"      # more than half of the seats must collude to see one site's numbers; or "strict"
checked = true            # false: one lying seat could go unnoticed, but fewer must be up
patience = "10m"          # without news for so long, a site counts as absent

# The columns that are read; all others stay unread. Ranges and levels become
# public and were guessed from one file: replace them by what is possible in
# anyone, so that they say nothing about that file's people. A value outside
# stops the site. A category's first level is the one others are compared to.`, candidates(d))
	for _, c := range d.Columns {
		line("\n[[column]]")
		if c.Note != "" {
			line("# %s", comment(c.Note))
		}
		line("name = %s", quoted(c.Name))
		line("kind = %s", quoted(string(c.Kind)))
		if c.Kind == croft.Number {
			line(`unit = ""  # of measurement`)
			line("low = %v\nhigh = %v", c.Low, c.High)
		} else {
			line("levels = [%s]", quotedList(c.Levels))
		}
		if len(c.Codes) > 0 {
			line("missing_codes = [%s]  # besides an empty cell", quotedList(c.Codes))
		}
		if c.Missing != "" {
			line("missing = %s  # leave the row out; without a rule a missing value stops the site", quoted(string(c.Missing)))
		}
	}
	if len(d.LeftOut) > 0 {
		line("\n# Left out:")
	}
	for _, l := range d.LeftOut {
		line("#   %s: %s", comment(quoted(l.Name)), l.Reason)
	}
	return b.Bytes()
}

// candidates suggests labels: categories of two levels.
func candidates(d data.Draft) string {
	var names []string
	for _, c := range d.Columns {
		if c.Kind == croft.Category && len(c.Levels) == 2 && len(names) < 8 {
			names = append(names, quoted(c.Name))
		}
	}
	if names == nil {
		return ""
	}
	return ", for example " + strings.Join(names, ", ")
}

// studyName makes a study's name from a file's.
func studyName(base string) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}, strings.ToValidUTF8(strings.TrimSuffix(base, filepath.Ext(base)), "-"))
	for len(name) > maxShort { // at a letter's end
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return cmp.Or(name, "study")
}

// quoted writes a TOML string: Go's escapes of printable text are TOML's too.
func quoted(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "?")) }

func quotedList(texts []string) string {
	var out []string
	for _, t := range texts {
		out = append(out, quoted(t))
	}
	return strings.Join(out, ", ")
}

// comment keeps a text within its line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
