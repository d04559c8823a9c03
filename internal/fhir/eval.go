package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// expr is a compiled expression. It maps a collection of items to another.
type expr interface {
	eval(s scope, in []item) ([]item, error)
}

// scope is what an expression can see besides its input.
type scope struct {
	work *work
	this item // the element at hand: of the view's iteration, within where() its own
	row  int  // the element's place in the iteration
}

// work counts what one resource has cost so far.
type work struct{ steps int }

func (w *work) spend(n int) error {
	if w.steps += n + 1; w.steps > maxSteps {
		return errors.New("the view takes too long for this resource")
	}
	return nil
}

type (
	input    struct{}       // what the expression is applied to
	this     struct{}       // $this
	rowIndex struct{}       // %rowIndex
	literal  struct{ item } // a literal or a constant
	typeName string         // Patient in Patient.name
	child    struct {
		of      expr
		name    string
		choices []choice // value may be valueQuantity, valueString, …
	}
	choice struct{ field, kind string }
	index  struct{ of, place expr }
	signed struct {
		sign string
		of   expr
	}
	binary struct {
		operator    string
		left, right expr
	}
	call struct {
		of       expr
		f        function
		argument expr   // nil if there is none
		kind     string // or a type
	}
)

func (input) eval(_ scope, in []item) ([]item, error) { return in, nil }

func (this) eval(s scope, _ []item) ([]item, error) { return []item{s.this}, nil }

func (rowIndex) eval(s scope, _ []item) ([]item, error) {
	return []item{{json.Number(strconv.Itoa(s.row)), "integer"}}, nil
}

func (l literal) eval(scope, []item) ([]item, error) { return []item{l.item}, nil }

func (t typeName) eval(_ scope, in []item) ([]item, error) {
	for _, it := range in {
		if it.kind != string(t) {
			return nil, fmt.Errorf("%s stands where %s is at hand", string(t), it.name())
		}
	}
	return in, nil
}

func newChild(of expr, name string) child {
	c := child{of: of, name: name}
	for _, kind := range choices {
		c.choices = append(c.choices, choice{name + upperFirst(kind), kind})
	}
	return c
}

func (c child) eval(s scope, in []item) ([]item, error) {
	in, err := c.of.eval(s, in)
	if err != nil {
		return nil, err
	}
	var out []item
	for _, it := range in {
		fields, ok := it.value.(map[string]any)
		if !ok {
			continue
		}
		if value, ok := fields[c.name]; ok {
			out = appendItems(out, value, "")
			continue
		}
		for _, choice := range c.choices {
			if value, ok := fields[choice.field]; ok {
				out = appendItems(out, value, choice.kind)
			}
		}
	}
	return out, s.work.spend(len(in) + len(out))
}

// appendItems adds a field's values. A null in a list stands for an element that
// has extensions only, which are not read.
func appendItems(out []item, value any, kind string) []item {
	switch v := value.(type) {
	case nil:
		return out
	case []any:
		for _, element := range v {
			if _, list := element.([]any); !list { // FHIR has no lists of lists
				out = appendItems(out, element, kind)
			}
		}
		return out
	case map[string]any:
		if name, ok := v["resourceType"].(string); ok {
			kind = name
		}
	}
	return append(out, item{value, kind})
}

func (x index) eval(s scope, in []item) ([]item, error) {
	out, err := x.of.eval(s, in)
	if err != nil {
		return nil, err
	}
	place, err := x.place.eval(s, in)
	if err != nil || len(place) == 0 {
		return nil, err
	}
	n, ok := place[0].value.(json.Number)
	at, err := strconv.Atoi(string(n))
	if len(place) > 1 || !ok || err != nil {
		return nil, errors.New("an index must be one whole number")
	}
	if at < 0 || at >= len(out) {
		return nil, nil
	}
	return out[at : at+1], nil
}

func (u signed) eval(s scope, in []item) ([]item, error) {
	out, err := u.of.eval(s, in)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	it, err := single(out, u.sign)
	if err != nil {
		return nil, err
	}
	value, err := number(it)
	if err != nil || u.sign == "+" {
		return out, err
	}
	it, err = newNumber(value.Neg(value))
	return []item{it}, err
}

// single returns the only item of what an operator is given.
func single(in []item, operator string) (item, error) {
	if len(in) != 1 {
		return item{}, fmt.Errorf("%s is given %d values: take one with first()", operator, len(in))
	}
	return in[0], nil
}

func (b binary) eval(s scope, in []item) ([]item, error) {
	if err := s.work.spend(0); err != nil {
		return nil, err
	}
	left, err := b.left.eval(s, in)
	if err != nil {
		return nil, err
	}
	right, err := b.right.eval(s, in)
	if err != nil {
		return nil, err
	}
	switch b.operator {
	case "and", "or":
		return b.logic(left, right)
	case "=", "!=":
		return b.equality(s, left, right)
	}
	if len(left) == 0 || len(right) == 0 {
		return nil, nil
	}
	x, err := single(left, b.operator)
	if err != nil {
		return nil, err
	}
	y, err := single(right, b.operator)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(b.operator, "<>") {
		return b.order(x, y)
	}
	it, err := b.arithmetic(x, y)
	if err != nil || it.value == nil {
		return nil, err
	}
	return []item{it}, nil
}

