package onnx

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"croft"
)

// table is a model of one node.
func table(n Node, in []Tensor, constants ...Constant) (Model, map[string]Tensor) {
	g := Graph{Name: n.Op, Nodes: []Node{n}, Constants: constants}
	inputs := map[string]Tensor{}
	for i, t := range in {
		name := string(rune('a' + i))
		g.Inputs = append(g.Inputs, Value{Name: name, Type: t.Type(), Shape: t.Shape})
		inputs[name] = t
	}
	return Model{Producer: "test", Graph: g}, inputs
}

// cases has a node for each operator, on numbers that show what it does: broadcast
// sides, infinities, what is not a number.
func cases() map[string]struct {
	node Node
	in   []Tensor
	out  Type
} {
	rng := rand.New(rand.NewPCG(7, 7))
	doubles := func(shape ...int) Tensor {
		out := make([]float64, product(shape))
		for i := range out {
			out[i] = 3 * rng.NormFloat64()
		}
		return Of(out, shape...)
	}
	floats := func(shape ...int) Tensor {
		out := make([]float32, product(shape))
		for i := range out {
			out[i] = float32(rng.NormFloat64())
		}
		return Of(out, shape...)
	}
	nan := math.NaN()
	out := map[string]struct {
		node Node
		in   []Tensor
		out  Type
	}{}
	add := func(name, op string, made Type, attrs []Attr, in ...Tensor) {
		n := Node{Op: op, Out: []string{"out"}, Attrs: attrs}
		if strings.HasSuffix(n.Op, "Classifier") {
			if n.Out = []string{"out", "scores"}; strings.HasSuffix(name, " scores") {
				n.Out = []string{"label", "out"}
			}
		}
		if domain, rest, learn := strings.Cut(op, "ml."); learn {
			n.Domain, n.Op = domain+"ml", rest
		}
		for i := range in {
			n.In = append(n.In, string(rune('a'+i)))
		}
		out[name] = struct {
			node Node
			in   []Tensor
			out  Type
		}{n, in, made}
	}
	for _, op := range []string{"Identity", "Abs", "Exp", "Log", "Neg", "Relu", "Sigmoid", "Sqrt", "Tanh"} {
		add(op, op, Double, nil, Of([]float64{-700, -1.5, -0.0, 0.25, 3, 700, nan}, 7))
		add(op+" float", op, Float, nil, Of([]float32{-80, -1.5, 0, 0.25, 3, 80}, 2, 3))
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div"} {
		add(op, op, Double, nil, doubles(3, 1, 2), doubles(4, 1))
		add(op+" float", op, Float, nil, floats(2, 3), floats(3))
	}
	add("Sum", "Sum", Double, nil, doubles(4, 1), doubles(1, 3), doubles(1), doubles(4, 3))
	for _, op := range []string{"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"} {
		add(op, op, Bool, nil, Of([]float64{1, 2, nan, 4}, 4, 1), Of([]float64{2, nan, 4}, 1, 3))
		add(op+" int", op, Bool, nil, Of([]int64{1<<62 + 1, -1, 5}, 3), Of([]int64{1 << 62, -1, 7}, 3))
	}
	truth, other := Of([]bool{true, true, false, false}, 4), Of([]bool{true, false, true, false}, 4)
	add("And", "And", Bool, nil, truth, other)
	add("Or", "Or", Bool, nil, truth, other)
	add("Not", "Not", Bool, nil, truth)
	add("IsNaN", "IsNaN", Bool, nil, Of([]float64{1, nan, 0}, 3))
	add("IsNaN float", "IsNaN", Bool, nil, Of([]float32{1, float32(nan)}, 2))
	add("Where", "Where", Double, nil, Of([]bool{true, false}, 2, 1), doubles(1, 3), doubles(1))
	add("Where text", "Where", String, nil, other, Of([]string{"a", "b", "c", "d"}, 4), Of([]string{"z"}, 1))
	add("Cast to double", "Cast", Double, []Attr{{"to", int64(Double)}}, Of([]bool{true, false}, 2))
	add("Cast to float", "Cast", Float, []Attr{{"to", int64(Float)}}, doubles(5))
	add("Cast to int64", "Cast", Int64, []Attr{{"to", int64(Int64)}}, Of([]float64{-1.9, 1.9, 1e12}, 3))
	add("Cast to bool", "Cast", Bool, []Attr{{"to", int64(Bool)}}, Of([]int64{0, 1, -2}, 3))
	add("Concat", "Concat", Double, []Attr{{"axis", int64(1)}}, doubles(3, 1), doubles(3, 2), doubles(3, 1))
	add("Concat of the last", "Concat", Float, []Attr{{"axis", int64(-2)}}, floats(1, 2), floats(2, 2))
	add("Flatten", "Flatten", Double, []Attr{{"axis", int64(-1)}}, doubles(2, 3, 2))
	add("Flatten all", "Flatten", Double, []Attr{{"axis", int64(0)}}, doubles(2, 3))
	add("Gather", "Gather", Double, nil, doubles(5), Of([]int64{4, 0, -1, -5}, 4, 1))
	add("MatMul", "MatMul", Double, nil, doubles(4, 3), doubles(3, 2))
	add("MatMul float", "MatMul", Float, nil, floats(4, 3), floats(3, 2))
	add("Gemm", "Gemm", Double, []Attr{{"alpha", float32(0.5)}, {"beta", float32(2)}, {"transB", int64(1)}}, doubles(4, 3), doubles(2, 3), doubles(2))
	add("Gemm turned", "Gemm", Float, []Attr{{"transA", int64(1)}}, floats(3, 4), floats(3, 2))
	add("Softmax", "Softmax", Double, nil, doubles(3, 4))
	add("Softmax float", "Softmax", Float, []Attr{{"axis", int64(1)}}, floats(2, 3))
	add("LabelEncoder", Learn+".LabelEncoder", Int64, []Attr{{"keys_strings", []string{"m", "f"}}, {"values_int64s", []int64{0, 1}}, {"default_int64", int64(2)}}, Of([]string{"f", "", "m", "x"}, 4, 1))
	add("LabelEncoder of numbers", Learn+".LabelEncoder", Int64, []Attr{{"keys_int64s", []int64{5, -7}}, {"values_int64s", []int64{0, 1}}, {"default_int64", int64(2)}}, Of([]int64{-7, 5, 6}, 3, 1))
	add("LabelEncoder to floats", Learn+".LabelEncoder", Float, []Attr{{"keys_strings", []string{"m", "f"}}, {"values_floats", []float32{0.5, -1}}, {"default_float", float32(9)}}, Of([]string{"f", "x"}, 2))
	add("LabelEncoder to text", Learn+".LabelEncoder", String, []Attr{{"keys_int64s", []int64{1}}, {"values_strings", []string{"one"}}}, Of([]int64{1, 2}, 2))
	for _, zeros := range []int64{0, 1} {
		add(fmt.Sprint("OneHotEncoder ", zeros), Learn+".OneHotEncoder", Float, []Attr{{"cats_int64s", []int64{3, -1, 7}}, {"zeros", zeros}}, Of([]int64{7, 3, -1, 7}, 2, 2))
	}
	add("OneHotEncoder of text", Learn+".OneHotEncoder", Float, []Attr{{"cats_strings", []string{"a", "b"}}}, Of([]string{"b", "", "a"}, 3, 1))
	add("OneHotEncoder of floats", Learn+".OneHotEncoder", Float, []Attr{{"cats_int64s", []int64{3, 4}}}, Of([]float32{3, 4.9, 5}, 3))
	add("Scaler", Learn+".Scaler", Float, []Attr{{"offset", []float32{1, -2}}, {"scale", []float32{0.5, 3}}}, floats(3, 2))
	add("Scaler of one", Learn+".Scaler", Float, []Attr{{"offset", []float32{1}}, {"scale", []float32{0.5}}}, Of([]int64{1, -2, 3}, 1, 3))
	add("Scaler of doubles", Learn+".Scaler", Float, []Attr{{"offset", []float32{1}}, {"scale", []float32{0.5}}}, doubles(2, 2))
	for _, norm := range []string{"MAX", "L1", "L2"} {
		add("Normalizer "+norm, Learn+".Normalizer", Float, []Attr{{"norm", norm}}, Of([]float32{1, -2, 3, 0, 0, 0, -1, -4, -3}, 3, 3))
		add("Normalizer of a list "+norm, Learn+".Normalizer", Float, []Attr{{"norm", norm}}, Of([]int64{1, -2, 3}, 3))
	}
	add("Imputer", Learn+".Imputer", Float, []Attr{{"imputed_value_floats", []float32{7, 8}}, {"replaced_value_float", float32(nan)}}, Of([]float32{1, float32(nan), float32(nan), 2}, 2, 2))
	add("Imputer of one", Learn+".Imputer", Float, []Attr{{"imputed_value_floats", []float32{7}}, {"replaced_value_float", float32(1)}}, Of([]float32{1, float32(nan), 3, 1}, 2, 2))
	add("Imputer of int", Learn+".Imputer", Int64, []Attr{{"imputed_value_int64s", []int64{7, 8}}, {"replaced_value_int64", int64(1)}}, Of([]int64{1, 1, 2, 1}, 2, 2))
	add("ArrayFeatureExtractor", Learn+".ArrayFeatureExtractor", Float, nil, floats(3, 4), Of([]int64{2, 0}, 2))
	add("ArrayFeatureExtractor of a list", Learn+".ArrayFeatureExtractor", String, nil, Of([]string{"a", "b", "c"}, 3), Of([]int64{2, 0}, 1, 2))
	add("Gather columns", "Gather", Double, []Attr{{"axis", int64(1)}}, doubles(3, 4), Of([]int64{-1, 0}, 2))
	add("ArgMax", "ArgMax", Int64, []Attr{{"axis", int64(1)}}, Of([]float32{1, 3, 3, 5, 2, 5}, 2, 3))
	add("ArgMax of the last", "ArgMax", Int64, []Attr{{"axis", int64(-1)}, {"keepdims", int64(0)}}, doubles(3, 4))
	add("Reshape", "Reshape", Double, nil, doubles(2, 3, 2), Of([]int64{0, -1}, 2))
	add("Reshape to a list", "Reshape", String, nil, Of([]string{"a", "b"}, 2, 1), Of([]int64{2}, 1))
	two, three := []float32{0.5, -1, 2, 1, 0.25, -0.5}, []float32{0.5, -1, 2, 1, 0.25, -0.5, 1, 1, -3}
	for _, transform := range []string{"NONE", "LOGISTIC", "SOFTMAX"} {
		post := Attr{"post_transform", transform}
		add("LinearRegressor "+transform, Learn+".LinearRegressor", Float, []Attr{{"coefficients", two}, {"intercepts", []float32{1, -1}}, {"targets", int64(2)}, post}, floats(4, 3))
		for _, classes := range [][]Attr{{{"coefficients", two}, {"intercepts", []float32{1, -1}}, {"classlabels_ints", []int64{4, -4}}},
			{{"coefficients", three}, {"intercepts", []float32{1, -1, 0}}, {"classlabels_ints", []int64{4, -4, 9}}, {"multi_class", int64(1)}}} {
			in, kind := floats(5, 3), fmt.Sprint(len(classes[1].Value.([]float32)), " ")
			add("LinearClassifier "+kind+transform, Learn+".LinearClassifier", Int64, append(slices.Clone(classes), post), in)
			add("LinearClassifier "+kind+transform+" scores", Learn+".LinearClassifier", Float, append(slices.Clone(classes), post), in)
		}
		for _, base := range [][]float32{nil, {0.25}, {0.25, -0.5}} {
			for kind, weights := range map[string][]float32{"shares": {0.1, 0.6, 0.7, 0.2, 0.3, 0.2}, "distances": {-0.1, 0.6, 0.7, -1.2, 0.3, -0.2}} {
				in := Of([]float32{-1, 0, 0, 1, 0.5, 2, 2, -3, float32(nan), 0, 0.5, float32(nan)}, 6, 2)
				name := fmt.Sprintf("%s %s %v", kind, transform, base)
				if len(base) < 2 && transform != "SOFTMAX" {
					attrs := append(trees("class", weights, base, 0), Attr{"classlabels_strings", []string{"no", "yes"}}, post)
					add("TreeEnsembleClassifier "+name, Learn+".TreeEnsembleClassifier", String, attrs, in)
					add("TreeEnsembleClassifier "+name+" scores", Learn+".TreeEnsembleClassifier", Float, attrs, in)
				}
				for _, how := range []string{"SUM", "AVERAGE", "MIN", "MAX"} {
					if len(base) == 1 {
						continue
					}
					add("TreeEnsembleRegressor "+how+" "+name, Learn+".TreeEnsembleRegressor", Float,
						append(trees("target", weights, base, 1), Attr{"n_targets", int64(2)}, Attr{"aggregate_function", how}, post), in)
				}
			}
		}
		attrs := append(trees("class", []float32{0.1, 0.6, 0.7, 0.2, 0.3, 0.2}, []float32{0.25, 0, -0.5}, 2), Attr{"classlabels_int64s", []int64{5, 6, 7}}, post)
		add("TreeEnsembleClassifier three "+transform, Learn+".TreeEnsembleClassifier", Int64, attrs, floats(6, 2))
		add("TreeEnsembleClassifier three "+transform+" scores", Learn+".TreeEnsembleClassifier", Float, attrs, floats(6, 2))
	}
	return out
}

