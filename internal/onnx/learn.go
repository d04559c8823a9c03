package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The operators of Learn, after https://onnx.ai/onnx/operators and, where that is vague,
// ONNX Runtime. Their parameters are checked and sorted once, when a model is loaded.
// They give float, which is what they keep coefficients as; sums are made in double.

const (
	maxTreeNodes = 1 << 20 // of an ensemble
	maxClasses   = 1 << 12
	treeStep     = 8 // multiplications that a step through a tree, or a tree of none, takes as long as
)

// rows is a table of numbers to compute with.
type rows struct {
	count, width int
	data         []float64
	shape        []int // as it came
}

// rowsOf reads a table; a list is one row.
func rowsOf(c *costs, t Tensor) (r rows, err error) {
	switch len(t.Shape) {
	case 1:
		r.count, r.width = 1, t.Shape[0]
	case 2:
		r.count, r.width = t.Shape[0], t.Shape[1]
	default:
		return r, fmt.Errorf("it takes a table, not a tensor of shape %v", t.Shape)
	}
	r.shape = t.Shape
	if _, err := c.make(t.Shape); err != nil {
		return r, err
	}
	switch d := t.Data.(type) {
	case []float64:
		r.data = slices.Clone(d)
	case []float32:
		r.data = convert[float64](d)
	case []int64:
		r.data = convert[float64](d)
	default:
		return r, errType
	}
	return r, nil
}

// floats is what is left of a table as an operator gives it.
func (r rows) floats() Tensor { return Tensor{r.shape, convert[float32](r.data)} }

func (r rows) row(i int) []float64 { return r.data[i*r.width : (i+1)*r.width] }

// reals returns a parameter of numbers: of floats, or as a tensor under another name.
func reals(n Node, name string) []float64 {
	switch d := attr(n, name+"_as_tensor", Tensor{}).Data.(type) {
	case []float64:
		return d
	case []float32:
		return convert[float64](d)
	}
	return convert[float64](attr(n, name, []float32(nil)))
}

func scaler(c *costs, n Node, in []Tensor) (Tensor, error) {
	r, err := rowsOf(c, in[0])
	if err != nil {
		return Tensor{}, err
	}
	offset, scale := reals(n, "offset"), reals(n, "scale")
	if len(offset) != len(scale) || len(offset) != 1 && len(offset) != r.width {
		return Tensor{}, fmt.Errorf("it has %d offsets and %d scales for %d columns", len(offset), len(scale), r.width)
	}
	for i := range r.data {
		at := i % r.width % len(offset)
		r.data[i] = (r.data[i] - offset[at]) * scale[at]
	}
	return r.floats(), nil
}

func normalize(c *costs, n Node, in []Tensor) (Tensor, error) {
	r, err := rowsOf(c, in[0])
	if err != nil {
		return Tensor{}, err
	}
	for i := range r.count {
		row := r.row(i)
		by := 0.0
		switch norm := attr(n, "norm", "MAX"); norm {
		case "MAX":
			by = math.Inf(-1)
			for _, v := range row {
				by = max(by, v)
			}
		case "L1":
			for _, v := range row {
				by += math.Abs(v)
			}
		case "L2":
			for _, v := range row {
				by = math.Hypot(by, v)
			}
		default:
			return Tensor{}, fmt.Errorf("the norm %.40q is not known here", norm)
		}
		for j := range row {
			if by != 0 {
				row[j] /= by
			}
		}
	}
	return r.floats(), nil
}

func impute(c *costs, n Node, in []Tensor) (Tensor, error) {
	if len(in[0].Shape) == 0 {
		return Tensor{}, errors.New("it takes a table")
	}
	if _, err := c.make(in[0].Shape); err != nil {
		return Tensor{}, err
	}
	put, missing := attr(n, "imputed_value_floats", []float32(nil)), attr(n, "replaced_value_float", float32(0))
	switch d := in[0].Data.(type) {
	case []float32:
		return replaced(in[0].Shape, d, missing, put)
	case []float64:
		return replaced(in[0].Shape, d, float64(missing), convert[float64](put))
	case []int64:
		return replaced(in[0].Shape, d, attr(n, "replaced_value_int64", int64(0)), attr(n, "imputed_value_int64s", []int64(nil)))
	}
	return Tensor{}, errType
}

func replaced[E float64 | float32 | int64](shape []int, data []E, missing E, put []E) (Tensor, error) {
	width := shape[len(shape)-1]
	if len(put) == 0 || len(put) != 1 && len(put) != width {
		return Tensor{}, fmt.Errorf("it has %d values to put into %d columns", len(put), width)
	}
	out := slices.Clone(data)
	for i, v := range out {
		if v == missing || v != v && missing != missing {
			out[i] = put[i%width%len(put)]
		}
	}
	return Tensor{shape, out}, nil
}