// logic is three-valued: what is not known decides nothing.
func (b binary) logic(left, right []item) ([]item, error) {
	x, xKnown, err := truth(left, b.operator)
	if err != nil {
		return nil, err
	}
	y, yKnown, err := truth(right, b.operator)
	if err != nil {
		return nil, err
	}
	decides := b.operator == "or" // true decides or, false decides and
	switch {
	case xKnown && x == decides || yKnown && y == decides:
		return []item{newBool(decides)}, nil
	case xKnown && yKnown:
		return []item{newBool(!decides)}, nil
	default:
		return nil, nil
	}
}

// truth returns what a collection means to and, or and not(): nothing is not
// known, and one value that is no boolean is there, so it is true (FHIRPath,
// singleton evaluation of collections).
func truth(in []item, operator string) (value, known bool, err error) {
	if len(in) == 0 {
		return false, false, nil
	}
	it, err := single(in, operator)
	if err != nil {
		return false, false, err
	}
	value, ok := it.value.(bool)
	return value || !ok, true, nil
}

// criterion returns whether a condition holds. It must be a boolean or nothing.
func criterion(in []item) (bool, error) {
	if len(in) == 0 {
		return false, nil
	}
	if yes, ok := in[0].value.(bool); ok && len(in) == 1 {
		return yes, nil
	}
	return false, errors.New("a condition must be true or false: compare the value, or ask whether it exists()")
}

// equality compares collections item by item.
func (b binary) equality(s scope, left, right []item) ([]item, error) {
	if len(left) == 0 || len(right) == 0 {
		return nil, nil
	}
	if err := s.work.spend(len(left)); err != nil {
		return nil, err
	}
	all, unknown := len(left) == len(right), false
	for i := range left {
		if !all {
			break
		}
		same, known, err := equal(left[i], right[i])
		if err != nil {
			return nil, err
		}
		all = same || !known
		unknown = unknown || !known
	}
	if all && unknown {
		return nil, nil
	}
	return []item{newBool(all == (b.operator == "="))}, nil
}

func (b binary) order(x, y item) ([]item, error) {
	order, known, err := compare(x, y)
	if err != nil || !known {
		return nil, err
	}
	holds := order == 0 && strings.HasSuffix(b.operator, "=") ||
		order < 0 && b.operator[0] == '<' || order > 0 && b.operator[0] == '>'
	return []item{newBool(holds)}, nil
}

// arithmetic computes exactly. + also joins texts. Dividing by zero gives nothing.
func (b binary) arithmetic(x, y item) (item, error) {
	left, isText := x.value.(string)
	right, both := y.value.(string)
	if isText && both && b.operator == "+" {
		if len(left)+len(right) > maxText {
			return item{}, errTooLong
		}
		return newText(left + right), nil
	}
	m, err := number(x)
	if err != nil {
		return item{}, err
	}
	n, err := number(y)
	if err != nil {
		return item{}, err
	}
	switch b.operator {
	case "+":
		m.Add(m, n)
	case "-":
		m.Sub(m, n)
	case "*":
		m.Mul(m, n)
	default:
		if n.Sign() == 0 {
			return item{}, nil
		}
		m.Quo(m, n)
	}
	return newNumber(m)
}

var errTooLong = fmt.Errorf("a text grows longer than %d bytes", maxText)

func (c call) eval(s scope, in []item) ([]item, error) {
	of, err := c.of.eval(s, in)
	if err == nil {
		err = s.work.spend(len(of))
	}
	if err != nil {
		return nil, err
	}
	return c.f.do(c, s, of)
}

// function is one that a path may call.
type function struct {
	takes argument
	needs bool // the argument must be there
	do    func(c call, s scope, of []item) ([]item, error)
}

type argument uint8

const (
	nothing argument = iota
	anExpression
	aType
)

// functions are those of the shareable profile and of its experimental part.
var functions = map[string]function{
	"where":           {anExpression, true, where},
	"exists":          {anExpression, false, exists},
	"empty":           {nothing, false, empty},
	"first":           {nothing, false, first},
	"not":             {nothing, false, not},
	"join":            {anExpression, false, join},
	"ofType":          {aType, true, ofType},
	"extension":       {anExpression, true, extension},
	"getResourceKey":  {nothing, false, getResourceKey},
	"getReferenceKey": {aType, false, getReferenceKey},
	"lowBoundary":     {nothing, false, lowBoundary},
	"highBoundary":    {nothing, false, highBoundary},
}

func where(c call, s scope, of []item) (out []item, err error) {
	for _, it := range of {
		s.this = it
		found, err := c.argument.eval(s, []item{it})
		if err != nil {
			return nil, err
		}
		yes, err := criterion(found)
		if err != nil {
			return nil, err
		}
		if yes {
			out = append(out, it)
		}
	}
	return out, nil
}

