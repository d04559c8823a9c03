package serve

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"croft"
	"croft/internal/oip"
)

// widths are the bytes of one element of each datatype in raw contents, which are
// little-endian, in row-major order, without padding. A BYTES has its own length in
// front, in so many bytes: the protocol's text leaves that open, its servers and
// clients (Triton, KServe, MLServer) do not.
var widths = map[string]int{"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8,
	"FP32": 4, "FP64": 8, "BYTES": 4}

// typedWidth are those of typed contents, where small integers have 32 bits.
func typedWidth(datatype string) int {
	if datatype == "BOOL" {
		return 1
	}
	return max(widths[datatype], 4)
}

// readRequest makes a request of JSON of one of gRPC. NaN is a missing value, as null
// is in JSON. Parameters are for engines that we do not have: they are dropped, as the
// engines do with those of JSON. It fails with croft.ErrRequest, and with
// croft.ErrTooLarge before it takes more memory than a body may.
func readRequest(m *oip.ModelInferRequest) (infer, error) {
	in, left := infer{ID: m.Id}, MaxBody
	raw := len(m.RawInputContents) > 0
	if raw && len(m.RawInputContents) != len(m.Inputs) {
		return in, croft.E(croft.ErrRequest, fmt.Sprintf("it has %d inputs and raw contents for %d", len(m.Inputs), len(m.RawInputContents)))
	}
	for i, t := range m.Inputs {
		v := values{Name: t.Name, Datatype: t.Datatype, Shape: make([]int, len(t.Shape))}
		for k, d := range t.Shape {
			v.Shape[k] = int(d)
		}
		contents, width := packed(t.Datatype, t.Contents), typedWidth(t.Datatype)
		if raw {
			if t.Contents != nil {
				return in, croft.E(croft.ErrRequest, fmt.Sprintf("input %.40q has raw contents and others", t.Name))
			}
			contents, width = m.RawInputContents[i], widths[t.Datatype]
		}
		var err error
		if v.Data, err = toJSON(v, width, contents, left); err != nil {
			return in, err
		}
		in.Inputs, left = append(in.Inputs, v), left-len(v.Data)
	}
	for _, o := range m.Outputs {
		in.Outputs = append(in.Outputs, values{Name: o.Name})
	}
	return in, nil
}

// writeAnswer makes an answer of gRPC of one of JSON, with raw contents if the request
// had such. An answer may come from anybody: it fails with croft.ErrEngineFailed.
func writeAnswer(a infer, raw bool) (*oip.ModelInferResponse, error) {
	out := &oip.ModelInferResponse{ModelName: a.ModelName, ModelVersion: a.ModelVersion, Id: a.ID}
	for _, v := range a.Outputs {
		t := &oip.ModelInferResponse_InferOutputTensor{Name: v.Name, Datatype: v.Datatype, Shape: shape64(v.Shape)}
		width := typedWidth(v.Datatype)
		if raw {
			width = widths[v.Datatype]
		}
		n, contents, err := fromJSON(v, width)
		if err != nil {
			return nil, croft.E(croft.ErrEngineFailed, a.ModelName, "an output is not what its shape and datatype say")
		}
		if raw {
			out.RawOutputContents = append(out.RawOutputContents, contents)
		} else {
			t.Contents = unpacked(v.Datatype, n, contents)
		}
		out.Outputs = append(out.Outputs, t)
	}
	return out, nil
}

// GRPC makes of the body of a request to a model the message of gRPC that says the same,
// in the JSON that grpcurl reads. It fails with croft.ErrRequest.
func GRPC(model string, body []byte) ([]byte, error) {
	var in infer
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, croft.E(croft.ErrRequest, err)
	}
	out := &oip.ModelInferRequest{ModelName: model}
	for _, v := range in.Inputs {
		n, contents, err := fromJSON(v, typedWidth(v.Datatype))
		if err != nil {
			return nil, croft.E(croft.ErrRequest, err)
		}
		out.Inputs = append(out.Inputs, &oip.ModelInferRequest_InferInputTensor{Name: v.Name, Datatype: v.Datatype, Shape: shape64(v.Shape),
			Contents: unpacked(v.Datatype, n, contents)})
	}
	return json.Marshal(out)
}

