// Package oip holds the messages of the Open Inference Protocol over gRPC, generated
// from oip.proto, and reads them in bounded memory. It knows nothing of models.
package oip

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What may stand inside of a message: inputs, outputs and parameters, and texts in lists
// of bytes. An empty one takes two bytes of a request, and of memory a message takes
// some 150 and a text 24. A message counts for as many texts as messageTexts.
const (
	maxMessages  = 4096
	messageTexts = 64
	maxTexts     = maxMessages * messageTexts
)

// Codec reads and writes messages for a server of gRPC, under the name that it gives
// to protocol buffers.
type Codec struct{}

// Name returns the name of the encoding: "proto".
func (Codec) Name() string { return "proto" }

// Marshal writes a proto.Message.
func (Codec) Marshal(message any) ([]byte, error) { return proto.Marshal(message.(proto.Message)) }

// Unmarshal reads a proto.Message, once it is known how much stands inside of it: beside
// the bytes that are there it allocates some megabytes at the most. Fields that nobody
// knows are skipped.
func (Codec) Unmarshal(b []byte, message any) error {
	m := message.(proto.Message)
	if inside(b, m.ProtoReflect().Descriptor(), maxTexts) < 0 {
		return fmt.Errorf("there are more than %d messages or %d texts in it", maxMessages, maxTexts)
	}
	return proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
}

// inside returns what is left of a number of texts that may stand in a message; below
// zero there are more. Of bytes that are no message it counts those in front.
func inside(b []byte, of protoreflect.MessageDescriptor, left int) int {
	for len(b) > 0 && left >= 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			break
		}
		switch field := of.Fields().ByNumber(number); {
		case kind != protowire.BytesType || field == nil:
		case field.Message() != nil:
			inner, _ := protowire.ConsumeBytes(b[:n])
			left = inside(inner, field.Message(), left-messageTexts)
		case field.IsList() && field.Kind() == protoreflect.BytesKind:
			left--
		}
		b = b[n:]
	}
	return left
}
