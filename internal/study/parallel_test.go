package study

import (
	"bytes"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"croft"
	"croft/internal/privagg"
	"croft/internal/vdaf"
)

func TestParallelRunsEachTaskOnce(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100} {
		runs := make([]atomic.Int32, n)
		Parallel(n, func(i int) {
			Parallel(3, func(j int) { runs[i].Add(1) })
		})
		for i := range runs {
			if got := runs[i].Load(); got != 3 {
				t.Errorf("task %d of %d ran %d inner ones, not 3", i, n, got)
			}
		}
	}
}

// A report and a seat's answer are the same bytes on one processor and on all.
func TestParallelChangesNothing(t *testing.T) {
	p := privagg.Profile{Seats: 3, Threshold: 1}
	c := privagg.Context{Profile: p, Length: 20_000, Bound: 1 << 20}
	x := make([]int64, c.Length)
	for k := range x {
		x[k] = int64(k%101) - 50
	}
	var pipes []*privagg.Sender
	var keys []*privagg.PrivateKey
	for range p.Seats {
		key, err := privagg.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		pipe, err := privagg.NewSender(key.Public(), privagg.Link{})
		if err != nil {
			t.Fatal(err)
		}
		keys, pipes = append(keys, key), append(pipes, pipe)
	}
	answer := func(run vdaf.Workers) (*privagg.Report, []uint64) {
		r, err := privagg.Deal(c, x, pipes, strings.NewReader(strings.Repeat("not random", 20)), run)
		if err != nil {
			t.Fatal(err)
		}
		head, err := privagg.OpenHead(c, r.Header(), r.Head)
		if err != nil {
			t.Fatal(err)
		}
		hand, err := head.Hand(2)
		if err != nil {
			t.Fatal(err)
		}
		in, err := privagg.NewReceiver(keys[2], privagg.Link{}, head.Box(2))
		if err != nil {
			t.Fatal(err)
		}
		if err := hand.OpenBox(in); err != nil {
			t.Fatal(err)
		}
		share, verifier, err := hand.Verify(r.Blob, croft.Hash{1}, run)
		if err != nil {
			t.Fatal(err)
		}
		return r, append(share, verifier...)
	}
	one, serial := answer(vdaf.Serial)
	other, parallel := answer(Parallel)
	if !bytes.Equal(one.Blob, other.Blob) || !bytes.Equal(one.Head, other.Head) || !slices.Equal(serial, parallel) {
		t.Error("the bytes depend on how the work is divided")
	}
}
