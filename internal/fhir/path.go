package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parsePath compiles an expression. The grammar is FHIRPath's
// (hl7.org/fhirpath, appendix A) without what the shareable profile leaves out:
// literals of dates, times and quantities, the operators | & ~ is as in div mod
// xor implies, and all functions that the table functions does not have.
//
//	expression := comparison { ("and" | "or" | "=" | "!=" | "<" | …) comparison }
//	term       := [ "+" | "-" ] ( literal | "(" expression ")" | name | call | "$this" | "%" name )
//	              { "." ( name | call ) | "[" expression "]" }
func parsePath(text, resource string, constants map[string]item) (expr, error) {
	if len(text) > maxPath {
		return nil, fmt.Errorf("the path is longer than %d bytes", maxPath)
	}
	tokens, err := scan(text)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens, resource: resource, constants: constants}
	e, err := p.expression(0)
	if err == nil && p.peek().kind != end {
		err = p.unexpected()
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

type tokenKind uint8

const (
	end    tokenKind = iota
	word             // a name or an operator in letters
	quoted           // a name in backquotes
	text             // a literal
	digits           // a literal
	symbol
)

type token struct {
	kind tokenKind
	text string // without quotes and escapes
	at   int    // column, from 1
}

var tokenForm = regexp.MustCompile("^(?:([A-Za-z_][A-Za-z0-9_]*)|([0-9]+(?:\\.[0-9]+)?)|([$%]|<=|>=|!=|[-+*/=<>.,()\\[\\]]))")

// scan splits an expression into tokens.
func scan(path string) (tokens []token, err error) {
	for at := 0; at < len(path); {
		rest := path[at:]
		if strings.ContainsRune(" \t\r\n", rune(rest[0])) {
			at++
			continue
		}
		t := token{at: at + 1}
		size := 0
		if m := tokenForm.FindStringSubmatch(rest); m != nil {
			t.text, size = m[0], len(m[0])
			t.kind = []tokenKind{word, digits, symbol}[slices.IndexFunc(m[1:], func(s string) bool { return s != "" })]
		} else if rest[0] == '\'' || rest[0] == '`' {
			t.kind = text
			if rest[0] == '`' {
				t.kind = quoted
			}
			if t.text, size, err = unquote(rest); err != nil {
				return nil, fmt.Errorf("column %d: %w", t.at, err)
			}
		} else {
			r, _ := utf8.DecodeRuneInString(rest)
			return nil, fmt.Errorf("column %d: %q is not part of the shareable profile", t.at, string(r))
		}
		tokens = append(tokens, t)
		at += size
	}
	return append(tokens, token{kind: end, at: len(path) + 1}), nil
}

// unquote reads a quoted text up to its closing quote, and returns how long it was.
func unquote(path string) (text string, size int, err error) {
	var out strings.Builder
	for i := 1; i < len(path); i++ {
		switch c := path[i]; c {
		case path[0]:
			return out.String(), i + 1, nil
		case '\\':
			i++
			if i == len(path) {
				return "", 0, errors.New("the quote is not closed")
			}
			if path[i] == 'u' {
				n, err := strconv.ParseUint(path[i+1:min(i+5, len(path))], 16, 16)
				if err != nil || len(path) < i+5 || utf16.IsSurrogate(rune(n)) {
					return "", 0, errors.New(`\u wants the four hexadecimal digits of a character`)
				}
				out.WriteRune(rune(n))
				i += 4
				continue
			}
			at := strings.IndexByte("'\"`rntf\\/", path[i])
			if at < 0 {
				return "", 0, fmt.Errorf(`\%c is no escape`, path[i])
			}
			out.WriteByte("'\"`\r\n\t\f\\/"[at])
		default:
			out.WriteByte(c)
		}
	}
	return "", 0, errors.New("the quote is not closed")
}

type parser struct {
	tokens    []token
	resource  string // the view's
	constants map[string]item
	depth     int
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// take skips a symbol if it is next.
func (p *parser) take(s string) bool {
	if t := p.peek(); t.kind != symbol || t.text != s {
		return false
	}
	p.next()
	return true
}

func (p *parser) want(s string) error {
	if !p.take(s) {
		return fmt.Errorf("column %d: %s is missing", p.peek().at, s)
	}
	return nil
}

func (p *parser) unexpected() error {
	t := p.peek()
	if t.kind == end {
		return fmt.Errorf("column %d: the path ends too early", t.at)
	}
	return fmt.Errorf("column %d: %.40q cannot stand here, or is not part of the shareable profile", t.at, t.text)
}

// strength orders the operators; the stronger bind first.
var strength = map[string]int{
	"or": 1, "and": 2, "=": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6,
}

// expression reads terms joined by operators stronger than weakest.
func (p *parser) expression(weakest int) (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("column %d: the path nests more than %d deep", p.peek().at, maxDepth)
	}
	defer func() { p.depth-- }()
	left, err := p.term()
	for err == nil {
		t := p.peek()
		s := strength[t.text]
		if t.kind != symbol && t.kind != word || s <= weakest {
			return left, nil
		}
		p.next()
		var right expr
		if right, err = p.expression(s); err == nil {
			left = binary{t.text, left, right}
		}
	}
	return nil, err
}

// term reads one operand with all that is applied to it.
func (p *parser) term() (expr, error) {
	sign := ""
	if t := p.peek(); t.kind == symbol && (t.text == "-" || t.text == "+") {
		sign = p.next().text
	}
	e, err := p.start()
	for err == nil {
		switch {
		case p.take("."):
			e, err = p.step(e)
		case p.take("["):
			var place expr
			if place, err = p.expression(0); err == nil {
				e, err = index{e, place}, p.want("]")
			}
		case sign != "":
			return signed{sign, e}, nil
		default:
			return e, nil
		}
	}
	return nil, err
}

// start reads what an operand begins with.
func (p *parser) start() (expr, error) {
	t := p.peek()
	switch {
	case t.kind == text:
		p.next()
		return literal{newText(t.text)}, nil
	case t.kind == digits:
		p.next()
		return numeral(t.text)
	case p.take("("):
		e, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return e, p.want(")")
	case p.take("$"):
		if t := p.next(); t.kind != word || t.text != "this" {
			return nil, fmt.Errorf("column %d: only $this is part of the shareable profile", t.at)
		}
		return this{}, nil
	case p.take("%"):
		return p.constant()
	case t.kind == word && (t.text == "true" || t.text == "false"):
		p.next()
		return literal{newBool(t.text == "true")}, nil
	case t.kind == word && strength[t.text] == 0 || t.kind == quoted:
		return p.step(input{})
	}
	return nil, p.unexpected()
}

// numeral makes a literal of digits. FHIRPath, like JSON, has no 007.
func numeral(text string) (expr, error) {
	kind := "integer"
	if strings.Contains(text, ".") {
		kind = "decimal"
	}
	if len(text) > 1 && text[0] == '0' && text[1] != '.' {
		return nil, fmt.Errorf("%.40q begins with a 0", text)
	}
	return literal{item{json.Number(text), kind}}, nil
}

// constant reads a constant of the view.
func (p *parser) constant() (expr, error) {
	t := p.next()
	if t.kind != word && t.kind != quoted && t.kind != text {
		return nil, fmt.Errorf("column %d: a constant's name is missing after %%", t.at)
	}
	if t.text == "rowIndex" {
		return rowIndex{}, nil
	}
	c, ok := p.constants[t.text]
	if !ok {
		return nil, fmt.Errorf("column %d: there is no constant %.40q", t.at, t.text)
	}
	return literal{c}, nil
}

// step reads a name or a call that is applied to an operand.
func (p *parser) step(of expr) (expr, error) {
	t := p.next()
	if t.kind != word && t.kind != quoted || t.text == "" {
		return nil, fmt.Errorf("column %d: a name is missing", t.at)
	}
	if t.kind == word && p.take("(") {
		return p.call(of, t)
	}
	if _, first := of.(input); first && t.text[0] >= 'A' && t.text[0] <= 'Z' { // fields begin with a small letter
		if t.text != p.resource {
			return nil, fmt.Errorf("column %d: the view reads %s, not %.40q", t.at, p.resource, t.text)
		}
		return typeName(t.text), nil
	}
	return newChild(of, t.text), nil
}

// call reads the argument of a function.
func (p *parser) call(of expr, name token) (expr, error) {
	f, ok := functions[name.text]
	if !ok {
		return nil, fmt.Errorf("column %d: the function %.40s() is not part of the shareable profile", name.at, name.text)
	}
	c := call{of: of, f: f}
	if p.take(")") {
		if f.needs {
			return nil, fmt.Errorf("column %d: %s() needs an argument", name.at, name.text)
		}
		return c, nil
	}
	var err error
	switch f.takes {
	case nothing:
		return nil, fmt.Errorf("column %d: %s() takes no argument here", name.at, name.text)
	case aType:
		c.kind, err = p.typeOf()
	default:
		c.argument, err = p.expression(0)
	}
	if err != nil {
		return nil, err
	}
	return c, p.want(")")
}

// typeOf reads the name of a type: Quantity, FHIR.Quantity, string. Simple types
// may be written with a capital.
func (p *parser) typeOf() (string, error) {
	t := p.next()
	if t.kind == word && (t.text == "FHIR" || t.text == "System") && p.take(".") {
		t = p.next()
	}
	if t.kind != word && t.kind != quoted || t.text == "" {
		return "", fmt.Errorf("column %d: the name of a type is missing", t.at)
	}
	if name := primitive(lowerFirst(t.text)); name != "" {
		return name, nil
	}
	if !resourceName.MatchString(t.text) {
		return "", fmt.Errorf("column %d: there is no type %.40q", t.at, t.text)
	}
	return t.text, nil
}
