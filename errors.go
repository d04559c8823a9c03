package croft

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Kind is the class of an error. Numbers are stable: they cross the local API.
type Kind uint8

// The kinds. Each maps to one exit code of the command line (Kind.Exit).
const (
	Internal    Kind = iota + 1 // a bug or a broken machine
	Usage                       // the command's words are off
	NotFound                    // no such thing
	Invalid                     // a file, a message or a configuration is wrong
	Pending                     // somebody must approve first
	Denied                      // refused by policy, consent or rights
	Exhausted                   // a budget, a balance or a quota is used up
	Unavailable                 // no peer, no quorum, no node
	Timeout                     // waited long enough; can be resumed
	Conflict                    // exists already, or somebody else was first
	Corrupt                     // stored bytes are not what was written
	Interrupted                 // somebody asked the command to stop
)

// Exit returns the documented exit code of the command line.
func (k Kind) Exit() int {
	switch k {
	case Usage:
		return 2
	case NotFound:
		return 3
	case Invalid:
		return 4
	case Pending:
		return 5
	case Denied:
		return 6
	case Exhausted:
		return 7
	case Unavailable:
		return 8
	case Timeout:
		return 9
	default:
		return 1
	}
}

// Code names one reason for a failure. It is stable, it is what tests compare
// (errors.Is(err, croft.ErrValueRange)), and it leads to the sentences of the
// catalogue: what happened, and what to do next.
type Code uint16

// Error returns the code as people see it: CROFT-1234.
func (c Code) Error() string { return fmt.Sprintf("CROFT-%04d", uint16(c)) }

// Kind returns the class of the code.
func (c Code) Kind() Kind { return catalogue[c].kind }

// Error is a failure that people may see. It survives the local API: code and
// arguments cross it, the sentence is made at the edge.
type Error struct {
	Code Code     `json:"code"`
	Args []string `json:"args,omitempty"`
	err  error
	text string // instead of the catalogue's sentence
}

// E makes an Error. The arguments fill the sentence of the catalogue in order;
// an argument that is an error is also wrapped.
func E(code Code, args ...any) *Error {
	e := &Error{Code: code}
	for _, a := range args {
		if err, ok := a.(error); ok {
			e.err = err
		}
		e.Args = append(e.Args, fmt.Sprint(a))
	}
	return e
}

// Refused makes an Error of a code whose sentence was made elsewhere, by the
// machine that refused.
func Refused(code Code, sentence string) *Error { return &Error{Code: code, text: sentence} }

// Error says what happened, in the catalogue's words.
func (e *Error) Error() string {
	if e.text != "" {
		return e.text
	}
	return Fill(catalogue[e.Code].what, e.Args)
}

// Next says what to do about it: a sentence or a command.
func (e *Error) Next() string { return Fill(catalogue[e.Code].next, e.Args) }

// Unwrap returns the cause, if one was given.
func (e *Error) Unwrap() error { return e.err }

// Is makes errors.Is(err, code) true for an Error of that code.
func (e *Error) Is(target error) bool { code, ok := target.(Code); return ok && code == e.Code }

// CodeOf returns the first code in err's chain; ErrInternal if there is none.
func CodeOf(err error) Code {
	if e, ok := asError(err); ok {
		return e.Code
	}
	return ErrInternal
}

// Fill puts arguments into a sentence, for {0}, {1}, … so that a translation may reorder
// them. {0|credit|credits} is the one word if argument 0 is 1, and the other if it is not.
func Fill(sentence string, args []string) string {
	return blank.ReplaceAllStringFunc(sentence, func(b string) string {
		parts := strings.Split(b[1:len(b)-1], "|")
		i := int(parts[0][0] - '0')
		switch {
		case i >= len(args):
			return b
		case len(parts) == 1:
			return args[i]
		case args[i] == "1":
			return parts[1]
		}
		return parts[2]
	})
}

var blank = regexp.MustCompile(`\{\d(?:\|[^{}|]*\|[^{}|]*)?\}`)

func asError(err error) (*Error, bool) { return errors.AsType[*Error](err) }
