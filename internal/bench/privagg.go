package bench

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudflare/circl/vdaf/prio3/count"
	"github.com/cloudflare/circl/vdaf/prio3/sumvec"

	"croft"
	"croft/internal/energy"
	"croft/internal/privagg"
	"croft/internal/study"
	"croft/internal/vdaf"
)

// PrivaggOptions say what a run of the private sum is measured on.
type PrivaggOptions struct {
	Dim       int // numbers of the vector; 0 for the table
	Seats     int // with Threshold = Seats − 1 PINE's additive shares, which need every seat
	Threshold int
	Seed      uint64
	Repeats   int // DefaultPrivaggRepeats if below 1
	Where
}

// DefaultPrivaggRepeats is how often each time is taken: the report has medians.
const DefaultPrivaggRepeats = 5

// PrivaggReport is what proofs cost, beside what they are compared with.
type PrivaggReport struct {
	PrivaggSetting
	Rows []PrivaggRow `json:"rows"`
}

// PrivaggRun is one row alone.
type PrivaggRun struct {
	PrivaggSetting
	PrivaggRow
}

// PrivaggSetting is what all rows have in common.
type PrivaggSetting struct {
	Where
	Processors int    `json:"processors"` // that the client and a seat may use at once
	Seed       uint64 `json:"seed"`
	Repeats    int    `json:"repeats"`
	Bound      uint64 `json:"bound"` // of the vector's Euclidean norm
	Floor      string `json:"floor"`
}

// PrivaggRow is one scheme on vectors of one length. Seconds are medians of wall
// time, CPU seconds of what all processors did meanwhile.
type PrivaggRow struct {
	Scheme        string  `json:"scheme"`
	Dim           int     `json:"dim"`
	Seats         int     `json:"seats"`
	Threshold     int     `json:"threshold"`
	ClientSeconds float64 `json:"client_seconds"`
	ClientCPU     float64 `json:"client_cpu_seconds"`
	SeatSeconds   float64 `json:"seat_seconds_per_report"` // of the seat with the most to do
	SeatCPU       float64 `json:"seat_cpu_seconds_per_report"`
	UploadBytes   int     `json:"upload_bytes"` // to all seats together
	UploadOver    float64 `json:"upload_over_vector"`
	VerifierBytes int     `json:"verifier_bytes"` // that a seat sends to each other seat for a report
	PeakBytes     int     `json:"peak_bytes"`     // of the whole process, client or seat; 0 where the system does not tell
	FloorSeconds  float64 `json:"floor_seconds"`
	ClientOver    float64 `json:"client_over_floor"`
	SeatOver      float64 `json:"seat_over_floor"`
	ClientCPUOver float64 `json:"client_cpu_over_floor"`
	SeatCPUOver   float64 `json:"seat_cpu_over_floor"`
}

const (
	privaggBound = 1 << 20 // a norm of 1 with 20 binary places
	floorMeans   = "SHA-256 and AES-128-CTR over 8 bytes a number, one thread"
)

// privaggTable is what is measured where no dimension is given. Two seats are
// additive.
var privaggTable = struct {
	dims     []int
	profiles [][2]int
}{[]int{1e3, 1e4, 1e5, 1e6}, [][2]int{{2, 1}, {4, 1}, {5, 2}, {7, 4}, {9, 6}}}

// Privagg measures one row. ErrShape, ErrProfile: there is no such scheme.
func Privagg(ctx context.Context, o PrivaggOptions, progress func(string)) (*PrivaggRun, error) {
	b := newPrivaggBench(o)
	row, err := b.measure(ctx, o.Dim, o.Seats, o.Threshold, progress)
	if err != nil {
		return nil, err
	}
	return &PrivaggRun{b.PrivaggSetting, *row}, nil
}

// PrivaggTable measures all rows of the table, and beside them circl's Prio3SumVec
// and the sum of vectors that nobody hides.
func PrivaggTable(ctx context.Context, o PrivaggOptions, progress func(string)) (*PrivaggReport, error) {
	b := newPrivaggBench(o)
	r := &PrivaggReport{PrivaggSetting: b.PrivaggSetting}
	add := func(row *PrivaggRow, err error) error {
		if err == nil {
			r.Rows = append(r.Rows, *row)
		}
		return err
	}
	for _, dim := range privaggTable.dims {
		for _, p := range privaggTable.profiles {
			if err := add(b.measure(ctx, dim, p[0], p[1], progress)); err != nil {
				return nil, err
			}
		}
		if err := add(b.unprotected(ctx, dim, progress)); err != nil {
			return nil, err
		}
	}
	return r, add(b.circl(ctx, 1e4, progress))
}

type privaggBench struct {
	PrivaggSetting
	rand *rand.ChaCha8
}

func newPrivaggBench(o PrivaggOptions) *privaggBench {
	if o.Repeats < 1 {
		o.Repeats = DefaultPrivaggRepeats
	}
	var seed [32]byte
	copy(seed[:], strconv.FormatUint(o.Seed, 10))
	return &privaggBench{PrivaggSetting{o.Where, runtime.GOMAXPROCS(0), o.Seed, o.Repeats, privaggBound, floorMeans}, rand.NewChaCha8(seed)}
}

