package vdaf

import (
	"encoding/binary"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// oracle is a field by big integers.
type oracle[E comparable] struct {
	f     field[E]
	prime *big.Int
	words int // of 32 bits
}

func (o oracle[E]) of(v *big.Int) E {
	b := make([]byte, o.f.size())
	v.FillBytes(b)
	slices.Reverse(b)
	e := make([]E, 1)
	if o.f.decode(e, b) != 1 {
		panic(v)
	}
	return e[0]
}

func (o oracle[E]) big(v E) *big.Int {
	b := make([]byte, o.f.size())
	o.f.encode(b, []E{v})
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// draw prefers numbers where carries and borrows happen.
func (o oracle[E]) draw(t *rapid.T) E {
	v := new(big.Int)
	for range o.words {
		w := rapid.OneOf(rapid.SampledFrom([]uint32{0, 1, 27, 28, 29, 1<<20 - 1, 1 << 20, 1 << 31, 1<<32 - 29, 1<<32 - 28, 1<<32 - 2, 1<<32 - 1}), rapid.Uint32()).Draw(t, "word")
		v.Lsh(v, 32).Or(v, big.NewInt(int64(w)))
	}
	return o.of(v.Mod(v, o.prime))
}

func prime(text string) *big.Int {
	p, _ := new(big.Int).SetString(text, 0)
	return p
}

func eachField(t *testing.T, small func(t *testing.T, o oracle[uint32]), middle func(t *testing.T, o oracle[uint64]), large func(t *testing.T, o oracle[e128])) {
	t.Run("Field32", func(t *testing.T) { small(t, oracle[uint32]{field32{}, prime("0xfff00001"), 1}) })
	t.Run("Field64", func(t *testing.T) { middle(t, oracle[uint64]{field64{}, prime("0xffffffff00000001"), 2}) })
	t.Run("Field128", func(t *testing.T) {
		large(t, oracle[e128]{field128{}, prime("0xffffffffffffffe40000000000000001"), 4})
	})
}

func TestFieldsAgainstBigIntegers(t *testing.T) {
	eachField(t, arithmetic, arithmetic, arithmetic)
}

func arithmetic[E comparable](t *testing.T, o oracle[E]) {
	f, p := o.f, o.prime
	if !p.ProbablyPrime(20) {
		t.Fatal("not a prime")
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := o.draw(t), o.draw(t), o.draw(t)
		x, y, z := o.big(a), o.big(b), o.big(c)
		same := func(what string, got E, want *big.Int) {
			if w := new(big.Int).Mod(want, p); o.big(got).Cmp(w) != 0 {
				t.Fatalf("%s of %v and %v: %v, want %v", what, x, y, o.big(got), w)
			}
		}
		same("sum", f.add(a, b), new(big.Int).Add(x, y))
		same("difference", f.sub(a, b), new(big.Int).Sub(x, y))
		product := new(big.Int).Mul(x, y)
		same("product", f.mul(a, b), product)
		if a != f.of(0) {
			same("inverse", f.inv(a), new(big.Int).ModInverse(x, p))
		}

		// The methods on vectors and sums say the same.
		v, w := []E{a, b}, []E{b, c}
		out := slices.Clone(v)
		f.addTo(out, w)
		same("addTo", out[1], new(big.Int).Add(y, z))
		f.subFrom(out, w)
		if !slices.Equal(out, v) {
			t.Fatal("subFrom is not the way back")
		}
		f.mulTo(out, v, w)
		same("mulTo", out[0], product)
		s, n := f.sums(2), rapid.IntRange(1, 50).Draw(t, "n")
		for range n {
			s.add(a, []E{b})
			s.addProducts(v, w)
		}
		s.values(out)
		times := big.NewInt(int64(n))
		same("sum of products", out[0], new(big.Int).Mul(times, new(big.Int).Mul(big.NewInt(2), product)))
		same("sum of products", out[1], new(big.Int).Mul(times, new(big.Int).Mul(y, z)))

		encoded := make([]byte, 2*f.size())
		f.encode(encoded, v)
		if f.decode(out, encoded) != 2 || !slices.Equal(out, v) {
			t.Fatal("decode is not the way back")
		}
	})
	// Signed integers.
	for _, v := range []int64{0, 1, -1, 1 << 30, -1 << 30} {
		out := make([]E, 1)
		f.residues(out, []int64{v})
		if want := new(big.Int).Mod(big.NewInt(v), p); o.big(out[0]).Cmp(want) != 0 || f.centred(out[0]) != v {
			t.Errorf("%d became %v, then %d", v, out[0], f.centred(out[0]))
		}
	}
	// Numbers not below p are not elements.
	over := make([]byte, 2*f.size())
	p.FillBytes(over[:f.size()])
	slices.Reverse(over[:f.size()])
	out := make([]E, 2)
	if f.decode(out, over) != 1 || out[0] != f.of(0) {
		t.Error("p itself was taken for an element")
	}
	// The root of unity has its order.
	for log := range 12 {
		r := f.root(log)
		if pow(f, r, 1<<log) != f.of(1) || log > 0 && pow(f, r, 1<<(log-1)) == f.of(1) {
			t.Errorf("the root of order 2^%d has another order", log)
		}
	}
}

func TestReduceAgainstBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, epsilon - 1, epsilon, epsilon + 1, 1 << 63, Modulus - 1, Modulus, 1<<64 - 1}), rapid.Uint64())
		hi, lo := word.Draw(t, "hi"), word.Draw(t, "lo")
		want := new(big.Int).SetUint64(hi)
		want.Lsh(want, 64).Add(want, new(big.Int).SetUint64(lo)).Mod(want, prime("0xffffffff00000001"))
		if got := reduce(hi, lo); got != want.Uint64() {
			t.Fatal(got, want)
		}
	})
}

