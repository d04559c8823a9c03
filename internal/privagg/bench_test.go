package privagg

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"croft"
	"croft/internal/vdaf"
)

// A site's Deal and a seat's Share, in MB of vector a second, beside the floor:
// the same number of bytes through AES-128-CTR for the streams and SHA-256 for
// the blob's address, measured in the same run. "floors" is how many times the
// floor's time the work takes.
func BenchmarkDeal(b *testing.B) {
	each(b, func(b *testing.B, n *network, p Profile, d int) {
		pipes := make([]*Sender, p.Seats)
		for i := range pipes {
			pipes[i], _ = n.rand.pipe()
		}
		for b.Loop() {
			if _, err := Deal(n.site(0), n.vectors[0], pipes, n.rand, vdaf.Serial); err != nil {
				b.Fatal(err)
			}
		}
		report(b, d, len(p.parts())-1)
	})
}

func BenchmarkShare(b *testing.B) {
	each(b, func(b *testing.B, n *network, p Profile, d int) {
		r, in := n.deal(b, 0)
		var hand *Hand
		streams := 0
		for _, h := range n.hands(b, 0, r, in) {
			if h.NeedsBlob() {
				hand, streams = h, len(h.seeds)-1
			}
		}
		for b.Loop() {
			if _, err := hand.Share(r.Blob); err != nil {
				b.Fatal(err)
			}
		}
		report(b, d, streams)
	})
}

// The same with a proof, on one core: the floor is then one SHA-256 and one
// AES-CTR over 8 bytes a number, whatever the profile.
func BenchmarkProved(b *testing.B) {
	for _, p := range []Profile{{4, 1}, {7, 4}} {
		for _, d := range []int{2000, 1e5, 1e6} {
			n := newNetwork(p, 1, d, 1)
			n.context.Bound = 1 << 26
			for k := range n.vectors[0] {
				n.vectors[0][k] >>= 12
			}
			pipes := make([]*Sender, p.Seats)
			for i := range pipes {
				pipes[i], _ = n.rand.pipe()
			}
			b.Run(fmt.Sprintf("site/seats=%d,%d/d=%d", p.Seats, p.Threshold, d), func(b *testing.B) {
				var r *Report
				for b.Loop() {
					var err error
					if r, err = Deal(n.site(0), n.vectors[0], pipes, n.rand, vdaf.Serial); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(r.Blob)+len(r.Head))/float64(8*d), "upload/vector")
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/floor(d, 1), "floors")
			})
			r, in := n.deal(b, 0)
			i := slices.IndexFunc(n.hands(b, 0, r, in), (*Hand).NeedsBlob)
			hand := n.hands(b, 0, r, in)[i]
			b.Run(fmt.Sprintf("seat/seats=%d,%d/d=%d", p.Seats, p.Threshold, d), func(b *testing.B) {
				var answer []uint64
				for b.Loop() {
					var err error
					if _, answer, err = hand.Verify(r.Blob, croft.Hash{1}, vdaf.Serial); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(8*len(answer)), "answer-bytes")
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/floor(d, 1), "floors")
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	each(b, func(b *testing.B, n *network, p Profile, d int) {
		shares := n.shares(b)
		for b.Loop() {
			if _, err := Open(p, 1, shares); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(8*float64(d)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
	})
}

func each(b *testing.B, run func(*testing.B, *network, Profile, int)) {
	for _, m := range []int{3, 5, 9} {
		p, _ := Majority(m)
		for _, d := range []int{1e3, 1e4, 1e5, 1e6} {
			b.Run(fmt.Sprintf("seats=%d/d=%d", m, d), func(b *testing.B) {
				n := newNetwork(p, 1, d, 1)
				for k := range n.vectors[0] {
					n.vectors[0][k] >>= 10
				}
				run(b, n, p, d)
			})
		}
	}
}

func report(b *testing.B, d, streams int) {
	took := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(8*float64(d)/took/1e6, "MB/s")
	b.ReportMetric(took/floor(d, streams), "floors")
}

// floor returns the seconds that streams and address alone take.
func floor(d, streams int) float64 {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	data := make([]byte, 8*d)
	runs := max(1, 1_000_000/d/streams)
	start := time.Now()
	for range runs {
		for range streams {
			cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(data, data)
		}
		sha256.Sum256(data)
	}
	return time.Since(start).Seconds() / float64(runs)
}
