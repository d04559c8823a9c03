package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"croft"
	"croft/internal/onnx"
	"croft/internal/table"
)

// ONNX returns the model as an ONNX file: the columns as they stand in a clinic's
// file go in, one input a feature, each of shape [rows, 1]; what the model says
// of each row comes out, of shape [rows, 1].
//
//	number                               double
//	category whose levels are integers   int64, the level
//	any other category                   string, the level
//
// What croft itself would refuse to predict gives NaN: no value where the study
// fills none in, a number outside of its declared range, an unknown level. Codes for
// missing values and constants to fill in are in the graph. All is computed in
// double, with coefficients in the columns' own units.
func (e Export) ONNX() ([]byte, error) {
	g := &graph{coefficients: map[string]float64{}, means: map[string]float64{}, taken: slices.Clone(e.Plan.Model.Features)}
	intercept := 0.0
	for _, t := range e.Result.Terms {
		switch {
		case t.SD == 0:
			intercept += t.Estimate
		default:
			g.coefficients[t.Name], g.means[t.Name] = t.Estimate, t.Mean
		}
		if e.Result.Family == "cox" {
			intercept -= t.Estimate * t.Mean
		}
	}
	var numbers []croft.Column
	for _, name := range e.Plan.Model.Features {
		c, _ := e.Plan.Schema.Column(name)
		switch {
		case c.Kind == croft.Category:
			g.category(c)
		default:
			numbers = append(numbers, c)
		}
	}
	if len(numbers) > 0 {
		g.numbers(numbers)
	}
	g.parts = append(g.parts, g.constant("intercept", onnx.Of([]float64{intercept}, 1, 1)))
	name, is := e.output()
	predictor := g.node("Sum", "linear_predictor", g.parts)
	last := map[string]string{"linear": "Identity", "poisson": "Exp", "cox": "Exp"}[e.Result.Family]
	if last == "" {
		last = "Sigmoid"
	}
	g.node(last, name, []string{predictor})
	g.Name = "study " + e.Plan.Name
	g.Outputs = []onnx.Value{{Name: name, Type: onnx.Double, Shape: []int{-1, 1}, Doc: is}}
	return onnx.Encode(onnx.Model{Producer: "croft", Version: croft.EngineVersion, Doc: e.Plan.Purpose + ". " + e.Intended, Properties: e.facts(), Graph: g.Graph}), nil
}

// graph is one under way.
type graph struct {
	onnx.Graph
	coefficients map[string]float64 // by model column
	means        map[string]float64
	parts        []string // what adds up to the linear predictor
	taken        []string // names; those of columns are anybody's choice
}

// numbers adds all columns that are numbers, as one table.
func (g *graph) numbers(columns []croft.Column) {
	width := len(columns)
	none := g.constant("none", onnx.Of([]float64{math.NaN()}, 1, 1))
	row := func(name string, of func(c croft.Column) float64) string {
		values := make([]float64, width)
		for i, c := range columns {
			values[i] = of(c)
		}
		return g.constant(name, onnx.Of(values, 1, width))
	}
	var inputs []string
	codes := make([][]float64, width)
	most, fills := 0, false
	for i, c := range columns {
		g.Inputs = append(g.Inputs, onnx.Value{Name: c.Name, Type: onnx.Double, Shape: []int{-1, 1}, Doc: about(c)})
		inputs = append(inputs, c.Name)
		for _, code := range c.Codes {
			if v, number := table.ParseNumber(code); number { // any other is a text, which an array of numbers cannot have
				codes[i] = append(codes[i], v)
			}
		}
		most, fills = max(most, len(codes[i])), fills || c.Missing != "" && c.Missing != croft.MissingDrop
	}
	x := g.node("Concat", "numbers", inputs, onnx.Attr{Name: "axis", Value: int64(1)})
	for k := range most {
		i := -1
		code := row(fmt.Sprintf("missing_code_%d", k+1), func(croft.Column) float64 {
			if i++; k < len(codes[i]) {
				return codes[i][k]
			}
			return math.NaN() // equal to nothing
		})
		is := g.node("Equal", fmt.Sprintf("is_code_%d", k+1), []string{x, code})
		x = g.node("Where", fmt.Sprintf("without_code_%d", k+1), []string{is, none, x})
	}
	if fills {
		fill := row("fill", func(c croft.Column) float64 {
			switch c.Missing {
			case croft.MissingValue:
				return c.Fill.Float()
			case croft.MissingMean:
				return g.means[c.Name]
			case croft.MissingIndicator: // its feature stands at the middle of its range
				return c.Low.Float() + (c.High.Float()-c.Low.Float())/2
			}
			return math.NaN()
		})
		is := g.node("IsNaN", "is_missing", []string{x})
		x = g.node("Where", "filled", []string{is, fill, x})
		weights := make([]float64, width)
		for i, c := range columns {
			weights[i] = g.coefficients[table.MissingColumn(c.Name)] // 0 where it has none
		}
		is = g.node("Cast", "missing", []string{is}, onnx.Attr{Name: "to", Value: int64(onnx.Double)})
		g.parts = append(g.parts, g.node("MatMul", "of_missing", []string{is, g.constant("missing_coefficients", onnx.Of(weights, width, 1))}))
	}
	low := g.node("GreaterOrEqual", "above_low", []string{x, row("low", func(c croft.Column) float64 { return c.Low.Float() })})
	high := g.node("LessOrEqual", "below_high", []string{x, row("high", func(c croft.Column) float64 { return c.High.Float() })})
	x = g.node("Where", "within", []string{g.node("And", "is_within", []string{low, high}), x, none})
	weights := make([]float64, width)
	for i, c := range columns {
		weights[i] = g.coefficients[c.Name]
	}
	g.parts = append(g.parts, g.node("MatMul", "of_numbers", []string{x, g.constant("coefficients", onnx.Of(weights, width, 1))}))
}

