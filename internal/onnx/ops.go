package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// op is an operator: how many inputs it takes, which parameters, and what it does. Most
// make one output, by run. The others are loaded: what their parameters say is worked
// out once, and their last outputs may be left out.
type op struct {
	least, most int
	attrs       []string
	run         func(c *costs, n Node, in []Tensor) (Tensor, error)
	outs        int // of load
	load        func(n Node) (step, error)
}

// step computes the outputs of one node.
type step func(c *costs, in []Tensor) ([]Tensor, error)

// of returns the step of a node.
func (o op) of(n Node) (step, error) {
	if o.load != nil {
		return o.load(n)
	}
	return func(c *costs, in []Tensor) ([]Tensor, error) {
		t, err := o.run(c, n, in)
		return []Tensor{t}, err
	}, nil
}

const many = 256 // inputs of an operator that takes any number

// ops are the operators that run here, by domain and name; what each means is in
// https://onnx.ai/onnx/operators. docs/formats/model-files.md lists them.
var ops = map[string]op{
	"Identity": {least: 1, most: 1, run: func(_ *costs, _ Node, in []Tensor) (Tensor, error) { return in[0], nil }},

	"Abs":     elementwise(math.Abs),
	"Exp":     elementwise(math.Exp),
	"Log":     elementwise(math.Log),
	"Neg":     elementwise(func(x float64) float64 { return -x }),
	"Relu":    elementwise(func(x float64) float64 { return max(x, 0) }),
	"Sigmoid": elementwise(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }),
	"Sqrt":    elementwise(math.Sqrt),
	"Tanh":    elementwise(math.Tanh),

	"Add": arithmetic(func(a, b float64) float64 { return a + b }, 2),
	"Sub": arithmetic(func(a, b float64) float64 { return a - b }, 2),
	"Mul": arithmetic(func(a, b float64) float64 { return a * b }, 2),
	"Div": arithmetic(func(a, b float64) float64 { return a / b }, 2),
	"Sum": arithmetic(func(a, b float64) float64 { return a + b }, many),

	"Equal":          compare(func(a, b float64) bool { return a == b }),
	"Greater":        compare(func(a, b float64) bool { return a > b }),
	"GreaterOrEqual": compare(func(a, b float64) bool { return a >= b }),
	"Less":           compare(func(a, b float64) bool { return a < b }),
	"LessOrEqual":    compare(func(a, b float64) bool { return a <= b }),
	"And":            logic(func(a, b bool) bool { return a && b }),
	"Or":             logic(func(a, b bool) bool { return a || b }),
	"Not":            {least: 1, most: 1, run: not},
	"IsNaN":          {least: 1, most: 1, run: isNaN},
	"Where":          {least: 3, most: 3, run: where},

	"ArgMax":  {least: 1, most: 1, attrs: []string{"axis", "keepdims", "select_last_index"}, run: argMax},
	"Cast":    {least: 1, most: 1, attrs: []string{"to", "saturate"}, run: cast},
	"Concat":  {least: 1, most: many, attrs: []string{"axis"}, run: concat},
	"Flatten": {least: 1, most: 1, attrs: []string{"axis"}, run: flatten},
	"Gather":  {least: 2, most: 2, attrs: []string{"axis"}, run: gather},
	"Gemm":    {least: 2, most: 3, attrs: []string{"alpha", "beta", "transA", "transB"}, run: gemm},
	"MatMul":  {least: 2, most: 2, run: matMul},
	"Reshape": {least: 2, most: 2, attrs: []string{"allowzero"}, run: reshape},
	"Softmax": {least: 1, most: 1, attrs: []string{"axis"}, run: softmax},

	Learn + ".LabelEncoder": {least: 1, most: 1, attrs: []string{"keys_strings", "keys_int64s", "keys_floats", "values_strings", "values_int64s", "values_floats",
		"default_string", "default_int64", "default_float"}, run: labelEncoder},

	Learn + ".ArrayFeatureExtractor": {least: 2, most: 2, run: extract},
	Learn + ".Imputer": {least: 1, most: 1, attrs: []string{"imputed_value_floats", "imputed_value_int64s",
		"replaced_value_float", "replaced_value_int64"}, run: impute},
	Learn + ".Normalizer":    {least: 1, most: 1, attrs: []string{"norm"}, run: normalize},
	Learn + ".OneHotEncoder": {least: 1, most: 1, attrs: []string{"cats_int64s", "cats_strings", "zeros"}, run: oneHot},
	Learn + ".Scaler":        {least: 1, most: 1, attrs: []string{"offset", "scale"}, run: scaler},
	Learn + ".ZipMap":        {least: 1, most: 1, attrs: []string{"classlabels_int64s", "classlabels_strings"}, run: zipMap},

	Learn + ".LinearClassifier": {least: 1, most: 1, attrs: []string{"classlabels_ints", "classlabels_strings", "coefficients", "intercepts",
		"multi_class", "post_transform"}, outs: 2, load: linearClassifier},
	Learn + ".LinearRegressor": {least: 1, most: 1, attrs: []string{"coefficients", "intercepts", "post_transform", "targets"}, outs: 1, load: linearRegressor},
	Learn + ".TreeEnsembleClassifier": {least: 1, most: 1, attrs: append(treeAttrs("class"), "classlabels_int64s", "classlabels_strings"),
		outs: 2, load: treeClassifier},
	Learn + ".TreeEnsembleRegressor": {least: 1, most: 1, attrs: append(treeAttrs("target"), "aggregate_function", "n_targets"),
		outs: 1, load: treeRegressor},
}

