package vdaf

import (
	"bytes"
	"encoding"
	"math/rand/v2"
	"testing"

	"github.com/cloudflare/circl/vdaf/prio3/count"
	"github.com/cloudflare/circl/vdaf/prio3/histogram"
	"github.com/cloudflare/circl/vdaf/prio3/sumvec"
)

// A circl is a Prio3 of Cloudflare's library, which implements drafts 13 and 14.
// With their version number and with proofs as coefficients ours are the same,
// but for the types whose encoding changed: Sum and MultihotCountVec.
type circl[M, Share, State, Verifier any] interface {
	Shard(M, *count.Nonce, []byte) (count.PublicShare, []Share, error)
	PrepInit(*count.VerifyKey, *count.Nonce, uint8, count.PublicShare, Share) (*State, *Verifier, error)
	PrepSharesToPrep([]Verifier) (*count.PrepMessage, error)
}

const circlVersion = 12

func TestAgainstCircl(t *testing.T) {
	context := []byte("cross-check")
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		n := 2 + r.IntN(3)
		t.Run("Count", func(t *testing.T) {
			theirs, err := count.New(uint8(n), context)
			if err != nil {
				t.Fatal(err)
			}
			yes := r.IntN(2) == 1
			compareWithCircl(t, r, n, countKind(), field64{}, yes, yes, theirs)
		})
		t.Run("SumVec", func(t *testing.T) {
			bits, values := 1+r.IntN(16), make([]uint64, 1+r.IntN(20))
			for k := range values {
				values[k] = r.Uint64N(1 << bits)
			}
			chunk := 1 + r.IntN(len(values)*bits)
			theirs, err := sumvec.New(uint8(n), uint(len(values)), uint(bits), uint(chunk), context)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := sumVecKind(field128{}, 3, 1, len(values), 1<<bits-1, chunk)
			if err != nil {
				t.Fatal(err)
			}
			compareWithCircl(t, r, n, ours, field128{}, values, values, theirs)
		})
		t.Run("Histogram", func(t *testing.T) {
			length := 1 + r.IntN(50)
			bucket, chunk := r.IntN(length), 1+r.IntN(length)
			theirs, err := histogram.New(uint8(n), uint(length), uint(chunk), context)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := histogramKind(length, chunk)
			if err != nil {
				t.Fatal(err)
			}
			compareWithCircl(t, r, n, ours, field128{}, bucket, uint64(bucket), theirs)
		})
	}
}

func compareWithCircl[M, R any, E comparable, N, Share, State, Verifier any](
	t *testing.T, r *rand.Rand, n int, k *kind[M, R, E], f field[E], measurement M, same N, theirs circl[N, Share, State, Verifier]) {
	k.proof.values = false
	ours := &prio3[M, R, E]{k, f, circlVersion, n, []byte("cross-check")}

	equal := func(what string, got []byte, want any) {
		t.Helper()
		w, err := want.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, w) {
			t.Fatalf("%s:\n%x, circl has\n%x", what, got, w)
		}
	}
	random := func(n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(r.Uint32())
		}
		return out
	}
	nonce, key, seeds := [16]byte(random(16)), Seed(random(32)), random(ours.RandSize())
	public, shares, err := ours.Shard(measurement, nonce, seeds)
	if err != nil {
		t.Fatal(err)
	}
	theirPublic, theirShares, err := theirs.Shard(same, (*count.Nonce)(&nonce), seeds)
	if err != nil {
		t.Fatal(err)
	}
	equal("public share", public, &theirPublic)
	var verifiers [][]byte
	var theirVerifiers []Verifier
	for i := range shares {
		equal("share", shares[i], &theirShares[i])
		_, verifier, err := ours.VerifyInit(&key, i, nonce, public, shares[i])
		if err != nil {
			t.Fatal(err)
		}
		_, theirVerifier, err := theirs.PrepInit((*count.VerifyKey)(&key), (*count.Nonce)(&nonce), uint8(i), theirPublic, theirShares[i])
		if err != nil {
			t.Fatal(err)
		}
		equal("verifier share", verifier, theirVerifier)
		verifiers, theirVerifiers = append(verifiers, verifier), append(theirVerifiers, *theirVerifier)
	}
	message, err := ours.Message(verifiers)
	if err != nil {
		t.Fatal(err)
	}
	theirMessage, err := theirs.PrepSharesToPrep(theirVerifiers)
	if err != nil {
		t.Fatal(err)
	}
	equal("message", message, theirMessage)
}