// trees has two trees with every kind of branch. Each of their leaves votes for all
// classes from 0 to most.
func trees(prefix string, weights, base []float32, most int64) []Attr {
	var inTrees, nodes, ids []int64
	var votes []float32
	for i, leaf := range [][2]int64{{0, 3}, {0, 4}, {0, 5}, {0, 6}, {1, 2}, {1, 3}, {1, 4}} {
		for class := range most + 1 {
			inTrees, nodes, ids = append(inTrees, leaf[0]), append(nodes, leaf[1]), append(ids, class)
			votes = append(votes, weights[(i+int(class))%len(weights)])
		}
	}
	attrs := []Attr{
		{"nodes_treeids", []int64{0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1}}, {"nodes_nodeids", []int64{0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4}},
		{"nodes_featureids", []int64{0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0}}, {"nodes_values", []float32{0.5, 1, 0, 0, 0, 0, 0, 0, 0.5, 0, 0, 0}},
		{"nodes_modes", []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "LEAF", "LEAF", "LEAF", "LEAF", "BRANCH_GT", "BRANCH_NEQ", "LEAF", "LEAF", "LEAF"}},
		{"nodes_truenodeids", []int64{1, 3, 5, 0, 0, 0, 0, 1, 3, 0, 0, 0}}, {"nodes_falsenodeids", []int64{2, 4, 6, 0, 0, 0, 0, 2, 4, 0, 0, 0}},
		{"nodes_missing_value_tracks_true", []int64{1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}},
		{prefix + "_treeids", inTrees}, {prefix + "_nodeids", nodes}, {prefix + "_ids", ids}, {prefix + "_weights", votes},
	}
	if base != nil {
		attrs = append(attrs, Attr{"base_values", base})
	}
	return attrs
}

