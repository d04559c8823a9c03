package croft_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"croft"
)

// The documents are held to the code: links lead somewhere, commands exist, what
// can be generated is (go test . -update writes it anew).

var update = flag.Bool("update", false, "write the generated parts of the documents anew")

// promise is what people are told, in the same words everywhere.
const promise = "rows stay on your machine; what leaves is one sealed report a round, " +
	"readable only as a total over at least three sites; totals can still say something about people"

func TestPromiseIsVerbatim(t *testing.T) {
	for _, name := range []string{"README.md", "docs/threats.md"} {
		if !strings.Contains(read(t, name), promise) {
			t.Errorf("%s does not say: %s", name, promise)
		}
	}
	for name, text := range documents(t) {
		if strings.Contains(strings.ToLower(strings.Join(strings.Fields(text), " ")), "nothing leaves") {
			t.Errorf("%s says that nothing leaves: something does", name)
		}
	}
}

// What the page for data protection officers quotes stands in threats.md.
func TestQuotesAreVerbatim(t *testing.T) {
	flat := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	threats, quotes := flat(read(t, "docs/threats.md")), 0
	for _, paragraph := range strings.Split(read(t, "docs/dpo.md"), "\n\n") {
		quote, is := strings.CutPrefix(paragraph, "> ")
		if !is {
			continue
		}
		if quotes++; !strings.Contains(threats, flat(strings.ReplaceAll(quote, "\n> ", " "))) {
			t.Errorf("docs/threats.md does not say: %s", quote)
		}
	}
	if quotes == 0 {
		t.Error("docs/dpo.md quotes nothing")
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^(#+) (.+)$`)
	span    = regexp.MustCompile("`([^`\n]+)`")
	source  = regexp.MustCompile(`^(?:internal|cmd|\.ci)/[\w/.*-]+$`)
)

func TestLinksResolve(t *testing.T) {
	docs := documents(t)
	reached := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if reached[name] || docs[name] == "" {
			return
		}
		reached[name] = true
		for _, m := range link.FindAllStringSubmatch(docs[name], -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			path := name
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			}
			if anchor != "" && !slices.Contains(anchors(docs[path]), anchor) {
				t.Errorf("%s: %s: %s has no such heading", name, m[1], path)
			}
			visit(path)
		}
	}
	visit("README.md")
	for name, text := range docs {
		if !reached[name] {
			t.Errorf("no link leads from README.md to %s", name)
		}
		for _, m := range span.FindAllStringSubmatch(text, -1) {
			if !source.MatchString(m[1]) {
				continue
			}
			if found, _ := filepath.Glob(m[1]); len(found) == 0 {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
}

// anchors returns the names by which a page's headings are linked to.
func anchors(text string) (names []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(m[2]), " ", "-")
		names = append(names, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(name, ""))
	}
	return names
}

// What two tables say is tried has the tests that they name.
func TestTablesNameTests(t *testing.T) {
	for page, head := range map[string]string{"docs/threats.md": "| attack | refused because | test |", "docs/ref/errors.md": "| what is off | what croft says | test |"} {
		_, table, found := strings.Cut(read(t, page), head+"\n|---|---|---|\n")
		table, _, _ = strings.Cut(table, "\n\n")
		if !found {
			t.Errorf("%s has no table %s", page, head)
		}
		for line := range strings.Lines(table) {
			columns := strings.Split(strings.Trim(line, "| \n"), "|")
			named, at := 0, ""
			for _, word := range regexp.MustCompile("`[a-z0-9/]+`|Test\\w+").FindAllString(columns[len(columns)-1], -1) {
				if strings.HasPrefix(word, "`") {
					if at = strings.Trim(word, "`"); at != "cmd/croft" {
						at = "internal/" + at
					}
					continue
				}
				named++
				tests, _ := filepath.Glob(at + "/*_test.go")
				if !slices.ContainsFunc(tests, func(path string) bool { return strings.Contains(read(t, path), "func "+word+"(t ") }) {
					t.Errorf("%s: %s: %s has no %s", page, columns[0], at, word)
				}
			}
			if named == 0 {
				t.Errorf("%s: %s: no test is named", page, columns[0])
			}
		}
	}
}

// A step of a round has one word: the code's, the document's, the log's.
func TestRoundHasOneWordAStep(t *testing.T) {
	words := []string{"open", "compute", "report", "acknowledge", "freeze", "verify", "noise", "sum", "step", "evaluate", "commit", "publish"}
	var headings []string
	for _, m := range heading.FindAllStringSubmatch(read(t, "docs/life-of-a-round.md"), -1) {
		if m[1] == "##" {
			headings = append(headings, m[2])
		}
	}
	if !slices.Equal(headings, words) {
		t.Errorf("docs/life-of-a-round.md: headings %v, expected %v", headings, words)
	}
	var code []string
	for _, m := range regexp.MustCompile(`(?m)^\s+// ([a-z]+)(?: and ([a-z]+))?: `).FindAllStringSubmatch(read(t, "internal/study/round.go"), -1) {
		code = append(code, slices.DeleteFunc(m[1:], func(s string) bool { return s == "" })...)
	}
	if !slices.Equal(code, words) {
		t.Errorf("internal/study/round.go: steps %v, expected %v", code, words)
	}
}

// And so has a step of a paid call, at both of its ends.
func TestRequestHasOneWordAStep(t *testing.T) {
	words := []string{"quote", "open", "voucher", "infer", "meter", "countersign", "settle"}
	var headings []string
	for _, m := range heading.FindAllStringSubmatch(read(t, "docs/life-of-a-request.md"), -1) {
		if m[1] == "##" {
			headings = append(headings, m[2])
		}
	}
	if !slices.Equal(headings, words) {
		t.Errorf("docs/life-of-a-request.md: headings %v, expected %v", headings, words)
	}
	var code []string
	for _, m := range regexp.MustCompile(`(?m)^\s+// ([a-z]+): `).FindAllStringSubmatch(read(t, "internal/market/session.go"), -1) {
		code = append(code, m[1])
	}
	if !slices.Equal(code, append(words, words...)) {
		t.Errorf("internal/market/session.go: steps %v, expected %v at each end", code, words)
	}
}

// TestStoreysArePictured holds the two pictures of the packages to layers.
func TestStoreysArePictured(t *testing.T) {
	var want []string
	for _, l := range layers {
		for _, p := range l.packages {
			want = append(want, strings.TrimPrefix(p, "cmd/"))
		}
	}
	slices.Sort(want)
	for _, name := range []string{"README.md", "docs/architecture.md"} {
		_, picture, _ := strings.Cut(read(t, name), "```text storeys\n")
		picture, _, _ = strings.Cut(picture, "```")
		var pictured []string
		for line := range strings.Lines(picture) { // columns: storey, packages, what they may touch
			if columns := regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(line), -1); len(columns) > 1 {
				pictured = append(pictured, strings.Fields(strings.ReplaceAll(columns[1], "cmd/", ""))...)
			}
		}
		slices.Sort(pictured)
		if !slices.Equal(pictured, want) {
			t.Errorf("%s pictures %v, the table of layers has %v", name, pictured, want)
		}
	}
}

