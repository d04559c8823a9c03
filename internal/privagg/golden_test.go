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
	n.vectors[0] = []int64{0, 1, -1, 1 << 30, -1 << 30}
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
