// Package fhir turns health records into rows. A view says which fields of which
// resources become columns; it is a page of JSON, so that whoever owns the
// records can read what they agree to. Resources are FHIR's (R3 to R5) in JSON; a
// view is a ViewDefinition of SQL on FHIR v2, its paths are FHIRPath.
//
// The language is the one that every runner of shared views must have, and no
// more: a view that is accepted here means the same elsewhere, and what is
// refused says so when the view is read, not in the middle of the records.
//
// The package is pure. It takes one resource at a time, so that files of any
// length stream. Numbers keep the digits they were written with.
package fhir

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a view and of a resource. They keep either from costing more memory
// and time than a small machine has.
const (
	MaxView     = 256 << 10 // bytes of a view
	MaxResource = 4 << 20   // bytes of a resource
	maxColumns  = 1024      // of a view
	maxDepth    = 64        // of nested JSON, of nested expressions, of repeat
	maxPath     = 4 << 10   // bytes of one FHIRPath expression
	maxText     = 1 << 20   // bytes of a text that an expression puts together
	maxDigits   = 64        // of a number that an expression computes with
	maxCells    = 1 << 20   // of the rows of one resource
	maxSteps    = 1 << 24   // items looked at for one resource
)

// View is a view that was checked and can be run.
type View struct {
	Name     string   // may be empty
	Resource string   // the type of the resources that it reads
	Columns  []Column // in the order of a row's cells; names differ

	where []condition
	root  *selection
}

// Column is a column as the view declares it.
type Column struct {
	Name        string
	Type        string // of FHIR; empty if the view does not say. Values are not converted to it
	Collection  bool   // a cell may hold several values
	Description string
}

// Parse reads a view. It refuses fields that it does not know, because a word
// like where, misspelt, would let more records through; fields of a definition
// that only describe it (title, publisher …) are read over. Errors say where.
func Parse(data []byte) (*View, error) {
	if len(data) > MaxView {
		return nil, fmt.Errorf("it is longer than %d bytes", MaxView)
	}
	tree, err := decode(data)
	if err != nil {
		return nil, err
	}
	r := reader{constants: map[string]item{}}
	v := r.view(tree)
	if r.err != nil {
		return nil, r.err
	}
	return v, nil
}

// selection is a select of the view: what it does for each element that its path
// finds. Its columns come before those of its nested selections, theirs before
// those of its union.
type selection struct {
	each    each
	paths   []expr // of each; several only for repeat
	columns []column
	selects []*selection
	union   []*selection
	width   int // columns of all of these
}

// each says for which elements a selection makes rows: the name of a view's field.
type each string

const (
	once          each = ""              // for the element at hand
	forEach       each = "forEach"       // for each that the path finds
	forEachOrNull each = "forEachOrNull" // the same, or one row without values if it finds none
	repeat        each = "repeat"        // for each that the paths find, again and again from what they found
)

type column struct {
	Column
	path     expr
	rowIndex bool // the path is %rowIndex and nothing else
}

type condition struct {
	path expr
	at   string
}

// describing are the fields of a definition that say what it is for. They do not
// change its rows.
var describing = strings.Fields(`resourceType id meta implicitRules language text contained extension url
	identifier version versionAlgorithmString versionAlgorithmCoding name title status experimental date publisher
	contact description useContext jurisdiction purpose copyright copyrightLabel approvalDate lastReviewDate effectivePeriod
	topic author editor reviewer endorser relatedArtifact profile fhirVersion`)

var (
	resourceName = regexp.MustCompile(`^[A-Z][A-Za-z]{0,63}$`)
	columnName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)
)

// reader reads the parts of a view and keeps the first fault. After a fault what
// it returns is of no use.
type reader struct {
	resource  string
	constants map[string]item
	err       error
}

func (r *reader) view(tree any) *View {
	o := r.object(tree, "", append([]string{"constant", "resource", "select", "where"}, describing...)...)
	// The guide's own examples have the definition's URL there.
	if kind := r.text(o, "", "resourceType"); kind != "" && !strings.HasSuffix("/"+kind, "/ViewDefinition") {
		r.fail("resourceType", "%.40q is not ViewDefinition", kind)
	}
	v := &View{Name: r.text(o, "", "name"), Resource: r.text(o, "", "resource")}
	if r.resource = v.Resource; !resourceName.MatchString(v.Resource) {
		r.fail("resource", "it must name a type of resource, like Patient")
	}
	r.list(o, "", "constant", r.constant)
	r.list(o, "", "where", func(part any, at string) {
		w := r.object(part, at, "path", "description", "id", "extension")
		v.where = append(v.where, condition{r.path(w, at, "path"), at})
	})
	v.root = &selection{}
	r.list(o, "", "select", func(part any, at string) {
		v.root.selects = append(v.root.selects, r.selection(part, at, 0))
	})
	if r.err != nil {
		return nil
	}
	v.Columns = v.root.names()
	if len(v.Columns) == 0 {
		r.fail("select", "the view has no columns")
	}
	if len(v.Columns) > maxColumns {
		r.fail("select", "the view has more than %d columns", maxColumns)
	}
	seen := map[string]bool{}
	for _, c := range v.Columns {
		if seen[c.Name] {
			r.fail("select", "two columns are called %s", c.Name)
		}
		seen[c.Name] = true
	}
	return v
}

