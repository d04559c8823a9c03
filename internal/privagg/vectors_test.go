package privagg

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// pineVector is what the test vectors of draft-chen-cfrg-vdaf-pine-01 hold.
type pineVector struct {
	Dimension int       `json:"dimension"`
	FracBits  int       `json:"num_frac_bits"`
	Result    []float64 `json:"agg_result"`
	AggShares []string  `json:"agg_shares"`
	Prep      []struct {
		Measurement []float64  `json:"measurement"`
		InputShares []string   `json:"input_shares"`
		OutShares   [][]string `json:"out_shares"`
	} `json:"prep"`
}

// The helper's share is the XOF of its seed, the leader's the encoded measurement
// minus it, and the aggregate shares add up: XOF, field, encoding and addition,
// byte for byte.
func TestPINEVectors(t *testing.T) {
	for i := range 6 {
		name := "Pine64HmacSha256Aes128_" + string(rune('0'+i)) + ".json"
		data, err := os.ReadFile(filepath.Join(shared(t), "vectors", "pine", name))
		if err != nil {
			t.Skip("the published PINE vectors are not beside this repository (../shared/vectors/pine)")
		}
		var v pineVector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		for _, p := range v.Prep {
			leader, helper := elements(t, p.OutShares[0]...), elements(t, p.OutShares[1]...)
			in, err := hex.DecodeString(p.InputShares[1])
			if err != nil {
				t.Fatal(err)
			}
			s := seed(in[:seedSize])
			mask := make([]uint64, v.Dimension)
			newXOF(&s, domain(0xffff1004, usageMask), []byte{1}).next(mask)
			for k := range mask {
				if mask[k] != helper[k] {
					t.Fatalf("%s: helper's element %d: %x, want %x", name, k, mask[k], helper[k])
				}
				encoded := residue(int64(math.Floor(math.Ldexp(p.Measurement[k], v.FracBits))))
				if got := sub(encoded, mask[k]); got != leader[k] {
					t.Fatalf("%s: leader's element %d: %x, want %x", name, k, got, leader[k])
				}
			}
		}
		a, b := elements(t, v.AggShares[0]), elements(t, v.AggShares[1])
		for k := range a {
			if got := math.Ldexp(float64(centred(add(a[k], b[k]))), -v.FracBits); got != v.Result[k] {
				t.Fatalf("%s: result %d: %v, want %v", name, k, got, v.Result[k])
			}
		}
	}
}

func elements(t *testing.T, texts ...string) (out []uint64) {
	for _, text := range texts {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		share, err := DecodeShare(data, len(data)/8)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, share...)
	}
	return out
}

// shared returns the folder of material beside the repository.
func shared(t *testing.T) string {
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above")
		}
		dir = filepath.Dir(dir)
	}
}

// The first words of our own streams, so that no refactoring moves them.
func TestStreamVector(t *testing.T) {
	s := seed{31: 1}
	out := make([]uint64, 2)
	newXOF(&s, domain(algorithm, usageMask), binder([32]byte{}, 0b011)).next(out)
	got := hex.EncodeToString(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, out[0]), out[1]))
	if want := streamVector; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

const streamVector = "534a090b1f48b3e11c7877d1bd1d2b34"
