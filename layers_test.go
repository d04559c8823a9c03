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

// confined names every library of others and the only packages that may import it, so
// that it can be replaced, and its types leak nowhere; * is all. Tests may use what they like.
var confined = map[string]string{
	"connectrpc.com":               "serve",
	"filippo.io/age":               "keys",
	"github.com/andybalholm":       "data",
	"github.com/cloudflare/circl":  "bench", // beside ours
	"github.com/cometbft":          "chain",
	"github.com/cosmos/iavl":       "ledger chain", // chain gives it a database
	"github.com/cosmos/ics23":      "ledger",
	"github.com/fxamacker/cbor":    "croft",
	"github.com/klauspost":         "data",
	"github.com/libp2p":            "p2p",
	"github.com/multiformats":      "p2p",
	"github.com/pelletier/go-toml": "study cmd/croft", // files that people write
	"github.com/pierrec":           "data",
	"github.com/prometheus":        "p2p", // to switch libp2p's metrics off
	"github.com/spf13":             "cmd/croft",
	"github.com/syndtr/goleveldb":  "chain",
	"golang.org/x/sync":            "*",
	"golang.org/x/sys":             "*",
	"google.golang.org/genproto":   "serve",
	"google.golang.org/protobuf":   "onnx oip", // onnx has the wire format, no more
	"rsc.io/qr":                    "cmd/croft",
}

// pure packages must not reach for the clock, the disk, the network, other goroutines
// or the system's randomness: those are arguments. HPKE, in privagg, draws its own
// randomness in the standard library. The ledger has no floating point either.
var (
	pure   = strings.Fields("fed fhir ledger onnx pay privagg table tensor vdaf")
	impure = strings.Fields("crypto/rand log math/rand net os path/filepath runtime sync syscall time")
)

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
			if test {
				continue
			}
			below := func(folder string) bool { return imported == folder || strings.HasPrefix(imported, folder+"/") }
			if slices.Contains(pure, name) && (slices.ContainsFunc(impure, below) || name == "ledger" && imported == "math") {
				t.Errorf("%s imports %s: %s is pure", path, imported, name)
			}
			if host, _, _ := strings.Cut(imported, "/"); !strings.Contains(host, ".") {
				continue // the standard library's
			}
			homes := ""
			for library, home := range confined {
				if below(library) {
					homes = home
				}
			}
			if homes != "*" && !slices.Contains(strings.Fields(homes), name) {
				t.Errorf("%s imports %s: only these may: %s", path, imported, homes)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range storey {
		if !seen[name] {
			t.Errorf("the table has a line for %s, which does not exist", name)
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