// The lazy sum takes many products of the largest size, and starts again.
func TestWideSums(t *testing.T) {
	w, want := NewWide(2), uint64(0)
	for range 1000 {
		w.MulAdd(Modulus-1, []uint64{Modulus - 1, 7})
		want = Add(want, Mul(Modulus-1, Modulus-1))
	}
	out := make([]uint64, 2)
	w.Reduce(out)
	if out[0] != want || out[1] != Modulus-7000 {
		t.Fatal(out, want)
	}
	if w.Reduce(out); out[0] != 0 || out[1] != 0 {
		t.Fatal("not cleared")
	}
	// 2^31 products of the largest size, by their words: top counts 2^31 carries at
	// most, and top·2^32 is below p.
	w.lo[0], w.hi[0], w.top[0] = 1<<64-1, 1<<64-1, 1<<31-1
	sum := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1<<31), 128), big.NewInt(1))
	if w.Reduce(out); out[0] != sum.Mod(sum, prime("0xffffffff00000001")).Uint64() {
		t.Fatal(out[0], sum)
	}
}

// A transform is the polynomial's values at the powers of a root, and the way back
// returns the coefficients.
func TestTransforms(t *testing.T) { eachField(t, transforms, transforms, transforms) }

func transforms[E comparable](t *testing.T, o oracle[E]) {
	f := o.f
	rapid.Check(t, func(t *rapid.T) {
		log := rapid.IntRange(0, 6).Draw(t, "log")
		n := 1 << log
		coefficients := make([]E, n)
		for k := range coefficients {
			coefficients[k] = o.draw(t)
		}
		values := slices.Clone(coefficients)
		reverse(values)
		f.dit(values, roots(f, log, false))
		for k, x := range powers(f, f.of(1), f.root(log), n) {
			if want := (gadget[E]{poly: coefficients}).values(f, []E{x})[0]; values[k] != want {
				t.Fatalf("value %d of %d: %v, want %v", k, n, values[k], want)
			}
		}
		// The same value without any coefficients.
		at := o.draw(t)
		want := (gadget[E]{poly: coefficients}).values(f, []E{at})[0]
		node := pow(f, at, uint64(n)) == f.of(1) // where nobody asks
		if got := f.dot(lagrange(f, log, at), values); got != want && !node {
			t.Fatalf("at %v: %v, want %v", at, got, want)
		}
		// All values from the first ones, if the degree is small enough.
		m := rapid.IntRange(max(1, n/2), n).Draw(t, "known")
		short := slices.Clone(coefficients)
		clear(short[m:])
		all := slices.Clone(short)
		reverse(all)
		f.dit(all, roots(f, log, false))
		if got := extend(f, slices.Clone(all[:m]), n); !slices.Equal(got, all) {
			t.Fatalf("%d of %d values: %v, want %v", m, n, got, all)
		}

		f.dif(values, roots(f, log, true))
		reverse(values)
		scale := f.inv(f.of(uint64(n)))
		for k, v := range values {
			if f.mul(v, scale) != coefficients[k] {
				t.Fatalf("coefficient %d of %d", k, n)
			}
		}
	})
}

