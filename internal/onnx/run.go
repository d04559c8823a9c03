package onnx

import (
	"fmt"
	"slices"

	"croft"
)

// The limits of a model and of one run, which hold whatever its file says.
const (
	maxNodes  = 10_000
	maxListed = 10_000  // constants, inputs, outputs, properties
	maxMade   = 1 << 25 // elements of all results together
	maxWork   = 1 << 30 // multiplications
)

// Program is a model that can be run. It is immutable.
type Program struct {
	graph     Graph
	constants map[string]Tensor
	steps     []step // one a node
}

// Load checks that a model can be run here: that every operator is known, with
// these parameters and so many inputs, and that every name is made once, before it
// is used. It fails with croft.ErrEncoding, and names what it does not know.
func Load(m Model) (*Program, error) {
	p := &Program{graph: m.Graph, constants: map[string]Tensor{}}
	if err := p.check(); err != nil {
		return nil, croft.E(croft.ErrEncoding, "ONNX model that runs here", err)
	}
	return p, nil
}

func (p *Program) check() error {
	if len(p.graph.Nodes) > maxNodes {
		return fmt.Errorf("it has %d nodes; at most %d are allowed", len(p.graph.Nodes), maxNodes)
	}
	known := map[string]bool{}
	add := func(name string) error {
		if name == "" || known[name] {
			return fmt.Errorf("the name %.80q is made twice or is empty", name)
		}
		known[name] = true
		return nil
	}
	for _, c := range p.graph.Constants {
		if err := add(c.Name); err != nil {
			return err
		}
		p.constants[c.Name] = c.Tensor
	}
	var inputs []Value // an input with a value in the file is only a default
	for _, v := range p.graph.Inputs {
		if known[v.Name] {
			continue
		}
		if err := add(v.Name); err != nil {
			return err
		}
		inputs = append(inputs, v)
	}
	p.graph.Inputs = inputs
	for _, n := range p.graph.Nodes {
		name := n.Op
		if n.Domain != "" {
			name = n.Domain + "." + n.Op
		}
		o, found := ops[name]
		if !found {
			return fmt.Errorf("the operator %.80s is not known here", name)
		}
		if len(n.In) < o.least || len(n.In) > o.most || len(n.Out) != max(o.outs, 1) {
			return fmt.Errorf("%s has %d inputs and %d outputs", name, len(n.In), len(n.Out))
		}
		for _, a := range n.Attrs {
			if !slices.Contains(o.attrs, a.Name) {
				return fmt.Errorf("the parameter %.80s of %s is not known here", a.Name, name)
			}
		}
		for _, in := range n.In {
			if !known[in] {
				return fmt.Errorf("%s takes %.80q, which nothing before it makes", name, in)
			}
		}
		for i, out := range n.Out {
			if out == "" && i > 0 { // left out
				continue
			}
			if err := add(out); err != nil {
				return err
			}
		}
		next, err := o.of(n)
		if err != nil {
			return fmt.Errorf("%s, which makes %.80q: %w", name, n.Out[0], err)
		}
		p.steps = append(p.steps, next)
	}
	if len(p.graph.Outputs) == 0 {
		return fmt.Errorf("it has no outputs")
	}
	p.graph.Outputs = slices.Clone(p.graph.Outputs)
	for i, v := range p.graph.Outputs {
		if !known[v.Name] {
			return fmt.Errorf("nothing makes the output %.80q", v.Name)
		}
		// ZipMap makes a list of maps, from a table, which is what is given here.
		from := slices.IndexFunc(p.graph.Nodes, func(n Node) bool { return n.Op == "ZipMap" && n.Out[0] == v.Name })
		if from < 0 {
			continue
		}
		names, err := labelsOf(p.graph.Nodes[from], "classlabels_int64s", "classlabels_strings")
		if err != nil {
			return err
		}
		p.graph.Outputs[i].Type, p.graph.Outputs[i].Shape = Float, []int{-1, names.len()}
	}
	return nil
}

// Inputs lists what Run wants.
func (p *Program) Inputs() []Value { return p.graph.Inputs }

// Outputs lists what Run gives.
func (p *Program) Outputs() []Value { return p.graph.Outputs }

// Run computes the outputs for these inputs, by name. It fails with
// croft.ErrRequest on inputs that do not fit, and on a model whose tensors do not
// fit each other or cost too much.
func (p *Program) Run(inputs map[string]Tensor) (map[string]Tensor, error) {
	out, err := p.run(inputs)
	if err != nil {
		return nil, croft.E(croft.ErrRequest, err)
	}
	return out, nil
}

func (p *Program) run(inputs map[string]Tensor) (map[string]Tensor, error) {
	values := make(map[string]Tensor, len(p.constants)+len(inputs)+len(p.steps))
	for _, v := range p.graph.Inputs {
		t, found := inputs[v.Name]
		if !found {
			return nil, fmt.Errorf("the input %q is missing", v.Name)
		}
		fits := t.Type() == v.Type && t.whole() && (len(v.Shape) == 0 || len(t.Shape) == len(v.Shape))
		for i, d := range v.Shape {
			fits = fits && (d < 0 || t.Shape[i] == d)
		}
		if !fits {
			return nil, fmt.Errorf("the input %q is %s of shape %v; %s of shape %v is wanted", v.Name, t.Type(), t.Shape, v.Type, v.Shape)
		}
		values[v.Name] = t
	}
	if len(inputs) > len(p.graph.Inputs) {
		return nil, fmt.Errorf("there are %d inputs; %d are wanted", len(inputs), len(p.graph.Inputs))
	}
	for name, t := range p.constants {
		values[name] = t
	}
	c := &costs{maxMade, maxWork}
	for i, n := range p.graph.Nodes {
		in := make([]Tensor, len(n.In))
		for j, name := range n.In {
			in[j] = values[name]
		}
		made, err := p.steps[i](c, in)
		if err != nil {
			return nil, fmt.Errorf("%s, which makes %.80q: %w", n.Op, n.Out[0], err)
		}
		for j, name := range n.Out {
			values[name] = made[j]
		}
	}
	out := map[string]Tensor{}
	for _, v := range p.graph.Outputs {
		out[v.Name] = values[v.Name]
	}
	return out, nil
}

// costs is what a run may still cost.
type costs struct{ made, work int }

// make returns the number of elements of a result that is about to be made.
func (c *costs) make(shape []int) (int, error) {
	n, ok := size(shape)
	if c.made -= n; !ok || c.made < 0 {
		return 0, fmt.Errorf("a result of shape %v is too large here", shape)
	}
	return n, nil
}

// multiply pays for n·m·k multiplications.
func (c *costs) multiply(n, m, k int) error {
	if n == 0 || m == 0 || k <= c.work/n/m {
		c.work -= n * m * k
		return nil
	}
	return fmt.Errorf("a product of %d×%d by %d×%d is too large here", n, k, k, m)
}
