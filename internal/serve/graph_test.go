package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"croft"
	"croft/internal/onnx"
)

// network is a graph as other programs export it: a table of floats through two
// layers, and beside it a text that is looked up.
func network() onnx.Model {
	return onnx.Model{Graph: onnx.Graph{
		Inputs:    []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{-1, 2}}, {Name: "ward", Type: onnx.String, Shape: []int{-1, 1}}},
		Outputs:   []onnx.Value{{Name: "p", Type: onnx.Float, Shape: []int{-1, 2}}, {Name: "code", Type: onnx.Int64, Shape: []int{-1, 1}}},
		Constants: []onnx.Constant{{Name: "w", Tensor: onnx.Of([]float32{1, -1, 0.5, 2}, 2, 2)}, {Name: "b", Tensor: onnx.Of([]float32{0, 1}, 2)}},
		Nodes: []onnx.Node{
			{Op: "Gemm", In: []string{"x", "w", "b"}, Out: []string{"h"}}, {Op: "Relu", In: []string{"h"}, Out: []string{"r"}}, {Op: "Softmax", In: []string{"r"}, Out: []string{"p"}},
			{Op: "LabelEncoder", Domain: onnx.Learn, In: []string{"ward"}, Out: []string{"code"}, Attrs: []onnx.Attr{{Name: "keys_strings", Value: []string{"A", "B"}}, {Name: "values_int64s", Value: []int64{1, 2}}}},
		},
	}}
}