func (b *privaggBench) measure(ctx context.Context, dim, seats, threshold int, progress func(string)) (*PrivaggRow, error) {
	switch {
	case dim < 1 || dim > privagg.MaxLength:
		return nil, croft.E(croft.ErrShape, "the vector", dim, fmt.Sprintf("1 to %d", privagg.MaxLength))
	case seats >= 2 && threshold == seats-1:
		return b.additive(ctx, dim, seats, progress)
	default:
		return b.proved(ctx, dim, privagg.Profile{Seats: seats, Threshold: threshold}, progress)
	}
}

// vector draws a vector of a norm a little below the bound.
func (b *privaggBench) vector(dim int) []int64 {
	x, most := make([]int64, dim), int64(privaggBound/math.Sqrt(float64(dim)))
	for k := range x {
		x[k] = int64(b.rand.Uint64()%uint64(2*most+1)) - most
	}
	return x
}

// A scheme is one way to add up vectors: what a client does and what a seat does
// with one report of it.
type scheme struct {
	name             string
	dim              int
	seats, threshold int
	client           func() (upload int, err error)
	prepare          func() error // what is between them; after it the client's vector is not needed
	seat             func() (verifier int, err error)
}

// time runs a scheme: the floor, the client and a seat take turns, so that a busy
// machine is as busy for each.
func (b *privaggBench) time(ctx context.Context, s scheme, progress func(string)) (*PrivaggRow, error) {
	progress(fmt.Sprintf("%s, %d numbers", s.name, s.dim))
	row := &PrivaggRow{Scheme: s.name, Dim: s.dim, Seats: s.seats, Threshold: s.threshold}
	var floors, floorCPU []float64
	phase := func(work func() (int, error)) (wall, cpu float64, n int, err error) {
		var walls, cpus []float64
		debug.FreeOSMemory()
		for range b.Repeats {
			if ctx.Err() != nil {
				return 0, 0, 0, context.Cause(ctx)
			}
			resetPeak()
			begun, spent := time.Now(), energy.Process()
			if n, err = work(); err != nil {
				return 0, 0, 0, err
			}
			walls = append(walls, time.Since(begun).Seconds())
			cpus = append(cpus, (energy.Process() - spent).Seconds())
			row.PeakBytes = max(row.PeakBytes, peak())
			wall, cpu := floor(s.dim)
			floors, floorCPU = append(floors, wall), append(floorCPU, cpu)
		}
		return median(walls), median(cpus), n, nil
	}
	var err error
	if row.ClientSeconds, row.ClientCPU, row.UploadBytes, err = phase(s.client); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if row.SeatSeconds, row.SeatCPU, row.VerifierBytes, err = phase(s.seat); err != nil {
		return nil, err
	}
	row.FloorSeconds = median(floors)
	row.UploadOver = float64(row.UploadBytes) / float64(8*s.dim)
	row.ClientOver, row.SeatOver = row.ClientSeconds/row.FloorSeconds, row.SeatSeconds/row.FloorSeconds
	if f := median(floorCPU); f > 0 {
		row.ClientCPUOver, row.SeatCPUOver = row.ClientCPU/f, row.SeatCPU/f
	}
	return row, nil
}

// proved is the product's way: any t+1 of m seats open the sum.
func (b *privaggBench) proved(ctx context.Context, dim int, p privagg.Profile, progress func(string)) (*PrivaggRow, error) {
	c := privagg.Context{Profile: p, Length: uint32(dim), Bound: b.Bound}
	vector := b.vector(dim)
	var keys []*privagg.PrivateKey
	var pipes []*privagg.Sender
	for range p.Seats {
		key, err := privagg.GenerateKey()
		if err != nil {
			return nil, err
		}
		pipe, err := privagg.NewSender(key.Public(), privagg.Link{})
		if err != nil {
			return nil, err
		}
		keys, pipes = append(keys, key), append(pipes, pipe)
	}
	var report *privagg.Report
	var hand *privagg.Hand
	return b.time(ctx, scheme{
		name: fmt.Sprintf("any %d of %d", p.Needed(), p.Seats), dim: dim, seats: p.Seats, threshold: p.Threshold,
		client: func() (n int, err error) {
			report = nil // so that there is never a second one
			if report, err = privagg.Deal(c, vector, pipes, b.rand, study.Parallel); err != nil {
				return 0, err
			}
			return len(report.Head) + len(report.Blob), nil
		},
		prepare: func() error {
			vector = nil
			head, err := privagg.OpenHead(c, report.Header(), report.Head)
			if err != nil {
				return err
			}
			for i := 0; hand == nil || !hand.NeedsBlob(); i++ {
				if hand, err = head.Hand(i); err != nil {
					return err
				}
				in, err := privagg.NewReceiver(keys[i], privagg.Link{}, head.Box(i))
				if err != nil {
					return err
				}
				if err := hand.OpenBox(in); err != nil {
					return err
				}
			}
			return nil
		},
		seat: func() (int, error) {
			_, verifier, err := hand.Verify(report.Blob, croft.Hash{1}, study.Parallel)
			return 8 * len(verifier), err
		},
	}, progress)
}

