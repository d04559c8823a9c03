package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// item is an element of a collection, which is what FHIRPath computes with.
type item struct {
	value any    // string, bool, json.Number or map[string]any
	kind  string // its FHIR type; "" where JSON does not tell
}

// supertype gives the types of FHIR that matter here: those that a choice like
// value[x] may have, with the type that each is a special case of.
var supertype = map[string]string{
	"base64Binary": "", "boolean": "", "date": "", "dateTime": "", "decimal": "", "instant": "", "integer": "", "integer64": "",
	"string": "", "time": "", "uri": "", "code": "string", "id": "string", "markdown": "string", "canonical": "uri", "oid": "uri",
	"url": "uri", "uuid": "uri", "positiveInt": "integer", "unsignedInt": "integer",
	"Address": "", "Age": "Quantity", "Annotation": "", "Attachment": "", "Availability": "", "CodeableConcept": "",
	"CodeableReference": "", "Coding": "", "ContactDetail": "", "ContactPoint": "", "Contributor": "", "Count": "Quantity",
	"DataRequirement": "", "Distance": "Quantity", "Dosage": "", "Duration": "Quantity", "Expression": "",
	"ExtendedContactDetail": "", "HumanName": "", "Identifier": "", "Meta": "", "Money": "", "ParameterDefinition": "",
	"Period": "", "Quantity": "", "Range": "", "Ratio": "", "RatioRange": "", "Reference": "", "RelatedArtifact": "",
	"SampledData": "", "Signature": "", "Timing": "", "TriggerDefinition": "", "UsageContext": "",
}

