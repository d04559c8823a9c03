package vdaf

import (
	"encoding/binary"
	"math/bits"
)

// turboShake is TurboSHAKE128 (RFC 9861) with domain byte 1: a sponge over the
// last twelve rounds of Keccak-p[1600]. The standard library has Keccak only with
// all 24.
type turboShake struct {
	state     [25]uint64
	block     [turboRate]byte
	at        int // in block: absorbed, or given out
	squeezing bool
}

// newTurboShake starts XofTurboShake128 (VDAF §6.2.1).
func newTurboShake(seed, domain []byte) xof {
	t := new(turboShake)
	t.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(domain))))
	t.Write(domain)
	t.Write([]byte{byte(len(seed))})
	t.Write(seed)
	return t
}

const turboRate = 168

func (t *turboShake) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := copy(t.block[t.at:], rest)
		rest = rest[n:]
		if t.at += n; t.at == turboRate {
			t.absorb()
		}
	}
	return len(p), nil
}

func (t *turboShake) absorb() {
	for i := range turboRate / 8 {
		t.state[i] ^= binary.LittleEndian.Uint64(t.block[8*i:])
	}
	keccak12(&t.state)
	t.at = 0
}

func (t *turboShake) next(out []byte) {
	if !t.squeezing {
		clear(t.block[t.at:])
		t.block[t.at] = 1 // the domain, and the first bit of the padding
		t.block[turboRate-1] ^= 0x80
		t.absorb()
		t.squeezing = true
		t.squeeze()
	}
	for len(out) > 0 {
		if t.at == turboRate {
			keccak12(&t.state)
			t.squeeze()
		}
		n := copy(out, t.block[t.at:])
		out = out[n:]
		t.at += n
	}
}

func (t *turboShake) squeeze() {
	for i := range turboRate / 8 {
		binary.LittleEndian.PutUint64(t.block[8*i:], t.state[i])
	}
	t.at = 0
}

// The tables of FIPS 202: the last twelve round constants, and for the walk of ρ
// and π the rotations and the lanes in order.
var (
	keccakRounds = [12]uint64{
		0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
		0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
		0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
	}
	keccakTurns = [24]int{1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44}
	keccakLanes = [24]int{10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1}
)

func keccak12(a *[25]uint64) {
	var c [5]uint64
	for _, constant := range keccakRounds {
		for x := range 5 { // θ
			c[x] = a[x] ^ a[x+5] ^ a[x+10] ^ a[x+15] ^ a[x+20]
		}
		for x := range 5 {
			d := c[(x+4)%5] ^ bits.RotateLeft64(c[(x+1)%5], 1)
			for y := 0; y < 25; y += 5 {
				a[x+y] ^= d
			}
		}
		lane := a[1]
		for i, to := range keccakLanes { // ρ, π
			lane, a[to] = a[to], bits.RotateLeft64(lane, keccakTurns[i])
		}
		for y := 0; y < 25; y += 5 { // χ
			copy(c[:], a[y:y+5])
			for x := range 5 {
				a[x+y] = c[x] ^ ^c[(x+1)%5]&c[(x+2)%5]
			}
		}
		a[0] ^= constant // ι
	}
}