var update = flag.Bool("update", false, "ask ONNX Runtime for the answers of testdata/operators.json anew")

const golden = "testdata/operators.json"

// Every operator gives what ONNX Runtime gives for the bytes that Encode writes.
// Its answers stand in a golden file.
func TestOperators(t *testing.T) {
	answers := map[string]answer{}
	if text, err := os.ReadFile(golden); err != nil || json.Unmarshal(text, &answers) != nil {
		t.Error(err)
	}
	defer func() {
		if *update {
			text, _ := json.MarshalIndent(answers, "", " ")
			if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
				t.Error(err)
			}
		}
	}()
	tried := map[string]bool{}
	for name, c := range cases() {
		full := c.node.Op
		if c.node.Domain != "" {
			full = c.node.Domain + "." + full
		}
		tried[full] = true
		t.Run(name, func(t *testing.T) {
			m, inputs := table(c.node, c.in)
			m.Graph.Outputs = []Value{{Name: "out", Type: c.out}}
			again, err := Decode(Encode(m))
			if err != nil {
				t.Fatal(err)
			}
			p, err := Load(again)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Run(inputs)
			if err != nil {
				t.Fatal(err)
			}
			if got["out"].Type() != c.out || !got["out"].whole() {
				t.Fatalf("%s of shape %v", got["out"].Type(), got["out"].Shape)
			}
			if *update {
				answers[name] = ask(t, Encode(m), inputs)
			}
			same(t, got["out"], answers[name])
		})
	}
	page, err := os.ReadFile("../../docs/formats/model-files.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), "<!-- operators -->")
	list, _, _ = strings.Cut(list, "<!-- end of operators -->")
	tried[Learn+".ZipMap"] = true // by TestScikitLearn: it gives no tensor
	for name := range ops {
		if !tried[name] {
			t.Errorf("%s is not tried", name)
		}
		if !strings.Contains(list, "`"+name+"`") {
			t.Errorf("the page does not list %s", name)
		}
	}
	if n := strings.Count(list, "`") / 2; n != len(ops) {
		t.Errorf("the page lists %d operators of %d", n, len(ops))
	}
}

