package privagg

import (
	"encoding/binary"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var bigModulus = new(big.Int).SetUint64(modulus)

// edges are where carries and borrows happen.
var edges = []uint64{0, 1, 2, epsilon - 1, epsilon, epsilon + 1, 1 << 63, modulus / 2, modulus/2 + 1, modulus - epsilon, modulus - 2, modulus - 1}

func element() *rapid.Generator[uint64] {
	return rapid.OneOf(rapid.SampledFrom(edges), rapid.Uint64Range(0, modulus-1))
}

func TestFieldAgainstBigIntegers(t *testing.T) {
	check := func(t require, a, b uint64) {
		x, y := new(big.Int).SetUint64(a), new(big.Int).SetUint64(b)
		for _, op := range []struct {
			got  uint64
			want *big.Int
		}{
			{add(a, b), new(big.Int).Add(x, y)}, {sub(a, b), new(big.Int).Sub(x, y)}, {mul(a, b), new(big.Int).Mul(x, y)},
		} {
			if w := op.want.Mod(op.want, bigModulus); w.Uint64() != op.got {
				t.Fatal(a, b, op.got, w)
			}
		}
		if a != 0 && mul(a, field64{}.inv(a)) != 1 {
			t.Fatal("inverse of", a)
		}
	}
	for _, a := range edges {
		for _, b := range edges {
			check(t, a, b)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, element().Draw(t, "a"), element().Draw(t, "b")) })
}

func TestReduceAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.SampledFrom(append(edges, 1<<64-1, 1<<64-epsilon)), rapid.Uint64())
		hi, lo := word.Draw(t, "hi"), word.Draw(t, "lo")
		want := new(big.Int).SetUint64(hi)
		want.Lsh(want, 64).Add(want, new(big.Int).SetUint64(lo)).Mod(want, bigModulus)
		if got := reduce(hi, lo); got != want.Uint64() {
			t.Fatal(got, want)
		}
	})
}

// The lazy sum holds more products than any profile has parts, all of the largest size.
func TestWideSumDoesNotOverflow(t *testing.T) {
	var w wide
	want := uint64(0)
	for range 1000 {
		w.mulAdd(modulus-1, []uint64{modulus - 1, 7})
		want = add(want, mul(modulus-1, modulus-1))
	}
	out := make([]uint64, 2)
	w.reduce(out)
	if out[0] != want || out[1] != modulus-7000 {
		t.Fatal(out, want)
	}
	if w != (wide{}) {
		t.Fatal("not cleared")
	}
}

func TestCentredResidues(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 1<<62 - 1, -1 << 62, modulus / 2, -modulus / 2} {
		if r := residue(v); r >= modulus || centred(r) != v {
			t.Errorf("%d became %d, then %d", v, r, centred(r))
		}
	}
}

// fixed gives chosen words instead of a key stream.
type fixed struct{ words []uint64 }

func (f *fixed) XORKeyStream(dst, src []byte) {
	for i := 0; i < len(dst); i += 8 {
		binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(src[i:])^f.words[0])
		f.words = f.words[1:]
	}
}

func TestStreamSkipsWhatIsNotInTheField(t *testing.T) {
	words := []uint64{5, modulus, modulus - 1, 1<<64 - 1, 6, modulus + 1, 7}
	out := make([]uint64, 4)
	(&xof{stream: &fixed{words}}).next(out)
	if [4]uint64(out) != [4]uint64{5, modulus - 1, 6, 7} {
		t.Fatal(out)
	}
}