// category adds what each level of a column adds to the predictor: 0 for the first,
// NaN for what croft would refuse. Places in the list of effects are those of the
// levels, then that of a missing value, then that of any other.
func (g *graph) category(c croft.Column) {
	var effects []float64
	var places []int64
	keys := slices.Concat(c.Levels, []string{""}, c.Codes)
	for i := range keys {
		places = append(places, int64(min(i, len(c.Levels))))
	}
	for i, level := range c.Levels {
		effect := 0.0
		if i > 0 {
			effect = g.coefficients[c.Name+"="+level]
		}
		effects = append(effects, effect)
	}
	none, other := math.NaN(), len(c.Levels)+1
	if c.Missing == croft.MissingIndicator {
		none = g.coefficients[table.MissingColumn(c.Name)]
	}
	if c.Other != "" {
		other = slices.Index(c.Levels, c.Other)
	}
	effects = append(effects, none, math.NaN())

	kind, named := onnx.String, onnx.Attr{Name: "keys_strings", Value: keys}
	if _, all := integers(c.Levels); all {
		var codes, at []int64
		for i, key := range keys { // a code that is no integer is a value that no cell can have
			if v, err := strconv.ParseInt(key, 10, 64); err == nil {
				codes, at = append(codes, v), append(at, places[i])
			}
		}
		kind, named, places = onnx.Int64, onnx.Attr{Name: "keys_int64s", Value: codes}, at
	}
	g.Inputs = append(g.Inputs, onnx.Value{Name: c.Name, Type: kind, Shape: []int{-1, 1}, Doc: about(c)})
	level := g.learn("LabelEncoder", "level of "+c.Name, c.Name, named,
		onnx.Attr{Name: "values_int64s", Value: places}, onnx.Attr{Name: "default_int64", Value: int64(other)})
	g.parts = append(g.parts, g.node("Gather", "of "+c.Name, []string{g.constant("effects of "+c.Name, onnx.Of(effects, len(effects))), level}))
}

// integers returns the levels as integers, if all are different ones.
func integers(levels []string) (out []int64, all bool) {
	for _, l := range levels {
		v, err := strconv.ParseInt(l, 10, 64)
		if err != nil || slices.Contains(out, v) {
			return nil, false
		}
		out = append(out, v)
	}
	return out, true
}

// free makes a name one that nothing else has.
func (g *graph) free(name string) string {
	for slices.Contains(g.taken, name) {
		name += "_"
	}
	g.taken = append(g.taken, name)
	return name
}

func (g *graph) constant(name string, t onnx.Tensor) string {
	name = g.free(name)
	g.Constants = append(g.Constants, onnx.Constant{Name: name, Tensor: t})
	return name
}

func (g *graph) node(op, out string, in []string, attrs ...onnx.Attr) string {
	out = g.free(out)
	g.Nodes = append(g.Nodes, onnx.Node{Op: op, In: in, Out: []string{out}, Attrs: attrs})
	return out
}

func (g *graph) learn(op, out, in string, attrs ...onnx.Attr) string {
	g.node(op, out, []string{in}, attrs...)
	last := &g.Nodes[len(g.Nodes)-1]
	last.Domain = onnx.Learn
	return last.Out[0]
}

// about says what a column wants.
func about(c croft.Column) string {
	if c.Kind == croft.Category {
		others := ""
		if c.Other != "" {
			others = "; any other counts as " + c.Other
		}
		return "one of " + strings.Join(c.Levels, ", ") + others
	}
	return fmt.Sprintf("from %s to %s%s", c.Low, c.High, inUnit(c.Unit))
}
