package privagg

import (
	"bytes"
	"testing"

	"croft"
	"croft/internal/vdaf"
)

type fuzzing interface {
	Fatal(...any)
}

func sample(f fuzzing) (*network, *Report, []*Receiver) {
	p, err := Majority(4)
	if err != nil {
		f.Fatal(err)
	}
	n := newNetwork(p, 1, 5, 1)
	r, in := n.deal(f, 0)
	return n, r, in
}

// Whatever a head holds, reading it and opening its boxes ends in an error or in
// seeds that fit the commitments; what is read encodes to the same bytes.
func FuzzOpenHead(f *testing.F) {
	n, r, in := sample(f)
	f.Add(r.Head)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		header := croft.Header{Head: croft.Sum(data), Blob: r.Header().Blob, Size: uint32(len(data) + len(r.Blob))}
		h, err := OpenHead(n.site(0), header, data)
		if err != nil {
			return
		}
		if !bytes.Equal(croft.Encode(h.wire), data) {
			t.Fatal("two encodings of one head")
		}
		for seat := range in {
			hand, err := h.Hand(seat)
			if err != nil {
				t.Fatal(err)
			}
			if err := hand.OpenBox(in[seat]); err == nil && hand.Missing() == nil {
				if _, err := hand.Share(r.Blob); err != nil && !hand.NeedsBlob() {
					t.Fatal(err)
				}
			}
		}
	})
}

func FuzzHandLoad(f *testing.F) {
	n, r, in := sample(f)
	hands := n.hands(f, 0, r, in)
	for _, h := range hands {
		f.Add(h.Marshal())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := hands[0].head.Hand(0)
		if err != nil {
			t.Fatal(err)
		}
		if h.Load(data) == nil && !bytes.Equal(h.Marshal(), data) {
			t.Fatal("two encodings of one hand")
		}
		if !bytes.HasPrefix(hands[0].Marshal(), h.Marshal()) && len(h.seeds) > len(hands[0].seeds) {
			t.Fatal("seeds from nowhere")
		}
	})
}

func FuzzReceiver(f *testing.F) {
	out, in := (&stream{seed: 3}).pipe()
	plain, err := out.Seal(1, nil, []byte("text"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	out.enc = make([]byte, encSize)
	first, err := out.Seal(1, nil, []byte("text"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first)
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := in.Open(1, nil, data); err == nil && string(got) != "text" {
			t.Fatalf("opened a forgery: %q", got)
		}
		if r, err := NewReceiver(key, aLink, data); err == nil {
			if _, err := r.Open(1, nil, data); err == nil {
				t.Fatal("opened a message of nobody")
			}
		}
	})
}

func FuzzDecodeShare(f *testing.F) {
	f.Add(EncodeShare([]uint64{0, 1, vdaf.Modulus - 1}), 3)
	f.Add([]byte{1, 2, 3}, -1)
	f.Fuzz(func(t *testing.T, data []byte, length int) {
		if share, err := DecodeShare(data, length); err == nil && !bytes.Equal(EncodeShare(share), data) {
			t.Fatal("two encodings of one share")
		}
	})
}

func FuzzUnmarshalPipe(f *testing.F) {
	out, in := (&stream{seed: 3}).pipe()
	f.Add(in.Marshal())
	out.enc = make([]byte, encSize)
	f.Add(out.Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := UnmarshalSender(data); err == nil && !bytes.Equal(s.Marshal(), data) {
			t.Fatal("two encodings of one sender")
		}
		if r, err := UnmarshalReceiver(data); err == nil && !bytes.Equal(r.Marshal(), data) {
			t.Fatal("two encodings of one receiver")
		}
	})
}
