package oip

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

var update = flag.Bool("update", false, "write oip.pb.go anew")

// What is generated is what the generator makes of oip.proto.
func TestGenerated(t *testing.T) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}, SourceInfoMode: protocompile.SourceInfoStandard}
	files, err := compiler.Compile(t.Context(), "oip.proto")
	if err != nil {
		t.Fatal(err)
	}
	ask, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{FileToGenerate: []string{"oip.proto"}, Parameter: proto.String("paths=source_relative"),
		ProtoFile: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(files[0])}})
	if err != nil {
		t.Fatal(err)
	}
	plugin := exec.CommandContext(t.Context(), "go", "tool", "protoc-gen-go")
	plugin.Stdin = bytes.NewReader(ask)
	answer, err := plugin.Output()
	if err != nil {
		t.Fatal(err)
	}
	var made pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(answer, &made); err != nil || made.Error != nil {
		t.Fatal(err, made.GetError())
	}
	want := made.File[0].GetContent()
	if *update {
		if err := os.WriteFile("oip.pb.go", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("oip.pb.go"); err != nil || string(got) != want {
		t.Error("oip.pb.go is not what oip.proto says: go test ./internal/oip -update ", err)
	}
}

// Empty messages are cheap to send and dear to keep: so many are read, and no more.
func TestMessagesAreBounded(t *testing.T) {
	for n, good := range map[int]bool{maxMessages: true, maxMessages + 1: false} {
		err := Codec{}.Unmarshal(bytes.Repeat([]byte{5<<3 | 2, 0}, n), new(ModelInferRequest))
		if (err == nil) != good {
			t.Errorf("%d inputs: %v", n, err)
		}
	}
	for n, good := range map[int]bool{maxTexts: true, maxTexts + 1: false} {
		err := Codec{}.Unmarshal(bytes.Repeat([]byte{7<<3 | 2, 0}, n), new(ModelInferRequest))
		if (err == nil) != good {
			t.Errorf("%d raw contents: %v", n, err)
		}
	}
	many := &ModelInferRequest{Inputs: []*ModelInferRequest_InferInputTensor{{Parameters: map[string]*InferParameter{}}}}
	for i := range maxMessages {
		many.Inputs[0].Parameters[string(rune(i))] = &InferParameter{}
	}
	b, err := proto.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	if err := (Codec{}).Unmarshal(b, new(ModelInferRequest)); err == nil {
		t.Error("parameters of an input do not count")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte{5<<3 | 2, 0})
	f.Add([]byte("\x0a\x05heart\x2a\x07\x0a\x03age\x2a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m ModelInferRequest
		if (Codec{}).Unmarshal(b, &m) == nil && len(m.Inputs)+len(m.Outputs)+len(m.Parameters) > maxMessages {
			t.Error(len(m.Inputs), len(m.Outputs), len(m.Parameters))
		}
	})
}
