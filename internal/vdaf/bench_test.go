package vdaf

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The work of a client and of an aggregator of PINE with two aggregators, on one
// core. "floors" is how many times the floor it takes: one SHA-256 and one AES-CTR
// over 8 bytes a number, measured in the same run.
func BenchmarkPine(b *testing.B) {
	for _, d := range []int{1e3, 1e5, 1e6} {
		p, err := NewPine(2, benchParams(d))
		if err != nil {
			b.Fatal(err)
		}
		r := rand.NewChaCha8([32]byte{1})
		x := make([]int64, d)
		for k := range x {
			x[k] = int64(r.Uint64()>>48) - 1<<15
		}
		seeds := make([]byte, p.RandSize())
		r.Read(seeds)
		public, shares, err := p.Shard(x, [16]byte{}, seeds)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("client/d=%d", d), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := p.Shard(x, [16]byte{}, seeds); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(shares[0]))/float64(8*d), "upload/vector")
			floors(b, d)
		})
		for i, s := range shares {
			b.Run(fmt.Sprintf("aggregator%d/d=%d", i, d), func(b *testing.B) {
				for b.Loop() {
					if _, _, err := p.VerifyInit(new(Seed), i, [16]byte{}, public, s); err != nil {
						b.Fatal(err)
					}
				}
				floors(b, d)
			})
		}
	}
}

func benchParams(d int) Params {
	p, err := Fit(d, 1<<26)
	if err != nil {
		panic(err)
	}
	return p
}

func floors(b *testing.B, d int) {
	took := b.Elapsed().Seconds() / float64(b.N)
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	data, runs := make([]byte, 8*d), max(1, 1e7/d)
	start := time.Now()
	for range runs {
		sha256.Sum256(data)
		cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(data, data)
	}
	b.ReportMetric(took/(time.Since(start).Seconds()/float64(runs)), "floors")
}