func oneHot(c *costs, n Node, in []Tensor) (Tensor, error) {
	if words := attr(n, "cats_strings", []string(nil)); len(words) > 0 {
		data, ok := in[0].Data.([]string)
		if !ok {
			return Tensor{}, errType
		}
		return hot(c, n, in[0].Shape, data, words)
	}
	t, err := cast(c, Node{Attrs: []Attr{{"to", int64(Int64)}}}, in)
	if err != nil {
		return Tensor{}, err
	}
	return hot(c, n, t.Shape, t.Data.([]int64), attr(n, "cats_int64s", []int64(nil)))
}

func hot[E comparable](c *costs, n Node, shape []int, data, levels []E) (Tensor, error) {
	at := make(map[E]int, min(len(levels), maxClasses))
	for i, level := range levels {
		if i == maxClasses {
			return Tensor{}, fmt.Errorf("it has more than %d levels", maxClasses)
		}
		at[level] = i
	}
	shape = append(slices.Clone(shape), len(levels))
	size, err := c.make(shape)
	if err != nil {
		return Tensor{}, err
	}
	out := make([]float32, size)
	for i, v := range data {
		level, known := at[v]
		switch {
		case known:
			out[i*len(levels)+level] = 1
		case attr(n, "zeros", int64(1)) == 0:
			return Tensor{}, fmt.Errorf("a value is none of its %d levels", len(levels))
		}
	}
	return Tensor{shape, out}, nil
}

// zipMap would give each row a name for each number. The numbers are given as they stand,
// in the order of the names.
func zipMap(_ *costs, _ Node, in []Tensor) (Tensor, error) { return in[0], nil }

// extract gathers columns.
func extract(c *costs, _ Node, in []Tensor) (Tensor, error) {
	sides := len(in[0].Shape)
	if sides == 0 {
		return Tensor{}, errors.New("it takes a list or a table")
	}
	in[1].Shape = []int{in[1].Len()}
	out, err := gatherAt(c, in, sides-1)
	if err == nil && sides == 1 {
		out.Shape = []int{1, out.Len()}
	}
	return out, err
}

// labels are what a classifier calls its classes: numbers or texts.
type labels struct {
	ints  []int64
	texts []string
}

func labelsOf(n Node, ints, texts string) (labels, error) {
	l := labels{attr(n, ints, []int64(nil)), attr(n, texts, []string(nil))}
	if (len(l.ints) > 0) == (len(l.texts) > 0) || l.len() > maxClasses {
		return l, fmt.Errorf("it has %d numbers and %d texts as classes", len(l.ints), len(l.texts))
	}
	return l, nil
}

func (l labels) len() int { return max(len(l.ints), len(l.texts)) }

// of returns the labels of classes.
func (l labels) of(classes []int64) Tensor {
	picked := func(in Tensor) Tensor {
		out, _ := gatherAt(&costs{made: maxMade}, []Tensor{in, Of(classes, len(classes))}, 0)
		return out
	}
	if l.texts != nil {
		return picked(Of(l.texts, len(l.texts)))
	}
	return picked(Of(l.ints, len(l.ints)))
}

