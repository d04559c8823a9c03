package privagg

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"croft"
	"croft/internal/vdaf"
)

func five(t *testing.T) (*network, *Report, []*Receiver) {
	p, err := Majority(5)
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(p, 1, 6, 11)
	r, in := n.deal(t, 0)
	return n, r, in
}

func open(t *testing.T, c Context, r *Report) *Head {
	t.Helper()
	h, err := OpenHead(c, r.Header(), r.Head)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hand(t *testing.T, h *Head, seat int) *Hand {
	t.Helper()
	hand, err := h.Hand(seat)
	if err != nil {
		t.Fatal(err)
	}
	return hand
}

// remake changes a head as its own site could, so that header and hashes fit.
func remake(t *testing.T, r *Report, change func(*wireHead)) *Report {
	var w wireHead
	if err := croft.Decode(r.Head, &w); err != nil {
		t.Fatal(err)
	}
	change(&w)
	return &Report{Head: croft.Encode(w), Blob: r.Blob}
}

func TestReportOfAnotherContextIsRefused(t *testing.T) {
	n, r, in := five(t)
	for name, change := range map[string]func(*Context){
		"network": func(c *Context) { c.Scope.Network[0]++ },
		"chain":   func(c *Context) { c.Scope.Chain = "croft-2" },
		"study":   func(c *Context) { c.Study[0]++ },
		"round":   func(c *Context) { c.Round++ },
		"spec":    func(c *Context) { c.Spec[0]++ },
		"site":    func(c *Context) { c.Site[31]++ },
		"set":     func(c *Context) { c.Set[0]++ },
	} {
		c := n.site(0)
		change(&c)
		h := hand(t, open(t, c, r), 0)
		if err := h.OpenBox(in[0]); !errors.Is(err, croft.ErrBox) {
			t.Errorf("%s: %v", name, err)
		}
		// Even one who has the seeds cannot pass them off as this context's.
		own := n.hands(t, 0, r, in)[0]
		if err := h.Load(own.Marshal()); !errors.Is(err, croft.ErrCommitment) || len(h.Missing()) != 6 {
			t.Errorf("%s: seeds accepted: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Context){
		"length":    func(c *Context) { c.Length++ },
		"seats":     func(c *Context) { c.Profile.Seats = 6 },
		"threshold": func(c *Context) { c.Profile.Threshold = 1 },
	} {
		c := n.site(0)
		change(&c)
		if _, err := OpenHead(c, r.Header(), r.Head); !errors.Is(err, croft.ErrReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeadThatTheLedgerDoesNotNameIsRefused(t *testing.T) {
	n, r, _ := five(t)
	other, _ := n.deal(t, 0)
	for name, c := range map[string]struct {
		header croft.Header
		data   []byte
	}{
		"another head":   {r.Header(), other.Head},
		"one bit of it":  {r.Header(), remake(t, r, func(w *wireHead) { w.Commits[0][0] ^= 1 }).Head},
		"a huge box":     header(remake(t, r, func(w *wireHead) { w.Boxes[0] = make([]byte, MaxHead) })),
		"another blob":   {croft.Header{Head: r.Header().Head, Blob: other.Header().Blob, Size: r.Header().Size}, r.Head},
		"another size":   {croft.Header{Head: r.Header().Head, Blob: r.Header().Blob, Size: r.Header().Size + 1}, r.Head},
		"cut":            {r.Header(), r.Head[1:]},
		"too long":       {croft.Header{}, make([]byte, MaxHead+1)},
		"not canonical":  {croft.Header{Head: croft.Sum(append(bytes.Clone(r.Head), 0))}, append(bytes.Clone(r.Head), 0)},
		"version":        header(remake(t, r, func(w *wireHead) { w.Version = 2 })),
		"half a proof":   header(remake(t, r, func(w *wireHead) { w.Vector = croft.Sum(nil) })),
		"a proof":        header(remake(t, r, func(w *wireHead) { w.Vector, w.Tests = croft.Sum(nil), croft.Sum(nil) })),
		"a commit less":  header(remake(t, r, func(w *wireHead) { w.Commits = w.Commits[1:] })),
		"a box too many": header(remake(t, r, func(w *wireHead) { w.Boxes = append(w.Boxes, nil) })),
	} {
		if _, err := OpenHead(n.site(0), c.header, c.data); !errors.Is(err, croft.ErrReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func header(r *Report) struct {
	header croft.Header
	data   []byte
} {
	return struct {
		header croft.Header
		data   []byte
	}{r.Header(), r.Head}
}

func TestDamagedBoxIsRefusedAndRecovered(t *testing.T) {
	n, r, in := five(t)
	whole := n.hands(t, 0, r, in)
	for name, change := range map[string]func(*wireHead){
		"swapped": func(w *wireHead) { w.Boxes[0], w.Boxes[1] = w.Boxes[1], w.Boxes[0] },
		"flipped": func(w *wireHead) { w.Boxes[0] = append(bytes.Clone(w.Boxes[0][:40]), w.Boxes[0][41:]...) },
		"empty":   func(w *wireHead) { w.Boxes[0] = nil },
	} {
		h := hand(t, open(t, n.site(0), remake(t, r, change)), 0)
		if err := h.OpenBox(in[0]); !errors.Is(err, croft.ErrBox) || len(h.Missing()) != 6 {
			t.Errorf("%s: %v, lacks %v", name, err, h.Missing())
		}
		for _, giver := range []int{1, 2, 3, 4} {
			if err := h.Load(giveTo(t, whole[giver], 0, h.Missing())); err != nil {
				t.Fatal(err)
			}
		}
		if h.Missing() != nil {
			t.Errorf("%s: not recovered", name)
		}
	}

	// One pipe to two seats: the box itself says whose it is.
	s, rcv := n.rand.pipe()
	pipes := []*Sender{s, s, s, s, s}
	same, err := Deal(n.site(0), n.vectors[0], pipes, n.rand, vdaf.Serial)
	if err != nil {
		t.Fatal(err)
	}
	swapped := remake(t, same, func(w *wireHead) { w.Boxes[0], w.Boxes[1] = w.Boxes[1], w.Boxes[0] })
	if err := hand(t, open(t, n.site(0), swapped), 0).OpenBox(rcv); !errors.Is(err, croft.ErrBox) {
		t.Errorf("swapped under one key: %v", err)
	}
}

// A site seals nodes that lead elsewhere, or not as many as the seat is dealt: what it
// committed to is kept, and the rest can come from others.
func TestBoxOfWrongNodes(t *testing.T) {
	n, r, in := five(t)
	const seat = 2 // it is dealt four nodes: above 1, 2, 2 and 1 of its parts
	head := open(t, n.site(0), r)
	nodes, err := in[seat].Open(n.context.Round, head.wire.boxBinding(head.hash, seat), head.Box(seat))
	if err != nil || len(nodes) != 4*nodeSize {
		t.Fatal(len(nodes), err)
	}
	changed := func(at int) []byte {
		out := bytes.Clone(nodes)
		out[at] ^= 1
		return out
	}
	for name, c := range map[string]struct {
		nodes []byte
		want  error
		lacks int
	}{
		"the honest ones":   {nodes, nil, 0},
		"none":              {nil, croft.ErrReport, 6},
		"a node less":       {nodes[nodeSize:], croft.ErrReport, 6},
		"half a node less":  {nodes[nodeSize/2:], croft.ErrReport, 6},
		"a node more":       {append(bytes.Clone(nodes), nodes[:nodeSize]...), croft.ErrReport, 6},
		"seeds":             {n.hands(t, 0, r, in)[seat].Marshal(), croft.ErrReport, 6},
		"another first one": {changed(0), croft.ErrCommitment, 1},
		"another second":    {changed(nodeSize), croft.ErrCommitment, 2},
		"another last one":  {changed(4*nodeSize - 1), croft.ErrCommitment, 1},
	} {
		out, back := n.rand.pipe()
		box, err := out.Seal(n.context.Round, head.wire.boxBinding(head.hash, seat), c.nodes)
		if err != nil {
			t.Fatal(err)
		}
		h := hand(t, open(t, n.site(0), remake(t, r, func(w *wireHead) { w.Boxes[seat] = box })), seat)
		if err := h.OpenBox(back); !errors.Is(err, c.want) || err != nil && c.want == nil || len(h.Missing()) != c.lacks {
			t.Errorf("%s: %v, lacks %v", name, err, h.Missing())
		}
	}
}

// giveTo returns what a holder would send, unsealed.
func giveTo(t *testing.T, h *Hand, to int, wanted []int) []byte {
	out, in := (&stream{seed: 99}).pipe()
	sealed, err := h.Give(to, wanted, out)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := in.Open(h.head.context.Round, h.giveBinding(h.seat, to), sealed)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestSeedThatDoesNotFitItsCommitmentIsLeftOut(t *testing.T) {
	n, r, in := five(t)
	// The site commits to one seed and deals another: part 3.
	wrong := remake(t, r, func(w *wireHead) { w.Commits[3][0]++ })
	honest := n.hands(t, 0, r, in)
	for seat := range 5 {
		h := hand(t, open(t, n.site(0), wrong), seat)
		err := h.Load(honest[seat].Marshal())
		if h.head.parts[3].excludes(seat) {
			if err != nil || h.Missing() != nil {
				t.Errorf("seat %d: %v", seat, err)
			}
		} else if !errors.Is(err, croft.ErrCommitment) || !slices.Equal(h.Missing(), []int{3}) {
			t.Errorf("seat %d: %v, lacks %v", seat, err, h.Missing())
		}
		if _, err := h.Share(r.Blob); h.Missing() != nil && !errors.Is(err, croft.ErrReport) {
			t.Errorf("seat %d computed a share without a part: %v", seat, err)
		}
	}

	// A seat that gives a wrong seed is found out in the same way.
	h := hand(t, open(t, n.site(0), r), 0)
	forged := honest[1].Marshal()
	mine := giveTo(t, honest[1], 0, h.Missing())
	mine[len(mine)-1]++
	if err := h.Load(mine); !errors.Is(err, croft.ErrCommitment) {
		t.Errorf("forged seed: %v", err)
	}
	if err := h.Load(forged); !errors.Is(err, croft.ErrEntitled) {
		t.Errorf("parts of another seat: %v", err)
	}
	for name, bad := range map[string][]byte{
		"cut":     mine[:33],
		"twice":   append(bytes.Clone(mine[:34]), mine[:34]...),
		"order":   append(bytes.Clone(mine[34:68]), mine[:34]...),
		"no part": append([]byte{0xff, 0xff}, mine[2:34]...),
		"long":    make([]byte, 34*11),
	} {
		if err := h.Load(bad); !errors.Is(err, croft.ErrReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSeedsGoOnlyToWhoMayHoldThem(t *testing.T) {
	n, r, in := five(t)
	hands := n.hands(t, 0, r, in)
	out, rcv := n.rand.pipe()
	for i, T := range n.profile.parts() {
		for to := range 5 {
			_, err := hands[(to+1)%5].Give(to, []int{i}, out)
			if T.excludes(to) != errors.Is(err, croft.ErrEntitled) {
				t.Errorf("part %v to seat %d: %v", T, to, err)
			}
		}
	}
	for _, bad := range []struct {
		to     int
		wanted []int
	}{{-1, nil}, {5, nil}, {0, []int{-1}}, {0, []int{10}}, {0, make([]int, 11)}} {
		if _, err := hands[1].Give(bad.to, bad.wanted, out); !errors.Is(err, croft.ErrEntitled) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	// An answer for one seat, or of one report, is not taken by or for another.
	empty := hand(t, open(t, n.site(0), r), 0)
	sealed, err := hands[1].Give(0, empty.Missing(), out) // seats 1 and 2 share three parts
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.Take(2, sealed, rcv); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("wrong giver: %v", err)
	}
	again, _ := n.deal(t, 0)
	if err := hand(t, open(t, n.site(0), again), 0).Take(1, sealed, rcv); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("wrong report: %v", err)
	}
	if err := empty.Take(1, sealed, rcv); err != nil || len(empty.Missing()) != 3 {
		t.Errorf("%v, lacks %v", err, empty.Missing())
	}
	if one := giveTo(t, hands[3], 0, empty.Missing()[:1]); len(one) != 34 {
		t.Errorf("%d bytes for one seed", len(one))
	}
}

func TestDamagedBlobIsRefused(t *testing.T) {
	n, r, in := five(t)
	other, _ := n.deal(t, 0)
	flipped := bytes.Clone(r.Blob)
	flipped[0]++
	for _, h := range n.hands(t, 0, r, in) {
		for name, blob := range map[string][]byte{"flipped": flipped, "cut": r.Blob[1:], "another": other.Blob, "none": nil} {
			if _, err := h.Share(blob); h.NeedsBlob() != errors.Is(err, croft.ErrReport) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// Blobs that the site itself made wrong, and a second good one.
	h := n.hands(t, 0, r, in)[0]
	for !h.NeedsBlob() {
		h = n.hands(t, 0, r, in)[h.seat+1]
	}
	if _, err := h.Share(make([]byte, 48)); !errors.Is(err, croft.ErrReport) {
		t.Errorf("a second blob: %v", err)
	}
	for name, bad := range map[string]struct {
		blob []byte
		code croft.Code
	}{
		"not in the field": {EncodeShare([]uint64{0, 1, 2, 3, 4, vdaf.Modulus}), croft.ErrEncoding},
		"another length":   {EncodeShare([]uint64{0, 1, 2, 3, 4}), croft.ErrReport},
		"too long":         {make([]byte, 49), croft.ErrReport},
	} {
		h.head.wire.Blob = croft.Sum(bad.blob)
		if _, err := h.Share(bad.blob); !errors.Is(err, bad.code) {
			t.Errorf("%s: %v", name, err)
		}
		if err := h.Check(bad.blob); !errors.Is(err, bad.code) {
			t.Errorf("%s, checked alone: %v", name, err)
		}
	}
}

func TestDealRefuses(t *testing.T) {
	n, _, _ := five(t)
	pipes := make([]*Sender, 5)
	for i := range pipes {
		pipes[i], _ = n.rand.pipe()
	}
	good := Context{Profile: n.profile, Length: 2}
	for name, c := range map[string]struct {
		context Context
		vector  []int64
		pipes   []*Sender
		code    croft.Code
	}{
		"short vector":  {good, []int64{1}, pipes, croft.ErrShape},
		"seats":         {good, []int64{1, 2}, pipes[1:], croft.ErrShape},
		"no length":     {Context{Profile: n.profile}, nil, pipes, croft.ErrShape},
		"long":          {Context{Profile: n.profile, Length: MaxLength + 1}, nil, pipes, croft.ErrShape},
		"profile":       {Context{Profile: Profile{5, 4}, Length: 2}, []int64{1, 2}, pipes, croft.ErrProfile},
		"no profile":    {Context{Length: 2}, []int64{1, 2}, pipes, croft.ErrProfile},
		"value":         {good, []int64{0, 1 << 26}, pipes, croft.ErrOverflow},
		"negative":      {good, []int64{-1 << 26, 0}, pipes, croft.ErrOverflow},
		"smallest":      {good, []int64{-1 << 63, 0}, pipes, croft.ErrOverflow},
		"norm":          {good, []int64{1<<26 - 1, 1 << 14}, pipes, croft.ErrOverflow},
		"just in bound": {good, []int64{1<<26 - 1, 1 << 13}, pipes, 0},
	} {
		_, err := Deal(c.context, c.vector, c.pipes, n.rand, vdaf.Serial)
		if c.code == 0 && err != nil || c.code != 0 && !errors.Is(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Deal(good, []int64{1, 2}, pipes, strings.NewReader("too little"), vdaf.Serial); err == nil {
		t.Error("dealt without randomness")
	}
	pipes[2].Forget(0)
	if _, err := Deal(good, []int64{1, 2}, pipes, n.rand, vdaf.Serial); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("sealed for a forgotten round: %v", err)
	}
}

func TestShareOfTheSumIsForOneReaderRoundAndSet(t *testing.T) {
	n, _, _ := five(t)
	c := n.context
	c.Set = croft.Hash{8}
	out, in := n.rand.pipe()
	share := []uint64{1, 2, 3, 4, 5, vdaf.Modulus - 1}
	sealed, err := SealShare(c, 3, share, out)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenShare(c, 3, sealed, in); err != nil || !slices.Equal(got, share) {
		t.Fatal(got, err)
	}
	if _, err := OpenShare(c, 2, sealed, in); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("another seat's: %v", err)
	}
	other := c
	other.Set[0]++
	if _, err := OpenShare(other, 3, sealed, in); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("of another set: %v", err)
	}
	if _, err := SealShare(c, 3, share[1:], out); !errors.Is(err, croft.ErrShape) {
		t.Errorf("short: %v", err)
	}
	if _, err := DecodeShare(make([]byte, 41), 5); !errors.Is(err, croft.ErrShape) {
		t.Errorf("41 bytes: %v", err)
	}
	if _, err := DecodeShare(EncodeShare([]uint64{vdaf.Modulus}), 1); !errors.Is(err, croft.ErrEncoding) {
		t.Errorf("p itself: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	n, _, _ := five(t)
	p := n.profile
	shares := n.shares(t)
	for name, c := range map[string]struct {
		profile Profile
		sites   int
		shares  [][]uint64
		code    croft.Code
	}{
		"profile":       {Profile{2, 1}, 1, shares, croft.ErrProfile},
		"number":        {p, 1, shares[1:], croft.ErrShape},
		"no site":       {p, 0, shares, croft.ErrShape},
		"many sites":    {p, maxSites + 1, shares, croft.ErrShape},
		"minus sites":   {p, -1, shares, croft.ErrShape},
		"length":        {p, 1, [][]uint64{shares[0], shares[1][1:], shares[2], nil, nil}, croft.ErrShape},
		"none":          {p, 1, make([][]uint64, 5), croft.ErrTooFewShares},
		"out of bounds": {p, 1, [][]uint64{{1 << 26}, {1 << 26}, {1 << 26}, {1 << 26}, nil}, croft.ErrSumBound},
		"negative":      {p, 1, [][]uint64{{vdaf.Modulus - 1<<26}, {vdaf.Modulus - 1<<26}, {vdaf.Modulus - 1<<26}, nil, nil}, croft.ErrSumBound},
	} {
		if _, err := Open(c.profile, c.sites, c.shares); !errors.Is(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if o, err := Open(p, 1, [][]uint64{{vdaf.Modulus - 1<<26 + 1}, {vdaf.Modulus - 1<<26 + 1}, {vdaf.Modulus - 1<<26 + 1}, nil, nil}); err != nil || o.Sum[0] != -1<<26+1 {
		t.Errorf("the smallest sum: %v, %v", o, err)
	}
	if _, err := Aggregate(); !errors.Is(err, croft.ErrShape) {
		t.Errorf("sum of nothing: %v", err)
	}
	if _, err := Aggregate([]uint64{1}, []uint64{1, 2}); !errors.Is(err, croft.ErrShape) {
		t.Errorf("sum of two lengths: %v", err)
	}
	if _, err := open(t, n.site(0), func() *Report { r, _ := n.deal(t, 0); return r }()).Hand(5); !errors.Is(err, croft.ErrShape) {
		t.Errorf("a sixth seat: %v", err)
	}
}
