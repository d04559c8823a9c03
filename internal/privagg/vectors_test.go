package privagg

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"croft/internal/vdaf"
)

// The first words of our own streams, so that no refactoring moves them.
func TestStreamVector(t *testing.T) {
	s := seed{31: 1}
	out := make([]uint64, 2)
	vdaf.NewXOF(&s, domain(usageMask), binder([32]byte{}, 0b011)).Next(out)
	got := hex.EncodeToString(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, out[0]), out[1]))
	if want := streamVector; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

const streamVector = "534a090b1f48b3e11c7877d1bd1d2b34"
