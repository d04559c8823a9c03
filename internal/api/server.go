package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"croft"
)

// socketName is the socket in a node's folder. The folder is closed to other
// users, and so is the socket.
const socketName = "api.sock"

// The limits of one request.
const (
	maxBody   = 1 << 20
	maxHeader = 16 << 10
	bodyTime  = 10 * time.Second // in which a body must have arrived
	stopTime  = 3 * time.Second  // for answers under way when the node stops
)

// Serve answers on the socket in dir until ctx ends. A socket that a crash left
// is replaced; one that a node answers on is not. It fails with
// croft.ErrRunning or croft.ErrFolder.
func Serve(ctx context.Context, dir string, s Services) error {
	l, err := listen(dir)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: bodyTime,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // waiting answers end with the node
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(within), server.Close())
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return croft.E(croft.ErrFolder, dir, err)
	}
	<-stopped // answers that did not end in time are cut: the node stops all the same
	return nil
}

// listen makes the socket. Removing it is the listener's, when it closes.
func listen(dir string) (net.Listener, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, croft.E(croft.ErrFolder, dir, err)
	case info.Mode().IsRegular() || info.IsDir() || info.Mode()&fs.ModeSymlink != 0:
		return nil, croft.E(croft.ErrFolder, dir, socketName+" is there and is not a socket")
	default:
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, croft.E(croft.ErrRunning, dir)
		}
		if err := os.Remove(path); err != nil {
			return nil, croft.E(croft.ErrFolder, dir, err)
		}
	}
	// The folder is closed first: a socket has its final mode only after it is there.
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, croft.E(croft.ErrFolder, dir, err)
	}
	return l, nil
}

// maxSocket is the length of a socket's path that every system takes.
const maxSocket = 103

// socketPath returns the shorter of the absolute path and the one from here: a
// socket's address has room for little.
func socketPath(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, socketName))
	if err != nil {
		return "", croft.E(croft.ErrFolder, dir, err)
	}
	if here, err := os.Getwd(); err == nil && len(path) > maxSocket {
		if short, err := filepath.Rel(here, path); err == nil {
			path = short
		}
	}
	if len(path) > maxSocket {
		return "", croft.E(croft.ErrFolder, dir, "its path is too long for a socket in it")
	}
	return path, nil
}

// CheckDir refuses a folder whose path is too long for the node's socket, wherever
// commands are started from. It fails with croft.ErrFolder.
func CheckDir(dir string) error {
	path, err := filepath.Abs(filepath.Join(dir, socketName))
	if err != nil {
		return croft.E(croft.ErrFolder, dir, err)
	}
	if len(path) > maxSocket {
		return croft.E(croft.ErrFolder, dir, fmt.Sprintf("its path has %d bytes, and a node's socket leaves room for %d", len(path)-len(socketName)-1, maxSocket-len(socketName)-1))
	}
	return nil
}

// handler routes every call. A path says what it asks for; a POST changes
// something, or carries what does not fit a path.
func (s Services) handler() http.Handler {
	mux := http.NewServeMux()
	get(mux, "/v1/status", s.status)
	get(mux, "/v1/members", s.members)
	get(mux, "/v1/peers", s.peers)
	get(mux, "/v1/health", s.health)
	get(mux, "/v1/council", s.council)
	get(mux, "/v1/data", s.datasets)
	post(mux, "/v1/data/prepare", s.prepare)
	post(mux, "/v1/data", s.addData)
	get(mux, "/v1/studies", s.studies)
	get(mux, "/v1/studies/{study}", s.show)
	get(mux, "/v1/studies/{study}/check", s.check)
	get(mux, "/v1/studies/{study}/result", s.result)
	get(mux, "/v1/studies/{study}/worth", s.worth)
	get(mux, "/v1/studies/{study}/preflight", s.preflight)
	post(mux, "/v1/studies/{study}/predict", s.predict)
	post(mux, "/v1/check", s.checkDraft)
	post(mux, "/v1/approvals", s.approve)
	post(mux, "/v1/tx", s.submit)
	post(mux, "/v1/audit", s.verify)
	post(mux, "/v1/pause", s.pause)
	post(mux, "/v1/resume", s.resume)
	post(mux, "/v1/rescue", s.rescue)
	post(mux, "/v1/rescue/believe", s.believe)
	mux.HandleFunc("GET /v1/blobs/{hash}", s.blob)
	s.trade(mux)
	get(mux, "/v1/events", s.feed)
	mux.HandleFunc("GET /v1/blocks", s.blocks)
	mux.HandleFunc("POST /v1/down", s.down)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, croft.E(croft.ErrNotFound, "call", r.Method+" "+r.URL.Path, "upgrade the node: it is older than this program"))
	})
	return mux
}

// get routes a call without a body.
func get[Answer any](mux *http.ServeMux, path string, f func(*http.Request) (Answer, error)) {
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		answer, err := f(r)
		reply(w, answer, err)
	})
}

// post routes a call whose body is one JSON value.
func post[Body, Answer any](mux *http.ServeMux, path string, f func(*http.Request, Body) (Answer, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var body Body
		if err := decode(w, r, &body); err != nil {
			fail(w, err)
			return
		}
		answer, err := f(r, body)
		reply(w, answer, err)
	})
}

// decode reads a body: bounded, in time, of exactly the known fields.
func decode(w http.ResponseWriter, r *http.Request, body any) error {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(bodyTime)); err == nil {
		defer control.SetReadDeadline(time.Time{})
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(body)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the value")
		}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return croft.E(croft.ErrTooLarge, max(r.ContentLength, tooLarge.Limit+1), tooLarge.Limit)
	}
	if err != nil {
		return croft.E(croft.ErrEncoding, "request", err)
	}
	return nil
}

func reply(w http.ResponseWriter, answer any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body) // an error is the caller's going away
}

func fail(w http.ResponseWriter, err error) {
	f := FailureOf(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status())
	json.NewEncoder(w).Encode(f)
}

// down stops the node, once the answer is on its way.
func (s Services) down(w http.ResponseWriter, _ *http.Request) {
	if s.Stop == nil {
		fail(w, croft.E(croft.ErrUsage, "this node is part of another program", "stop that program"))
		return
	}
	reply(w, struct{}{}, nil)
	http.NewResponseController(w).Flush()
	s.Stop()
}
