package privagg

import (
	"encoding/binary"

	"croft/internal/vdaf"
)

const seedSize = vdaf.SeedSize

type seed = vdaf.Seed

// The domain of a stream: version 1, an algorithm of the VDAF draft's private
// range, and the use (VDAF §6.2.3). Ours is "PINE-t"; uses 2 to 10 are those of
// PINE's proof and stay free for it.
const (
	algorithm = 0xffffc0f7
	usageMask = 1 // a part's stream ("measurement share")
)

func domain(usage uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32([]byte{1}, algorithm), usage)
}