var errType = errors.New("its inputs are not of a type that it takes here")

// number is an element that is computed with. Float is computed as double and
// rounded at each result.
type number interface{ float64 | float32 }

func elementwise(f func(float64) float64) op {
	return op{least: 1, most: 1, run: func(c *costs, _ Node, in []Tensor) (Tensor, error) {
		switch d := in[0].Data.(type) {
		case []float64:
			return each1(c, in[0], d, f)
		case []float32:
			return each1(c, in[0], d, f)
		}
		return Tensor{}, errType
	}}
}

func each1[E number](c *costs, t Tensor, data []E, f func(float64) float64) (Tensor, error) {
	if _, err := c.make(t.Shape); err != nil {
		return Tensor{}, err
	}
	out := make([]E, len(data))
	for i, v := range data {
		out[i] = E(f(float64(v)))
	}
	return Tensor{t.Shape, out}, nil
}

// arithmetic takes up to so many inputs, two by two.
func arithmetic(f func(a, b float64) float64, most int) op {
	return op{least: min(2, most), most: most, run: func(c *costs, _ Node, in []Tensor) (out Tensor, err error) {
		out = in[0]
		for _, next := range in[1:] {
			switch out.Data.(type) {
			case []float64:
				out, err = each2(c, out, next, func(a, b float64) float64 { return f(a, b) })
			case []float32:
				out, err = each2(c, out, next, func(a, b float32) float32 { return float32(f(float64(a), float64(b))) })
			default:
				err = errType
			}
			if err != nil {
				return Tensor{}, err
			}
		}
		return out, nil
	}}
}

func compare(f func(a, b float64) bool) op {
	return op{least: 2, most: 2, run: func(c *costs, _ Node, in []Tensor) (Tensor, error) {
		switch in[0].Data.(type) {
		case []float64:
			return each2(c, in[0], in[1], f)
		case []float32:
			return each2(c, in[0], in[1], func(a, b float32) bool { return f(float64(a), float64(b)) })
		case []int64: // not as float64, which does not hold each of them
			return each2(c, in[0], in[1], func(a, b int64) bool { return f(float64(cmp.Compare(a, b)), 0) })
		}
		return Tensor{}, errType
	}}
}

func logic(f func(a, b bool) bool) op {
	return op{least: 2, most: 2, run: func(c *costs, _ Node, in []Tensor) (Tensor, error) { return each2(c, in[0], in[1], f) }}
}

// each2 applies f to two tensors of one type, broadcast to one shape.
func each2[E, R float64 | float32 | int64 | bool](c *costs, a, b Tensor, f func(a, b E) R) (Tensor, error) {
	shape, err := common(a.Shape, b.Shape)
	if err != nil {
		return Tensor{}, err
	}
	x, err := expand[E](c, a, shape)
	if err != nil {
		return Tensor{}, err
	}
	y, err := expand[E](c, b, shape)
	if err != nil {
		return Tensor{}, err
	}
	n, err := c.make(shape)
	if err != nil {
		return Tensor{}, err
	}
	out := make([]R, n)
	for i := range out {
		out[i] = f(x[i], y[i])
	}
	return Tensor{shape, out}, nil
}

