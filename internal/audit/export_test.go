package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/chain"
	"croft/internal/ledger"
)

var update = flag.Bool("update", false, "write the golden export")

// export writes the whole chain of a ledger.
func (w *world) export(t testing.TB, l theLedger, o Options) []byte {
	t.Helper()
	var file bytes.Buffer
	r, err := Export(t.Context(), &file, w.Genesis, Chain(l, l.Status().Height), o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := VerifyExport(t.Context(), bytes.NewReader(file.Bytes()), o)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
		t.Fatalf("%v\n%+v\n%+v", err, r, again)
	}
	return file.Bytes()
}

// parts cuts an export into what its faults are named by: for each byte the
// beginning of the sentence.
func parts(t testing.TB, file []byte) []string {
	t.Helper()
	names := make([]string, 0, len(file))
	name := func(to int, as string) {
		for len(names) < to {
			names = append(names, as)
		}
	}
	name(len(exportMagic), "the file is not")
	for at, n, ended := len(exportMagic), 0, false; len(file)-at > sha256.Size; n++ {
		size := int(binary.BigEndian.Uint32(file[at:]))
		switch at += 4 + size; {
		case ended:
			name(at, "checkpoint at the end: ")
		case n == 0:
			name(at, "genesis: ")
		default:
			name(at, fmt.Sprintf("block %d: ", n)) // after the last: the 0 that says so
		}
		ended = size == 0
	}
	name(len(file), "hash at the end: ")
	return names
}

// named says whether a fault in one part of an export is named rightly. A genesis
// that is changed and still one founds another network, which its first block
// does not belong to.
func named(err error, part string) bool {
	return errors.Is(err, croft.ErrAudit) && (strings.HasPrefix(err.Error(), "audit: "+part) ||
		part == "genesis: " && strings.HasPrefix(err.Error(), "audit: block 1: header: "))
}

// linked is named for blocks that nobody signs: there only the next block's link
// shows some changes, or the state at the end.
func linked(err error, part string) bool {
	var height int64
	if n, _ := fmt.Sscanf(part, "block %d:", &height); n == 1 {
		if named(err, fmt.Sprintf("block %d: ", height+1)) || named(err, "checkpoint at the end: ") {
			return true
		}
	}
	return named(err, part)
}

// TestEveryByteOfAnExport: of a signed export no byte can be changed unnoticed,
// and the part that it is in is named.
func TestEveryByteOfAnExport(t *testing.T) {
	t.Parallel()
	w := newWorld("Ada")
	n := onChain(t, w, t.TempDir())
	if err := n.Submit(t.Context(), w.seal(0, &ledger.Register{Name: "visits", Group: croft.Sum([]byte{0}), Releases: 9})); err != nil {
		t.Fatal(err)
	}
	r := w.rest(t, n)
	file := w.export(t, n, Options{Checkpoints: []Checkpoint{r.End}})
	where := parts(t, file)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for at := range file {
		group.Go(func() error {
			if _, err := VerifyExport(context.Background(), bytes.NewReader(flip(file, at)), Options{}); !named(err, where[at]) {
				return fmt.Errorf("byte %d of %d: got %v, want %s", at, len(file), err, where[at])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes, %d blocks", len(file), r.Blocks)

	// Without the signatures it is a twin's, and that must be asked for.
	if _, err := VerifyExport(t.Context(), bytes.NewReader(file), Options{Unsigned: true}); !errors.Is(err, croft.ErrAudit) {
		t.Error(err)
	}
	// A correctly hashed block with another transaction, in an export with the
	// right hash at its end: the orderers did not sign it.
	busy := withTx(t, Chain(n, r.Blocks))
	forged := changed(Chain(n, r.Blocks), busy[0], func(b chain.BlockData) *chain.BlockData {
		return forge(t, b, w.seal(0, &ledger.Register{Name: "forged", Group: croft.Sum([]byte{0}), Releases: 9}))
	})
	if _, err := Verify(t.Context(), w.Genesis, forged, Options{}); !named(err, fmt.Sprintf("block %d: commit", busy[0])) {
		t.Error(err)
	}
}

func TestExportOfAStudy(t *testing.T) {
	seed := rand.Uint64()
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		file := w.export(t, l, Options{Unsigned: true})
		claim := w.claim(l)
		where := parts(t, file)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 150 {
			at := rng.IntN(len(file))
			if _, err := VerifyExport(t.Context(), bytes.NewReader(flip(file, at)), Options{Unsigned: true}); !linked(err, where[at]) {
				t.Fatalf("seed %d, byte %d of %d: got %v, want %s", seed, at, len(file), err, where[at])
			}
		}
		for range 60 {
			at := rng.IntN(len(file))
			if _, err := VerifyExport(t.Context(), bytes.NewReader(file[:at]), Options{Unsigned: true}); !named(err, where[at]) {
				t.Fatalf("seed %d, cut at %d of %d: got %v, want %s", seed, at, len(file), err, where[at])
			}
		}
		if _, err := VerifyExport(t.Context(), bytes.NewReader(append(bytes.Clone(file), 0)), Options{Unsigned: true}); !named(err, "hash at the end: something") {
			t.Error(err)
		}

		// An export without its last block, made right again in every other way.
		start := bytes.IndexByte(file, '\n') + 1
		start += 4 + int(binary.BigEndian.Uint32(file[start:]))
		shorter := func(end Checkpoint, blocks int64) []byte {
			to := start
			for range blocks {
				to += 4 + int(binary.BigEndian.Uint32(file[to:]))
			}
			out := append(file[:to:to], 0, 0, 0, 0)
			data := croft.Encode(end)
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(data))), data...)
			sum := sha256.Sum256(out)
			return append(out, sum[:]...)
		}
		cut := shorter(Checkpoint{claim.Network, claim.Height - 1, claim.AppHash}, claim.Height-1)
		if _, err := VerifyExport(t.Context(), bytes.NewReader(cut), Options{Unsigned: true}); !named(err, fmt.Sprintf("block %d: it is missing", claim.Height)) {
			t.Error(err)
		}
		// Cut where the chain once rested it is an old export of a real chain: who
		// knows a later checkpoint sees it.
		genesis, err := Verify(t.Context(), w.Genesis, Chain(l, 1), Options{Unsigned: true})
		if err != nil || !genesis.Proved {
			t.Fatal(genesis, err)
		}
		old := shorter(genesis.End, 1)
		if _, err := VerifyExport(t.Context(), bytes.NewReader(old), Options{Unsigned: true}); err != nil {
			t.Error(err)
		}
		if _, err := VerifyExport(t.Context(), bytes.NewReader(old), Options{Unsigned: true, Checkpoints: []Checkpoint{claim}}); !named(err, "block 2: it is missing") {
			t.Error(err)
		}
		wrong := shorter(Checkpoint{claim.Network, 1, croft.Hash{1}}, 1)
		if _, err := VerifyExport(t.Context(), bytes.NewReader(wrong), Options{Unsigned: true}); !named(err, "checkpoint at the end: ") {
			t.Error(err)
		}
	})
}