func TestGeneratedPartsAreCurrent(t *testing.T) {
	generated(t, "docs/ref/errors.md", "errors", errorTables())
	generated(t, "docs/ref/exit-codes.md", "exit codes", exitTable())
	generated(t, "docs/architecture.md", "layers", layerTable())
	generated(t, "docs/threats.md", "profiles", profileTable())
}

// generated compares, or with -update writes, what stands between a document's
// two marks.
func generated(t *testing.T, name, mark, want string) {
	t.Helper()
	text := read(t, name)
	begin, end := "<!-- generated: "+mark+" -->\n", "<!-- end of "+mark+" -->\n"
	before, rest, found := strings.Cut(text, begin)
	have, after, closed := strings.Cut(rest, end)
	switch {
	case !found || !closed:
		t.Errorf("%s has no marks for %s", name, mark)
	case have == want:
	case *update:
		if err := os.WriteFile(name, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Error(err)
		}
	default:
		t.Errorf("%s: %s is not what the code says: go test . -update", name, mark)
	}
}

var kindNames = map[croft.Kind]string{
	croft.Internal: "internal", croft.Usage: "usage", croft.NotFound: "not found", croft.Invalid: "invalid", croft.Pending: "pending",
	croft.Denied: "denied", croft.Exhausted: "exhausted", croft.Unavailable: "unavailable", croft.Timeout: "timeout",
	croft.Conflict: "conflict", croft.Corrupt: "corrupt", croft.Interrupted: "interrupted",
}

// codes returns every code of the catalogue, ascending.
func codes() (all []croft.Code) {
	for code := croft.Code(1000); code < 10000; code++ {
		if code.Kind() != 0 {
			all = append(all, code)
		}
	}
	return all
}

