package tensor

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"croft"
)

func TestSumOfEncodedVectorsIsTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Layout
		for range rapid.IntRange(1, 6).Draw(t, "blocks") {
			l = append(l, Block{"b", rapid.IntRange(0, 5).Draw(t, "len"), rapid.IntRange(-8, 20).Draw(t, "exp"), rapid.IntRange(1, 2).Draw(t, "limbs"), rapid.SampledFrom([]float64{0, 0.01, 1}).Draw(t, "row")})
		}
		rows := rapid.IntRange(1, 100).Draw(t, "rows")
		sites := rapid.IntRange(1, 12).Draw(t, "sites")
		want := make([]float64, l.Numbers())
		sum := make([]int64, l.Elems())
		for range sites {
			v := make([]float64, 0, len(want))
			for _, b := range l {
				for range b.Len {
					bound := math.Ldexp(1, b.Exp)
					if b.Row > 0 {
						bound = min(bound, float64(rows)*b.Row)
					}
					bound /= math.Sqrt(float64(b.Len))
					v = append(v, rapid.Float64Range(-bound, bound).Draw(t, "v"))
				}
			}
			enc, err := l.Encode(v)
			if err != nil {
				t.Fatal(err)
			}
			norm := 0.0
			for i, e := range enc {
				norm += float64(e) * float64(e)
				sum[i] += e
			}
			if most := l.Norm(rows); norm >= 1<<62 || math.Sqrt(norm) > most*(1+0x1p-30) {
				t.Fatalf("norm %g, bound %g", math.Sqrt(norm), most)
			}
			for i := range v {
				want[i] += v[i]
			}
		}
		got, err := l.Decode(sum)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if diff := math.Abs(got[i] - want[i]); diff > float64(sites)*resolution(l)+1e-12*math.Abs(want[i]) {
				t.Fatalf("number %d: got %g, want %g", i, got[i], want[i])
			}
		}
	})
}

// resolution is the largest rounding error of one number, over all blocks.
func resolution(l Layout) float64 {
	worst := 0.0
	for _, b := range l {
		worst = max(worst, math.Ldexp(0.5, -l.frac(b)-lowBits*(b.Limbs-1)))
	}
	return worst
}

func TestEncodeRefuses(t *testing.T) {
	l := Layout{{"g", 2, 3, 2, 0}}
	for name, v := range map[string][]float64{
		"NaN": {math.NaN(), 0}, "Inf": {0, math.Inf(-1)}, "over": {17, 0}, "norm": {15.9, 15.9},
	} {
		if _, err := l.Encode(v); !errors.Is(err, croft.ErrOverflow) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := l.Encode([]float64{1}); !errors.Is(err, croft.ErrShape) {
		t.Error(err)
	}
	if _, err := l.Decode([]int64{1}); !errors.Is(err, croft.ErrShape) {
		t.Error(err)
	}
}
