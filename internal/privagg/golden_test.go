package privagg

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"croft"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares data with a file of hexadecimal lines.
func golden(t *testing.T, name string, data []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".hex")
	if *update {
		var b strings.Builder
		for line := range slices.Chunk(data, 48) {
			b.WriteString(hex.EncodeToString(line) + "\n")
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(readGolden(t, name), data) {
		t.Errorf("%s has changed: every node of a network must write the same bytes", file)
	}
}

func readGolden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Each message of format 1, from fixed randomness.
func TestGoldenMessages(t *testing.T) {
	p, _ := Majority(4)
	n := newNetwork(p, 1, 5, 1)
	n.vectors[0] = []int64{0, 1, -1, 1 << 25, -1 << 25}
	r, in := n.deal(t, 0)
	golden(t, "head", r.Head)
	golden(t, "blob", r.Blob)
	hands := n.hands(t, 0, r, in)
	golden(t, "hand", hands[2].Marshal())
	out, _ := n.rand.pipe()
	given, err := hands[1].Give(2, []int{0, 3}, out)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "given", given)
	share, err := hands[2].Share(r.Blob)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "share", EncodeShare(share))
	c := n.context
	c.Set = croft.Hash{9}
	sealed, err := SealShare(c, 2, share, out)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sealedshare", sealed)
	out.enc = bytes.Repeat([]byte{0xe}, encSize)
	golden(t, "sender", out.Marshal())
}

// A report of format 2 and a seat's answer. The blob, of which a sample would be
// long, as the hashes in its head.
func TestGoldenProof(t *testing.T) {
	c, r, hands := proved(t, Profile{4, 1}, []int64{3, -4, 0, 12}, 13, nil)
	shares, verifiers := answers(t, r, hands)
	golden(t, "proofhead", r.Head)
	golden(t, "answer", EncodeShare(verifiers[2]))
	golden(t, "proofshare", EncodeShare(shares[2]))

	// The randomness is another for any change of what it must depend on.
	wire, hash := hands[0].head.wire, croft.HashOf(c)
	first := func(w wireHead, context croft.Hash, usage uint16) uint64 {
		out := make([]uint64, 1)
		w.random(context, usage).Next(out)
		return out[0]
	}
	seen := map[uint64]string{first(wire, hash, usageJointRand): "nothing"}
	for name, change := range map[string]func(w *wireHead, context *croft.Hash){
		"vector":  func(w *wireHead, _ *croft.Hash) { w.Vector[0]++ },
		"tests":   func(w *wireHead, _ *croft.Hash) { w.Tests[0]++ },
		"commits": func(w *wireHead, _ *croft.Hash) { w.Commits = slices.Clone(w.Commits); w.Commits[3][0]++ },
		"context": func(_ *wireHead, context *croft.Hash) { context[0]++ },
	} {
		w, context := wire, hash
		change(&w, &context)
		r := first(w, context, usageJointRand)
		if before, again := seen[r]; again {
			t.Errorf("with another %s the randomness is that of %s", name, before)
		}
		seen[r] = name
	}
	if r := first(wire, hash, usageWrapRand); seen[r] != "" {
		t.Error("coins and joint randomness are the same")
	}
}

// A first message of an earlier build, with its key: encapsulation, ratchet and
// sealing must open it for ever. (Making one draws fresh randomness.)
func TestGoldenPipeStillOpens(t *testing.T) {
	if *update {
		key := newKey(t)
		out, _ := pipe(t, key, aLink)
		raw, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "pipekey", raw)
		golden(t, "pipefirst", seal(t, out, 3, "golden", "hello"))
	}
	key, err := ParsePrivateKey(readGolden(t, "pipekey"))
	if err != nil {
		t.Fatal(err)
	}
	first := readGolden(t, "pipefirst")
	in, err := NewReceiver(key, aLink, first)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := in.Open(3, []byte("golden"), first); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
}
