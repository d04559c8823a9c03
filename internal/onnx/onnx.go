// Package onnx writes, reads and runs a small part of ONNX, the Open Neural Network
// Exchange: a graph of operators over named tensors, as Protocol Buffers.
//
//	onnx.go    what a model is
//	run.go     running one: Load checks it, Run answers
//	ops.go     the operators, and nothing but these
//	encode.go  a model as bytes
//	decode.go  and back, with limits
//
// It takes graphs without loops, branches, functions or data in other files, over
// tensors of double, float, int64, string and bool. The numbers of the fields are
// those of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
package onnx

import "slices"

// Learn is the domain of the operators for tables; that of all others is "".
const Learn = "ai.onnx.ml"

// The versions that Encode writes: those that ONNX Runtime has read since 1.12.
const (
	irVersion  = 8
	opset      = 17
	learnOpset = 3
)

// The limits of one tensor, which hold on every machine.
const (
	maxElements = 1 << 24
	maxSides    = 8
)

// Model is a graph and what is said of it.
type Model struct {
	Producer, Version string // the program that wrote it
	Doc               string
	Properties        [][2]string // keys and values, for people and registries
	Graph             Graph
}

// Graph is a list of nodes, each after those whose outputs it takes.
type Graph struct {
	Name      string
	Inputs    []Value
	Outputs   []Value
	Constants []Constant
	Nodes     []Node
}

// Value is an input or output of a graph. A dimension of −1 may have any length.
type Value struct {
	Name  string
	Type  Type
	Shape []int
	Doc   string
}

// Constant is a tensor that stands in the file.
type Constant struct {
	Name string
	Tensor
}

// Node is one operator on named tensors. An optional input that is left out is "".
type Node struct {
	Op, Domain string
	In, Out    []string
	Attrs      []Attr
}

// Attr is a parameter of a node: a float32, int64, string, Tensor, or a slice of
// one of the first three.
type Attr struct {
	Name  string
	Value any
}

// Type is what a tensor's elements are.
type Type int32

// The types, as onnx.proto numbers them.
const (
	Float  Type = 1
	Int64  Type = 7
	String Type = 8
	Bool   Type = 9
	Double Type = 11
)

// String returns what ONNX calls the type.
func (t Type) String() string {
	switch t {
	case Float:
		return "float"
	case Int64:
		return "int64"
	case String:
		return "string"
	case Bool:
		return "bool"
	case Double:
		return "double"
	}
	return "no type of this package"
}

// Tensor has Data in row-major order: a []float64, []float32, []int64, []string
// or []bool. Without a shape it is one element.
type Tensor struct {
	Shape []int
	Data  any
}

// Of returns a tensor.
func Of[E float64 | float32 | int64 | string | bool](data []E, shape ...int) Tensor {
	return Tensor{shape, data}
}

// Type returns what the elements are; 0 if they are nothing that a tensor can have.
func (t Tensor) Type() Type {
	switch t.Data.(type) {
	case []float32:
		return Float
	case []float64:
		return Double
	case []int64:
		return Int64
	case []string:
		return String
	case []bool:
		return Bool
	}
	return 0
}

// whole reports whether the tensor has as many elements as its shape says.
func (t Tensor) whole() bool {
	n, ok := size(t.Shape)
	return ok && n == t.Len()
}

// Len returns the number of elements.
func (t Tensor) Len() int {
	switch d := t.Data.(type) {
	case []float32:
		return len(d)
	case []float64:
		return len(d)
	case []int64:
		return len(d)
	case []string:
		return len(d)
	case []bool:
		return len(d)
	}
	return -1
}

// size returns the number of elements of a shape, if that is allowed.
func size(shape []int) (n int, ok bool) {
	if len(shape) > maxSides {
		return 0, false
	}
	n = 1
	for _, d := range shape {
		if d < 0 || d > maxElements {
			return 0, false
		}
		if n *= d; n > maxElements {
			return 0, false
		}
	}
	return n, true
}

// attr returns a parameter of a node, or what it is where the node has none.
func attr[T any](n Node, name string, otherwise T) T {
	i := slices.IndexFunc(n.Attrs, func(a Attr) bool { return a.Name == name })
	if i < 0 {
		return otherwise
	}
	if v, ok := n.Attrs[i].Value.(T); ok {
		return v
	}
	return otherwise
}