// common returns the shape to which both are broadcast: sides of 1 grow.
func common(a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i, d := range b {
		at := len(a) - len(b) + i
		switch {
		case out[at] == 1:
			out[at] = d
		case d != 1 && d != out[at]:
			return nil, fmt.Errorf("the shapes %v and %v do not fit each other", a, b)
		}
	}
	return out, nil
}

// expand returns the elements of a tensor broadcast to a shape that common gave.
func expand[E any](c *costs, t Tensor, shape []int) ([]E, error) {
	data, ok := t.Data.([]E)
	if !ok {
		return nil, errType
	}
	if slices.Equal(t.Shape, shape) {
		return data, nil
	}
	n, err := c.make(shape)
	if err != nil {
		return nil, err
	}
	out := make([]E, 0, n)
	var fill func(side, from, stride int)
	pad := len(shape) - len(t.Shape)
	fill = func(side, from, stride int) {
		if side == len(shape) {
			out = append(out, data[from])
			return
		}
		own := 1
		if side >= pad {
			own = t.Shape[side-pad]
		}
		stride /= max(own, 1)
		for i := range shape[side] {
			fill(side+1, from+min(i, own-1)*stride, stride)
		}
	}
	if n > 0 {
		fill(0, 0, len(data))
	}
	return out, nil
}

func not(c *costs, _ Node, in []Tensor) (Tensor, error) {
	return each2(c, in[0], Of([]bool{true}, 1), func(a, b bool) bool { return a != b })
}

func isNaN(c *costs, _ Node, in []Tensor) (Tensor, error) {
	switch in[0].Data.(type) {
	case []float64:
		return each2(c, in[0], in[0], func(a, b float64) bool { return a != b })
	case []float32:
		return each2(c, in[0], in[0], func(a, b float32) bool { return a != b })
	}
	return Tensor{}, errType
}

func where(c *costs, _ Node, in []Tensor) (Tensor, error) {
	switch in[1].Data.(type) {
	case []float64:
		return choose[float64](c, in)
	case []float32:
		return choose[float32](c, in)
	case []int64:
		return choose[int64](c, in)
	case []string:
		return choose[string](c, in)
	}
	return Tensor{}, errType
}

func choose[E any](c *costs, in []Tensor) (Tensor, error) {
	shape, err := common(in[1].Shape, in[2].Shape)
	if err == nil {
		shape, err = common(shape, in[0].Shape)
	}
	if err != nil {
		return Tensor{}, err
	}
	which, err := expand[bool](c, in[0], shape)
	if err != nil {
		return Tensor{}, err
	}
	yes, err := expand[E](c, in[1], shape)
	if err != nil {
		return Tensor{}, err
	}
	no, err := expand[E](c, in[2], shape)
	if err != nil {
		return Tensor{}, err
	}
	n, err := c.make(shape)
	if err != nil {
		return Tensor{}, err
	}
	out := make([]E, n)
	for i := range out {
		if out[i] = no[i]; which[i] {
			out[i] = yes[i]
		}
	}
	return Tensor{shape, out}, nil
}

func cast(c *costs, n Node, in []Tensor) (Tensor, error) {
	if _, err := c.make(in[0].Shape); err != nil {
		return Tensor{}, err
	}
	var doubles []float64
	switch d := in[0].Data.(type) {
	case []float64:
		doubles = d
	case []float32:
		doubles = convert[float64](d)
	case []int64:
		doubles = convert[float64](d)
	case []bool:
		doubles = make([]float64, len(d))
		for i, v := range d {
			if v {
				doubles[i] = 1
			}
		}
	default:
		return Tensor{}, errType
	}
	switch Type(attr(n, "to", int64(0))) {
	case Double:
		return Tensor{in[0].Shape, doubles}, nil
	case Float:
		return Tensor{in[0].Shape, convert[float32](doubles)}, nil
	case Int64:
		if whole, ok := in[0].Data.([]int64); ok {
			return Tensor{in[0].Shape, whole}, nil
		}
		if slices.ContainsFunc(doubles, func(v float64) bool { return !(math.Abs(v) < 1<<63) }) {
			return Tensor{}, errors.New("a number does not fit an int64")
		}
		return Tensor{in[0].Shape, convert[int64](doubles)}, nil
	case Bool:
		out := make([]bool, len(doubles))
		for i, v := range doubles {
			out[i] = v != 0
		}
		return Tensor{in[0].Shape, out}, nil
	}
	return Tensor{}, errType
}