// additive is PINE as its draft has it: all seats are needed.
func (b *privaggBench) additive(ctx context.Context, dim, seats int, progress func(string)) (*PrivaggRow, error) {
	params, err := vdaf.Fit(dim, b.Bound)
	if err != nil {
		return nil, err
	}
	pine, err := vdaf.NewPine(seats, params)
	if err != nil {
		return nil, err
	}
	vector, seeds := b.vector(dim), make([]byte, pine.RandSize())
	b.rand.Read(seeds)
	var public []byte
	var shares [][]byte
	return b.time(ctx, scheme{
		name: fmt.Sprintf("additive, %d of %d", seats, seats), dim: dim, seats: seats, threshold: seats - 1,
		client: func() (n int, err error) {
			shares = nil
			if public, shares, err = pine.Shard(vector, [16]byte{}, seeds); err != nil {
				return 0, err
			}
			return len(public) + size(shares), nil
		},
		prepare: func() error { vector = nil; return nil },
		seat: func() (int, error) {
			_, verifier, err := pine.VerifyInit(new(vdaf.Seed), 0, [16]byte{}, public, shares[0])
			return len(verifier), err
		},
	}, progress)
}

func size(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// unprotected is what is left without shares and proofs: the client names its
// vector by its hash, the only seat adds what it is sent.
func (b *privaggBench) unprotected(ctx context.Context, dim int, progress func(string)) (*PrivaggRow, error) {
	vector, sum := make([]uint64, dim), make([]uint64, dim)
	for k, v := range b.vector(dim) {
		vector[k] = vdaf.Residue(v)
	}
	var sent []byte
	var name croft.Hash
	return b.time(ctx, scheme{
		name: "unprotected", dim: dim, seats: 1,
		client: func() (int, error) {
			sent = privagg.EncodeShare(vector)
			name = croft.Sum(sent)
			return len(sent), nil
		},
		prepare: func() error { return nil },
		seat: func() (int, error) {
			got, err := privagg.DecodeShare(sent, dim)
			if err != nil {
				return 0, err
			}
			if croft.Sum(sent) != name {
				return 0, croft.E(croft.ErrReport, "the vector is not the one that was named")
			}
			for k, v := range got {
				sum[k] = vdaf.Add(sum[k], v)
			}
			return 0, nil
		},
	}, progress)
}

// circl is Prio3SumVec of Cloudflare's library: each number in range instead of
// the norm, over the field of 128 bits, of drafts 13 and 14.
func (b *privaggBench) circl(ctx context.Context, dim int, progress func(string)) (*PrivaggRow, error) {
	const bits = 16
	chunk := uint(math.Sqrt(float64(uint(dim) * bits)))
	theirs, err := sumvec.New(2, uint(dim), bits, chunk, []byte("bench"))
	if err != nil {
		return nil, err
	}
	values := make([]uint64, dim)
	for k := range values {
		values[k] = b.rand.Uint64() % (1 << bits)
	}
	params := theirs.Params()
	seeds := make([]byte, params.RandSize())
	b.rand.Read(seeds)
	var (
		nonce  count.Nonce
		key    count.VerifyKey
		public sumvec.PublicShare
		shares []sumvec.InputShare
	)
	return b.time(ctx, scheme{
		name: fmt.Sprintf("circl Prio3SumVec, %d bits", bits), dim: dim, seats: 2, threshold: 1,
		client: func() (n int, err error) {
			if public, shares, err = theirs.Shard(values, &nonce, seeds); err != nil {
				return 0, err
			}
			for i := range shares {
				data, err := shares[i].MarshalBinary()
				if err != nil {
					return 0, err
				}
				n += len(data)
			}
			data, err := public.MarshalBinary()
			return n + len(data), err
		},
		prepare: func() error { return nil },
		seat: func() (int, error) {
			_, verifier, err := theirs.PrepInit(&key, &nonce, 0, public, shares[0])
			if err != nil {
				return 0, err
			}
			data, err := verifier.MarshalBinary()
			return len(data), err
		},
	}, progress)
}

// floor times what nobody can do without who hides a vector and names it: one pass
// of a cipher over it, and one of a hash.
func floor(dim int) (wall, cpu float64) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	data := bytes.Repeat([]byte{1}, 8*dim) // memory that is there already
	begun, spent := time.Now(), energy.Process()
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(data, data)
	sha256.Sum256(data)
	return time.Since(begun).Seconds(), (energy.Process() - spent).Seconds()
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// resetPeak forgets the largest memory so far, where the system can: Linux does.
func resetPeak() {
	runtime.GC() // what the last one left does not count for this one
	// Where it is refused the peak is that of all so far, so never too small.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peak returns the largest memory since, in bytes; 0 where the system does not tell.
func peak() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := strings.CutPrefix(string(line), "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				return 0
			}
			return kilobytes << 10
		}
	}
	return 0
}