// answer is a tensor as run.js writes it.
type answer struct {
	Type string   `json:"type"`
	Dims []int    `json:"dims"`
	Data []string `json:"data"`
}

var javaScript = map[Type]string{Double: "float64", Float: "float32", Int64: "int64", String: "string", Bool: "bool"}

func answerOf(t Tensor) answer {
	a := answer{javaScript[t.Type()], t.Shape, []string{}}
	switch d := t.Data.(type) {
	case []float64:
		for _, v := range d {
			a.Data = append(a.Data, strconv.FormatFloat(v, 'g', -1, 64))
		}
	case []float32:
		for _, v := range d {
			a.Data = append(a.Data, strconv.FormatFloat(float64(v), 'g', -1, 64))
		}
	case []int64:
		for _, v := range d {
			a.Data = append(a.Data, strconv.FormatInt(v, 10))
		}
	case []bool:
		for _, v := range d {
			a.Data = append(a.Data, strconv.FormatBool(v))
		}
	case []string:
		a.Data = append(a.Data, d...)
	}
	return a
}

// ask runs a model in ONNX Runtime.
func ask(t *testing.T, model []byte, inputs map[string]Tensor) answer {
	t.Helper()
	feeds := map[string]answer{}
	for name, in := range inputs {
		feeds[name] = answerOf(in)
	}
	question, err := json.Marshal(map[string]any{"model": base64.StdEncoding.EncodeToString(model), "inputs": feeds})
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "node", "testdata/run.js")
	run.Stdin = bytes.NewReader(question)
	text, err := run.Output()
	if err != nil {
		failure, _ := errors.AsType[*exec.ExitError](err)
		t.Fatalf("npm install onnxruntime-node, and name its node_modules in NODE_PATH: %v\n%s", err, failure.Stderr)
	}
	var out map[string]answer
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out["out"]
}