func exists(c call, s scope, of []item) (_ []item, err error) {
	if c.argument != nil {
		of, err = where(c, s, of)
	}
	return []item{newBool(len(of) > 0)}, err
}

func empty(_ call, _ scope, of []item) ([]item, error) {
	return []item{newBool(len(of) == 0)}, nil
}

func first(_ call, _ scope, of []item) ([]item, error) { return of[:min(1, len(of))], nil }

func not(_ call, _ scope, of []item) ([]item, error) {
	value, known, err := truth(of, "not()")
	if !known || err != nil {
		return nil, err
	}
	return []item{newBool(!value)}, nil
}

func join(c call, s scope, of []item) ([]item, error) {
	separator, err := c.text(s)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for i, it := range of {
		text, ok := it.value.(string)
		if !ok {
			return nil, fmt.Errorf("join() is given %s", it.name())
		}
		if i > 0 {
			out.WriteString(separator)
		}
		if out.WriteString(text); out.Len() > maxText {
			return nil, errTooLong
		}
	}
	return []item{newText(out.String())}, nil
}

// text returns the argument of a function that takes a text; "" if there is none.
func (c call) text(s scope) (string, error) {
	if c.argument == nil {
		return "", nil
	}
	found, err := c.argument.eval(s, []item{s.this})
	if err != nil {
		return "", err
	}
	if len(found) == 1 {
		if text, ok := found[0].value.(string); ok {
			return text, nil
		}
	}
	return "", errors.New("the argument must be one text")
}

func ofType(c call, _ scope, of []item) (out []item, err error) {
	for _, it := range of {
		if it.is(c.kind) {
			out = append(out, it)
		}
	}
	return out, nil
}

func extension(c call, s scope, of []item) (out []item, err error) {
	url, err := c.text(s)
	if err != nil {
		return nil, err
	}
	for _, it := range of {
		fields, _ := it.value.(map[string]any)
		for _, e := range appendItems(nil, fields["extension"], "Extension") {
			if f, ok := e.value.(map[string]any); ok && f["url"] == url {
				out = append(out, e)
			}
		}
	}
	return out, s.work.spend(len(out))
}

// getResourceKey returns Type/id, which is what references to a resource have in
// common, however they are written.
func getResourceKey(_ call, _ scope, of []item) (out []item, err error) {
	for _, it := range of {
		fields, _ := it.value.(map[string]any)
		kind, _ := fields["resourceType"].(string)
		if id, ok := fields["id"].(string); ok && kind != "" {
			out = append(out, newText(kind+"/"+id))
		}
	}
	return out, nil
}

// reference is a relative or an absolute one, of a version or not: Patient/7,
// https://a.example/fhir/Patient/7/_history/2.
var reference = regexp.MustCompile(`^(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[^/]*)?$`)

// getReferenceKey returns the key of the resource that a reference points at.
// References to contained resources, by UUID or by identifier have none.
func getReferenceKey(c call, _ scope, of []item) (out []item, err error) {
	for _, it := range of {
		fields, _ := it.value.(map[string]any)
		text, _ := fields["reference"].(string)
		if m := reference.FindStringSubmatch(text); m != nil && (c.kind == "" || c.kind == m[1]) {
			out = append(out, newText(m[1]+"/"+m[2]))
		}
	}
	return out, nil
}

func lowBoundary(_ call, _ scope, of []item) ([]item, error) { return boundary(of, false) }

func highBoundary(_ call, _ scope, of []item) ([]item, error) { return boundary(of, true) }

// boundary returns the least or the greatest value that what is written may
// stand for: half a unit of the last digit away, or the end of the month.
func boundary(of []item, high bool) ([]item, error) {
	if len(of) == 0 {
		return nil, nil
	}
	it, err := single(of, "a boundary")
	if err != nil {
		return nil, err
	}
	switch v := it.value.(type) {
	case json.Number:
		value, err := number(it)
		if err != nil {
			return nil, err
		}
		half := big.NewRat(1, 2)
		mantissa, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
		_, decimals, _ := strings.Cut(mantissa, ".")
		exp, _ := strconv.Atoi(exponent) // number has checked it
		for range exp - len(decimals) {
			half.Mul(half, big.NewRat(10, 1))
		}
		for range len(decimals) - exp {
			half.Quo(half, big.NewRat(10, 1))
		}
		if !high {
			half.Neg(half)
		}
		it, err = newNumber(value.Add(value, half))
		return []item{it}, err
	case string:
		m, ok := parseMoment(v)
		if !ok || it.kind != "" && !temporal(it.kind) {
			break
		}
		kind := it.kind
		switch {
		case m.clock:
			kind = "time"
		case kind == "" && m.fields <= 3:
			kind = "date"
		case kind != "date":
			kind = "dateTime"
		}
		return []item{{m.boundary(kind, high), kind}}, nil
	}
	return nil, fmt.Errorf("%s has no boundary", it.name())
}
