package vdaf

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
)

// SeedSize is the length of a seed, a blind and a verification key.
const SeedSize = 32

// A Seed is the key of an XOF.
type Seed [SeedSize]byte

// The uses of an XOF (VDAF §7.1, PINE §5.1).
const (
	useMeasurement = iota + 1
	useProof
	useJointRand
	useProveRand
	useQueryRand
	useJointSeed
	useJointPart
	useWrapRand
	useWrapSeed
	useWrapPart
)

// An xof makes bytes from a seed, a domain and a binder. The binder is written,
// then the stream is read.
type xof interface {
	Write(binder []byte) (int, error)
	next(out []byte)
}

// An XOF is XofHmacSha256Aes128 of PINE draft-01: AES-128 in counter mode, key and
// first counter from HMAC-SHA256(seed, len(domain) ‖ domain ‖ binder). With the
// instructions of today's processors it is several times faster than TurboSHAKE.
type XOF struct {
	mac    hash.Hash // until the first byte is read
	stream cipher.Stream
	first  [16]byte // counter
	block  cipher.Block
	buf    []byte // of Next
	used   uint64 // bytes by Next
}

// NewXOF starts the stream of a seed in a domain of at most 255 bytes. More of
// the binder can be written before the first Next.
func NewXOF(seed *Seed, domain, binder []byte) *XOF {
	x := &XOF{mac: hmac.New(sha256.New, seed[:])}
	x.mac.Write([]byte{byte(len(domain))})
	x.mac.Write(domain)
	x.mac.Write(binder)
	return x
}

// Write adds to the binder. It panics once bytes have been read.
func (x *XOF) Write(binder []byte) (int, error) { return x.mac.Write(binder) }

func (x *XOF) start() {
	if x.mac == nil {
		return
	}
	key := x.mac.Sum(nil)
	x.mac = nil
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	copy(x.first[:], key[16:])
	x.block = block
	x.stream = cipher.NewCTR(block, x.first[:])
}

// chunk is how many bytes of a stream are worked on at once: they stay in the
// first cache.
const chunk = 4096

var zeros [chunk]byte

func (x *XOF) next(out []byte) {
	x.start()
	for len(out) > 0 {
		n := min(len(out), len(zeros))
		x.stream.XORKeyStream(out[:n], zeros[:n])
		out = out[n:]
	}
}

// from returns the stream's continuation at a byte offset, leaving x where it is.
func (x *XOF) from(offset uint64) cipher.Stream {
	x.start()
	hi, lo := binary.BigEndian.Uint64(x.first[:]), binary.BigEndian.Uint64(x.first[8:])
	sum := lo + offset/16
	if sum < lo {
		hi++
	}
	var counter, skipped [16]byte
	binary.BigEndian.PutUint64(counter[:], hi)
	binary.BigEndian.PutUint64(counter[8:], sum)
	stream := cipher.NewCTR(x.block, counter[:])
	stream.XORKeyStream(skipped[:offset%16], skipped[:offset%16])
	return stream
}

// Next fills out with uniform elements of Field64.
func (x *XOF) Next(out []uint64) {
	if x.buf == nil {
		x.buf = make([]byte, chunk)
	}
	for len(out) > 0 {
		b := x.buf[:min(8*len(out), chunk)]
		x.next(b)
		x.used += uint64(len(b))
		out = out[field64{}.decode(out, b):]
	}
}

// Expand lets tasks read the next n numbers of some streams at the same time: a
// task reads numbers lo to hi of the streams that it is given, all of them.
// Nothing but Next may have been called on these. It may have to run all tasks
// again, so they must not add to what they have done.
//
// A stream leaves out what is not below p: one number in 2^32, and then all later
// ones move up. So tasks begin where they must if nothing is left out before; if
// something was, there is one task after all.
func Expand(streams []*XOF, n int, run Workers, task func(lo, hi int, streams []*XOF)) {
	tasks := min(stripes, n/expandAtLeast)
	if tasks < 2 {
		task(0, n, streams)
		return
	}
	for _, x := range streams {
		x.start()
	}
	moved := make([]bool, tasks)
	run(tasks, func(i int) {
		lo, hi := n*i/tasks, n*(i+1)/tasks
		own := make([]*XOF, len(streams))
		for k, x := range streams {
			own[k] = x.after(x.used + 8*uint64(lo))
		}
		task(lo, hi, own)
		for k, x := range own {
			moved[i] = moved[i] || x.used != streams[k].used+8*uint64(hi)
		}
	})
	if slices.Contains(moved, true) {
		task(0, n, streams)
		return
	}
	for _, x := range streams {
		*x = *x.after(x.used + 8*uint64(n))
	}
}

// expandAtLeast is how many numbers are worth a task.
const expandAtLeast = 1 << 12

// after returns the same stream as if so many bytes had been used.
func (x *XOF) after(used uint64) *XOF {
	return &XOF{stream: x.from(used), first: x.first, block: x.block, used: used}
}

// Seed derives a seed: the next 32 bytes.
func (x *XOF) Seed() (s Seed) {
	x.next(s[:])
	return s
}

// expand fills out with uniform elements: encoded ones from the stream, those not
// below p skipped. It branches on them: one in 2^12 (Field32), 2^32 (Field64) or
// 2^59 (Field128), which says nothing of those that are kept.
func expand[E comparable](f field[E], x xof, out []E) {
	var buf [chunk]byte
	for len(out) > 0 {
		b := buf[:min(len(out)*f.size(), chunk)]
		x.next(b)
		out = out[f.decode(out, b):]
	}
}
