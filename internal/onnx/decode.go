package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"croft"
)

// MaxFile bounds the bytes of a model.
const MaxFile = 64 << 20

// Decode reads the bytes of a .onnx file. What it allocates grows with the bytes
// that are there, never with what they promise. Fields that say nothing about what
// is computed are skipped; what this package has no room for is refused by name.
// It fails with croft.ErrEncoding.
func Decode(b []byte) (m Model, err error) {
	if len(b) > MaxFile {
		err = fmt.Errorf("it has %d bytes; at most %d are read", len(b), MaxFile)
	} else {
		m, err = decodeModel(b)
	}
	if err != nil {
		return Model{}, croft.E(croft.ErrEncoding, "ONNX model", err)
	}
	return m, nil
}

func decodeModel(b []byte) (m Model, err error) {
	graphs, sets := 0, map[string]int64{}
	err = each(b, func(f field) (err error) {
		switch f.number {
		case 2:
			m.Producer, err = f.text()
		case 3:
			m.Version, err = f.text()
		case 6:
			m.Doc, err = f.text()
		case 7:
			graphs++
			m.Graph, err = decodeGraph(f)
		case 8:
			domain, version := "", int64(0)
			err = f.each(func(f field) (err error) {
				switch f.number {
				case 1:
					domain, err = f.text()
				case 2:
					version, err = f.int()
				}
				return err
			})
			if domain == "ai.onnx" { // the other name of it
				domain = ""
			}
			sets[domain] = version
		case 14:
			var p [2]string
			err = f.each(func(f field) (err error) {
				if f.number == 1 || f.number == 2 {
					p[f.number-1], err = f.text()
				}
				return err
			})
			if m.Properties = append(m.Properties, p); len(m.Properties) > maxListed {
				err = errMany
			}
		case 25:
			err = errors.New("it has functions of its own")
		}
		return err
	})
	switch {
	case err != nil:
	case graphs != 1:
		err = fmt.Errorf("it has %d graphs", graphs)
	case sets[""] < 13 || sets[""] > 26:
		err = fmt.Errorf("it uses version %d of the operators; 13 to 26 are known here", sets[""])
	case sets[Learn] > 5:
		err = fmt.Errorf("it uses version %d of %s; 1 to 5 are known here", sets[Learn], Learn)
	}
	return m, err
}

func decodeGraph(f field) (g Graph, err error) {
	err = f.each(func(f field) (err error) {
		switch f.number {
		case 1:
			var n Node
			n, err = decodeNode(f)
			g.Nodes = append(g.Nodes, n)
		case 2:
			g.Name, err = f.text()
		case 5:
			var c Constant
			c, err = decodeTensor(f)
			g.Constants = append(g.Constants, c)
		case 11, 12:
			var v Value
			v, err = decodeValue(f)
			if f.number == 11 {
				g.Inputs = append(g.Inputs, v)
			} else {
				g.Outputs = append(g.Outputs, v)
			}
		case 15:
			err = errors.New("it has a sparse tensor")
		}
		if len(g.Nodes) > maxNodes || max(len(g.Constants), len(g.Inputs), len(g.Outputs)) > maxListed {
			err = errMany
		}
		return err
	})
	return g, err
}

func decodeNode(f field) (n Node, err error) {
	err = f.each(func(f field) (err error) {
		text := ""
		switch f.number {
		case 1:
			text, err = f.text()
			n.In = append(n.In, text)
		case 2:
			text, err = f.text()
			n.Out = append(n.Out, text)
		case 4:
			n.Op, err = f.text()
		case 5:
			var a Attr
			a, err = decodeAttr(f)
			n.Attrs = append(n.Attrs, a)
		case 7:
			n.Domain, err = f.text()
		}
		if max(len(n.In), len(n.Out), len(n.Attrs)) > many {
			err = errMany
		}
		return err
	})
	if n.Domain == "ai.onnx" {
		n.Domain = ""
	}
	return n, err
}