func same(t *testing.T, tensor Tensor, want answer) {
	t.Helper()
	got := answerOf(tensor)
	if got.Type != want.Type || !slices.Equal(got.Dims, want.Dims) || len(got.Data) != len(want.Data) {
		t.Fatalf("%s of shape %v; ONNX Runtime gives %s of %v", got.Type, got.Dims, want.Type, want.Dims)
	}
	tolerance := 1e-12
	if got.Type == "float32" {
		tolerance = 1e-6
	}
	for i, a := range got.Data {
		x, err := strconv.ParseFloat(a, 64)
		y, too := strconv.ParseFloat(want.Data[i], 64)
		if number := err == nil && too == nil; a != want.Data[i] && !(number && (x == y || math.Abs(x-y) <= tolerance*(1+math.Abs(y)))) {
			t.Errorf("element %d is %s; ONNX Runtime says %s", i, a, want.Data[i])
		}
	}
}

// Of a chain of operators each result is the next one's input, constants are
// there, and what is missing or too much is said.
func TestRun(t *testing.T) {
	m := Model{Graph: Graph{
		Inputs:    []Value{{Name: "x", Type: Double, Shape: []int{-1, 2}}},
		Outputs:   []Value{{Name: "p", Type: Double, Shape: []int{-1, 1}}},
		Constants: []Constant{{"w", Of([]float64{1, -1}, 2, 1)}, {"b", Of([]float64{0.5}, 1)}},
		Nodes:     []Node{{Op: "MatMul", In: []string{"x", "w"}, Out: []string{"xw"}}, {Op: "Add", In: []string{"xw", "b"}, Out: []string{"eta"}}, {Op: "Sigmoid", In: []string{"eta"}, Out: []string{"p"}}},
	}, Properties: [][2]string{{"a", "1"}, {"b", ""}}, Doc: "text"}
	again, err := Decode(Encode(m))
	if err != nil || !bytes.Equal(Encode(again), Encode(m)) {
		t.Fatalf("%v\n%+v\n%+v", err, m, again)
	}
	p, err := Load(m)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(map[string]Tensor{"x": Of([]float64{1, 1, 2, 0, 0, 0}, 3, 2)})
	if want := []float64{1 / (1 + math.Exp(-0.5)), 1 / (1 + math.Exp(-2.5)), 1 / (1 + math.Exp(-0.5))}; err != nil || !reflect.DeepEqual(out["p"], Of(want, 3, 1)) {
		t.Errorf("%v %v, want %v", err, out, want)
	}
	if out, err := p.Run(map[string]Tensor{"x": Of([]float64{}, 0, 2)}); err != nil || out["p"].Len() != 0 {
		t.Errorf("no rows: %v %v", out, err)
	}
	for name, c := range map[string]struct {
		in   map[string]Tensor
		says string
	}{
		"none":      {nil, `input "x" is missing`},
		"type":      {map[string]Tensor{"x": Of([]float32{1, 2}, 1, 2)}, "double of shape [-1 2] is wanted"},
		"side":      {map[string]Tensor{"x": Of([]float64{1, 2, 3}, 1, 3)}, "of shape [1 3]"},
		"not whole": {map[string]Tensor{"x": Of([]float64{1}, 1, 2)}, "of shape [1 2]"},
		"too many":  {map[string]Tensor{"x": Of([]float64{1, 2}, 1, 2), "y": Of([]float64{1}, 1)}, "there are 2 inputs"},
	} {
		if _, err := p.Run(c.in); !errors.Is(err, croft.ErrRequest) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
}

// What does not run here is named when it is loaded, not when it is asked.
func TestLoadRefuses(t *testing.T) {
	good := func() Model {
		m, _ := table(Node{Op: "Add", In: []string{"a", "b"}, Out: []string{"c"}}, []Tensor{Of([]float64{1}, 1), Of([]float64{1}, 1)})
		m.Graph.Outputs = []Value{{Name: "c", Type: Double}}
		return m
	}
	if _, err := Load(good()); err != nil {
		t.Fatal(err)
	}
	for says, spoil := range map[string]func(*Model){
		"operator Loop is not known":            func(m *Model) { m.Graph.Nodes[0].Op = "Loop" },
		"operator ai.onnx.ml.Add is not known":  func(m *Model) { m.Graph.Nodes[0].Domain = Learn },
		"parameter axis of Add is not known":    func(m *Model) { m.Graph.Nodes[0].Attrs = []Attr{{"axis", int64(1)}} },
		"Add has 1 inputs":                      func(m *Model) { m.Graph.Nodes[0].In = []string{"a"} },
		`"d", which nothing before it makes`:    func(m *Model) { m.Graph.Nodes[0].In = []string{"a", "d"} },
		`"c", which nothing before it makes`:    func(m *Model) { m.Graph.Nodes[0].In = []string{"a", "c"} },
		`name "a" is made twice`:                func(m *Model) { m.Graph.Nodes[0].Out = []string{"a"} },
		`nothing makes the output "e"`:          func(m *Model) { m.Graph.Outputs[0].Name = "e" },
		"it has no outputs":                     func(m *Model) { m.Graph.Outputs = nil },
		"it has 10001 nodes; at most 10000 are": func(m *Model) { m.Graph.Nodes = make([]Node, 10001) },
	} {
		m := good()
		spoil(&m)
		if _, err := Load(m); !errors.Is(err, croft.ErrEncoding) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

// A small file cannot make a large computation.
func TestRunIsBounded(t *testing.T) {
	long := Of(make([]float64, 1<<13), 1<<13, 1)
	wide := Of(make([]float64, 1<<13), 1, 1<<13)
	square := Of(make([]float64, 1<<22), 1<<11, 1<<11)
	for name, c := range map[string]struct {
		op string
		in []Tensor
	}{
		"a result":  {"Add", []Tensor{long, wide}},
		"a table":   {"MatMul", []Tensor{long, wide}},
		"a product": {"MatMul", []Tensor{square, square}},
	} {
		m, in := table(Node{Op: c.op, In: []string{"a", "b"}, Out: []string{"c"}}, c.in)
		m.Graph.Outputs = []Value{{Name: "c"}}
		p, err := Load(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(in); !errors.Is(err, croft.ErrRequest) || !strings.Contains(err.Error(), "too large here") {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := Graph{Inputs: []Value{{Name: "a0", Type: Double}}}
	for i := range 100 { // each result is small, all together are not
		g.Nodes = append(g.Nodes, Node{Op: "Neg", In: []string{fmt.Sprint("a", i)}, Out: []string{fmt.Sprint("a", i+1)}})
	}
	g.Outputs = []Value{{Name: "a100"}}
	p, err := Load(Model{Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(map[string]Tensor{"a0": square}); !errors.Is(err, croft.ErrRequest) {
		t.Errorf("a long chain: %v", err)
	}
}

// An empty thing takes two bytes of a file and fifty times as many in memory: lists of
// them end early. A table that a node looks things up in is paid for like a result.
func TestDecodeIsBounded(t *testing.T) {
	message := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	for name, file := range map[string][]byte{
		"nodes":      message(7, bytes.Repeat(message(1, nil), maxNodes+1)),
		"constants":  message(7, bytes.Repeat(message(5, []byte{0x10, 1, 0x08, 0}), maxListed+1)),
		"inputs":     message(7, bytes.Repeat(message(11, nil), maxListed+1)),
		"outputs":    message(7, bytes.Repeat(message(12, nil), maxListed+1)),
		"properties": bytes.Repeat(message(14, nil), maxListed+1),
		"names":      message(7, message(1, bytes.Repeat(message(1, nil), many+1))),
		"sides":      message(7, message(5, bytes.Repeat([]byte{0x08, 1}, maxSides+1))),
	} {
		if _, err := Decode(file); !errors.Is(err, croft.ErrEncoding) || !strings.Contains(err.Error(), errMany.Error()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys := make([]int64, maxMade/16)
	g := Graph{Inputs: []Value{{Name: "a0", Type: Int64}}, Outputs: []Value{{Name: "a20"}}}
	for i := range 20 {
		g.Nodes = append(g.Nodes, Node{Op: "LabelEncoder", Domain: Learn, In: []string{fmt.Sprint("a", i)}, Out: []string{fmt.Sprint("a", i+1)},
			Attrs: []Attr{{"keys_int64s", keys}, {"values_int64s", keys}}})
	}
	p, err := Load(Model{Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(map[string]Tensor{"a0": Of([]int64{0}, 1)}); !errors.Is(err, croft.ErrRequest) || !strings.Contains(err.Error(), "too large here") {
		t.Errorf("twenty large tables: %v", err)
	}
}

// Trees that are none, and lists that do not fit each other, are named when the model is
// loaded. A walk through trees is paid for like a multiplication.
func TestTreesAreTrees(t *testing.T) {
	in := []Tensor{Of([]float32{1, 2}, 1, 2)}
	load := func(op string, attrs []Attr) (*Program, error) {
		m, _ := table(Node{Op: op, Domain: Learn, In: []string{"a"}, Out: []string{"out", "scores"}[:1+strings.Count(op, "Classifier")], Attrs: attrs}, in)
		m.Graph.Outputs = []Value{{Name: "out", Type: Float}}
		return Load(m)
	}
	weights := []float32{0.1, 0.6, 0.7, 0.2, 0.3, 0.2}
	type change = Attr
	for says, c := range map[string]change{
		"lists of nodes have lengths of 12 and 1":  {"nodes_modes", []string{"LEAF"}},
		"node 1 of tree 0 stands below two others": {"nodes_falsenodeids", []int64{1, 4, 6, 0, 0, 0, 0, 2, 4, 0, 0, 0}},
		"tree 0 has two roots":                     {"nodes_truenodeids", []int64{3, 4, 5, 0, 0, 0, 0, 1, 3, 0, 0, 0}},
		"tree 1 has no node 9":                     {"nodes_truenodeids", []int64{1, 3, 5, 0, 0, 0, 0, 9, 3, 0, 0, 0}},
		"tree 0 has two nodes 0":                   {"nodes_nodeids", make([]int64, 12)},
		"node of kind \"BRANCH_MEMBER\"":           {"nodes_modes", append([]string{"BRANCH_MEMBER"}, make([]string, 11)...)},
		"a tree looks at column -1":                {"nodes_featureids", []int64{-1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0}},
		"lists of votes have lengths of 7, 7, 7":   {"target_weights", []float32{1}},
		"node 3 of tree 0 votes for class 5":       {"target_ids", []int64{5, 0, 0, 0, 0, 0, 0}},
		"node 0 of tree 0 votes for class 0":       {"target_nodeids", []int64{0, 4, 5, 6, 2, 3, 4}},
		"its trees have 0 nodes; 1 to 1048576":     {"nodes_treeids", []int64(nil)},
		"transformation \"PROBIT\" is not known":   {"post_transform", "PROBIT"},
		"function \"MEDIAN\" is not known":         {"aggregate_function", "MEDIAN"},
		"it has 0 targets":                         {"n_targets", int64(-1)},
	} {
		attrs := slices.DeleteFunc(trees("target", weights, nil, 0), func(a Attr) bool { return a.Name == c.Name })
		if _, err := load("TreeEnsembleRegressor", append(attrs, c)); !errors.Is(err, croft.ErrEncoding) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	for says, attrs := range map[string][]Attr{
		"0 numbers and 0 texts as classes":             nil,
		"trees vote for some of 2 classes, with 2 bas": {{"classlabels_strings", []string{"a", "b"}}, {"base_values", []float32{1, 2}}},
		"1 base values for 3 classes":                  {{"classlabels_strings", []string{"a", "b", "c"}}, {"base_values", []float32{1}}},
	} {
		if _, err := load("TreeEnsembleClassifier", append(trees("class", weights, nil, 0), attrs...)); !errors.Is(err, croft.ErrEncoding) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	for says, attrs := range map[string][]Attr{
		"5 coefficients for 2 classes": {{"classlabels_ints", []int64{1, 2}}, {"coefficients", make([]float32, 5)}},
		"3 classes and names for 2":    {{"classlabels_ints", []int64{1, 2}}, {"coefficients", make([]float32, 6)}, {"intercepts", make([]float32, 3)}},
	} {
		if _, err := load("LinearClassifier", attrs); !errors.Is(err, croft.ErrEncoding) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	// A ring that no root leads to is not walked.
	ring := []Attr{{"nodes_treeids", []int64{0, 0, 0}}, {"nodes_nodeids", []int64{0, 1, 2}}, {"nodes_featureids", make([]int64, 3)}, {"nodes_values", make([]float32, 3)},
		{"nodes_modes", []string{"LEAF", "BRANCH_LT", "BRANCH_LT"}}, {"nodes_truenodeids", []int64{0, 2, 1}}, {"nodes_falsenodeids", []int64{0, 2, 1}}}
	if _, err := load("TreeEnsembleRegressor", ring); !errors.Is(err, croft.ErrEncoding) || !strings.Contains(err.Error(), "stands below two others") {
		t.Errorf("a ring: %v", err)
	}
	// A chain of branches that every row walks to its end.
	const deep, many = 1 << 10, 1 << 8
	var ids, zeros, yes, no []int64
	var modes []string
	for i := range int64(2*deep + 1) {
		ids, zeros, modes, yes, no = append(ids, i), append(zeros, 0), append(modes, "LEAF"), append(yes, 0), append(no, 0)
		if i%2 == 0 && i < 2*deep {
			modes[i], yes[i], no[i] = "BRANCH_LT", i+1, i+2
		}
	}
	in = []Tensor{Of(make([]float32, many), many, 1)}
	p, err := load("TreeEnsembleRegressor", []Attr{{"nodes_treeids", zeros}, {"nodes_nodeids", ids}, {"nodes_featureids", zeros}, {"nodes_values", make([]float32, len(ids))},
		{"nodes_modes", modes}, {"nodes_truenodeids", yes}, {"nodes_falsenodeids", no}})
	if err != nil {
		t.Fatal(err)
	}
	steps := (deep + 1) * many * treeStep // the leaf too
	if _, err := p.steps[0](&costs{maxMade, steps}, in); err != nil {
		t.Error(err)
	}
	if _, err := p.steps[0](&costs{maxMade, steps - 1}, in); err == nil || !strings.Contains(err.Error(), "too large here") {
		t.Errorf("a long walk: %v", err)
	}
	// As many trees, each one leaf that votes for nothing.
	modes = slices.Repeat([]string{"LEAF"}, len(ids))
	p, err = load("TreeEnsembleRegressor", []Attr{{"nodes_treeids", ids}, {"nodes_nodeids", zeros}, {"nodes_featureids", zeros}, {"nodes_values", make([]float32, len(ids))},
		{"nodes_modes", modes}, {"nodes_truenodeids", zeros}, {"nodes_falsenodeids", zeros}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.steps[0](&costs{maxMade, len(ids)*many*treeStep - 1}, in); err == nil || !strings.Contains(err.Error(), "too large here") {
		t.Errorf("many empty trees: %v", err)
	}
}

// Whatever the bytes, reading them ends, and what was read runs or says why not.
func FuzzDecode(f *testing.F) {
	for _, c := range cases() {
		m, _ := table(c.node, c.in)
		m.Graph.Outputs = []Value{{Name: "out"}}
		f.Add(Encode(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, croft.ErrEncoding) {
				t.Fatal(err)
			}
			return
		}
		p, err := Load(m)
		if err != nil {
			return
		}
		in := map[string]Tensor{}
		for _, v := range p.Inputs() {
			shape := slices.Clone(v.Shape)
			for i, d := range shape {
				if d < 0 || d > 4 {
					shape[i] = 2
				}
			}
			n, ok := size(shape)
			if !ok || n > 1<<12 {
				return
			}
			in[v.Name] = map[Type]Tensor{Double: Of(make([]float64, n), shape...), Float: Of(make([]float32, n), shape...), Int64: Of(make([]int64, n), shape...),
				String: Of(make([]string, n), shape...), Bool: Of(make([]bool, n), shape...)}[v.Type]
		}
		out, err := p.Run(in)
		for name, o := range out {
			if !o.whole() {
				t.Errorf("%s: %d elements of shape %v", name, o.Len(), o.Shape)
			}
		}
		if err != nil && !errors.Is(err, croft.ErrRequest) {
			t.Fatal(err)
		}
	})
}

// Pipelines of scikit-learn, as skl2onnx exports them, give what ONNX Runtime gives;
// testdata/scikit-learn.py made them.
func TestScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/scikit-learn.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Models []struct {
			Name            string
			Model           []byte
			Inputs, Outputs map[string]answer
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden.Models {
		t.Run(g.Name, func(t *testing.T) {
			m, err := Decode(g.Model)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Load(m)
			if err != nil {
				t.Fatal(err)
			}
			inputs := map[string]Tensor{}
			for name, a := range g.Inputs {
				inputs[name] = a.tensor()
			}
			got, err := p.Run(inputs)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range g.Outputs {
				same(t, got[name], want)
			}
			for _, v := range p.Outputs() {
				if made := got[v.Name]; made.Type() != v.Type || len(v.Shape) > 0 && len(made.Shape) != len(v.Shape) {
					t.Errorf("%s: %s of shape %v, not %s of %v", v.Name, made.Type(), made.Shape, v.Type, v.Shape)
				}
			}
		})
	}
}

// tensor is the float, int64 or text that an answer stands for.
func (a answer) tensor() Tensor {
	var floats []float32
	var ints []int64
	for _, text := range a.Data {
		f, _ := strconv.ParseFloat(text, 32)
		i, _ := strconv.ParseInt(text, 10, 64)
		floats, ints = append(floats, float32(f)), append(ints, i)
	}
	switch a.Type {
	case "string":
		return Of(a.Data, a.Dims...)
	case "int64":
		return Of(ints, a.Dims...)
	}
	return Of(floats, a.Dims...)
}
