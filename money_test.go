package croft

import (
	"bytes"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestCredits(t *testing.T) {
	for text, want := range map[string]Credits{
		"0": 0, "1": Credit, "25": 25 * Credit, "0.0025": 2500, ".5": Credit / 2, "0.000001": 1, "1.10": 1_100_000, "+3": 3 * Credit,
		"9007199254.740992": MaxCredits,
	} {
		if got, err := ParseCredits(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "-0.5", "0.0000001", "1e3", "NaN", "9007199254.740993", "999999999999999999", "18446744073709", "1 000"} {
		if got, err := ParseCredits(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c := Credits(rapid.Uint64Range(0, uint64(MaxCredits)).Draw(t, "amount"))
		var again Credits
		if text, _ := c.MarshalText(); again.UnmarshalText(text) != nil || again != c {
			t.Fatalf("%d became %s and then %d", c, c, again)
		}
	})
}

// The oracle computes with numbers that have no end.
func TestPriceIsTheSumOfItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := func(label string) Credits {
			return Credits(rapid.OneOf(rapid.Uint64Range(0, 1000), rapid.Uint64Range(0, uint64(MaxCredits)), rapid.Uint64()).Draw(t, label))
		}
		p := Price{Call: amount("call"), Input: amount("input"), Output: amount("output"), Second: amount("second"), Most: amount("most")}
		m := Meter{uint64(amount("in")), uint64(amount("out")), uint64(amount("micros"))}
		of := func(c uint64) *big.Int { return new(big.Int).SetUint64(c) }
		want := of(uint64(p.Call))
		want.Add(want, new(big.Int).Mul(of(uint64(p.Input)), of(m.Input)))
		want.Add(want, new(big.Int).Mul(of(uint64(p.Output)), of(m.Output)))
		work := new(big.Int).Mul(of(uint64(p.Second)), of(m.Micros))
		work.Add(work, big.NewInt(999_999)).Div(work, big.NewInt(1_000_000))
		if want.Add(want, work); want.Cmp(of(uint64(p.Most))) > 0 {
			want = of(uint64(p.Most))
		}
		if got := p.Of(m); want.Cmp(of(uint64(got))) != 0 {
			t.Fatalf("%+v of %+v: %d, want %s", p, m, got, want)
		}
	})
}

// What a voucher says of a request says nothing without the random id, and the same
// bytes in another place are something else.
func TestRequestHash(t *testing.T) {
	id, other := [16]byte{1}, [16]byte{2}
	a := RequestHash(id, []byte("63 years, 150 mmHg"))
	if a == RequestHash(other, []byte("63 years, 150 mmHg")) || a == RequestHash(id, []byte("64 years, 150 mmHg")) || a != RequestHash(id, []byte("63 years, 150 mmHg")) {
		t.Error("the hash is not one of id and request")
	}
}

func TestServiceID(t *testing.T) {
	v := Service{Provider: MemberID{1}, Name: "risk", Version: 1, Price: Price{Call: 5, Most: 5}}
	changed := v
	changed.Version, changed.Price.Call = 2, 4
	renamed, moved := v, v
	renamed.Name, moved.Provider = "risks", MemberID{2}
	if v.ID() != changed.ID() || v.ID() == renamed.ID() || v.ID() == moved.ID() {
		t.Error("the id is not one of provider and name")
	}
	if v.Terms() == changed.Terms() || v.Terms() != renamed.Terms() {
		t.Error("the terms are not those of the price")
	}
}

func FuzzDecodeService(f *testing.F) {
	f.Add(Encode(Service{Provider: MemberID{1}, Name: "risk", Version: 1, Task: "predict", Use: UseMarket, Tills: []PublicKey{{1}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v Service
		if Decode(data, &v) == nil && !bytes.Equal(Encode(v), data) {
			t.Fatal("two encodings of one value")
		}
	})
}

func FuzzParseCredits(f *testing.F) {
	f.Add("12.5")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCredits(text); err == nil {
			if again, err := ParseCredits(c.String()); err != nil || again != c || c > MaxCredits {
				t.Fatalf("%q: %d, %d, %v", text, c, again, err)
			}
		}
	})
}
