package serve

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"croft"
	"croft/internal/fed"
	"croft/internal/table"
)

// maxRows bounds the rows of one request.
const maxRows = 100_000

// Model is the engine of a study's finished model. A request has a tensor for each
// feature, one element a row; the answer has one tensor with what the model expects
// of each row.
type Model struct {
	name   string
	asked  croft.Study // the study, as rows to predict are read under it
	result fed.Result
	output string
}

// NewModel returns the engine of a study's model.
func NewModel(plan croft.Study, result fed.Result) (*Model, error) {
	asked := table.Asking(plan)
	if len(asked.Schema.Columns) == 0 || len(result.Terms) == 0 {
		return nil, croft.E(croft.ErrRequest, "study "+plan.Name+" made no model that predicts")
	}
	output := "probability"
	switch result.Family {
	case "linear":
		output = plan.Model.Label
		result = result.LabelIn(fed.Scale(table.LabelScale(plan)))
	case "poisson":
		output = "rate"
	case "cox":
		output = "relative_hazard"
	}
	return &Model{name: plan.Name, asked: asked, result: result, output: output}, nil
}

// Schema lists the model's features, with their ranges and levels, and its output.
func (m *Model) Schema() (s Schema) {
	for _, c := range m.asked.Schema.Columns {
		t := Tensor{Name: c.Name, Datatype: "FP64", Shape: []int{-1}, Low: c.Low.String(), High: c.High.String()}
		if c.Kind == croft.Category {
			t = Tensor{Name: c.Name, Datatype: "BYTES", Shape: []int{-1}, Levels: c.Levels}
		}
		s.Inputs = append(s.Inputs, t)
	}
	s.Platform, s.Outputs = "croft_study", []Tensor{{Name: m.output, Datatype: "FP64", Shape: []int{-1}}}
	return s
}

// infer is the body of a request and of an answer: see the Open Inference Protocol,
// Inference Request and Response JSON Object.
type infer struct {
	ID           string          `json:"id,omitempty"`
	ModelName    string          `json:"model_name,omitempty"`
	ModelVersion string          `json:"model_version,omitempty"`
	Parameters   json.RawMessage `json:"parameters,omitempty"`
	Inputs       []values        `json:"inputs,omitempty"`
	Outputs      []values        `json:"outputs,omitempty"`
}