func decodeAttr(f field) (a Attr, err error) {
	var (
		kind    int64
		one     float32
		whole   int64
		text    string
		tensor  Tensor
		floats  []float32
		wholes  []int64
		strings []string
	)
	err = f.each(func(f field) (err error) {
		switch f.number {
		case 1:
			a.Name, err = f.text()
		case 2:
			one, err = f.float()
		case 3:
			whole, err = f.int()
		case 4:
			text, err = f.text()
		case 5:
			var c Constant
			c, err = decodeTensor(f)
			tensor = c.Tensor
		case 7:
			floats, err = f.floats(floats)
		case 8:
			wholes, err = f.ints(wholes)
		case 9:
			var s string
			s, err = f.text()
			if strings = append(strings, s); len(strings) > maxTreeNodes {
				err = errMany
			}
		case 20:
			kind, err = f.int()
		}
		return err
	})
	switch kind {
	case 1:
		a.Value = one
	case 2:
		a.Value = whole
	case 3:
		a.Value = text
	case 4:
		a.Value = tensor
	case 6:
		a.Value = floats
	case 7:
		a.Value = wholes
	case 8:
		a.Value = strings
	default:
		err = errors.Join(err, fmt.Errorf("parameter %.40q is of kind %d, which is not known here", a.Name, kind))
	}
	return a, err
}

