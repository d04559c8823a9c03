package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// decode reads one JSON value: maps, slices, strings, bools, json.Numbers and
// nils. It is stricter than encoding/json (UTF-8 must be right, a field comes
// once, nesting is bounded) and several times faster than its tokens, which
// matters because a study reads its records again in each round. The form of
// numbers and of escapes is left to encoding/json.
func decode(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8 text")
	}
	d := decoder{data: data}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if c := d.next(); c != 0 || d.at < len(data) {
		return nil, errors.New("something follows after the JSON value")
	}
	return v, nil
}

type decoder struct {
	data []byte
	at   int
}

// next skips space and returns the byte there, 0 at the end.
func (d *decoder) next() byte {
	for ; d.at < len(d.data); d.at++ {
		switch c := d.data[d.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// wrong says what is at hand where something else should be.
func (d *decoder) wrong() error {
	if d.at >= len(d.data) {
		return errors.New("the JSON ends too early")
	}
	r, _ := utf8.DecodeRune(d.data[d.at:])
	return fmt.Errorf("it is not JSON: byte %d is %q", d.at+1, r)
}

func (d *decoder) value(depth int) (any, error) {
	switch c := d.next(); {
	case (c == '{' || c == '[') && depth == maxDepth:
		return nil, fmt.Errorf("the JSON nests more than %d deep", maxDepth)
	case c == '{':
		return d.object(depth + 1)
	case c == '[':
		return d.list(depth + 1)
	case c == '"':
		return d.text()
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	}
	for _, w := range words {
		if bytes.HasPrefix(d.data[d.at:], w.text) {
			d.at += len(w.text)
			return w.value, nil
		}
	}
	return nil, d.wrong()
}

var words = []struct {
	text  []byte
	value any
}{{[]byte("true"), true}, {[]byte("false"), false}, {[]byte("null"), nil}}

func (d *decoder) object(depth int) (any, error) {
	fields := map[string]any{}
	d.at++
	if d.next() == '}' {
		d.at++
		return fields, nil
	}
	for {
		if d.next() != '"' {
			return nil, d.wrong()
		}
		name, err := d.text()
		if err != nil {
			return nil, err
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("the field %.40q comes twice", name)
		}
		if d.next() != ':' {
			return nil, d.wrong()
		}
		d.at++
		if fields[name], err = d.value(depth); err != nil {
			return nil, err
		}
		if more, err := d.more('}'); !more {
			return fields, err
		}
	}
}

func (d *decoder) list(depth int) (any, error) {
	list := []any{}
	d.at++
	if d.next() == ']' {
		d.at++
		return list, nil
	}
	for {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if more, err := d.more(']'); !more {
			return list, err
		}
	}
}

// more reads a comma, or what closes a list or an object.
func (d *decoder) more(end byte) (bool, error) {
	c := d.next()
	if c != ',' && c != end {
		return false, d.wrong()
	}
	d.at++
	return c == ',', nil
}

func (d *decoder) text() (string, error) {
	start, escapes := d.at, false
	for d.at++; d.at < len(d.data); d.at++ {
		switch c := d.data[d.at]; {
		case c < ' ':
			return "", d.wrong()
		case c == '\\':
			escapes = true
			d.at++
		case c == '"':
			d.at++
			if !escapes {
				return string(d.data[start+1 : d.at-1]), nil
			}
			var text string
			if err := json.Unmarshal(d.data[start:d.at], &text); err != nil {
				return "", errors.New("it is not JSON: a text has a wrong escape")
			}
			return text, nil
		}
	}
	return "", errors.New("the JSON ends too early")
}

func (d *decoder) number() (any, error) {
	start := d.at
	for d.at < len(d.data) {
		c := d.data[d.at]
		if ('0' > c || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			break
		}
		d.at++
	}
	if !json.Valid(d.data[start:d.at]) {
		return nil, fmt.Errorf("it is not JSON: %.40q is not a number", d.data[start:d.at])
	}
	return json.Number(d.data[start:d.at]), nil
}
