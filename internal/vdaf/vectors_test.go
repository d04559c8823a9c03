package vdaf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// shared returns the folder of published vectors beside the repository.
func shared(t testing.TB, name string) string {
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(filepath.Dir(dir), "shared", "vectors", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the published vectors are not beside this repository (../shared/vectors/%s)", name)
	}
	return dir
}

func readVector(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hexBytes is a byte string in a vector file.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(data []byte) (err error) {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*h, err = hex.DecodeString(s)
	return err
}

// A prio3Vector is a file of draft-irtf-cfrg-vdaf-20, test_vec/vdaf.
type prio3Vector[M, R any] struct {
	Context     hexBytes   `json:"ctx"`
	Shares      int        `json:"shares"`
	Key         hexBytes   `json:"verify_key"`
	AggShares   []hexBytes `json:"agg_shares"`
	Result      *R         `json:"agg_result"`
	Largest     uint64     `json:"max_measurement"`
	Length      int        `json:"length"`
	Most        uint64     `json:"max_weight"`
	ChunkLength int        `json:"chunk_length"`
	Operations  []struct {
		Operation  string `json:"operation"`
		Aggregator int    `json:"aggregator_id"`
		Report     int    `json:"report_index"`
		Success    bool   `json:"success"`
	} `json:"operations"`
	Reports []struct {
		Inputs    []hexBytes   `json:"input_shares"`
		Measured  *M           `json:"measurement"`
		Nonce     hexBytes     `json:"nonce"`
		Out       []hexBytes   `json:"out_shares"`
		Public    hexBytes     `json:"public_share"`
		Rand      hexBytes     `json:"rand"`
		Messages  []hexBytes   `json:"verifier_messages"`
		Verifiers [][]hexBytes `json:"verifier_shares"`
	} `json:"reports"`
}

// Every operation of every published vector of Prio3, good and bad, with each
// value in between.
func TestPrio3Vectors(t *testing.T) {
	dir := shared(t, "vdaf")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 25 {
		t.Fatalf("%d files, want 25: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			which, _, _ := strings.Cut(name, "_")
			switch which {
			case "Prio3Count":
				runPrio3(t, file, func(v *prio3Vector[int, uint64]) (VDAF[int, uint64], error) {
					k := countKind()
					yes := k.encode
					return newPrio3(&kind[int, uint64, uint64]{k.id, k.measLen, k.outLen, k.joint, k.proof, k.proofs,
						func(n int) ([]uint64, error) { return yes(n == 1) }, k.state, k.truncate, k.decode}, nil, field64{}, v.Shares, v.Context)
				})
			case "Prio3Sum":
				runPrio3(t, file, func(v *prio3Vector[uint64, uint64]) (VDAF[uint64, uint64], error) {
					return NewSum(v.Shares, v.Context, v.Largest)
				})
			case "Prio3SumVec":
				runPrio3(t, file, func(v *prio3Vector[[]uint64, []uint64]) (VDAF[[]uint64, []uint64], error) {
					return NewSumVec(v.Shares, v.Context, v.Length, v.Largest, v.ChunkLength)
				})
			case "Prio3SumVecWithMultiproof": // Field64 with 3 proofs, says the draft's generator
				runPrio3(t, file, func(v *prio3Vector[[]uint64, []uint64]) (VDAF[[]uint64, []uint64], error) {
					k, err := sumVecKind(field64{}, 0xffffffff, 3, v.Length, v.Largest, v.ChunkLength)
					return newPrio3(k, err, field64{}, v.Shares, v.Context)
				})
			case "Prio3Histogram":
				runPrio3(t, file, func(v *prio3Vector[int, []uint64]) (VDAF[int, []uint64], error) {
					return NewHistogram(v.Shares, v.Context, v.Length, v.ChunkLength)
				})
			case "Prio3MultihotCountVec":
				runPrio3(t, file, func(v *prio3Vector[[]bool, []uint64]) (VDAF[[]bool, []uint64], error) {
					return NewMultihot(v.Shares, v.Context, v.Length, v.Most, v.ChunkLength)
				})
			case "Prio3HigherDegree": // x(x − 1)(x − 2) = 0: a gadget of degree 3, which no type of the draft has
				runPrio3(t, file, func(v *prio3Vector[uint64, uint64]) (VDAF[uint64, uint64], error) {
					f := field64{}
					cubic := gadget[uint64]{count: 1, poly: []uint64{0, 2, Modulus - 3, 1}}
					return newPrio3(&kind[uint64, uint64, uint64]{
						id: 0xffffffff, measLen: 1, outLen: 1, proofs: 1, proof: prio3Proof[uint64]{newFLP[uint64](f, cubic, 1), 1, true},
						encode:   func(x uint64) ([]uint64, error) { return []uint64{x}, nil },
						state:    func(meas, _ []uint64, _ uint64) statement[uint64] { return zeroes[uint64](meas) },
						truncate: func(meas []uint64) []uint64 { return meas },
						decode:   func(sum []uint64) uint64 { return sum[0] },
					}, nil, f, v.Shares, v.Context)
				})
			default:
				t.Fatalf("no type %s", which)
			}
		})
	}
}

