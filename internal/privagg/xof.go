package privagg

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"croft/internal/vdaf"
)

const seedSize = vdaf.SeedSize

type seed = vdaf.Seed

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

// derive returns HMAC-SHA256(seed, len(dst) ‖ dst ‖ binder), as XofHmacSha256Aes128
// does for its key.
func derive(s *seed, dst, binder []byte) []byte {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte{byte(len(dst))})
	mac.Write(dst)
	mac.Write(binder)
	return mac.Sum(nil)
}
