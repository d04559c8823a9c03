package fed

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"croft"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is a run of a plan: the integers that the private sums gave, and the
// hash of the state after each.
type golden struct {
	Name       string
	Intercepts croft.Intercepts
	Ridge      string
	Columns    int
	PerSite    bool
	Sites      int
	Sums       [][]int64
	Hashes     []string
}

// Every machine gets these states from these sums, bit by bit. On other machines
// than the tests' own, TestOtherMachinesTakeTheSameSteps runs this test.
func TestGoldenSteps(t *testing.T) {
	const file = "testdata/steps.json"
	if *update {
		writeGolden(t, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var runs []golden
	if err := json.Unmarshal(data, &runs); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, run := range runs {
		p := compile(t, logisticModel(croft.Prediction, run.Intercepts, run.Ridge), names(run.Columns), run.PerSite)
		s := p.Start()
		for i, sum := range run.Sums {
			values, err := p.Layout(s, run.Sites).Decode(sum)
			if err != nil {
				t.Fatalf("%s, sum %d: %v", run.Name, i, err)
			}
			if s, err = p.Step(s, run.Sites, values); err != nil {
				t.Fatalf("%s, sum %d: %v", run.Name, i, err)
			}
			if got := croft.HashOf(s).String(); got != run.Hashes[i] {
				t.Fatalf("%s: after sum %d the state is %s, want %s", run.Name, i, got, run.Hashes[i])
			}
			steps++
		}
		if s.Word != Done {
			t.Errorf("%s ends at %v", run.Name, s.Word)
		}
	}
	t.Logf("%d steps of %d runs", steps, len(runs))
}

func writeGolden(t *testing.T, file string) {
	rng := rand.New(rand.NewPCG(11, 11))
	runs := []golden{
		{Name: "common", Intercepts: croft.CommonIntercept, Ridge: "0", Columns: 5, Sites: 3},
		{Name: "site", Intercepts: croft.SiteIntercepts, Ridge: "0", Columns: 5, Sites: 4, PerSite: true},
		{Name: "ridge", Intercepts: croft.SiteIntercepts, Ridge: "0.37", Columns: 12, Sites: 3},
		{Name: "halved", Intercepts: croft.CommonIntercept, Ridge: "0", Columns: 2, Sites: 3},
	}
	for i := range runs {
		run := &runs[i]
		slopes := make([]float64, run.Columns)
		for j := range slopes {
			slopes[j] = 2 * rng.NormFloat64()
		}
		var sites []Site
		for range run.Sites {
			site := Site{simulate(rng, 150, -0.5, slopes), simulate(rng, 40, -0.5, slopes)}
			if run.Name == "halved" {
				site.Train = simulate(rng, 3000, -7, []float64{1, 0})
				for r, x := range site.Train.X {
					if x[1] = -1; r < 10 {
						x[1], site.Train.Y[r] = 1, float64(r%2)
					}
				}
			}
			sites = append(sites, site)
		}
		p := compile(t, logisticModel(croft.Prediction, run.Intercepts, run.Ridge), names(run.Columns), run.PerSite)
		s := p.Start()
		for s.Word != Done {
			layout := p.Layout(s, run.Sites)
			sum := make([]int64, layout.Elems())
			for me, site := range sites {
				report, err := p.Compute(s, me, run.Sites, site.Train, site.Test)
				if err != nil {
					t.Fatal(err)
				}
				encoded, err := layout.Encode(report)
				if err != nil {
					t.Fatal(err)
				}
				for i, e := range encoded {
					sum[i] += e
				}
			}
			values, err := layout.Decode(sum)
			if err != nil {
				t.Fatal(err)
			}
			if s, err = p.Step(s, run.Sites, values); err != nil {
				t.Fatal(err)
			}
			run.Sums, run.Hashes = append(run.Sums, sum), append(run.Hashes, croft.HashOf(s).String())
		}
	}
	data, err := json.Marshal(runs)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// On arm64 and others the compiler may fuse x*y + z into one rounding unless the
// product stands in an explicit conversion (Go specification, "Floating-point
// operators"). These tests run on amd64, where it does not: so they look at the
// source, and at the library functions that it calls.
func TestProductsAreNeverFused(t *testing.T) {
	files := token.NewFileSet()
	var trees []*ast.File
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	reached, found := inexact(files, trees, "Step", "Layout", "Decode")
	for _, f := range found {
		t.Error(f)
	}
	t.Logf("%d functions: %s", len(reached), strings.Join(reached, " "))

	files = token.NewFileSet()
	tree, err := parser.ParseFile(files, "x.go", `package x
		import "math"
		func f(a, b, c float64, n int) float64 {
			c += a * b
			c *= a
			return math.Exp(c) + float64(a*b) + float64(float64(2*a)*b) + a/b + float64(2*n*n) + s{}.g(nil, nil)
		}
		type s struct{}
		func (s) g(a, b []float64) float64 { return float64(a[0]*b[0]) - (a[1]*b[1]) }
		var h = func() {}
		func unreached(a, b float64) float64 { return a * b * math.Exp(k()) }
		func k() float64 { return 0 }
		func (s) each(visit func()) { visit() }`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if reached, found := inexact(files, []*ast.File{tree}, "f"); len(found) != 4 || len(reached) != 2 {
		t.Errorf("the check itself found %q in %q", found, reached)
	}
}

// inexact lists what may round differently on two machines in the functions that
// the named ones reach, themselves too. A call reaches every function and method of
// its name: more than it can, never less.
func inexact(files *token.FileSet, trees []*ast.File, from ...string) (reached, found []string) {
	info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: mathOnly{importer.ForCompiler(files, "source", nil)}, Error: func(error) {}}
	_, _ = config.Check("fed", files, trees, &info) // errors: all packages but math are left out
	functions := map[string][]*ast.FuncDecl{}
	for _, tree := range trees {
		for _, d := range tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				functions[f.Name.Name] = append(functions[f.Name.Name], f)
			}
		}
	}
	exact := map[string]bool{"Sqrt": true, "Abs": true, "Frexp": true, "Ldexp": true, "RoundToEven": true, "Sqrt2": true, "Ln2": true}
	seen := map[string]bool{}
	for len(from) > 0 {
		name := from[0]
		from = from[1:]
		if seen[name] || functions[name] == nil {
			continue
		}
		seen[name] = true
		reached = append(reached, name)
		wrapped := map[ast.Expr]bool{}
		say := func(n ast.Node, why string) {
			found = append(found, files.Position(n.Pos()).String()+", in "+name+": "+why)
		}
		for _, f := range functions[name] {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					switch callee := n.Fun.(type) {
					case *ast.Ident:
						from = append(from, callee.Name)
						if callee.Name == "float64" {
							wrapped[n.Args[0]] = true
						}
					case *ast.SelectorExpr:
						from = append(from, callee.Sel.Name)
					}
				case *ast.BinaryExpr:
					basic, _ := info.Types[n].Type.(*types.Basic)
					integer := basic != nil && basic.Info()&types.IsInteger != 0
					if n.Op == token.MUL && !wrapped[n] && !integer && info.Types[n].Value == nil {
						say(n, "a product outside float64(…)")
					}
				case *ast.AssignStmt:
					if n.Tok == token.MUL_ASSIGN {
						say(n, "*=")
					}
				case *ast.SelectorExpr:
					if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "math" && !exact[n.Sel.Name] {
						say(n, "math."+n.Sel.Name)
					}
				}
				return true
			})
		}
	}
	return reached, found
}

// mathOnly imports package math and nothing else.
type mathOnly struct{ types.Importer }

func (m mathOnly) Import(path string) (*types.Package, error) {
	if path == "math" {
		return m.Importer.Import(path)
	}
	return nil, os.ErrNotExist
}
