package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// bare is a stream of which only bytes count; each piece is noted with its sender.
type bare struct {
	network.Stream
	io.Reader
	wrote func(n int)
}

func (b bare) Read(data []byte) (int, error)  { return b.Reader.Read(data) }
func (b bare) Write(data []byte) (int, error) { b.wrote(len(data)); return len(data), nil }

// TestPace: two large streams and a small one share a megabyte a second, in virtual
// time; the small one's few bytes do not wait for the large ones' end.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, large = 1 << 20, 4 << 20
		out, in := &pace{rate: rate}, &pace{rate: rate}
		begun := time.Now()
		var all sync.WaitGroup
		var mu sync.Mutex
		sent := 0
		for range 2 {
			all.Go(func() {
				s := paced{Stream: bare{wrote: func(n int) { mu.Lock(); sent += n; mu.Unlock() }}, ctx: t.Context(), out: out, in: in}
				if n, err := s.Write(make([]byte, large)); n != large || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			})
		}
		time.Sleep(time.Second)
		small := paced{Stream: bare{wrote: func(int) {}}, ctx: t.Context(), out: out, in: in}
		before := time.Now()
		if _, err := small.Write([]byte("a vote")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(before); took > 100*time.Millisecond {
			t.Errorf("six bytes waited %v for the large ones", took)
		}
		mu.Lock()
		if most := rate + rate/4 + 64<<10; sent > most {
			t.Errorf("%d bytes in the first second, at most %d are allowed", sent, most)
		}
		mu.Unlock()
		all.Wait()
		if took, least := time.Since(begun), 2*large*time.Second/rate-slack; took < least || took > least+time.Second {
			t.Errorf("8 MiB at 1 MiB/s took %v", took)
		}

		// Reading has a bucket of its own.
		begun = time.Now()
		data, err := io.ReadAll(paced{Stream: bare{Reader: bytes.NewReader(make([]byte, 2<<20))}, ctx: t.Context(), out: out, in: in})
		if took := time.Since(begun); err != nil || len(data) != 2<<20 || took < 1700*time.Millisecond || took > 2*time.Second {
			t.Errorf("read %d in %v: %v", len(data), took, err)
		}

		// The host's end ends the wait.
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if _, err := (paced{Stream: bare{wrote: func(int) {}}, ctx: ctx, out: &pace{rate: 1}, in: in}).Write(make([]byte, 10)); err == nil {
			t.Error("a closed host goes on writing")
		}
	})
}

// piped is the reading end of a pipe as a stream.
type piped struct {
	network.Stream
	end net.Conn
}

func (p piped) Read(data []byte) (int, error)     { return p.end.Read(data) }
func (p piped) SetReadDeadline(t time.Time) error { return p.end.SetReadDeadline(t) }

// TestFetchWantsAPace: whoever is silent or drips costs ten seconds, however much was
// asked for; a slow line has its time. In virtual time.
func TestFetchWantsAPace(t *testing.T) {
	const size = 1_000_000
	for name, c := range map[string]struct {
		bytes int           // at once
		every time.Duration // after which as many follow
		ends  time.Duration
		comes bool
	}{
		"silent":                 {1, time.Hour, fetchStart, false},
		"one byte a second":      {1, time.Second, fetchStart, false},
		"20 kB/s":                {2_000, 100 * time.Millisecond, 50 * time.Second, false}, // 10 s + 40 µs a byte, which is as many as have come by then
		"30 kB/s":                {3_000, 100 * time.Millisecond, 33 * time.Second, true},
		"all after nine seconds": {4 + size, 9 * time.Second, 9 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				var sending sync.WaitGroup
				sending.Go(func() {
					data := binary.BigEndian.AppendUint32(nil, size)
					data = append(data, make([]byte, size)...)
					for len(data) > 0 {
						time.Sleep(c.every)
						now := data[:min(len(data), c.bytes)]
						if _, err := there.Write(now); err != nil {
							return
						}
						data = data[len(now):]
					}
				})
				begun := time.Now()
				got, err := readFrame(&brisk{piped{end: here}, begun.Add(fetchStart)}, size, func(int) error { return nil })
				if took := time.Since(begun); (err == nil) != c.comes || c.comes && len(got) != size || took < c.ends-time.Second || took > c.ends+time.Second {
					t.Errorf("%d bytes after %v: %v", len(got), took, err)
				}
				here.Close()
				sending.Wait()
			})
		})
	}
}