func TestExportOnlyWhatHolds(t *testing.T) {
	onTwin(t, func(t *testing.T, w *world, l *chain.TwinMember, s story) {
		o := Options{Unsigned: true}
		height := l.Status().Height
		busy := withTx(t, Chain(l, height))[0]
		size := len(w.export(t, l, o))
		for name, c := range map[string]struct {
			height int64
			blocks chain.Blocks
			want   error
			room   fullDisk
		}{
			"a chain with a hole":       {height, holed{l, 7}, croft.ErrAudit, 1 << 30},
			"a chain that is too short": {height + 1, l, croft.ErrAudit, 1 << 30},
			"a chain in motion":         {busy, l, croft.ErrNoQuorum, 1 << 30},
			"a full disk":               {height, l, errFull, fullDisk(size / 2)},
			"a disk full at the end":    {height, l, errFull, fullDisk(size - 1)},
		} {
			if _, err := Export(t.Context(), &c.room, w.Genesis, Chain(c.blocks, c.height), o); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := Export(t.Context(), io.Discard, w.Genesis, Chain(l, 1), Options{Unsigned: true, Claim: w.claim(l)}); !named(err, "block 2: it is missing") {
			t.Errorf("a shorter chain than was claimed: %v", err)
		}
	})
}

// fullDisk has room for so many bytes.
type fullDisk int

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	if *d -= fullDisk(len(p)); *d < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestGoldenExport: exports that were written once stay readable, and the same
// chain is the same file.
func TestGoldenExport(t *testing.T) {
	path := filepath.Join("testdata", "twin.export")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("Ada")
		twin, err := chain.NewTwin(w.Genesis)
		if err != nil {
			t.Fatal(err)
		}
		l := twin.Member()
		if err := l.Submit(t.Context(), w.seal(0, &ledger.Register{Name: "visits", Group: croft.Sum([]byte{0}), Releases: 9})); err != nil {
			t.Fatal(err)
		}
		file := w.export(t, l, Options{Unsigned: true})
		if *update {
			if err := os.WriteFile(path, file, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := VerifyExport(t.Context(), bytes.NewReader(golden), Options{Unsigned: true}); err != nil || r.Entries != 1 {
			t.Errorf("%+v %v", r, err)
		}
		if !bytes.Equal(golden, file) {
			t.Error("the format changed: an older program cannot read what this one writes; see -update")
		}
	})
}

// An export comes from anybody.
func FuzzVerifyExport(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "twin.export"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(golden[:len(golden)/2])
	f.Add([]byte(exportMagic + "\xff\xff\xff\xff"))
	twice := newWorld("Ada", "Ben", "Cleo", "Dina").Genesis
	for i := range twice.Members {
		twice.Members[i].Ready, twice.Members[i].Validator = true, twice.Members[0].Validator
	}
	for _, g := range []croft.Genesis{{}, newWorld("Ada", "Ben").Genesis, twice, {Version: 1, Members: make([]croft.Member, 2)}} {
		data := croft.Encode(g)
		f.Add(append(binary.BigEndian.AppendUint32([]byte(exportMagic), uint32(len(data))), append(data, golden[len(golden)/2:]...)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, unsigned := range []bool{true, false} {
			r, err := VerifyExport(t.Context(), bytes.NewReader(data), Options{Unsigned: unsigned})
			if err == nil && (r.Blocks == 0 || !r.Proved) || err != nil && !errors.Is(err, croft.ErrAudit) {
				t.Errorf("%+v %v", r, err)
			}
		}
	})
}