// constant reads a name and its value, whose type is in the field's name:
// valueString, valueDate.
func (r *reader) constant(part any, at string) {
	o := r.object(part, at)
	name := r.text(o, at, "name")
	if !columnName.MatchString(name) || name == "rowIndex" {
		r.fail(at, "its name must be letters, digits and _, beginning with a letter, and not rowIndex")
	}
	if _, twice := r.constants[name]; twice {
		r.fail(at, "a second constant is called %s", name)
	}
	var found []string
	for _, field := range slices.Sorted(maps.Keys(o)) {
		if kind, ok := strings.CutPrefix(field, "value"); ok && primitive(lowerFirst(kind)) != "" {
			found = append(found, field)
		} else if !slices.Contains([]string{"name", "id", "extension"}, field) {
			r.fail(at, "unknown field %.40q", field)
		}
	}
	if len(found) != 1 {
		r.fail(at, "the constant %s has %d values: give one, like valueString", name, len(found))
		return
	}
	c := item{o[found[0]], lowerFirst(found[0][len("value"):])}
	if !fits(c.value, c.kind) {
		r.fail(at+"."+found[0], "%.40q is not of that type", fmt.Sprint(c.value))
	}
	r.constants[name] = c
}

// selection reads a select. A union takes the names of its first branch; the
// others must have the same.
func (r *reader) selection(part any, at string, depth int) *selection {
	s := &selection{}
	if depth > maxDepth {
		r.fail(at, "selects nest more than %d deep", maxDepth)
	}
	o := r.object(part, at, "column", "select", "unionAll", "forEach", "forEachOrNull", "repeat", "id", "extension")
	for _, kind := range []each{forEach, forEachOrNull, repeat} {
		if _, given := o[string(kind)]; given && s.each != once {
			r.fail(at, "it may have one of %s and %s, not both", s.each, kind)
		} else if given {
			s.each = kind
		}
	}
	switch s.each {
	case forEach, forEachOrNull:
		s.paths = []expr{r.path(o, at, string(s.each))}
	case repeat:
		r.list(o, at, "repeat", func(part any, at string) {
			s.paths = append(s.paths, r.path(map[string]any{"path": part}, at, "path"))
		})
	}
	r.list(o, at, "column", func(part any, at string) { s.columns = append(s.columns, r.column(part, at)) })
	r.list(o, at, "select", func(part any, at string) { s.selects = append(s.selects, r.selection(part, at, depth+1)) })
	r.list(o, at, "unionAll", func(part any, at string) { s.union = append(s.union, r.selection(part, at, depth+1)) })
	if r.err != nil {
		return s
	}
	for i, branch := range s.union {
		if first, names := s.union[0].names(), branch.names(); !slices.EqualFunc(first, names, sameColumn) {
			r.fail(fmt.Sprintf("%s.unionAll[%d]", at, i), "its columns differ from those of the first branch in name, order or type")
		}
	}
	s.width = len(s.names())
	return s
}

func (r *reader) column(part any, at string) column {
	o := r.object(part, at, "name", "path", "type", "collection", "description", "tag", "id", "extension")
	c := column{Column: Column{Name: r.text(o, at, "name"), Type: r.text(o, at, "type"), Description: r.text(o, at, "description")}}
	if !columnName.MatchString(c.Name) {
		r.fail(at+".name", "it must be letters, digits and _, beginning with a letter, at most 64")
	}
	if flag, given := o["collection"]; given {
		yes, ok := flag.(bool)
		if !ok {
			r.fail(at+".collection", "it must be true or false")
		}
		c.Collection = yes
	}
	c.path = r.path(o, at, "path")
	_, c.rowIndex = c.path.(rowIndex)
	return c
}

// names returns the columns of a selection in the order of a row.
func (s *selection) names() (out []Column) {
	for _, c := range s.columns {
		out = append(out, c.Column)
	}
	for _, n := range s.selects {
		out = append(out, n.names()...)
	}
	if len(s.union) > 0 {
		out = append(out, s.union[0].names()...)
	}
	return out
}

func sameColumn(a, b Column) bool {
	return a.Name == b.Name && a.Collection == b.Collection && (a.Type == b.Type || a.Type == "" || b.Type == "")
}

func (r *reader) fail(at, format string, args ...any) {
	if r.err == nil {
		if at != "" {
			at += ": "
		}
		r.err = fmt.Errorf("%s%s", at, fmt.Sprintf(format, args...))
	}
}

// object returns the fields of a JSON object and refuses unknown ones; without a
// list it leaves that to the caller.
func (r *reader) object(v any, at string, known ...string) map[string]any {
	o, ok := v.(map[string]any)
	if !ok {
		r.fail(at, "it must be a JSON object")
	}
	for _, field := range slices.Sorted(maps.Keys(o)) {
		if known != nil && !slices.Contains(known, field) {
			r.fail(at, "unknown field %.40q", field)
		}
	}
	return o
}

// text returns a field that is a text, or "" if it is not there.
func (r *reader) text(o map[string]any, at, field string) string {
	v, given := o[field]
	if !given {
		return ""
	}
	text, ok := v.(string)
	if !ok {
		r.fail(dot(at)+field, "it must be a text")
	}
	return text
}

// list calls do for each part of a field, which may be missing but not empty.
func (r *reader) list(o map[string]any, at, field string, do func(part any, at string)) {
	v, given := o[field]
	if !given {
		return
	}
	parts, ok := v.([]any)
	if !ok || len(parts) == 0 {
		r.fail(dot(at)+field, "it must be a list that is not empty")
	}
	for i, part := range parts {
		do(part, fmt.Sprintf("%s%s[%d]", dot(at), field, i))
	}
}

// path reads a field that is a FHIRPath expression.
func (r *reader) path(o map[string]any, at, field string) expr {
	text := r.text(o, at, field)
	if text == "" {
		r.fail(dot(at)+field, "it must be a path that is not empty")
		return input{}
	}
	e, err := parsePath(text, r.resource, r.constants)
	if err != nil {
		r.fail(dot(at)+field, "%s", err)
	}
	return e
}

func dot(at string) string {
	if at == "" {
		return ""
	}
	return at + "."
}
