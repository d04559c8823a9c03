package privagg

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"croft"
	"croft/internal/tensor"
	"croft/internal/vdaf"
)

// forms returns the ways in which a secret's bytes might stand in a message.
func forms(secret []byte) map[string][]byte {
	out := map[string][]byte{
		"bytes": secret,
		"hex":   []byte(hex.EncodeToString(secret)),
		"HEX":   []byte(strings.ToUpper(hex.EncodeToString(secret))),
	}
	for shift := range 3 { // base64 looks different at each place modulo 3
		padded := append(make([]byte, shift), secret...)
		first, last := (8*shift+5)/6, 8*len(padded)/6
		out[fmt.Sprint("base64+", shift)] = []byte(base64.StdEncoding.EncodeToString(padded)[first:last])
		out[fmt.Sprint("base64url+", shift)] = []byte(base64.URLEncoding.EncodeToString(padded)[first:last])
	}
	return out
}

// formsOfInt adds the encodings of a number; formsOfFloat those of a cell.
func formsOfInt(v int64) map[string][]byte {
	out := map[string][]byte{}
	if text := strconv.AppendInt(nil, v, 10); len(text) > 5 { // shorter ones stand anywhere by chance
		out["decimal"] = text
	}
	for name, word := range map[string]uint64{"int": uint64(v), "residue": vdaf.Residue(v)} {
		for k, f := range forms(binary.LittleEndian.AppendUint64(nil, word)) {
			out[name+" LE "+k] = f
		}
		for k, f := range forms(binary.BigEndian.AppendUint64(nil, word)) {
			out[name+" BE "+k] = f
		}
	}
	return out
}

func formsOfFloat(v float64) map[string][]byte {
	out := map[string][]byte{"decimal": strconv.AppendFloat(nil, v, 'g', -1, 64), "digits": strconv.AppendFloat(nil, v, 'f', 6, 64)}
	for k, f := range forms(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))) {
		out["float LE "+k] = f
	}
	for k, f := range forms(binary.BigEndian.AppendUint64(nil, math.Float64bits(v))) {
		out["float BE "+k] = f
	}
	return out
}

// found names the secrets that stand in the captured bytes in any form.
func found(secrets map[string]map[string][]byte, captured ...[]byte) (names []string) {
	for secret, forms := range secrets {
		for form, needle := range forms {
			for _, hay := range captured {
				if bytes.Contains(hay, needle) {
					names = append(names, secret+" as "+form)
				}
			}
		}
	}
	return names
}

func TestCapturedBytesHoldNoCellLimbOrSeed(t *testing.T) {
	p, _ := Majority(5)
	n := newNetwork(p, 3, 1, 20)
	layout := tensor.Layout{{Name: "grams", Len: 4, Exp: 12, Limbs: 3}}
	n.context.Length = uint32(layout.Elems())
	n.vectors, n.sum = nil, nil
	secrets := map[string]map[string][]byte{}
	for site := range 3 {
		cells := []float64{1234.567891 + float64(site), -987.654321987, 3.14159265358979 * float64(site+1), 2718.281828459}
		v, err := layout.Encode(cells)
		if err != nil {
			t.Fatal(err)
		}
		n.vectors = append(n.vectors, v)
		for i, cell := range cells {
			secrets[fmt.Sprintf("cell %d of site %d", i, site)] = formsOfFloat(cell)
		}
		for i, limb := range v {
			secrets[fmt.Sprintf("limb %d of site %d", i, site)] = formsOfInt(limb)
		}
	}

	var captured [][]byte
	var lastHand *Hand
	sums := make([][][]uint64, p.Seats)
	for site := range 3 {
		before := *n.rand
		r, in := n.deal(t, site)
		for range p.Seats {
			before.pipe()
		}
		var root node
		io.ReadFull(&before, root[:])
		for i, T := range p.parts() {
			hash := croft.HashOf(n.site(site))
			for level := range p.Seats + 1 { // the same node more than once
				over := root.down(p.Seats, level, T, hash)
				secrets[fmt.Sprintf("node %d above part %d of site %d", level, i, site)] = forms(over[:])
			}
			secrets[fmt.Sprintf("seed %d of site %d", i, site)] = forms(root.seed(p.Seats, T, hash)[:])
		}
		captured = append(captured, r.Head, r.Blob)
		hands := n.hands(t, site, r, in)
		for seat, h := range hands {
			empty, _ := h.head.Hand(seat)
			out, _ := n.rand.pipe()
			given, err := hands[(seat+1)%p.Seats].Give(seat, empty.Missing()[:1], out)
			if err != nil {
				t.Fatal(err)
			}
			share, err := h.Share(r.Blob)
			if err != nil {
				t.Fatal(err)
			}
			sums[seat] = append(sums[seat], share)
			captured = append(captured, given)
			lastHand = h
		}
	}
	for seat, share := range n.aggregate(t, sums) {
		out, _ := n.rand.pipe()
		sealed, err := SealShare(n.context, seat, share, out)
		if err != nil {
			t.Fatal(err)
		}
		captured = append(captured, sealed, EncodeShare(share)) // a reader sees the share itself
	}
	if names := found(secrets, captured...); names != nil {
		t.Fatal(names)
	}

	// The search finds what is there: each form at any place, a vector that is not
	// masked, and a seat's own hand.
	for secret, forms := range secrets {
		for form, needle := range forms {
			if len(needle) < 6 {
				t.Errorf("%s as %s is too short to mean anything: %q", secret, form, needle)
			}
			if found(secrets, append([]byte("xx"), needle...)) == nil {
				t.Errorf("%s as %s is not found", secret, form)
			}
		}
	}
	naked := make([]uint64, len(n.vectors[0]))
	for k, v := range n.vectors[0] {
		naked[k] = vdaf.Residue(v)
	}
	if found(secrets, EncodeShare(naked)) == nil || found(secrets, lastHand.Marshal()) == nil {
		t.Error("the search misses what is there")
	}
	text := base64.StdEncoding.EncodeToString(append([]byte("{"), lastHand.Marshal()...))
	if found(secrets, []byte(text)) == nil {
		t.Error("the search misses seeds in base64")
	}
}
