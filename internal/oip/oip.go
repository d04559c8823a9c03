// Package oip holds the messages of the Open Inference Protocol over gRPC, generated
// from oip.proto, and reads them in bounded memory. It knows nothing of models.
package oip

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxMessages bounds the messages inside of one: a client that has more inputs,
// outputs and parameters than this is none of ours. An empty one takes two bytes of a
// request and some 150 of memory.
const maxMessages = 4096

// Codec reads and writes messages for a server of gRPC, under the name that it gives
// to protocol buffers.
type Codec struct{}

// Name returns the name of the encoding: "proto".
func (Codec) Name() string { return "proto" }

// Marshal writes a proto.Message.
func (Codec) Marshal(message any) ([]byte, error) { return proto.Marshal(message.(proto.Message)) }

// Unmarshal reads a proto.Message, once it is known how many others are in it: what it
// allocates is a few times the bytes that are there. Fields that nobody knows are
// skipped.
func (Codec) Unmarshal(b []byte, message any) error {
	m := message.(proto.Message)
	if messages(b, m.ProtoReflect().Descriptor(), maxMessages) < 0 {
		return fmt.Errorf("there are more than %d messages in it", maxMessages)
	}
	return proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
}

// messages returns what is left of a number of messages that may be inside of one;
// below zero there are more. Of bytes that are no message it counts those in front.
func messages(b []byte, of protoreflect.MessageDescriptor, left int) int {
	for len(b) > 0 && left >= 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			break
		}
		if field := of.Fields().ByNumber(number); kind == protowire.BytesType && field != nil && field.Message() != nil {
			inner, _ := protowire.ConsumeBytes(b[:n])
			left = messages(inner, field.Message(), left-1)
		}
		b = b[n:]
	}
	return left
}