func errorTables() string {
	titles := map[croft.Code]string{1: "General", 2: "Data and study files", 3: "Private sums and plans", 4: "Rules of the ledger",
		5: "Node, network, disk", 6: "Studies at a site", 7: "Audit", 8: "Payments"}
	var b strings.Builder
	last := croft.Code(0)
	for _, code := range codes() {
		if group := code / 1000; group != last {
			fmt.Fprintf(&b, "\n## %s\n\n| code | kind, exit | what happened | what to do |\n|---|---|---|---|\n", titles[group])
			last = group
		}
		e := croft.E(code)
		fmt.Fprintf(&b, "| %s | %s, %d | %s | %s |\n", code.Error(), kindNames[code.Kind()], code.Kind().Exit(), cell(e.Error()), cell(e.Next()))
	}
	return b.String() + "\n"
}

// cell keeps a sentence within its cell.
func cell(text string) string {
	text = regexp.MustCompile(`\{\d\|[^|}]*\|([^}]*)\}`).ReplaceAllString(text, "$1")
	return regexp.MustCompile(`\{\d\}`).ReplaceAllStringFunc(strings.ReplaceAll(text, "|", `\|`), func(s string) string { return "*" + s[1:2] + "*" })
}

func exitTable() string {
	byExit := map[int][]string{0: {"–"}}
	for kind := croft.Internal; kind <= croft.Interrupted; kind++ {
		byExit[kind.Exit()] = append(byExit[kind.Exit()], kindNames[kind])
	}
	meaning := []string{
		"done", "failed: a bug, a broken machine, damaged bytes, or something that exists already; or stopped on request", "the command's words are off: see its --help",
		"there is no such study, dataset, file or member", "a file, a message or a setting is wrong", "somebody must approve first",
		"refused by a policy, a consent or missing rights", "a budget or a quota is used up", "no node, no peer, no quorum, no room on the disk, or a clock that is behind",
		"the wait was long enough; run the same command again",
	}
	var b strings.Builder
	b.WriteString("| exit code | meaning | kinds of error |\n|---|---|---|\n")
	for exit, what := range meaning {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", exit, what, strings.Join(byExit[exit], ", "))
	}
	return b.String()
}

func layerTable() string {
	var b strings.Builder
	b.WriteString("| packages | why they stand here |\n|---|---|\n")
	for _, l := range layers {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.Join(l.packages, "` `"), l.why)
	}
	return b.String()
}

// profileTable computes the committees from the definitions of the two profiles,
// not from the code that the program uses.
func profileTable() string {
	var b strings.Builder
	b.WriteString("| seats | majority: this many learn nothing | open a sum | may be away: checked, unchecked | strict: this many learn nothing | open a sum | may be away: checked, unchecked |\n|---|---|---|---|---|---|---|\n")
	for m := 3; m <= 9; m++ {
		fmt.Fprintf(&b, "| %d |", m)
		for _, t := range []int{m / 2, min(2*m/3, m-2)} {
			fmt.Fprintf(&b, " %d | %d | %d, %d |", t, t+1, m-t-2, m-t-1)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestCommandsExist checks every command that a document shows, and every one
// that an error advises, against the verbs and flags in the command's source.
func TestCommandsExist(t *testing.T) {
	verbs, nouns, literals := commandWords(t)
	if len(verbs) < 5 {
		t.Fatalf("cmd/croft has %d verbs: the test does not read them", len(verbs))
	}
	command := regexp.MustCompile(`(?:go run \./cmd/croft|\bcroft) ([a-z]+)(?: ([a-z]+)\b)?([^|#;)]*)`)
	check := func(where, text string) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			if !verbs[m[1]] && !nouns[m[1]] || nouns[m[1]] && m[2] != "" && !verbs[m[2]] {
				t.Errorf("%s: there is no %q", where, strings.TrimSpace(m[0]))
			}
			for _, flag := range regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(m[3], -1) {
				if !literals[flag[1]] && flag[1] != "help" {
					t.Errorf("%s: no flag --%s in %q", where, flag[1], m[0])
				}
			}
		}
	}
	for name, text := range documents(t) {
		for i, block := range strings.Split(text, "```") {
			if i%2 == 1 {
				if kind, lines, _ := strings.Cut(block, "\n"); kind == "sh" || kind == "console" {
					for line := range strings.Lines(lines) {
						check(name, line)
					}
				}
				continue
			}
			for _, m := range span.FindAllStringSubmatch(block, -1) {
				if strings.HasPrefix(m[1], "croft ") {
					check(name, m[1])
				}
			}
		}
	}
	for _, code := range codes() {
		check(code.Error(), croft.E(code).Next())
	}
}

// commandWords reads the command's source: the first word of every verb, the
// nouns that hold verbs, and all string literals, which the names of flags are
// among.
func commandWords(t *testing.T) (verbs, nouns, literals map[string]bool) {
	verbs, nouns, literals = map[string]bool{}, map[string]bool{}, map[string]bool{}
	files, _ := filepath.Glob("cmd/croft/*.go")
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				literals[text(n)] = true
			case *ast.CallExpr: // c.verb(key, use, …), c.noun(name, …)
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "verb" && len(n.Args) > 1 {
					use, _, _ := strings.Cut(text(n.Args[1]), " ")
					verbs[use] = true
				} else if ok && f.Sel.Name == "noun" && len(n.Args) > 0 {
					nouns[text(n.Args[0])] = true
				}
			}
			return true
		})
	}
	return verbs, nouns, literals
}