func graphFile(t *testing.T, m onnx.Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "net.onnx")
	if err := os.WriteFile(path, onnx.Encode(m), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An answer that no caller could take is refused before it is written.
func TestGraphAnswersAreBounded(t *testing.T) {
	m := onnx.Model{Graph: onnx.Graph{
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Double, Shape: []int{-1, 1}}, {Name: "y", Type: onnx.Double, Shape: []int{1, -1}}},
		Outputs: []onnx.Value{{Name: "z", Type: onnx.Double, Shape: []int{-1, -1}}},
		Nodes:   []onnx.Node{{Op: "Add", In: []string{"x", "y"}, Out: []string{"z"}}},
	}}
	g, err := OpenGraph(graphFile(t, m))
	if err != nil {
		t.Fatal(err)
	}
	const n = 2500
	row := "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]"
	body := fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d,1],"datatype":"FP64","data":%s},{"name":"y","shape":[1,%[1]d],"datatype":"FP64","data":%[2]s}]}`, n, row)
	if _, err := g.Infer(t.Context(), Request{Task: Predict, Body: []byte(body)}, nil); !errors.Is(err, croft.ErrTooLarge) {
		t.Error(err)
	}
}

func TestGraphAnswers(t *testing.T) {
	g, err := OpenGraph(graphFile(t, network()))
	if err != nil {
		t.Fatal(err)
	}
	want := Schema{Inputs: []Tensor{{Name: "x", Datatype: "FP32", Shape: []int{-1, 2}}, {Name: "ward", Datatype: "BYTES", Shape: []int{-1, 1}}},
		Outputs: []Tensor{{Name: "p", Datatype: "FP32", Shape: []int{-1, 2}}, {Name: "code", Datatype: "INT64", Shape: []int{-1, 1}}}, Platform: "onnx_onnxv1"}
	if got := g.Schema(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	const body = `{"id":"7","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[null,0]]},{"name":"ward","shape":[2],"datatype":"BYTES","data":["B","C"]}]}`
	answer, err := g.Infer(t.Context(), Request{Task: Predict, Body: []byte(body)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		ID      string
		Outputs []struct {
			Name, Datatype string
			Shape          []int
			Data           []*float64
		}
	}
	if err := json.Unmarshal(answer.Body, &out); err != nil || out.ID != "7" || len(out.Outputs) != 2 {
		t.Fatalf("%v %s", err, answer.Body)
	}
	// h = (1+1, −1+4+1), softmax of (2, 4)
	p := out.Outputs[0]
	if share := 1 / (1 + math.Exp(2)); math.Abs(*p.Data[0]-share) > 1e-6 || math.Abs(*p.Data[1]-1+share) > 1e-6 || p.Data[2] != nil || !reflect.DeepEqual(p.Shape, []int{2, 2}) {
		t.Errorf("%s", answer.Body)
	}
	if code := out.Outputs[1]; code.Datatype != "INT64" || *code.Data[0] != 2 || *code.Data[1] != -1 {
		t.Errorf("%s", answer.Body)
	}
	answer, err = g.Infer(t.Context(), Request{Task: Predict, Body: []byte(strings.Replace(body, `{"id":"7",`, `{"outputs":[{"name":"code"}],`, 1))}, nil)
	if err != nil || strings.Contains(string(answer.Body), `"p"`) || !strings.Contains(string(answer.Body), `"code"`) {
		t.Errorf("%v %s", err, answer.Body)
	}
	for says, request := range map[string]string{
		"it is not JSON":                    `{`,
		`there is no input "y"`:             `{"inputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[1]}]}`,
		`the input "x" is missing`:          `{"inputs":[]}`,
		`there is no output "q"`:            strings.Replace(body, `{"id":"7",`, `{"outputs":[{"name":"q"}],`, 1),
		"none of at most":                   `{"inputs":[{"name":"x","shape":[99999999999,2],"datatype":"FP32","data":[]}]}`,
		"its data have another number":      `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1]}]}`,
		"nested too deep":                   `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[[1,2]]]}]}`,
		"float of shape [-1 2] is wanted":   `{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}]}`,
		"hold a text where a number should": `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":["1",2]}]}`,
	} {
		if _, err := g.Infer(t.Context(), Request{Task: Predict, Body: []byte(request)}, nil); !errors.Is(err, croft.ErrRequest) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if _, err := g.Infer(t.Context(), Request{Task: Chat}, nil); !errors.Is(err, croft.ErrRequest) {
		t.Error(err)
	}
}

// A row without an answer is no number in a file either.
func TestOutputsWithoutAnswer(t *testing.T) {
	name, out, err := Outputs([]byte(`{"outputs":[{"name":"p","data":[0.5,null]}]}`))
	if err != nil || name != "p" || len(out) != 2 || out[0] != 0.5 || !math.IsNaN(out[1]) {
		t.Errorf("%s %v %v", name, out, err)
	}
}

func TestOpenGraphRefuses(t *testing.T) {
	loop := network()
	loop.Graph.Nodes[1].Op = "Loop"
	if _, err := OpenGraph(graphFile(t, loop)); !errors.Is(err, croft.ErrEncoding) || !strings.Contains(err.Error(), "the operator Loop is not known here") {
		t.Error(err)
	}
	if _, err := OpenGraph(filepath.Join(t.TempDir(), "no.onnx")); !errors.Is(err, croft.ErrFileMissing) {
		t.Error(err)
	}
	text := filepath.Join(t.TempDir(), "text.onnx")
	if err := os.WriteFile(text, []byte("age,sex\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenGraph(text); !errors.Is(err, croft.ErrEncoding) {
		t.Error(err)
	}
}

// What scikit-learn exports is served: a list of maps as the table that it is made from.
func TestGraphOfScikitLearn(t *testing.T) {
	text, err := os.ReadFile("../onnx/testdata/scikit-learn.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Models []struct {
			Name  string
			Model []byte
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, m := range golden.Models {
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, m.Model, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := OpenGraph(path)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		if m.Name != "logistic, zipped" {
			continue
		}
		answer, err := g.Infer(t.Context(), Request{Task: Predict, Body: []byte(`{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}`)}, nil)
		var out infer
		if err := errors.Join(err, json.Unmarshal(answer.Body, &out)); err != nil {
			t.Fatal(err)
		}
		if len(out.Outputs) != 2 || out.Outputs[0].Datatype != "INT64" || out.Outputs[1].Datatype != "FP32" || !reflect.DeepEqual(out.Outputs[1].Shape, []int{1, 2}) {
			t.Errorf("%s", answer.Body)
		}
	}
}

// An example is a request that its model takes: of each dimension that may have any size
// one, of the ranges the low ends.
func TestExample(t *testing.T) {
	for want, s := range map[string]Schema{
		`{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0,0,0,0]},{"name":"on","shape":[2],"datatype":"BOOL","data":[false,false]},{"name":"who","datatype":"BYTES","data":[""]}]}`: {
			Inputs: []Tensor{{Name: "x", Datatype: "FP32", Shape: []int{-1, 4}}, {Name: "on", Datatype: "BOOL", Shape: []int{2}}, {Name: "who", Datatype: "BYTES"}}},
		`{"inputs":[{"name":"age","shape":[1],"datatype":"FP64","data":[20]},{"name":"sex","shape":[1],"datatype":"BYTES","data":["f"]}]}`: model(t).Schema(),
		`{"inputs": []}`: {Inputs: []Tensor{{Name: "x", Datatype: "FP32", Shape: []int{3, 1 << 62, 1 << 62}}}},
	} {
		if got := string(Example(s)); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	if _, err := model(t).Infer(t.Context(), Request{Task: Predict, Body: Example(model(t).Schema())}, nil); err != nil {
		t.Error(err)
	}
}

// What another node says goes into its file makes an example or none, whatever it is.
func FuzzExample(f *testing.F) {
	f.Add(croft.Encode(model(f).Schema()))
	f.Add(croft.Encode(Schema{Inputs: []Tensor{{Name: "\"x'", Datatype: "FP32", Shape: []int{-1, 4}, Low: "no number"}, {Levels: []string{}, Shape: []int{0}}}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s Schema
		if croft.Decode(raw, &s) != nil {
			return
		}
		body := Example(s)
		if !json.Valid(body) {
			t.Fatalf("%s", body)
		}
		_, _ = GRPC("m", body)
	})
}
