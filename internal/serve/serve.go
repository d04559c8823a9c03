// Package serve is where calls meet engines: whatever way a call came in, it is one
// [Request], and whatever answers it is one [Engine].
//
//	serve.go     a request, an answer, an engine
//	model.go     engine: a model of the network, in process
//	graph.go     engine: an ONNX file, in process
//	upstream.go  engine: another program's HTTP server
//	dialects.go  the HTTP server for programs on this machine
//	openai.go    dialect: OpenAI's /v1
//	oip.go       dialect: the Open Inference Protocol's /v2
//	grpc.go      dialect: the same over gRPC
//	contents.go  its tensors
//	apikeys.go   who may call
//	alike.go     whether two answers say the same
//
// The package does not know of payment: whoever calls an engine decides that first.
package serve

import (
	"context"

	"croft"
)

// The tasks. Each names the form of a request's body and of its answer.
const (
	Predict = "predict" // Open Inference Protocol: inputs, outputs
	Chat    = "chat"    // OpenAI: chat/completions
	Embed   = "embed"   // OpenAI: embeddings
	HTTP    = "http"    // whatever the server behind it speaks: JSON in, JSON out
)

// MaxBody bounds a request and an answer, in bytes.
const MaxBody = 8 << 20

// Request is a call in the one form that crosses the network.
type Request struct {
	Task   string `cbor:"1,keyasint"`
	Body   []byte `cbor:"2,keyasint"`           // JSON
	Stream bool   `cbor:"3,keyasint,omitempty"` // the answer is wanted in parts
}

// Answer is what an engine made of a request.
type Answer struct {
	Body  []byte      // JSON; of a stream nothing, or what came after the last part
	Meter croft.Meter // tokens, where the engine counts them
	// Partial says that a stream broke off, and why; what was handed out counts.
	Partial error
}

// Engine answers requests. Its methods may be called concurrently.
type Engine interface {
	// Infer answers a request, and of a stream hands out the parts as they are made:
	// JSON values, in order. An error of part ends the call. It fails with
	// croft.ErrRequest if the request is at fault, else with croft.ErrEngineFailed.
	Infer(ctx context.Context, r Request, part func([]byte) error) (Answer, error)
}

// Quoter is an Engine that names a price for each request.
type Quoter interface {
	Engine
	// Quote returns what an answer to a request costs. It fails as Infer does.
	Quote(ctx context.Context, r Request) (croft.Credits, error)
}

// Tensor is one named input or output of a model: see the Open Inference Protocol.
type Tensor struct {
	Name     string   `json:"name" cbor:"1,keyasint"`
	Datatype string   `json:"datatype" cbor:"2,keyasint"`
	Shape    []int    `json:"shape" cbor:"3,keyasint"`                      // -1: any
	Levels   []string `json:"levels,omitempty" cbor:"4,keyasint,omitempty"` // of a BYTES input: what it may say
	Low      string   `json:"low,omitempty" cbor:"5,keyasint,omitempty"`    // of a number: its range
	High     string   `json:"high,omitempty" cbor:"6,keyasint,omitempty"`
}

// Schema says what goes into a service and what comes out, where its task does not.
type Schema struct {
	Inputs   []Tensor `json:"inputs" cbor:"1,keyasint"`
	Outputs  []Tensor `json:"outputs" cbor:"2,keyasint"`
	Platform string   `json:"platform,omitempty" cbor:"3,keyasint,omitempty"` // what made the model, as the Open Inference Protocol names it
}

// Described is an Engine that knows its schema.
type Described interface {
	Engine
	Schema() Schema
}