// The products by sums for four tests' coins are those by their definition.
func TestCoinsAgainstTheirDefinition(t *testing.T) {
	f := field64{}
	o := oracle[uint64]{f, prime("0xffffffff00000001"), 2}
	rapid.Check(t, func(t *rapid.T) {
		tests := rapid.IntRange(1, 9).Draw(t, "tests")
		quick, slow := f.tossed(tests), tossed[uint64](&simpleTosses[uint64]{f, make([]uint64, tests)})
		rows := make([]coinRow, (tests+3)/4*4)
		for range rapid.IntRange(1, 3).Draw(t, "blocks") {
			x := make([]uint64, rapid.SampledFrom([]int{1, 2, 3, 4, 5, 31, 32, 33, 64, 130}).Draw(t, "length"))
			for k := range x {
				x[k] = o.draw(t)
			}
			for i := range tests {
				for k := range (len(x) + 3) / 4 {
					rows[i][k] = rapid.Byte().Draw(t, "coins")
				}
			}
			quick.add(x, rows)
			slow.add(x, rows)
		}
		got, want := make([]uint64, tests), make([]uint64, tests)
		quick.values(got)
		slow.values(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
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
	for _, fill := range []func(x *XOF, out []uint64){
		(*XOF).Next,
		func(x *XOF, out []uint64) { expand[uint64](field64{}, x, out) },
	} {
		words := []uint64{5, Modulus, Modulus - 1, 1<<64 - 1, 6, Modulus + 1, 7}
		out := make([]uint64, 4)
		fill(&XOF{stream: &fixed{words}}, out)
		if [4]uint64(out) != [4]uint64{5, Modulus - 1, 6, 7} {
			t.Fatal(out)
		}
	}
}

// The stream from an offset is the rest of the stream.
func TestStreamFromAnOffset(t *testing.T) {
	seed := Seed{7}
	all := make([]byte, 3*chunk)
	NewXOF(&seed, []byte("test"), nil).next(all)
	for _, offset := range []int{0, 1, 15, 16, 17, 4095, 4096, 5000} {
		got := make([]byte, 100)
		NewXOF(&seed, []byte("test"), nil).from(uint64(offset)).XORKeyStream(got, got)
		if !slices.Equal(got, all[offset:offset+100]) {
			t.Errorf("from %d", offset)
		}
	}
	// The counter carries over all of its 16 bytes.
	x := NewXOF(&seed, []byte("test"), nil)
	x.start()
	for i := range x.first {
		x.first[i] = 0xff
	}
	got, zero := make([]byte, 16), make([]byte, 16)
	x.from(16).XORKeyStream(got, got)
	x.block.Encrypt(zero, zero)
	if !slices.Equal(got, zero) {
		t.Error("the counter does not wrap around")
	}
}

// However the tasks run, streams read at the same time give what they give one number
// after the other, also where a number is left out: that of place 362817 in the
// stream of seed 16485 is not below p (found by search), nor in one of 2^32 others.
func TestExpand(t *testing.T) {
	seeds := []Seed{{1}, {}}
	binary.BigEndian.PutUint64(seeds[1][:], 16485)
	var raw [8]byte
	NewXOF(&seeds[1], []byte("skip"), nil).fromStart(8*362817, raw[:])
	if binary.LittleEndian.Uint64(raw[:]) < Modulus {
		t.Fatal("the number that is to be left out is not there")
	}
	backwards := Workers(func(n int, task func(int)) {
		for i := n - 1; i >= 0; i-- {
			task(i)
		}
	})
	for _, n := range []int{0, 1, expandAtLeast, 2*expandAtLeast + 1, 362_817, 362_818, 370_000} {
		for name, run := range map[string]Workers{"forwards": Serial, "backwards": backwards} {
			want, streams := make([][]uint64, 2), make([]*XOF, 2)
			got := [][]uint64{make([]uint64, n+5), make([]uint64, n+5)}
			for i := range streams {
				want[i] = make([]uint64, n+5)
				NewXOF(&seeds[i], []byte("skip"), nil).Next(want[i])
				streams[i] = NewXOF(&seeds[i], []byte("skip"), nil)
			}
			read := func(first, n int) {
				Expand(streams, n, run, func(lo, hi int, streams []*XOF) {
					for i, x := range streams {
						x.Next(got[i][first+lo : first+hi])
					}
				})
			}
			read(0, n)
			read(n, 5)
			for i := range got {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("%d numbers, %s: stream %d is another", n, name, i)
				}
			}
		}
	}
}

func (x *XOF) fromStart(offset uint64, out []byte) {
	x.start()
	x.from(offset).XORKeyStream(out, out)
}