// text returns the value of a string literal.
func text(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok {
		if s, err := strconv.Unquote(lit.Value); err == nil {
			return s
		}
	}
	return ""
}

// Every transaction has its line in the page of formats.
func TestTransactionsAreDocumented(t *testing.T) {
	page := read(t, "docs/formats/transactions.md")
	for _, m := range regexp.MustCompile(`(?m)^\tKind([A-Z][a-z]+)\b`).FindAllStringSubmatch(read(t, "internal/ledger/tx.go"), -1) {
		if !strings.Contains(page, "| "+strings.ToLower(m[1])+" |") {
			t.Errorf("docs/formats/transactions.md has no line for %s", strings.ToLower(m[1]))
		}
	}
}

// Every module that go.mod asks for directly has its line among the decisions.
func TestDependenciesAreExplained(t *testing.T) {
	page := read(t, "docs/decisions/dependencies.md")
	direct := regexp.MustCompile(`(?m)^\t(\S+?)(?:/go)?(?:/v\d+)? v\S+$`).FindAllStringSubmatch(read(t, "go.mod"), -1)
	if len(direct) < 10 {
		t.Errorf("go.mod has %d lines that are read as modules", len(direct))
	}
	for _, m := range direct {
		if !strings.Contains(page, path.Base(m[1])) {
			t.Errorf("docs/decisions/dependencies.md says nothing of %s", m[1])
		}
	}
}

// A test that a page names, as what holds a claim, exists.
func TestNamedTestsExist(t *testing.T) {
	var tests strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			tests.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range documents(t) {
		for _, m := range regexp.MustCompile("`(?:go test [^`]*)?((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(tests.String(), "func "+m[1]+"(") {
				t.Errorf("%s names %s, which is no test", path, m[1])
			}
		}
	}
}

// A file, a folder or a name of a package that a page speaks of is there.
func TestNamesExist(t *testing.T) {
	code := map[string]string{} // by package
	files, _ := filepath.Glob("internal/*/*.go")
	root, _ := filepath.Glob("*.go")
	for _, path := range append(files, root...) {
		name := short("croft/" + filepath.ToSlash(filepath.Dir(path)))
		code[name] += read(t, path)
	}
	exported := regexp.MustCompile(`^([a-z0-9]+)((?:\.[A-Z]\w*)+)(?:\(.*\))?$`)
	located := regexp.MustCompile(`^(?:internal|cmd|hack|docs|examples)/[\w./*-]+$`)
	checked := 0
	for page, text := range documents(t) {
		for i, block := range strings.Split(text, "```") {
			if i%2 == 1 {
				continue
			}
			for _, m := range span.FindAllStringSubmatch(block, -1) {
				if name := exported.FindStringSubmatch(m[1]); name != nil && code[name[1]] != "" {
					checked++
					for _, part := range strings.Split(name[2], ".")[1:] {
						if !regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|type |var |const |\t)` + part + `\b`).MatchString(code[name[1]]) {
							t.Errorf("%s speaks of %s: package %s has no %s", page, m[1], name[1], part)
						}
					}
				} else if located.MatchString(m[1]) {
					checked++
					if there, _ := filepath.Glob(m[1]); there == nil {
						t.Errorf("%s speaks of %s, which is not there", page, m[1])
					}
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("%d names found: the test does not read them", checked)
	}
}

// documents returns the text of all pages by their path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, name := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md"} {
		docs[name] = read(t, name)
	}
	err := filepath.WalkDir("docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			docs[filepath.ToSlash(path)] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A package's comment lists its chapters: files that it has.
func TestChaptersExist(t *testing.T) {
	files, err := filepath.Glob("*/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	root, _ := filepath.Glob("*.go")
	for _, path := range append(files, root...) {
		comment, _, _ := strings.Cut(read(t, path), "\npackage ")
		for _, m := range regexp.MustCompile(`(?:(?m:^)//\t|; )([a-z_]+\.go)\b`).FindAllStringSubmatch(comment, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s lists %s, which is not there", path, m[1])
			}
		}
	}
}