func runPrio3[M, R any](t *testing.T, file string, make func(*prio3Vector[M, R]) (VDAF[M, R], error)) {
	v := new(prio3Vector[M, R])
	readVector(t, file, v)
	p, err := make(v)
	if err != nil {
		t.Fatal(err)
	}
	key := Seed(v.Key)
	type at struct{ report, aggregator int }
	states := map[at]*Verifying{}
	outs := map[int][][]byte{}
	equal := func(what string, got []byte, want hexBytes) {
		t.Helper()
		if !bytes.Equal(got, want) {
			t.Fatalf("%s:\n%x, want\n%x", what, got, []byte(want))
		}
	}
	for _, op := range v.Operations {
		r := v.Reports[min(op.Report, len(v.Reports)-1)]
		var err error
		switch op.Operation {
		case "shard":
			var public []byte
			var shares [][]byte
			if public, shares, err = p.Shard(*r.Measured, [16]byte(r.Nonce), r.Rand); err == nil {
				equal("public share", public, r.Public)
				for i, s := range shares {
					equal("input share", s, r.Inputs[i])
				}
			}
		case "verify_init":
			var share []byte
			var state *Verifying
			if state, share, err = p.VerifyInit(&key, op.Aggregator, [16]byte(r.Nonce), r.Public, r.Inputs[op.Aggregator]); err == nil {
				states[at{op.Report, op.Aggregator}] = state
				equal("verifier share", share, r.Verifiers[0][op.Aggregator])
			}
		case "verifier_shares_to_message":
			var message []byte
			shares := [][]byte{}
			for _, s := range r.Verifiers[0] {
				shares = append(shares, s)
			}
			if message, err = p.Message(shares); err == nil {
				equal("verifier message", message, r.Messages[0])
			}
		case "verify_next":
			var out []byte
			if out, err = p.VerifyNext(states[at{op.Report, op.Aggregator}], r.Messages[0]); err == nil {
				equal("output share", out, r.Out[op.Aggregator])
				outs[op.Aggregator] = append(outs[op.Aggregator], out)
			}
		case "aggregate":
			var sum []byte
			if sum, err = p.Aggregate(outs[op.Aggregator]...); err == nil {
				equal("aggregate share", sum, v.AggShares[op.Aggregator])
			}
		case "unshard":
			var sums [][]byte
			for _, s := range v.AggShares {
				sums = append(sums, s)
			}
			var result R
			if result, err = p.Unshard(sums...); err == nil && !reflect.DeepEqual(result, *v.Result) {
				t.Fatalf("result %v, want %v", result, *v.Result)
			}
		default:
			t.Fatalf("no operation %s", op.Operation)
		}
		if (err == nil) != op.Success {
			t.Fatalf("%s of report %d: %v, want success %v", op.Operation, op.Report, err, op.Success)
		}
	}
}

