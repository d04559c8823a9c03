package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"croft"
	"croft/internal/api"
	"croft/internal/study"
)

// Guests may be called like somebody else: credits and votes then need the id.
func TestWhomAPersonMeans(t *testing.T) {
	party := func(id byte, name string) api.Party { return api.Party{ID: croft.MemberID{id, 0xab}, Name: name} }
	north, south, visitor, double := party(0x11, "North"), party(0x22, "South"), party(0x33, "Ann"), party(0x44, "Ann")
	prefixed := party(0x55, "11ab") // its name begins another one's id
	all := []api.Party{north, south, visitor, double, prefixed}
	for ref, want := range map[string]any{
		"North": north, "22ab": south, "22ab0000": south, "11ab": prefixed, "11ab0": north,
		"Ann": croft.ErrUsage, "33ab": visitor, "44ab": double,
		"": croft.ErrNotFound, "22a": croft.ErrNotFound, "north": croft.ErrNotFound, "23ab": croft.ErrNotFound,
	} {
		got, err := whom(all, ref)
		if code, refused := want.(croft.Code); refused && croft.CodeOf(err) != code || !refused && got != want {
			t.Errorf("%q: %v %v, want %v", ref, got, err, want)
		}
	}
}

// Names are looked up among the members, who stay as they are for the next question.
func TestResolveLeavesMembers(t *testing.T) {
	members := []api.Member{{Party: api.Party{Name: "gone"}, Revoked: true}, {Party: api.Party{Name: "here"}, Seat: true}}
	before := slices.Clone(members)
	file, err := study.Parse([]byte(strings.Replace(questions, "INTERCEPTS", "", 1)), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := resolve(file, croft.MemberID{1}, members, true); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(members, before) {
		t.Errorf("%+v", members)
	}
}

func TestNamesOfFiles(t *testing.T) {
	for text, want := range map[string]string{"Anaemia 2027": "anaemia-2027", "Übung 1": "bung-1", "研究": "unnamed", "--out": "out", "": "unnamed"} {
		if got := fileName(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// What is said to be the most is not less than that.
func TestSizesAreRoundedUp(t *testing.T) {
	for n, want := range map[int]string{1: "1 byte", 9999: "9999 bytes", 10_000: "10 kB", 10_001: "11 kB", 9_999_999: "10000 kB", 10_000_001: "11 MB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// atNode is somebody at a node that answers as a test wants, and what is said to them.
func atNode(t *testing.T, answer func(path string) string) (*cli, *person, *strings.Builder) {
	t.Helper()
	dir, err := os.MkdirTemp("", "croft") // a short path: a socket is made in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "api.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(answer(r.URL.Path))) })}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	client, err := api.Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	errs := new(strings.Builder)
	return &cli{dir: dir, errs: errs}, &person{Client: client}, errs
}

// Ctrl-C takes back nothing that the node has: a person is told, before it is said
// again and counts twice.
func TestInterruptedIsNotTakenBack(t *testing.T) {
	c, p, errs := atNode(t, func(string) string { return `[{"self": true}]` })
	ctx, stop := context.WithCancelCause(t.Context())
	_, err := c.hand(ctx, p, func() (api.Submitted, error) {
		stop(croft.E(croft.ErrInterrupted))
		return api.Submitted{}, context.Cause(ctx)
	})
	if !errors.Is(err, croft.ErrInterrupted) || !strings.Contains(errs.String(), "What you signed is kept") {
		t.Errorf("%v %s", err, errs)
	}
}

// A newcomer's node is waited for; that of one who was sent away is not.
func TestWhoIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		status string
		looks  int
	}{{`{"left": true}`, 1}, {`{}`, 2}} {
		ctx, stop := context.WithCancelCause(t.Context())
		looks := 0
		cli, p, _ := atNode(t, func(path string) string {
			switch path {
			case "/v1/members":
				if looks++; looks == 2 {
					stop(croft.E(croft.ErrTimeout, "2 looks"))
				}
				return `[]`
			case "/v1/council":
				return `{}`
			}
			return c.status
		})
		sent := false
		_, err := cli.hand(ctx, p, func() (api.Submitted, error) {
			sent = true
			return api.Submitted{}, nil
		})
		if waits := c.looks > 1; looks != c.looks || sent == waits || (err != nil) != waits {
			t.Errorf("%s: %d looks, sent %t, %v", c.status, looks, sent, err)
		}
	}
}
