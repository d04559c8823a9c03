package croft_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers is the architecture: a package imports only packages above its own line.
// Packages on one line do not import each other. Each line says what it is for,
// and why it stands where it does.
var layers = []struct {
	packages []string
	why      string
}{
	{[]string{"croft"}, "the words: everybody speaks them, they know nobody"},
	{[]string{"table", "tensor", "fhir"}, "what data and vectors are, and how records become rows; pure"},
	{[]string{"onnx"}, "a model as the programs of others know it: bytes, and what they compute; pure"},
	{[]string{"oip"}, "messages by which other programs call a model; knows none"},
	{[]string{"vdaf"}, "what can be proved of numbers that nobody sees; pure"},
	{[]string{"fed", "privagg"}, "maths: plans and private sums know nothing of each other, vectors are their common currency; pure"},
	{[]string{"pay"}, "what the two ends of a payment channel owe each other; pure"},
	{[]string{"ledger"}, "the rules, run by whoever checks a chain; pure but for the tree under it"},
	{[]string{"energy", "keys", "store"}, "this machine: meters, secrets, files"},
	{[]string{"p2p"}, "other machines"},
	{[]string{"chain"}, "the ledger under consensus"},
	{[]string{"data"}, "the owner's files, read under a schema"},
	{[]string{"study", "serve"}, "the first great flow, a round; and engines that answer calls"},
	{[]string{"market"}, "the second great flow: a paid call"},
	{[]string{"audit"}, "checks what the flows left behind, so it must not be needed by them"},
	{[]string{"api"}, "what a person's commands may ask of a node"},
	{[]string{"report"}, "what a finished study says, to read, to print, to compute on"},
	{[]string{"node"}, "puts everything together, once"},
	{[]string{"sim"}, "many nodes in one process"},
	{[]string{"bench"}, "experiments as code"},
	{[]string{"cmd/croft"}, "words and exit codes for people"},
}

// confined names big libraries and the only package that may import each, so that
// it can be replaced, and its types leak nowhere.
var confined = map[string]string{
	"github.com/cometbft/":            "chain",
	"github.com/libp2p/":              "p2p",
	"github.com/multiformats/":        "p2p",
	"github.com/cosmos/iavl":          "ledger chain", // chain gives it a database
	"github.com/cosmos/ics23":         "ledger",
	"github.com/fxamacker/cbor":       "croft",
	"github.com/parquet-go/":          "", // tests of data read what it writes
	"github.com/andybalholm/brotli":   "data",
	"github.com/klauspost/compress":   "data",
	"github.com/pierrec/lz4":          "data",
	"github.com/pelletier/go-toml":    "study cmd/croft", // files that people write
	"github.com/spf13/cobra":          "cmd/croft",
	"filippo.io/age":                  "keys",
	"github.com/cloudflare/circl":     "bench", // beside ours; tests of vdaf compare with it
	"github.com/syndtr/goleveldb":     "chain",
	"github.com/prometheus/":          "p2p", // to switch libp2p's metrics off
	"github.com/rogpeppe/go-internal": "cmd/croft",
	"google.golang.org/protobuf":      "onnx oip", // onnx has the wire format, no more
	"connectrpc.com/":                 "serve",
	"google.golang.org/genproto":      "serve",
	"google.golang.org/grpc":          "", // the stock client of tests
	"rsc.io/qr":                       "cmd/croft",
}

// pure packages must not reach for the clock, the disk, the network or the
// system's randomness: those are arguments.
var pure = map[string][]string{
	"fhir":   {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
	"table":  {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
	"tensor": {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
	"fed":    {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
	"pay":    {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
	"ledger": {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync", "math"},
	"onnx":   {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
	"vdaf":   {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
	// HPKE draws its own randomness in the standard library.
	"privagg": {"time", "os", "net", "crypto/rand", "math/rand", "math/rand/v2", "sync"},
}

func TestImportsGoDownOnly(t *testing.T) {
	storey := map[string]int{}
	for i, l := range layers {
		for _, p := range l.packages {
			storey[p] = i
		}
	}
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		name := short("croft/" + filepath.ToSlash(filepath.Dir(path)))
		at, known := storey[name]
		if !known {
			t.Errorf("%s: package %s has no place in the table", path, name)
			return nil
		}
		seen[name] = true
		test := strings.HasSuffix(path, "_test.go")
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if imported == "croft" || strings.HasPrefix(imported, "croft/") {
				if other := short(imported); other != name && storey[other] >= at {
					t.Errorf("%s imports %s: %s (%s) may not look up to %s (%s)", path, imported, name, layers[at].why, other, layers[storey[other]].why)
				}
				continue
			}
			if imported == "testing" && !test {
				t.Errorf("%s imports testing: product code does not know its tests", path)
			}
			if !test && slices.Contains(pure[name], imported) {
				t.Errorf("%s imports %s: %s is pure", path, imported, name)
			}
			for library, home := range confined {
				if !test && strings.HasPrefix(imported, library) && !slices.Contains(strings.Fields(home), name) {
					t.Errorf("%s imports %s: only %s may", path, imported, home)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range storey {
		if !seen[name] {
			if _, err := os.Stat(filepath.Join("internal", name)); err != nil && name != "croft" && name != "cmd/croft" {
				t.Errorf("the table has a line for %s, which does not exist", name)
			}
		}
	}
}

// short gives a package its name in the table.
func short(path string) string {
	path = strings.TrimPrefix(strings.TrimSuffix(path, "/."), "croft/")
	return strings.TrimPrefix(path, "internal/")
}

// TestNoForeignPaths keeps the project free of the machine that it was
// written on.
func TestNoForeignPaths(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if d.IsDir() || path == "layers_test.go" || strings.HasPrefix(path, "croft") && !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, word := range []string{"/work/", "/root/", "/tmp/team"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s mentions %s", path, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