type values struct {
	Name       string          `json:"name"`
	Shape      []int           `json:"shape,omitempty"`
	Datatype   string          `json:"datatype,omitempty"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// Infer predicts all rows of a request.
func (m *Model) Infer(ctx context.Context, r Request, _ func([]byte) error) (Answer, error) {
	if r.Task != Predict {
		return Answer{}, croft.E(croft.ErrRequest, m.name+" predicts; it does not "+r.Task)
	}
	var in infer
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return Answer{}, croft.E(croft.ErrRequest, fmt.Sprintf("it is not JSON of the Open Inference Protocol: %v", err))
	}
	for _, o := range in.Outputs {
		if o.Name != m.output {
			return Answer{}, croft.E(croft.ErrRequest, fmt.Sprintf("there is no output %.40q; there is %q", o.Name, m.output))
		}
	}
	rows, err := m.rows(in.Inputs)
	if err != nil {
		return Answer{}, err
	}
	out := make([]float64, len(rows))
	for i, x := range rows {
		if i%1024 == 0 && ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		out[i] = min(max(m.result.Predict(x), -math.MaxFloat64), math.MaxFloat64)
	}
	data, err := json.Marshal(out)
	if err != nil {
		return Answer{}, err
	}
	body, err := json.Marshal(infer{ID: in.ID, Outputs: []values{{Name: m.output, Shape: []int{len(out)}, Datatype: "FP64", Data: data}}})
	return Answer{Body: body}, err
}

// rows reads the inputs as the study read its rows: the same ranges, levels and
// rules for what is missing (null).
func (m *Model) rows(inputs []values) ([][]float64, error) {
	names, columns := make([]string, len(inputs)), make([][]string, len(inputs))
	known := m.Schema().Inputs
	for i, in := range inputs {
		at := slices.IndexFunc(known, func(t Tensor) bool { return t.Name == in.Name })
		if at < 0 {
			return nil, croft.E(croft.ErrRequest, fmt.Sprintf("there is no input %.40q", in.Name))
		}
		var err error
		if columns[i], err = elements(in); err != nil {
			return nil, err
		}
		names[i] = in.Name
		if len(columns[i]) != len(columns[0]) {
			return nil, croft.E(croft.ErrRequest, fmt.Sprintf("input %q has %d rows, %q has %d", in.Name, len(columns[i]), inputs[0].Name, len(columns[0])))
		}
	}
	b, err := table.NewBuilder("the request", m.asked.Schema, names)
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 || len(columns[0]) == 0 {
		return nil, croft.E(croft.ErrRequest, "it has no rows")
	}
	row := make([]string, len(columns))
	for k := range columns[0] {
		for i := range columns {
			row[i] = columns[i][k]
		}
		if err := b.Add(k+1, row); err != nil {
			return nil, err
		}
	}
	d, _, err := table.Build(b.Table(), m.asked)
	if err != nil {
		return nil, err
	}
	return d.X, nil
}

// elements returns a column's elements as a file would have them.
func elements(in values) ([]string, error) {
	if n := len(in.Shape); n == 0 || n > 2 || n == 2 && in.Shape[1] != 1 || in.Shape[0] < 0 || in.Shape[0] > maxRows {
		return nil, croft.E(croft.ErrRequest, fmt.Sprintf("input %.40q: its shape must be [rows] or [rows, 1], with at most %d rows", in.Name, maxRows))
	}
	return texts(in, in.Shape[0], 2)
}

// texts returns a tensor's n elements as text: flat or nested up to so deep, in
// row-major order; null is "".
func texts(in values, n, deep int) ([]string, error) {
	bad := func(why string) error {
		return croft.E(croft.ErrRequest, fmt.Sprintf("input %.40q: %s", in.Name, why))
	}
	text := in.Datatype == "BYTES"
	if widths[in.Datatype] == 0 {
		return nil, bad(fmt.Sprintf("its datatype %.20q is none of FP64, FP32, INT8 to INT64, UINT8 to UINT64, BOOL, BYTES", in.Datatype))
	}
	out := make([]string, 0, min(n, len(in.Data)))
	d := json.NewDecoder(bytes.NewReader(in.Data))
	d.UseNumber()
	for depth := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, bad("its data are not JSON")
		}
		switch v := token.(type) {
		case json.Delim:
			if v != '[' && v != ']' {
				return nil, bad("its data are not a list")
			}
			if v == '[' {
				depth++
			} else {
				depth--
			}
			if depth > max(deep, 1) {
				return nil, bad("its data are nested too deep")
			}
			continue
		case json.Number:
			out = append(out, v.String())
		case string:
			if !text {
				return nil, bad("its data hold a text where a number should be")
			}
			out = append(out, v)
		case bool:
			out = append(out, strconv.Itoa(map[bool]int{true: 1}[v]))
		case nil:
			out = append(out, "")
		}
		if len(out) > n {
			break
		}
	}
	if len(out) != n {
		return nil, bad(fmt.Sprintf("its shape says %d elements, its data have another number", n))
	}
	return out, nil
}

// Rows makes the body of a request from the rows of a file: the features by name,
// the rest left out.
func Rows(s Schema, header []string, rows [][]string) ([]byte, error) {
	var in infer
	for _, t := range s.Inputs {
		at := slices.Index(header, t.Name)
		if at < 0 {
			return nil, croft.E(croft.ErrColumnMissing, "the file", t.Name)
		}
		cells := make([]any, len(rows))
		for i, row := range rows {
			cell := strings.TrimSpace(row[at])
			v, number := table.ParseNumber(cell)
			switch {
			case cell == "":
			case t.Datatype == "BYTES":
				cells[i] = cell
			case !number:
				return nil, croft.E(croft.ErrNotNumber, "the file", i+2, t.Name, fmt.Sprintf("%.40q", cell))
			default:
				cells[i] = v
			}
		}
		data, err := json.Marshal(cells)
		if err != nil {
			return nil, croft.E(croft.ErrRequest, fmt.Sprintf("column %s: %v", t.Name, err))
		}
		in.Inputs = append(in.Inputs, values{Name: t.Name, Shape: []int{len(rows)}, Datatype: t.Datatype, Data: data})
	}
	return json.Marshal(in)
}

// Example makes the body of a request for one row, or, of a graph, for one of each dimension
// that may have any size: low in the ranges, with the first of the levels. A request of
// more elements than anybody would read has no inputs.
func Example(s Schema) []byte {
	var in infer
	elements := 0
	for _, t := range s.Inputs {
		v, n := values{Name: t.Name, Datatype: t.Datatype}, 1
		for _, d := range t.Shape {
			d = max(d, 1)
			v.Shape = append(v.Shape, d)
			n = min(n*min(d, maxExample+1), maxExample+1)
		}
		if elements += n; elements > maxExample {
			break
		}
		cell := any(json.Number(cmp.Or(t.Low, "0")))
		switch {
		case len(t.Levels) > 0:
			cell = t.Levels[0]
		case t.Datatype == "BYTES":
			cell = ""
		case t.Datatype == "BOOL":
			cell = false
		}
		v.Data, _ = json.Marshal(slices.Repeat([]any{cell}, n)) // texts, flags and ends of ranges
		in.Inputs = append(in.Inputs, v)
	}
	body, err := json.Marshal(in)
	if err != nil || elements > maxExample || elements == 0 {
		return []byte(`{"inputs": []}`)
	}
	return body
}

// maxExample bounds the elements of an example.
const maxExample = 256

// Outputs reads the answer to such a request: the values by row.
func Outputs(body []byte) (name string, out []float64, err error) {
	var a infer
	if err = json.Unmarshal(body, &a); err == nil && len(a.Outputs) != 1 {
		err = fmt.Errorf("it has %d outputs", len(a.Outputs))
	}
	var data []*float64
	if err == nil {
		name, err = a.Outputs[0].Name, json.Unmarshal(a.Outputs[0].Data, &data)
	}
	for _, v := range data {
		if v == nil { // no answer for this row
			nan := math.NaN()
			v = &nan
		}
		out = append(out, *v)
	}
	if err != nil {
		err = croft.E(croft.ErrEncoding, "answer of a model", err)
	}
	return name, out, err
}