func convert[To, From float64 | float32 | int64](from []From) []To {
	out := make([]To, len(from))
	for i, v := range from {
		out[i] = To(v)
	}
	return out
}

// axisOf returns where a node cuts so many sides; a negative axis counts from the end.
func axisOf(n Node, otherwise int64, sides int) (int, error) {
	axis := attr(n, "axis", otherwise)
	if axis < 0 {
		axis += int64(sides)
	}
	if axis < 0 || axis > int64(sides) {
		return 0, fmt.Errorf("a tensor of %d sides has no side %d", sides, axis)
	}
	return int(axis), nil
}

// product of some sides, of a tensor that is there.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func concat(c *costs, n Node, in []Tensor) (Tensor, error) {
	switch in[0].Data.(type) {
	case []float64:
		return join[float64](c, n, in)
	case []float32:
		return join[float32](c, n, in)
	case []int64:
		return join[int64](c, n, in)
	case []string:
		return join[string](c, n, in)
	}
	return Tensor{}, errType
}

func join[E any](c *costs, n Node, in []Tensor) (Tensor, error) {
	shape := slices.Clone(in[0].Shape)
	axis, err := axisOf(n, 0, len(shape))
	if err != nil || axis == len(shape) {
		return Tensor{}, cmp.Or(err, errors.New("there is no such side"))
	}
	for _, t := range in[1:] {
		if len(t.Shape) != len(shape) || !slices.Equal(t.Shape[:axis], shape[:axis]) || !slices.Equal(t.Shape[axis+1:], shape[axis+1:]) {
			return Tensor{}, fmt.Errorf("the shapes %v and %v do not fit each other", shape, t.Shape)
		}
		shape[axis] += t.Shape[axis]
	}
	total, err := c.make(shape)
	if err != nil {
		return Tensor{}, err
	}
	out := make([]E, 0, total)
	for row := range product(shape[:axis]) {
		for _, t := range in {
			data, ok := t.Data.([]E)
			if !ok {
				return Tensor{}, errType
			}
			width := product(t.Shape[axis:])
			out = append(out, data[row*width:(row+1)*width]...)
		}
	}
	return Tensor{shape, out}, nil
}

func flatten(_ *costs, n Node, in []Tensor) (Tensor, error) {
	axis, err := axisOf(n, 1, len(in[0].Shape))
	if err != nil {
		return Tensor{}, err
	}
	return Tensor{[]int{product(in[0].Shape[:axis]), product(in[0].Shape[axis:])}, in[0].Data}, nil
}

func gather(c *costs, n Node, in []Tensor) (Tensor, error) {
	axis, err := axisOf(n, 0, len(in[0].Shape))
	if err != nil {
		return Tensor{}, err
	}
	return gatherAt(c, in, axis)
}

// gatherAt takes elements along one side.
func gatherAt(c *costs, in []Tensor, axis int) (Tensor, error) {
	if axis == len(in[0].Shape) {
		return Tensor{}, errors.New("there is no such side")
	}
	switch d := in[0].Data.(type) {
	case []float64:
		return pick(c, in, d, axis)
	case []float32:
		return pick(c, in, d, axis)
	case []int64:
		return pick(c, in, d, axis)
	case []string:
		return pick(c, in, d, axis)
	}
	return Tensor{}, errType
}

func pick[E any](c *costs, in []Tensor, data []E, axis int) (Tensor, error) {
	at, ok := in[1].Data.([]int64)
	if !ok {
		return Tensor{}, errType
	}
	side := in[0].Shape[axis]
	shape := slices.Concat(in[0].Shape[:axis], in[1].Shape, in[0].Shape[axis+1:])
	size, err := c.make(shape)
	if err != nil {
		return Tensor{}, err
	}
	width := product(in[0].Shape[axis+1:])
	out := make([]E, 0, size)
	for before := range product(in[0].Shape[:axis]) {
		for _, k := range at {
			from := k
			if k < 0 {
				k += int64(side)
			}
			if k < 0 || k >= int64(side) {
				return Tensor{}, fmt.Errorf("there is no element %d of %d", from, side)
			}
			start := (before*side + int(k)) * width
			out = append(out, data[start:start+width]...)
		}
	}
	return Tensor{shape, out}, nil
}