// toJSON returns contents of so many bytes an element as a list of JSON, of at most so
// many bytes.
func toJSON(v values, width int, contents []byte, most int) (json.RawMessage, error) {
	bad := func(why string) (json.RawMessage, error) {
		return nil, croft.E(croft.ErrRequest, fmt.Sprintf("input %.40q: %s", v.Name, why))
	}
	if widths[v.Datatype] == 0 {
		_, err := texts(v, 0, 0) // says which there are
		return nil, err
	}
	out := []byte{'['}
	for len(contents) > 0 {
		if len(contents) < width {
			return bad("its contents end within an element")
		}
		var bits uint64
		for i, b := range contents[:width] {
			bits |= uint64(b) << (8 * i)
		}
		contents = contents[width:]
		if len(out) > 1 {
			out = append(out, ',')
		}
		switch v.Datatype {
		case "BOOL":
			out = strconv.AppendBool(out, bits != 0)
		case "UINT8", "UINT16", "UINT32", "UINT64":
			out = strconv.AppendUint(out, bits, 10)
		case "INT8", "INT16", "INT32", "INT64":
			unused := 64 - 8*width
			out = strconv.AppendInt(out, int64(bits<<unused)>>unused, 10)
		case "FP32", "FP64":
			number := math.Float64frombits(bits)
			if width == 4 {
				number = float64(math.Float32frombits(uint32(bits)))
			}
			switch {
			case math.IsNaN(number):
				out = append(out, "null"...)
			case math.IsInf(number, 0):
				return bad("it has an infinite number")
			default:
				out = strconv.AppendFloat(out, number, 'g', -1, 8*width)
			}
		case "BYTES":
			if bits > uint64(len(contents)) {
				return bad("its contents end within an element")
			}
			if !utf8.Valid(contents[:bits]) {
				return bad("it has a text that is not UTF-8")
			}
			text, err := json.Marshal(string(contents[:bits]))
			if err != nil {
				return nil, err
			}
			out, contents = append(out, text...), contents[bits:]
		}
		if len(out) >= most {
			return nil, croft.E(croft.ErrTooLarge, MaxBody-most+len(out)+1, MaxBody)
		}
	}
	return append(out, ']'), nil
}

// fromJSON is the way back: n elements, and their contents.
func fromJSON(v values, width int) (n int, contents []byte, err error) {
	n, fits := size(v.Shape, MaxBody/2) // each is a digit and a comma
	if !fits {
		return 0, nil, croft.E(croft.ErrRequest, fmt.Sprintf("the shape %v is none", v.Shape))
	}
	cells, err := texts(v, n, len(v.Shape))
	if err == nil {
		contents, err = fromTexts(v.Datatype, width, cells)
	}
	return n, contents, err
}

// fromTexts does so of elements as function texts returns them.
func fromTexts(datatype string, width int, cells []string) (out []byte, err error) {
	if datatype != "BYTES" {
		out = make([]byte, 0, width*len(cells))
	}
	for _, cell := range cells {
		var bits uint64
		switch datatype {
		case "BYTES":
			out = append(binary.LittleEndian.AppendUint32(out, uint32(len(cell))), cell...)
			continue
		case "BOOL":
			bits, err = strconv.ParseUint(cell, 10, 1)
		case "UINT8", "UINT16", "UINT32", "UINT64":
			bits, err = strconv.ParseUint(cell, 10, 8*widths[datatype])
		case "INT8", "INT16", "INT32", "INT64":
			var whole int64
			whole, err = strconv.ParseInt(cell, 10, 8*widths[datatype])
			bits = uint64(whole)
		case "FP32", "FP64":
			number := math.NaN()
			if cell != "" { // null
				number, err = strconv.ParseFloat(cell, 8*width)
			}
			if bits = math.Float64bits(number); width == 4 {
				bits = uint64(math.Float32bits(float32(number)))
			}
		}
		if err != nil {
			return nil, err
		}
		for range width {
			out, bits = append(out, byte(bits)), bits>>8
		}
	}
	return out, nil
}

// packed returns typed contents as bytes; none of another datatype.
func packed(datatype string, c *oip.InferTensorContents) (out []byte) {
	var elements any
	switch datatype {
	case "BOOL":
		elements = c.GetBoolContents()
	case "INT8", "INT16", "INT32":
		elements = c.GetIntContents()
	case "INT64":
		elements = c.GetInt64Contents()
	case "UINT8", "UINT16", "UINT32":
		elements = c.GetUintContents()
	case "UINT64":
		elements = c.GetUint64Contents()
	case "FP32":
		elements = c.GetFp32Contents()
	case "FP64":
		elements = c.GetFp64Contents()
	default:
		for _, text := range c.GetBytesContents() {
			out = append(binary.LittleEndian.AppendUint32(out, uint32(len(text))), text...)
		}
		return out
	}
	out, _ = binary.Append(nil, binary.LittleEndian, elements) // slices of fixed size
	return out
}

// unpacked returns n packed elements as typed contents.
func unpacked(datatype string, n int, contents []byte) *oip.InferTensorContents {
	c := &oip.InferTensorContents{}
	switch datatype {
	case "BOOL":
		c.BoolContents = elementsOf[bool](n, contents)
	case "INT8", "INT16", "INT32":
		c.IntContents = elementsOf[int32](n, contents)
	case "INT64":
		c.Int64Contents = elementsOf[int64](n, contents)
	case "UINT8", "UINT16", "UINT32":
		c.UintContents = elementsOf[uint32](n, contents)
	case "UINT64":
		c.Uint64Contents = elementsOf[uint64](n, contents)
	case "FP32":
		c.Fp32Contents = elementsOf[float32](n, contents)
	case "FP64":
		c.Fp64Contents = elementsOf[float64](n, contents)
	case "BYTES":
		for range n {
			end := 4 + binary.LittleEndian.Uint32(contents)
			c.BytesContents, contents = append(c.BytesContents, contents[4:end]), contents[end:]
		}
	}
	return c
}

func elementsOf[T any](n int, contents []byte) []T {
	out := make([]T, n)
	_, _ = binary.Decode(contents, binary.LittleEndian, out) // as many as there are
	return out
}

func shape64(shape []int) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d)
	}
	return out
}
