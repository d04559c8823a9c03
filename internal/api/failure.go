package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"croft"
	"croft/internal/store"
)

// Failure is an error as it crosses the socket and as a program reads it: the one
// shape of every error object of the project. It is an error again at the other
// end: errors.Is with its croft.Code holds, and croft.CodeOf and croft.Next work.
type Failure struct {
	OK      bool     `json:"ok"`   // false
	Code    string   `json:"code"` // CROFT-4021
	Kind    string   `json:"kind"`
	Message string   `json:"message"`
	Next    string   `json:"next,omitempty"`
	Args    []string `json:"args,omitempty"`

	code croft.Code
	err  error
}

var kinds = [...]string{croft.Internal: "internal", croft.Usage: "usage", croft.NotFound: "not found", croft.Invalid: "invalid",
	croft.Pending: "pending", croft.Denied: "denied", croft.Exhausted: "exhausted", croft.Unavailable: "unavailable",
	croft.Timeout: "timeout", croft.Conflict: "conflict", croft.Corrupt: "corrupt",
	croft.Interrupted: "interrupted"}

// FailureOf puts any error into the shape in which people and programs get it.
func FailureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	e, ok := errors.AsType[*croft.Error](err)
	switch {
	case store.Full(err): // whoever noticed it: there is one cure
		where := "this machine"
		if ok && len(e.Args) > 0 {
			where = e.Args[0] // the sentences about files begin with the path
		}
		e = croft.E(croft.ErrDiskFull, 1, where)
	case ok:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e = croft.E(croft.ErrInterrupted)
	default:
		e = croft.E(croft.ErrInternal, err)
	}
	return newFailure(e, err)
}

func newFailure(e *croft.Error, err error) *Failure {
	return &Failure{Code: e.Code.Error(), Kind: kinds[e.Code.Kind()], Message: e.Error(), Next: e.Next(), Args: e.Args, code: e.Code, err: err}
}

// restore makes a Failure that arrived an error of this process: its sentences
// are the sender's, its code is checked.
func (f *Failure) restore() error {
	var code uint16
	if n, err := fmt.Sscanf(f.Code, "CROFT-%04d", &code); n != 1 || err != nil || croft.Code(code).Kind() == 0 {
		return croft.E(croft.ErrInternal, "the node failed with "+f.Code+": "+f.Message)
	}
	f.OK, f.code = false, croft.Code(code)
	return f
}

// ReadFailure returns the failure that another process of this program printed as
// JSON, or nil if the text is none.
func ReadFailure(text []byte) error {
	f := new(Failure)
	if json.Unmarshal(text, f) != nil || f.Code == "" {
		return nil
	}
	return f.restore()
}

// Error returns the sentence.
func (f *Failure) Error() string { return f.Message }

// Exit returns the exit code of the command line.
func (f *Failure) Exit() int { return f.code.Kind().Exit() }

// Unwrap returns the error that the failure was made from, if that was here.
func (f *Failure) Unwrap() error { return f.err }

// Is holds for the failure's code.
func (f *Failure) Is(target error) bool { return target == error(f.code) }

// As lets croft.CodeOf and croft.Next look through.
func (f *Failure) As(target any) bool {
	e, ok := target.(**croft.Error)
	if ok {
		*e = &croft.Error{Code: f.code, Args: f.Args}
	}
	return ok
}

// status returns the HTTP status that fits best; the code says it exactly.
func (f *Failure) status() int {
	switch f.code.Kind() {
	case croft.Usage, croft.Invalid:
		return http.StatusBadRequest
	case croft.NotFound:
		return http.StatusNotFound
	case croft.Denied:
		return http.StatusForbidden
	case croft.Pending, croft.Conflict:
		return http.StatusConflict
	case croft.Exhausted:
		return http.StatusTooManyRequests
	case croft.Unavailable:
		return http.StatusServiceUnavailable
	case croft.Timeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}
