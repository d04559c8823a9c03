package privagg

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

const seedSize = 32

type seed [seedSize]byte

// The domain of a stream: version 1, an algorithm of the VDAF draft's private
// range, and the use (VDAF §6.2.3). Ours is "PINE-t"; uses 2 to 10 are those of
// PINE's proof and stay free for it.
const (
	algorithm   = 0xffffc0f7
	usageMask   = 1  // the part itself ("measurement share")
	usageSealed = 11 // the key under which the blob is sealed
)

func domain(algorithm uint32, usage uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32([]byte{1}, algorithm), usage)
}

// derive returns HMAC-SHA256(seed, len(dst) ‖ dst ‖ binder), the key material of
// XofHmacSha256Aes128.
func derive(s *seed, dst, binder []byte) []byte {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte{byte(len(dst))})
	mac.Write(dst)
	mac.Write(binder)
	return mac.Sum(nil)
}

// xof is XofHmacSha256Aes128: AES-128 in counter mode, key and first counter from
// derive. One derivation, then a stream: never one for each element.
type xof struct {
	stream cipher.Stream
	buf    [8 * blockLen]byte
}

var zeros [8 * blockLen]byte

func newXOF(s *seed, dst, binder []byte) *xof {
	h := derive(s, dst, binder)
	block, err := aes.NewCipher(h[:16])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	return &xof{stream: cipher.NewCTR(block, h[16:])}
}

// next fills out with uniform field elements: 8 bytes each, little endian, those
// not below p skipped (one in 2^32).
func (x *xof) next(out []uint64) {
	for len(out) > 0 {
		chunk := x.buf[:8*min(len(out), blockLen)]
		x.stream.XORKeyStream(chunk, zeros[:len(chunk)])
		n := 0
		for ; len(chunk) >= 8; chunk = chunk[8:] {
			if v := binary.LittleEndian.Uint64(chunk); v < modulus {
				out[n] = v
				n++
			}
		}
		out = out[n:]
	}
}