func decodeTensor(f field) (c Constant, err error) {
	var (
		kind    Type
		raw     []byte
		hasRaw  bool
		floats  []float32
		doubles []float64
		ints    []int64
		small   []int64 // of int32_data, where bools stand
		strings []string
	)
	err = f.each(func(f field) (err error) {
		switch f.number {
		case 1:
			var dims []int64
			if dims, err = f.ints(nil); err == nil {
				if len(c.Shape)+len(dims) > maxSides {
					return errMany
				}
				for _, d := range dims {
					if d < 0 || d > maxElements {
						return fmt.Errorf("a tensor has a side of %d", d)
					}
					c.Shape = append(c.Shape, int(d))
				}
			}
		case 2:
			var k int64
			k, err = f.int()
			kind = Type(k)
		case 4:
			floats, err = f.floats(floats)
		case 5:
			small, err = f.ints(small)
		case 6:
			var s string
			s, err = f.text()
			strings = append(strings, s)
		case 7:
			ints, err = f.ints(ints)
		case 8:
			c.Name, err = f.text()
		case 9:
			raw, err = f.raw()
			hasRaw = true
		case 10:
			doubles, err = f.doubles(doubles)
		case 13:
			err = errors.New("a tensor stands in another file")
		}
		return err
	})
	if err != nil {
		return c, err
	}
	width := map[Type]int{Float: 4, Double: 8, Int64: 8, Bool: 1, int32s: 4}[kind]
	if hasRaw && (width == 0 || len(raw)%width != 0) {
		return c, fmt.Errorf("tensor %.40q: %d raw bytes of type %s", c.Name, len(raw), kind)
	}
	switch kind {
	case Float:
		for ; len(raw) > 0; raw = raw[width:] {
			floats = append(floats, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
		c.Data = floats
	case Double:
		for ; len(raw) > 0; raw = raw[width:] {
			doubles = append(doubles, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		}
		c.Data = doubles
	case Int64:
		for ; len(raw) > 0; raw = raw[width:] {
			ints = append(ints, int64(binary.LittleEndian.Uint64(raw)))
		}
		c.Data = ints
	case int32s:
		for ; len(raw) > 0; raw = raw[width:] {
			small = append(small, int64(int32(binary.LittleEndian.Uint32(raw))))
		}
		c.Data = small
	case String:
		c.Data = strings
	case Bool:
		for _, b := range raw {
			small = append(small, int64(b))
		}
		bools := make([]bool, len(small))
		for i, v := range small {
			bools[i] = v != 0
		}
		c.Data = bools
	default:
		return c, fmt.Errorf("tensor %.40q is of type %d: double, float, int64, string and bool are known here", c.Name, kind)
	}
	if !c.whole() {
		return c, fmt.Errorf("tensor %.40q has %d elements, its shape %v says otherwise", c.Name, c.Len(), c.Shape)
	}
	return c, nil
}

func decodeValue(f field) (v Value, err error) {
	err = f.each(func(f field) (err error) {
		switch f.number {
		case 1:
			v.Name, err = f.text()
		case 2:
			err = f.each(func(f field) error {
				if f.number == typeSequence { // what ZipMap gives; nothing else does
					return nil
				}
				if f.number != 1 {
					return fmt.Errorf("value %.40q is no tensor", v.Name)
				}
				return decodeTyped(f, &v)
			})
		case 3:
			v.Doc, err = f.text()
		}
		return err
	})
	return v, err
}

const (
	typeSequence = 4
	int32s       = Type(6) // of constants, which are held as int64
)

func decodeTyped(f field, v *Value) error {
	return f.each(func(f field) (err error) {
		switch f.number {
		case 1:
			var k int64
			k, err = f.int()
			v.Type = Type(k)
		case 2:
			err = f.each(func(f field) error {
				if f.number != 1 {
					return nil
				}
				side := int64(-1)
				err := f.each(func(f field) (err error) {
					if f.number == 1 {
						side, err = f.int()
					}
					return err
				})
				if err == nil && (side < -1 || side > maxElements) {
					err = fmt.Errorf("value %.40q has a side of %d", v.Name, side)
				}
				if v.Shape = append(v.Shape, int(side)); len(v.Shape) > maxSides {
					err = errMany
				}
				return err
			})
		}
		return err
	})
}

// field is a field of a message of Protocol Buffers, with its content as it stands.
type field struct {
	number  protowire.Number
	kind    protowire.Type
	content []byte
}

// each calls visit with the fields of a message, in order.
func each(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		number, kind, head := protowire.ConsumeTag(message)
		if head < 0 {
			return protowire.ParseError(head)
		}
		n := protowire.ConsumeFieldValue(number, kind, message[head:])
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := visit(field{number, kind, message[head : head+n]}); err != nil {
			return err
		}
		message = message[head+n:]
	}
	return nil
}

var (
	errKind = errors.New("a field is not of its kind")
	errMany = errors.New("it lists more things than are read here") // an empty one takes two bytes there, and fifty times as many here
)

func (f field) each(visit func(field) error) error {
	content, err := f.raw()
	if err != nil {
		return err
	}
	return each(content, visit)
}

func (f field) raw() ([]byte, error) {
	if f.kind != protowire.BytesType {
		return nil, errKind
	}
	content, _ := protowire.ConsumeBytes(f.content)
	return content, nil
}

func (f field) text() (string, error) {
	content, err := f.raw()
	if err == nil && !utf8.Valid(content) {
		err = errors.New("a text is not UTF-8")
	}
	return string(content), err
}

func (f field) int() (int64, error) {
	if f.kind != protowire.VarintType {
		return 0, errKind
	}
	v, _ := protowire.ConsumeVarint(f.content)
	return int64(v), nil
}

func (f field) float() (float32, error) {
	if f.kind != protowire.Fixed32Type {
		return 0, errKind
	}
	v, _ := protowire.ConsumeFixed32(f.content)
	return math.Float32frombits(v), nil
}

// ints adds what a repeated field holds: one number, or many packed.
func (f field) ints(to []int64) ([]int64, error) {
	return repeated(f, to, protowire.VarintType, func(b []byte) (int64, int) {
		v, n := protowire.ConsumeVarint(b)
		return int64(v), n
	})
}

func (f field) floats(to []float32) ([]float32, error) {
	return repeated(f, to, protowire.Fixed32Type, func(b []byte) (float32, int) {
		v, n := protowire.ConsumeFixed32(b)
		return math.Float32frombits(v), n
	})
}

func (f field) doubles(to []float64) ([]float64, error) {
	return repeated(f, to, protowire.Fixed64Type, func(b []byte) (float64, int) {
		v, n := protowire.ConsumeFixed64(b)
		return math.Float64frombits(v), n
	})
}

func repeated[E any](f field, to []E, kind protowire.Type, one func([]byte) (E, int)) ([]E, error) {
	content := f.content
	if f.kind != kind {
		packed, err := f.raw()
		if err != nil {
			return nil, err
		}
		content = packed
	}
	for len(content) > 0 {
		v, n := one(content)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		to, content = append(to, v), content[n:]
	}
	return to, nil
}