// transformOf returns what is done to the scores of a row in the end.
func transformOf(n Node) (func(scores []float64), error) {
	switch name := attr(n, "post_transform", "NONE"); name {
	case "NONE":
		return func([]float64) {}, nil
	case "LOGISTIC":
		return func(scores []float64) {
			for i, v := range scores {
				scores[i] = logistic(v)
			}
		}, nil
	case "SOFTMAX":
		return func(scores []float64) {
			if len(scores) > 0 {
				copy(scores, shares(scores, len(scores)))
			}
		}, nil
	default:
		return nil, fmt.Errorf("the transformation %.40q is not known here", name)
	}
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// linear computes scores: each row by each class's coefficients.
type linear struct {
	coefficients, intercepts []float64
	classes, width           int
	transform                func([]float64)
}

func newLinear(n Node, classes int) (l linear, err error) {
	l = linear{coefficients: reals(n, "coefficients"), intercepts: reals(n, "intercepts"), classes: classes}
	if classes < 1 || classes > maxClasses || len(l.coefficients) == 0 || len(l.coefficients)%classes != 0 {
		return l, fmt.Errorf("it has %d coefficients for %d classes", len(l.coefficients), classes)
	}
	if len(l.intercepts) == 0 {
		l.intercepts = make([]float64, classes)
	}
	if len(l.intercepts) != classes {
		return l, fmt.Errorf("it has %d intercepts for %d classes", len(l.intercepts), classes)
	}
	l.width = len(l.coefficients) / classes
	l.transform, err = transformOf(n)
	return l, err
}

func (l linear) scores(c *costs, t Tensor) (rows, error) {
	x, err := rowsOf(c, t)
	if err != nil {
		return x, err
	}
	if x.width != l.width {
		return x, fmt.Errorf("it takes %d columns, not %d", l.width, x.width)
	}
	out := rows{count: x.count, width: l.classes, shape: []int{x.count, l.classes}}
	n, err := c.make(out.shape)
	if err != nil {
		return x, err
	}
	if err := c.multiply(x.count, l.classes, l.width); err != nil {
		return x, err
	}
	out.data = make([]float64, n)
	for i := range x.count {
		for k, score := range l.intercepts {
			for j, v := range x.row(i) {
				score += v * l.coefficients[k*l.width+j]
			}
			out.row(i)[k] = score
		}
	}
	return out, nil
}

func linearRegressor(n Node) (step, error) {
	targets := attr(n, "targets", int64(1))
	l, err := newLinear(n, int(min(max(targets, 0), maxClasses+1)))
	return func(c *costs, in []Tensor) ([]Tensor, error) {
		s, err := l.scores(c, in[0])
		if err != nil {
			return nil, err
		}
		for i := range s.count {
			l.transform(s.row(i))
		}
		return []Tensor{s.floats()}, nil
	}, err
}

func linearClassifier(n Node) (step, error) {
	names, err := labelsOf(n, "classlabels_ints", "classlabels_strings")
	if err != nil {
		return nil, err
	}
	classes := names.len()
	if k := len(attr(n, "intercepts", []float32(nil))); k > 0 {
		classes = k
	}
	if classes != names.len() || classes < 2 {
		return nil, fmt.Errorf("it has scores for %d classes and names for %d", classes, names.len())
	}
	l, err := newLinear(n, classes)
	return func(c *costs, in []Tensor) ([]Tensor, error) {
		s, err := l.scores(c, in[0])
		if err != nil {
			return nil, err
		}
		best := make([]int64, s.count)
		for i := range best {
			best[i] = int64(largest(s.row(i)))
			l.transform(s.row(i))
		}
		return []Tensor{names.of(best), s.floats()}, nil
	}, err
}

// largest returns where the first largest number is.
func largest[E number](of []E) (at int) {
	for i, v := range of {
		if v > of[at] {
			at = i
		}
	}
	return at
}

// forest is an ensemble of trees. A row goes from each root to a leaf, and the leaf
// votes.
type forest struct {
	nodes     []treeNode
	roots     []int32
	votes     []vote
	base      []float64
	width     int // columns that it looks at
	transform func([]float64)
}

// treeModes are the kinds of nodes; isLeaf is where the first stands.
var treeModes = []string{"LEAF", "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"}

const isLeaf = 0

type treeNode struct {
	mode     int // of treeModes
	feature  int
	value    float64
	missing  bool  // where there is no value, yes
	yes, no  int32 // of a branch
	from, to int32 // votes of a leaf
}

type vote struct {
	class  int
	weight float64
}

func treeAttrs(votes string) []string {
	attrs := []string{"base_values", "base_values_as_tensor", "nodes_falsenodeids", "nodes_featureids", "nodes_hitrates", "nodes_hitrates_as_tensor", "nodes_missing_value_tracks_true",
		"nodes_modes", "nodes_nodeids", "nodes_treeids", "nodes_truenodeids", "nodes_values", "nodes_values_as_tensor", "post_transform"}
	for _, a := range []string{"_ids", "_nodeids", "_treeids", "_weights", "_weights_as_tensor"} {
		attrs = append(attrs, votes+a)
	}
	return attrs
}

// newForest reads the trees of a node whose votes have names that begin so.
func newForest(n Node, prefix string, classes int) (f *forest, err error) {
	list := func(name string) []int64 { return attr(n, name, []int64(nil)) }
	trees, ids, features, yes, no := list("nodes_treeids"), list("nodes_nodeids"), list("nodes_featureids"), list("nodes_truenodeids"), list("nodes_falsenodeids")
	modes, values, missing := attr(n, "nodes_modes", []string(nil)), reals(n, "nodes_values"), list("nodes_missing_value_tracks_true")
	count := len(trees)
	if count == 0 || count > maxTreeNodes {
		return nil, fmt.Errorf("its trees have %d nodes; 1 to %d are possible", count, maxTreeNodes)
	}
	if len(missing) == 0 {
		missing = make([]int64, count)
	}
	for _, k := range []int{len(ids), len(features), len(yes), len(no), len(modes), len(values), len(missing)} {
		if k != count {
			return nil, fmt.Errorf("its lists of nodes have lengths of %d and %d", count, k)
		}
	}
	f = &forest{nodes: make([]treeNode, count), base: reals(n, "base_values")}
	if f.transform, err = transformOf(n); err != nil {
		return nil, err
	}
	place := make(map[[2]int64]int32, count)
	for i := range count {
		key := [2]int64{trees[i], ids[i]}
		if _, twice := place[key]; twice {
			return nil, fmt.Errorf("tree %d has two nodes %d", trees[i], ids[i])
		}
		place[key] = int32(i)
	}
	parents := make([]int32, count)
	for i := range count {
		t := treeNode{mode: slices.Index(treeModes, modes[i]), value: values[i], missing: missing[i] != 0}
		switch {
		case t.mode < 0:
			return nil, fmt.Errorf("a tree has a node of kind %.40q", modes[i])
		case t.mode != isLeaf && (features[i] < 0 || features[i] >= maxElements):
			return nil, fmt.Errorf("a tree looks at column %d", features[i])
		case t.mode != isLeaf:
			t.feature = int(features[i])
			f.width = max(f.width, t.feature+1)
			for _, child := range []struct {
				id int64
				to *int32
			}{{yes[i], &t.yes}, {no[i], &t.no}} {
				at, there := place[[2]int64{trees[i], child.id}]
				if !there {
					return nil, fmt.Errorf("tree %d has no node %d", trees[i], child.id)
				}
				*child.to = at
				parents[at]++
			}
		}
		f.nodes[i] = t
	}
	// Where each node but the roots has one parent, and each tree one root, only a ring
	// that no root leads to would be left: nobody comes there.
	rooted := map[int64]bool{}
	for i, k := range parents {
		switch {
		case k > 1:
			return nil, fmt.Errorf("node %d of tree %d stands below two others", ids[i], trees[i])
		case k == 0 && rooted[trees[i]]:
			return nil, fmt.Errorf("tree %d has two roots", trees[i])
		case k == 0:
			rooted[trees[i]] = true
			f.roots = append(f.roots, int32(i))
		}
	}
	return f, f.cast(n, prefix, classes, place)
}

// cast reads the votes of the leaves.
func (f *forest) cast(n Node, prefix string, classes int, place map[[2]int64]int32) error {
	trees, ids, of := attr(n, prefix+"_treeids", []int64(nil)), attr(n, prefix+"_nodeids", []int64(nil)), attr(n, prefix+"_ids", []int64(nil))
	weights := reals(n, prefix+"_weights")
	if len(ids) != len(trees) || len(of) != len(trees) || len(weights) != len(trees) || len(trees) > maxTreeNodes*8 {
		return fmt.Errorf("its lists of votes have lengths of %d, %d, %d and %d", len(trees), len(ids), len(of), len(weights))
	}
	if k := len(f.base); k > 1 && k != classes || k == 1 && classes > 2 {
		return fmt.Errorf("it has %d base values for %d classes", k, classes)
	}
	leaf := make([]int32, len(trees))
	for i := range trees {
		at, there := place[[2]int64{trees[i], ids[i]}]
		if !there || f.nodes[at].mode != isLeaf || of[i] < 0 || of[i] >= int64(classes) {
			return fmt.Errorf("node %d of tree %d votes for class %d", ids[i], trees[i], of[i])
		}
		leaf[i] = at
		f.nodes[at].to++ // counted first
	}
	sum := int32(0)
	for i := range f.nodes {
		t := &f.nodes[i]
		t.from, sum = sum, sum+t.to
		t.to = t.from
	}
	f.votes = make([]vote, len(trees))
	for i, at := range leaf {
		t := &f.nodes[at]
		f.votes[t.to] = vote{int(of[i]), weights[i]}
		t.to++
	}
	return nil
}

// poll gives all votes for a row.
func (f *forest) poll(c *costs, row []float64, vote func(vote)) error {
	for _, at := range f.roots {
		t := &f.nodes[at]
		for ; t.mode != isLeaf; t = &f.nodes[at] {
			if c.work -= treeStep; c.work < 0 {
				return errors.New("its trees are too large here")
			}
			if at = t.no; t.takes(row[t.feature]) {
				at = t.yes
			}
		}
		if c.work -= treeStep + int(t.to-t.from); c.work < 0 {
			return errors.New("its trees are too large here")
		}
		for _, v := range f.votes[t.from:t.to] {
			vote(v)
		}
	}
	return nil
}

func (t *treeNode) takes(x float64) bool {
	if t.missing && x != x {
		return true
	}
	switch t.mode {
	case 1:
		return x <= t.value
	case 2:
		return x < t.value
	case 3:
		return x >= t.value
	case 4:
		return x > t.value
	case 5:
		return x == t.value
	}
	return x != t.value
}

// table makes the scores of all rows, each by a function.
func (f *forest) table(c *costs, t Tensor, classes int, score func(row, scores []float64) error) (rows, error) {
	x, err := rowsOf(c, t)
	if err != nil {
		return x, err
	}
	if x.width < f.width {
		return x, fmt.Errorf("it looks at %d columns, not %d", f.width, x.width)
	}
	out := rows{count: x.count, width: classes, shape: []int{x.count, classes}}
	n, err := c.make(out.shape)
	if err != nil {
		return x, err
	}
	out.data = make([]float64, n)
	for i := range x.count {
		if err := score(x.row(i), out.row(i)); err != nil {
			return x, err
		}
	}
	return out, nil
}

func treeRegressor(n Node) (step, error) {
	targets := int(min(max(attr(n, "n_targets", int64(1)), 0), maxClasses+1))
	if targets < 1 || targets > maxClasses {
		return nil, fmt.Errorf("it has %d targets", targets)
	}
	how := attr(n, "aggregate_function", "SUM")
	if !slices.Contains([]string{"SUM", "AVERAGE", "MIN", "MAX"}, how) {
		return nil, fmt.Errorf("the function %.40q is not known here", how)
	}
	f, err := newForest(n, "target", targets)
	if err != nil {
		return nil, err
	}
	return func(c *costs, in []Tensor) ([]Tensor, error) {
		voted := make([]bool, targets)
		out, err := f.table(c, in[0], targets, func(row, scores []float64) error {
			clear(voted)
			err := f.poll(c, row, func(v vote) {
				switch first := !voted[v.class]; {
				case first:
					scores[v.class] = v.weight
				case how == "MIN":
					scores[v.class] = min(scores[v.class], v.weight)
				case how == "MAX":
					scores[v.class] = max(scores[v.class], v.weight)
				default:
					scores[v.class] += v.weight
				}
				voted[v.class] = true
			})
			for i := range scores {
				if how == "AVERAGE" {
					scores[i] /= float64(len(f.roots))
				}
				if len(f.base) > 0 {
					scores[i] += f.base[i%len(f.base)]
				}
			}
			f.transform(scores)
			return err
		})
		return []Tensor{out.floats()}, err
	}, nil
}

// treeClassifier: of two classes the votes are mostly for one, which then is the second;
// its score is a share, where no vote is negative, and else a distance from 0.
func treeClassifier(n Node) (step, error) {
	names, err := labelsOf(n, "classlabels_int64s", "classlabels_strings")
	if err != nil {
		return nil, err
	}
	classes := names.len()
	f, err := newForest(n, "class", classes)
	if err != nil {
		return nil, err
	}
	only, share := true, true
	for _, v := range f.votes {
		only, share = only && v.class == f.votes[0].class, share && v.weight >= 0
	}
	binary := classes == 2 && only
	if len(f.base) > 0 && binary != (len(f.base) == 1) || binary && attr(n, "post_transform", "NONE") == "SOFTMAX" { // what these mean is nowhere said
		return nil, fmt.Errorf("its trees vote for some of %d classes, with %d base values and the transformation %s", classes, len(f.base), attr(n, "post_transform", "NONE"))
	}
	return func(c *costs, in []Tensor) ([]Tensor, error) {
		var best []int64
		out, err := f.table(c, in[0], classes, func(row, scores []float64) error {
			err := f.poll(c, row, func(v vote) { scores[v.class] += v.weight })
			if !binary {
				for i := range f.base {
					scores[i] += f.base[i]
				}
				best = append(best, int64(largest(convert[float32](scores))))
				f.transform(scores)
				return err
			}
			score, middle := scores[0]+scores[1], 0.0
			if len(f.base) > 0 {
				score += f.base[0]
			}
			if scores[0], scores[1] = -score, score; share {
				middle = 0.5
			}
			won := int64(0)
			if float32(score) > float32(middle) { // halves of float shares are no halves in double
				won = 1
			}
			best = append(best, won)
			if share && attr(n, "post_transform", "NONE") == "NONE" {
				scores[0] = 1 - score
			}
			f.transform(scores)
			return err
		})
		if err != nil {
			return nil, err
		}
		return []Tensor{names.of(best), out.floats()}, nil
	}, nil
}
