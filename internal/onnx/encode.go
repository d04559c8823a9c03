package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Encode returns a model as the bytes of a .onnx file. Equal models have equal
// bytes. It panics on a tensor or parameter of a type that none can have.
func Encode(m Model) []byte {
	var out message
	out.int(1, irVersion)
	out.text(2, m.Producer)
	out.text(3, m.Version)
	out.text(6, m.Doc)
	out.nest(7, graph(m.Graph))
	for _, set := range []struct {
		domain  string
		version int64
	}{{"", opset}, {Learn, learnOpset}} {
		var o message
		o.text(1, set.domain)
		o.int(2, set.version)
		out.nest(8, o)
	}
	for _, p := range m.Properties {
		var o message
		o.text(1, p[0])
		o.text(2, p[1])
		out.nest(14, o)
	}
	return out
}

func graph(g Graph) (out message) {
	for _, n := range g.Nodes {
		out.nest(1, node(n))
	}
	out.text(2, g.Name)
	for _, c := range g.Constants {
		out.nest(5, tensor(c.Name, c.Tensor))
	}
	for _, v := range g.Inputs {
		out.nest(11, value(v))
	}
	for _, v := range g.Outputs {
		out.nest(12, value(v))
	}
	return out
}

func node(n Node) (out message) {
	for _, name := range n.In {
		out.bytes(1, []byte(name)) // an empty one is an input left out
	}
	for _, name := range n.Out {
		out.bytes(2, []byte(name))
	}
	if len(n.Out) > 0 {
		out.text(3, n.Out[0]) // runtimes name it in their errors
	}
	out.text(4, n.Op)
	for _, a := range n.Attrs {
		out.nest(5, attribute(a))
	}
	out.text(7, n.Domain)
	return out
}

func attribute(a Attr) (out message) {
	out.text(1, a.Name)
	kind := int64(0)
	switch v := a.Value.(type) {
	case float32:
		kind = 1
		out.float(2, v)
	case int64:
		kind = 2
		out.int(3, v)
	case string:
		kind = 3
		out.bytes(4, []byte(v))
	case Tensor:
		kind = 4
		out.nest(5, tensor("", v))
	case []float32:
		kind = 6
		for _, f := range v {
			out.float(7, f)
		}
	case []int64:
		kind = 7
		for _, i := range v {
			out.int(8, i)
		}
	case []string:
		kind = 8
		for _, s := range v {
			out.bytes(9, []byte(s))
		}
	default:
		panic(fmt.Sprintf("onnx: parameter %s is a %T", a.Name, v))
	}
	out.int(20, kind)
	return out
}

func tensor(name string, t Tensor) (out message) {
	for _, d := range t.Shape {
		out.int(1, int64(d))
	}
	out.int(2, int64(t.Type()))
	out.text(8, name)
	var raw []byte
	switch data := t.Data.(type) {
	case []string:
		for _, s := range data {
			out.bytes(6, []byte(s))
		}
		return out
	case []float64:
		for _, v := range data {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
		}
	case []float32:
		for _, v := range data {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	case []int64:
		for _, v := range data {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	case []bool:
		for _, v := range data {
			b := byte(0)
			if v {
				b = 1
			}
			raw = append(raw, b)
		}
	default:
		panic(fmt.Sprintf("onnx: tensor %s is a %T", name, data))
	}
	out.bytes(9, raw)
	return out
}

func value(v Value) (out message) {
	var shape message
	for _, d := range v.Shape {
		var dim message
		if d < 0 {
			dim.text(2, anyLength)
		} else {
			dim.int(1, int64(d))
		}
		shape.nest(1, dim)
	}
	var typed, typeProto message
	typed.int(1, int64(v.Type))
	typed.nest(2, shape)
	typeProto.nest(1, typed)
	out.text(1, v.Name)
	out.nest(2, typeProto)
	out.text(3, v.Doc)
	return out
}

// anyLength is the name of a dimension of −1. All have one name: they are equal.
const anyLength = "rows"

// message is a message of Protocol Buffers under way.
type message []byte

func (m *message) int(field protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

func (m *message) float(field protowire.Number, v float32) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), math.Float32bits(v))
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func (m *message) nest(field protowire.Number, v message) { m.bytes(field, v) }

func (m *message) text(field protowire.Number, v string) {
	if v != "" {
		m.bytes(field, []byte(v))
	}
}