// choices are its names in a fixed order.
var choices = func() (names []string) {
	for name := range supertype {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()

// primitive returns the name if it is that of a simple type.
func primitive(name string) string {
	if _, ok := supertype[name]; ok && name[0] >= 'a' {
		return name
	}
	return ""
}

// is reports whether an item is of a type or of a special case of it. Where JSON
// does not tell the type, because the field can have only one, the form of the
// value decides.
func (it item) is(kind string) bool {
	if it.kind == "" {
		return fits(it.value, kind)
	}
	for k := it.kind; k != ""; k = supertype[k] {
		if k == kind {
			return true
		}
	}
	return false
}

// fits reports whether a JSON value can be of a type.
func fits(value any, kind string) bool {
	switch v := value.(type) {
	case bool:
		return kind == "boolean"
	case json.Number:
		switch kind {
		case "integer", "integer64", "positiveInt", "unsignedInt":
			return !strings.ContainsAny(string(v), ".eE")
		}
		return kind == "decimal"
	case string:
		switch kind {
		case "date", "dateTime", "instant", "time":
			m, ok := parseMoment(v)
			return ok && m.clock == (kind == "time") && (kind != "date" || m.fields <= 3)
		case "boolean", "decimal", "integer", "positiveInt", "unsignedInt":
			return false
		}
		return primitive(kind) != ""
	case map[string]any:
		_, known := supertype[kind]
		return known && primitive(kind) == "" && v["resourceType"] == nil
	}
	return false
}

// temporal reports whether a type is a date or a time.
func temporal(kind string) bool {
	return kind == "date" || kind == "dateTime" || kind == "instant" || kind == "time"
}

// equal compares two items as FHIRPath's = does. It is not known whether they are
// equal if one of two dates is less precise than the other.
func equal(a, b item) (same, known bool, err error) {
	switch x := a.value.(type) {
	case bool:
		y, ok := b.value.(bool)
		return ok && x == y, true, nil
	case json.Number:
		if _, ok := b.value.(json.Number); !ok {
			return false, true, nil
		}
		order, err := compareNumbers(a, b)
		return order == 0, true, err
	case string:
		if y, ok := b.value.(string); !ok || x == y {
			return ok, true, nil
		}
		if m, n, ok := moments(a, b); ok {
			order, known := m.compare(n)
			return order == 0, known, nil
		}
		return false, true, nil
	case map[string]any:
		y, ok := b.value.(map[string]any)
		if !ok {
			return false, true, nil
		}
		same, err := equalFields(x, y)
		return same, true, err
	}
	return false, true, nil
}

// equalFields compares objects field by field; numbers by value.
func equalFields(x, y map[string]any) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	for name, v := range x { // any order: each must be equal
		w, there := y[name]
		if same, err := equalJSON(v, w); !there || !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func equalJSON(v, w any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return w == nil, nil
	case []any:
		list, ok := w.([]any)
		if !ok || len(v) != len(list) {
			return false, nil
		}
		for i := range v {
			if same, err := equalJSON(v[i], list[i]); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	same, known, err := equal(item{value: v}, item{value: w})
	return same && known, err
}

// compare orders two items: numbers, dates and times, or texts.
func compare(a, b item) (order int, known bool, err error) {
	x, xText := a.value.(string)
	y, yText := b.value.(string)
	_, xNumber := a.value.(json.Number)
	_, yNumber := b.value.(json.Number)
	switch {
	case xNumber && yNumber:
		order, err = compareNumbers(a, b)
		return order, true, err
	case !xText || !yText:
		return 0, false, fmt.Errorf("%s and %s have no order", a.name(), b.name())
	}
	if m, n, ok := moments(a, b); ok {
		order, known = m.compare(n)
		return order, known, nil
	}
	if temporal(a.kind) != temporal(b.kind) && a.kind != "" && b.kind != "" {
		return 0, false, fmt.Errorf("%s and %s have no order: a date to compare with is a constant with valueDate", a.name(), b.name())
	}
	return strings.Compare(x, y), true, nil
}

// moments reads two texts as dates or times, if that is what they are: by their
// types or, where JSON does not tell, by being written as whole days.
func moments(a, b item) (m, n moment, ok bool) {
	for _, it := range []item{a, b} {
		if it.kind != "" && !temporal(it.kind) {
			return m, n, false
		}
	}
	m, okM := parseMoment(a.value.(string))
	n, okN := parseMoment(b.value.(string))
	days := temporal(a.kind) || temporal(b.kind) || m.fields >= 3 && n.fields >= 3
	return m, n, okM && okN && days && m.clock == n.clock
}

// name says what an item is, for messages. It does not show the value.
func (it item) name() string {
	if it.kind != "" {
		return "a value of type " + it.kind
	}
	switch it.value.(type) {
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	default:
		return "a compound value"
	}
}

func compareNumbers(a, b item) (int, error) {
	if a.value == b.value {
		return 0, nil
	}
	x, err := number(a)
	if err != nil {
		return 0, err
	}
	y, err := number(b)
	if err != nil {
		return 0, err
	}
	return x.Cmp(y), nil
}

// number returns the exact value of a number.
func number(it item) (*big.Rat, error) {
	text, ok := it.value.(json.Number)
	if !ok {
		return nil, fmt.Errorf("%s is not a number", it.name())
	}
	_, exponent, _ := strings.Cut(strings.ToLower(string(text)), "e")
	exp, err := strconv.Atoi(exponent)
	if exponent != "" && (err != nil || exp < -maxDigits || exp > maxDigits) || len(text) > maxDigits {
		return nil, fmt.Errorf("the number %.20s… is too long to compute with", text)
	}
	value, ok := new(big.Rat).SetString(string(text))
	if !ok {
		return nil, fmt.Errorf("%.40q is not a number", text)
	}
	return value, nil
}

// quotientDigits is how many decimals a quotient has that does not end.
const quotientDigits = 28

// newNumber writes a number without rounding it, unless its decimals do not end.
func newNumber(value *big.Rat) (item, error) {
	if value.IsInt() {
		text := value.Num().String()
		if len(text) > maxDigits {
			return item{}, errors.New("the result has too many digits")
		}
		return item{json.Number(text), "integer"}, nil
	}
	decimals, exact := value.FloatPrec()
	if !exact {
		decimals = quotientDigits
	}
	text := value.FloatString(decimals)
	if !exact {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if len(text) > maxDigits {
		return item{}, errors.New("the result has too many digits")
	}
	return item{json.Number(text), "decimal"}, nil
}

func newText(text string) item { return item{text, "string"} }

func newBool(yes bool) item { return item{yes, "boolean"} }

func lowerFirst(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToLower(name[:1]) + name[1:]
}

func upperFirst(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