// A pineVector is a file of draft-chen-cfrg-vdaf-pine-01, poc/test_vec/01.
type pineVector struct {
	Field       string     `json:"field"`
	Shares      int        `json:"shares"`
	Length      int        `json:"dimension"`
	Bound       uint64     `json:"l2_norm_bound"`
	FracBits    int        `json:"num_frac_bits"`
	Tests       int        `json:"num_wr_checks"`
	Successes   int        `json:"num_wr_successes"`
	Alpha       float64    `json:"alpha"`
	ChunkLength int        `json:"chunk_length"`
	NormChunk   int        `json:"chunk_length_norm_equality"`
	Proofs      int        `json:"proofs"`
	NormProofs  int        `json:"proofs_norm_equality"`
	Key         hexBytes   `json:"verify_key"`
	AggShares   []hexBytes `json:"agg_shares"`
	Result      []float64  `json:"agg_result"`
	Prep        []struct {
		Measured []float64    `json:"measurement"`
		Nonce    hexBytes     `json:"nonce"`
		Rand     hexBytes     `json:"rand"`
		Public   hexBytes     `json:"public_share"`
		Inputs   []hexBytes   `json:"input_shares"`
		Out      [][]hexBytes `json:"out_shares"`
		Shares   [][]hexBytes `json:"prep_shares"`
		Messages []hexBytes   `json:"prep_messages"`
	} `json:"prep"`
}

func (v *pineVector) params() Params {
	return Params{v.Length, v.Bound, v.NormChunk, v.ChunkLength, v.NormProofs, v.Proofs, v.Tests}
}

// Every value of every published vector of PINE.
func TestPineVectors(t *testing.T) {
	dir := shared(t, "pine")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 12 {
		t.Fatalf("%d files, want 12: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			v := new(pineVector)
			readVector(t, file, v)
			if v.Tests != v.Successes || v.Alpha != 8.7 {
				t.Fatal("parameters that this package fixes differ")
			}
			create := NewPine
			if v.Field == "Field32" {
				create = NewPine32
			}
			p, err := create(v.Shares, v.params())
			if err != nil {
				t.Fatal(err)
			}
			equal := func(what string, got []byte, want ...hexBytes) {
				t.Helper()
				all := []byte{}
				for _, w := range want {
					all = append(all, w...)
				}
				if !bytes.Equal(got, all) {
					t.Fatalf("%s: %d bytes %x, want %d\n%x", what, len(got), got, len(all), all)
				}
			}
			outs := make([][][]byte, v.Shares)
			key := Seed(v.Key)
			for _, r := range v.Prep {
				x := make([]int64, len(r.Measured))
				for k, m := range r.Measured {
					x[k] = int64(math.RoundToEven(math.Ldexp(m, v.FracBits)))
				}
				public, shares, err := p.Shard(x, [16]byte(r.Nonce), r.Rand)
				if err != nil {
					t.Fatal(err)
				}
				equal("public share", public, r.Public)
				var states []*Verifying
				var verifiers [][]byte
				for i, s := range shares {
					equal("input share", s, r.Inputs[i])
					state, verifier, err := p.VerifyInit(&key, i, [16]byte(r.Nonce), public, s)
					if err != nil {
						t.Fatal(err)
					}
					equal("verifier share", verifier, r.Shares[0][i])
					states, verifiers = append(states, state), append(verifiers, verifier)
				}
				message, err := p.Message(verifiers)
				if err != nil {
					t.Fatal(err)
				}
				equal("message", message, r.Messages[0])
				for i, s := range states {
					out, err := p.VerifyNext(s, message)
					if err != nil {
						t.Fatal(err)
					}
					equal("output share", out, r.Out[i]...)
					outs[i] = append(outs[i], out)
				}
			}
			var sums [][]byte
			for i := range outs {
				sum, err := p.Aggregate(outs[i]...)
				if err != nil {
					t.Fatal(err)
				}
				equal("aggregate share", sum, v.AggShares[i])
				sums = append(sums, sum)
			}
			result, err := p.Unshard(sums...)
			if err != nil {
				t.Fatal(err)
			}
			for k, got := range result {
				if math.Ldexp(float64(got), -v.FracBits) != v.Result[k] {
					t.Fatalf("result %v, want %v", result, v.Result)
				}
			}
		})
	}
}
