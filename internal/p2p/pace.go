package p2p

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// A host may be told how many bytes a second its streams carry, calls and tunnels
// together, each way by itself. Streams take turns by small pieces, so that consensus
// does not wait for a large blob. What it carries for others counts too (relay.go); the
// few bytes that hold connections open do not.

// MinRate is the least number of bytes a second that a host can be told: below it calls
// would break off as if their peer were dead.
const MinRate = 100_000

const (
	piece = 16 << 10               // bytes that go at once
	slack = 250 * time.Millisecond // what an idle time may be made up for
)

// pace is one direction.
type pace struct {
	rate int // bytes a second; 0: any

	mu   sync.Mutex
	free time.Time // when all that was granted will have gone
}

// grant takes so many bytes into the queue and returns how long they wait.
func (p *pace) grant(n int, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if idle := now.Add(-slack); p.free.Before(idle) {
		p.free = idle
	}
	p.free = p.free.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	return max(0, p.free.Sub(now))
}

func (p *pace) wait(ctx context.Context, n int) error {
	d := p.grant(n, time.Now())
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// paced is a stream that keeps to the pace of its host.
type paced struct {
	network.Stream
	ctx     context.Context // the host's
	out, in *pace
}

func (h *Host) paced(s network.Stream) network.Stream {
	if h.outward.rate == 0 {
		return s
	}
	return paced{s, h.ctx, &h.outward, &h.inward}
}

func (s paced) Write(data []byte) (n int, err error) {
	for len(data) > 0 && err == nil {
		now := data[:min(len(data), piece)]
		if err = s.out.wait(s.ctx, len(now)); err == nil {
			var wrote int
			wrote, err = s.Stream.Write(now)
			n, data = n+wrote, data[wrote:]
		}
	}
	return n, err
}

// Read pays for what it got before it returns it: the sender is slowed down by the
// window of the stream, which is not read any faster.
func (s paced) Read(data []byte) (int, error) {
	n, err := s.Stream.Read(data[:min(len(data), piece)])
	if n > 0 {
		if ended := s.in.wait(s.ctx, n); err == nil {
			err = ended
		}
	}
	return n, err
}