func argMax(c *costs, n Node, in []Tensor) (Tensor, error) {
	last := len(in[0].Shape) - 1
	axis, err := axisOf(n, 0, last+1)
	if err != nil || axis != last || attr(n, "select_last_index", int64(0)) != 0 {
		return Tensor{}, cmp.Or(err, errors.New("it looks for the first along the last side only here"))
	}
	if in[0].Shape[last] == 0 {
		return Tensor{}, errors.New("of nothing, nothing is the largest")
	}
	r, err := rowsOf(c, Tensor{[]int{product(in[0].Shape[:last]), in[0].Shape[last]}, in[0].Data})
	if err != nil {
		return Tensor{}, err
	}
	out := make([]int64, r.count)
	for i := range out {
		out[i] = int64(largest(r.row(i)))
	}
	shape := slices.Clone(in[0].Shape[:last])
	if attr(n, "keepdims", int64(1)) != 0 {
		shape = append(shape, 1)
	}
	return Tensor{shape, out}, nil
}

// reshape gives the same elements other sides: one may be −1, which is what is left; 0
// is the side that stands there.
func reshape(_ *costs, n Node, in []Tensor) (Tensor, error) {
	sides, ok := in[1].Data.([]int64)
	if !ok || len(in[1].Shape) != 1 || len(sides) > maxSides || attr(n, "allowzero", int64(0)) != 0 {
		return Tensor{}, errType
	}
	shape, rest := make([]int, len(sides)), -1
	for i, side := range sides {
		switch {
		case side == 0 && i < len(in[0].Shape):
			shape[i] = in[0].Shape[i]
		case side == -1 && rest < 0:
			shape[i], rest = 1, i
		case side < 1 || side > maxElements:
			return Tensor{}, fmt.Errorf("there is no shape %v", sides)
		default:
			shape[i] = int(side)
		}
	}
	if known, ok := size(shape); ok && rest >= 0 && known > 0 {
		shape[rest] = in[0].Len() / known
	}
	out := Tensor{shape, in[0].Data}
	if !out.whole() {
		return Tensor{}, fmt.Errorf("%d elements do not have the shape %v", in[0].Len(), sides)
	}
	return out, nil
}

func matMul(c *costs, _ Node, in []Tensor) (Tensor, error) {
	switch in[0].Data.(type) {
	case []float64:
		return multiply[float64](c, in[0], in[1], false, false, 1)
	case []float32:
		return multiply[float32](c, in[0], in[1], false, false, 1)
	}
	return Tensor{}, errType
}

// multiply returns scale·A·B, of two tables, either of them turned or not.
func multiply[E number](c *costs, a, b Tensor, turnA, turnB bool, scale float64) (Tensor, error) {
	x, ok := a.Data.([]E)
	y, too := b.Data.([]E)
	if !ok || !too {
		return Tensor{}, errType
	}
	if len(a.Shape) != 2 || len(b.Shape) != 2 {
		return Tensor{}, errors.New("it multiplies tables only here")
	}
	// An element stands at row·down + column·right.
	rows, inner, downA, rightA := a.Shape[0], a.Shape[1], a.Shape[1], 1
	if turnA {
		rows, inner, downA, rightA = inner, rows, 1, a.Shape[1]
	}
	other, columns, downB, rightB := b.Shape[0], b.Shape[1], b.Shape[1], 1
	if turnB {
		other, columns, downB, rightB = columns, other, 1, b.Shape[1]
	}
	if inner != other {
		return Tensor{}, fmt.Errorf("the shapes %v and %v do not fit each other", a.Shape, b.Shape)
	}
	shape := []int{rows, columns}
	n, err := c.make(shape)
	if err != nil {
		return Tensor{}, err
	}
	if err := c.multiply(rows, columns, inner); err != nil {
		return Tensor{}, err
	}
	out := make([]E, n)
	for i := range rows {
		for j := range columns {
			sum := 0.0
			for k := range inner {
				sum += float64(x[i*downA+k*rightA]) * float64(y[k*downB+j*rightB])
			}
			out[i*columns+j] = E(scale * sum)
		}
	}
	return Tensor{shape, out}, nil
}

