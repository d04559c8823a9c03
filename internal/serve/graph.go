package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"

	"croft"
	"croft/internal/onnx"
	"croft/internal/table"
)

// Graph is the engine of an ONNX file. A request has its inputs, the answer its
// outputs, or those that were asked for. So many run at a time as there are
// processors: each may take as much memory as package onnx allows one.
type Graph struct {
	program *onnx.Program
	slots   chan struct{}
}

// OpenGraph reads an ONNX file: any of the operators that package onnx runs. It fails
// with croft.ErrFileMissing, croft.ErrFileOpen, and croft.ErrEncoding where the file is
// no such model, or not one that runs here.
func OpenGraph(path string) (*Graph, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, croft.E(croft.ErrFileMissing, path)
	} else if err != nil {
		return nil, croft.E(croft.ErrFileOpen, path, err)
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, onnx.MaxFile+1))
	if err != nil {
		return nil, croft.E(croft.ErrFileOpen, path, err)
	}
	m, err := onnx.Decode(file)
	if err != nil {
		return nil, err
	}
	program, err := onnx.Load(m)
	if err != nil {
		return nil, err
	}
	g := &Graph{program, make(chan struct{}, runtime.GOMAXPROCS(0))}
	for _, v := range slices.Concat(program.Inputs(), program.Outputs()) {
		if datatypes[v.Type] == "" {
			return nil, croft.E(croft.ErrEncoding, "ONNX model that runs here", fmt.Sprintf("%.80q is of type %d", v.Name, v.Type))
		}
	}
	return g, nil
}

// datatypes are the protocol's names of the types.
var datatypes = map[onnx.Type]string{onnx.Double: "FP64", onnx.Float: "FP32", onnx.Int64: "INT64", onnx.String: "BYTES", onnx.Bool: "BOOL"}

// Schema lists the graph's inputs and outputs.
func (g *Graph) Schema() (s Schema) {
	tensors := func(values []onnx.Value) (out []Tensor) {
		for _, v := range values {
			out = append(out, Tensor{Name: v.Name, Datatype: datatypes[v.Type], Shape: v.Shape})
		}
		return out
	}
	return Schema{Inputs: tensors(g.program.Inputs()), Outputs: tensors(g.program.Outputs()), Platform: "onnx_onnxv1"}
}

// Infer runs the graph once.
func (g *Graph) Infer(ctx context.Context, r Request, _ func([]byte) error) (Answer, error) {
	if r.Task != Predict {
		return Answer{}, croft.E(croft.ErrRequest, "the model predicts; it does not "+r.Task)
	}
	var in infer
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return Answer{}, croft.E(croft.ErrRequest, fmt.Sprintf("it is not JSON of the Open Inference Protocol: %v", err))
	}
	inputs := map[string]onnx.Tensor{}
	for _, given := range in.Inputs {
		at := slices.IndexFunc(g.program.Inputs(), func(v onnx.Value) bool { return v.Name == given.Name })
		if at < 0 {
			return Answer{}, croft.E(croft.ErrRequest, fmt.Sprintf("there is no input %.40q", given.Name))
		}
		t, err := input(g.program.Inputs()[at], given)
		if err != nil {
			return Answer{}, err
		}
		inputs[given.Name] = t
	}
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	made, err := g.program.Run(inputs)
	if err != nil {
		return Answer{}, err
	}
	out, left := infer{ID: in.ID}, MaxBody
	for _, v := range g.program.Outputs() {
		if len(in.Outputs) > 0 && !slices.ContainsFunc(in.Outputs, func(o values) bool { return o.Name == v.Name }) {
			continue
		}
		t := made[v.Name]
		if left -= 2 * t.Len(); left < 0 { // each is a digit and a comma, before any room is made for them
			return Answer{}, croft.E(croft.ErrTooLarge, MaxBody-left, MaxBody)
		}
		data, err := json.Marshal(shown(t))
		if err != nil {
			return Answer{}, err
		}
		out.Outputs = append(out.Outputs, values{Name: v.Name, Shape: t.Shape, Datatype: datatypes[t.Type()], Data: data})
	}
	for _, o := range in.Outputs {
		if _, is := made[o.Name]; !is {
			return Answer{}, croft.E(croft.ErrRequest, fmt.Sprintf("there is no output %.40q", o.Name))
		}
	}
	body, err := json.Marshal(out)
	return Answer{Body: body}, err
}

// input makes an input of what a request has: null is a number's NaN and an empty text.
// A list stands for a table of one column.
func input(wanted onnx.Value, given values) (onnx.Tensor, error) {
	shape := given.Shape
	if len(shape) == 1 && len(wanted.Shape) == 2 {
		shape = []int{shape[0], 1}
	}
	n, fits := size(shape, maxCells)
	if !fits {
		return onnx.Tensor{}, croft.E(croft.ErrRequest, fmt.Sprintf("input %.40q: its shape %v is none of at most %d elements", given.Name, given.Shape, maxCells))
	}
	cells, err := texts(given, n, len(given.Shape))
	if err != nil {
		return onnx.Tensor{}, err
	}
	if wanted.Type == onnx.String {
		return onnx.Of(cells, shape...), nil
	}
	numbers, whole, truth := make([]float64, n), make([]int64, n), make([]bool, n)
	for i, text := range cells {
		v, number := table.ParseNumber(text)
		if whole[i], err = strconv.ParseInt(text, 10, 64); wanted.Type == onnx.Int64 && err != nil || !number && text != "" {
			return onnx.Tensor{}, croft.E(croft.ErrRequest, fmt.Sprintf("input %.40q: %.40q is no %s", given.Name, text, datatypes[wanted.Type]))
		}
		if numbers[i], truth[i] = v, v != 0; text == "" {
			numbers[i] = math.NaN()
		}
	}
	switch wanted.Type {
	case onnx.Float:
		floats := make([]float32, n)
		for i, v := range numbers {
			floats[i] = float32(v)
		}
		return onnx.Of(floats, shape...), nil
	case onnx.Int64:
		return onnx.Of(whole, shape...), nil
	case onnx.Bool:
		return onnx.Of(truth, shape...), nil
	}
	return onnx.Of(numbers, shape...), nil
}

// maxCells bounds the elements of one input of a graph.
const maxCells = 1 << 20

// size returns how many elements a shape has, if it is one of at most so many.
func size(shape []int, most int) (n int, fits bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > most/max(n, 1) {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// shown returns elements as JSON can say them: what is not a finite number is null.
func shown(t onnx.Tensor) any {
	finite := func(v float64) any {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return v
	}
	out := []any{}
	switch d := t.Data.(type) {
	case []float64:
		for _, v := range d {
			out = append(out, finite(v))
		}
	case []float32:
		for _, v := range d {
			out = append(out, finite(float64(v)))
		}
	default:
		return d
	}
	return out
}
