package croft

import (
	"bytes"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Canonical form. Everything that is signed, hashed, stored on the ledger or
// sent between nodes is deterministic CBOR (RFC 8949 §4.2): integer map keys,
// shortest lengths, sorted keys, no floats, no tags, no indefinite lengths.
// One value has one encoding: Decode refuses bytes that Encode would not write.

var (
	encMode = must(cbor.EncOptions{
		Sort: cbor.SortCoreDeterministic, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, NilContainers: cbor.NilContainerAsEmpty,
		OmitEmpty: cbor.OmitEmptyCBORValue,
	}.EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxArrayElements: 1 << 16, MaxMapPairs: 1 << 12, MaxNestedLevels: 16,
	}.DecMode())
)

// Encode returns the canonical encoding of v. It panics on a type that has no
// canonical form (a float, a func): that is a bug in this program, not in data.
func Encode(v any) []byte {
	data, err := encMode.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("croft: encode %T: %v", v, err))
	}
	return data
}

// Decode reads one value into v, a pointer. It refuses unknown and duplicate
// keys, trailing bytes, and any encoding but the canonical one. Callers bound
// len(data) first.
func Decode(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return E(ErrEncoding, fmt.Sprintf("%T", v), err)
	}
	if again, err := encMode.Marshal(v); err != nil || !bytes.Equal(again, data) {
		return E(ErrEncoding, fmt.Sprintf("%T", v), "the bytes are not in canonical form")
	}
	return nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