func gemm(c *costs, n Node, in []Tensor) (out Tensor, err error) {
	turnA, turnB := attr(n, "transA", int64(0)) != 0, attr(n, "transB", int64(0)) != 0
	alpha, beta := float64(attr(n, "alpha", float32(1))), float64(attr(n, "beta", float32(1)))
	switch in[0].Data.(type) {
	case []float64:
		out, err = multiply[float64](c, in[0], in[1], turnA, turnB, alpha)
	case []float32:
		out, err = multiply[float32](c, in[0], in[1], turnA, turnB, alpha)
	default:
		err = errType
	}
	if err != nil || len(in) == 2 {
		return out, err
	}
	if shape, err := common(out.Shape, in[2].Shape); err != nil || !slices.Equal(shape, out.Shape) {
		return Tensor{}, fmt.Errorf("the shapes %v and %v do not fit each other", out.Shape, in[2].Shape)
	}
	return arithmetic(func(a, b float64) float64 { return a + beta*b }, 2).run(c, n, []Tensor{out, in[2]})
}

func softmax(c *costs, n Node, in []Tensor) (Tensor, error) {
	last := len(in[0].Shape) - 1
	if axis := attr(n, "axis", int64(-1)); last < 0 || axis != -1 && axis != int64(last) {
		return Tensor{}, errors.New("it runs along the last side only here")
	}
	if _, err := c.make(in[0].Shape); err != nil {
		return Tensor{}, err
	}
	switch d := in[0].Data.(type) {
	case []float64:
		return Tensor{in[0].Shape, shares(d, in[0].Shape[last])}, nil
	case []float32:
		return Tensor{in[0].Shape, shares(d, in[0].Shape[last])}, nil
	}
	return Tensor{}, errType
}

func shares[E number](data []E, width int) []E {
	out := make([]E, len(data))
	for at := 0; at < len(data); at += width {
		row := data[at : at+width]
		most, sum := slices.Max(row), 0.0
		for _, v := range row {
			sum += math.Exp(float64(v - most))
		}
		for i, v := range row {
			out[at+i] = E(math.Exp(float64(v-most)) / sum)
		}
	}
	return out
}

func labelEncoder(c *costs, n Node, in []Tensor) (Tensor, error) {
	switch d := in[0].Data.(type) {
	case []string:
		return encodeFrom(c, n, in[0].Shape, d, attr(n, "keys_strings", []string(nil)))
	case []int64:
		return encodeFrom(c, n, in[0].Shape, d, attr(n, "keys_int64s", []int64(nil)))
	case []float32:
		return encodeFrom(c, n, in[0].Shape, d, attr(n, "keys_floats", []float32(nil)))
	}
	return Tensor{}, errType
}

func encodeFrom[K string | int64 | float32](c *costs, n Node, shape []int, data, keys []K) (Tensor, error) {
	if v := attr(n, "values_int64s", []int64(nil)); v != nil {
		return encodeTo(c, shape, data, keys, v, attr(n, "default_int64", int64(-1)))
	}
	if v := attr(n, "values_floats", []float32(nil)); v != nil {
		return encodeTo(c, shape, data, keys, v, attr(n, "default_float", float32(0)))
	}
	return encodeTo(c, shape, data, keys, attr(n, "values_strings", []string(nil)), attr(n, "default_string", "_Unused"))
}

func encodeTo[K string | int64 | float32, V any](c *costs, shape []int, data, keys []K, values []V, otherwise V) (Tensor, error) {
	if len(keys) == 0 || len(keys) != len(values) {
		return Tensor{}, fmt.Errorf("it has %d keys and %d values", len(keys), len(values))
	}
	if _, err := c.make(shape); err != nil {
		return Tensor{}, err
	}
	if _, err := c.make([]int{len(keys)}); err != nil {
		return Tensor{}, err
	}
	to := make(map[K]V, len(keys))
	for i, k := range keys {
		to[k] = values[i]
	}
	out := make([]V, len(data))
	for i, k := range data {
		v, found := to[k]
		if !found {
			v = otherwise
		}
		out[i] = v
	}
	return Tensor{shape, out}, nil
}
