package report

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"croft"
	"croft/internal/api"
	"croft/internal/fed"
	"croft/internal/onnx"
	"croft/internal/serve"
	"croft/internal/table"
)

// exported makes up a study whose columns have every rule that a graph must keep,
// and a model of it.
func exported(t *testing.T, family string, rng *rand.Rand) (croft.Study, fed.Result, Export) {
	t.Helper()
	decimal := func(text string) croft.Decimal {
		d, err := croft.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	number := func(name, unit, low, high string) croft.Column {
		return croft.Column{Name: name, Kind: croft.Number, Unit: unit, Low: decimal(low), High: decimal(high)}
	}
	chol := number("chol", "mg/dl", "50", "700")
	chol.Codes, chol.Missing, chol.Fill = []string{"0", "NA"}, croft.MissingValue, decimal("211.5")
	oxygen := number("linear_predictor", "%", "0.5", "1") // a name that the graph would like to have
	oxygen.Codes, oxygen.Missing = []string{"-9", "999"}, croft.MissingDrop
	lab, mean := number("lab", "mmol/l", "1", "20"), number("mean", "", "-3", "5")
	lab.Codes, lab.Missing, mean.Missing = []string{"-1"}, croft.MissingIndicator, croft.MissingMean
	plan := croft.Study{Name: "heart", Purpose: "to try files", Use: croft.UsePublic, Export: true, Schema: croft.Schema{UnitColumn: table.RowUnit, Columns: []croft.Column{
		number("age", "years", "18", "120"), chol, oxygen,
		{Name: "cp", Kind: croft.Category, Levels: []string{"1", "2", "-3", "04"}, Codes: []string{"9"}},
		{Name: "sex", Kind: croft.Category, Levels: []string{"female", "male, or nearly so"}, Missing: croft.MissingDrop},
		{Name: "half", Kind: croft.Category, Levels: []string{"0.5", "1.5"}},
		lab, mean,
		{Name: "ward", Kind: croft.Category, Levels: []string{"A", "B", "rest"}, Codes: []string{"?"}, Other: "rest"},
		{Name: "grade", Kind: croft.Category, Levels: []string{"1", "2", "3"}, Codes: []string{"9"}, Missing: croft.MissingIndicator},
		{Name: "ill", Kind: croft.Category, Levels: []string{"no", "yes"}}, number("pressure", "mmHg", "-60", "340"),
	}}, Model: croft.Model{Family: family, Goal: croft.Inference, Intercepts: croft.CommonIntercept, Label: "ill", Positive: "yes",
		Features: []string{"age", "cp", "chol", "sex", "linear_predictor", "half", "lab", "mean", "ward", "grade"}}}
	switch family {
	case "linear":
		plan.Model.Label, plan.Model.Positive = "pressure", ""
	case "poisson":
		plan.Model.Exposure = "years"
	case "cox":
		plan.Model.Time = "days"
	}
	of := fed.Result{Family: family, Rows: 300, Positive: 100, Rounds: 9, Intercepts: 1}
	if family != "cox" {
		of.Terms = []fed.Term{{Name: "(intercept)", Coef: rng.NormFloat64()}}
	}
	for _, name := range table.ColumnsOf(plan) {
		of.Terms = append(of.Terms, fed.Term{Name: name, Coef: rng.NormFloat64()})
		of.Mean, of.SD = append(of.Mean, rng.Float64()-0.5), append(of.SD, 0.1+rng.Float64())
	}
	for i := range of.Terms {
		of.Cov = append(of.Cov, make([]float64, len(of.Terms)))
		of.Cov[i][i] = 0.01 * float64(i+1)
		of.Terms[i].SE = math.Sqrt(of.Cov[i][i])
	}
	r := api.ResultOf(plan, of)
	r.Cohort = []api.Party{{Name: "Clinic A"}, {Name: `Clinic "B"`}, {Name: "Clinic <C> | *D*"}}
	e, err := ExportOf(api.Study{Summary: api.Summary{Name: plan.Name, Proposer: api.Party{Name: "Clinic A"}}, Plan: plan, PlanHash: plan.PlanHash(),
		Rounds: []api.Round{{Number: 0, Reports: make([]api.Report, 3), Cost: croft.Cost{CPU: 1_500_000, Bytes: 4096}}, {Number: 1, Reports: make([]api.Report, 3)}}},
		r, api.Status{NetworkName: "hearts", Scope: api.Scope{Chain: "croft-1"}, Height: 42}, "")
	if err != nil {
		t.Fatal(err)
	}
	return plan, of, e
}

// patientsFile makes up a file: ordinary rows, and one for each thing that can be wrong.
func patientsFile(rng *rand.Rand) (header []string, out [][]string) {
	header = []string{"sex", "age", "cp", "chol", "linear_predictor", "half", "lab", "mean", "ward", "grade"}
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	text := func(low, high float64) string { return strconv.FormatFloat(low+(high-low)*rng.Float64(), 'g', 6, 64) }
	for range 40 {
		out = append(out, []string{pick("female", "male, or nearly so"), text(18, 120), pick("1", "2", "-3", "4"), pick(text(50, 700), "", "0"), text(0.5, 1), pick("0.5", "1.5"),
			pick(text(1, 20), "-1", ""), pick(text(-3, 5), ""), pick("A", "B", "rest", "C", "somewhere"), pick("1", "2", "3", "9")})
	}
	for column, cells := range [][]string{{"Male", ""}, {"17.999", "120.001", "", "-9"}, {"5", "9", "0"}, {"49", "701"}, {"-9", "999", "0.4", ""}, {"1", ""}, {"21", "0"}, {"6"}, {"?", ""}, {"4"}} {
		for _, cell := range cells {
			row := slices.Clone(out[column])
			row[column] = cell
			out = append(out, row)
		}
	}
	out[0][1], out[0][3], out[0][4] = "18", "50", "1" // the ends of ranges
	return header, out
}

// feeds gives rows to a graph, as a Python user's data frame would.
func feeds(t *testing.T, inputs []onnx.Value, header []string, rows [][]string) map[string]onnx.Tensor {
	t.Helper()
	out := map[string]onnx.Tensor{}
	for _, in := range inputs {
		at := slices.Index(header, in.Name)
		var numbers []float64
		var codes []int64
		var texts []string
		for _, row := range rows {
			v, ok := table.ParseNumber(row[at])
			if !ok {
				v = math.NaN()
			}
			numbers, codes, texts = append(numbers, v), append(codes, int64(v)), append(texts, row[at])
		}
		switch in.Type {
		case onnx.Double:
			out[in.Name] = onnx.Of(numbers, len(rows), 1)
		case onnx.Int64:
			out[in.Name] = onnx.Of(codes, len(rows), 1)
		case onnx.String:
			out[in.Name] = onnx.Of(texts, len(rows), 1)
		}
	}
	return out
}

// An exported model says of each row what the model says here, and NaN where it
// would be refused here: by our own engine always, by ONNX Runtime where it is.
func TestONNXSaysTheSame(t *testing.T) {
	for i, family := range []string{"logistic", "firth", "linear", "poisson", "cox"} {
		t.Run(family, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, uint64(i)))
			plan, of, e := exported(t, family, rng)
			file, err := e.ONNX()
			if err != nil {
				t.Fatal(err)
			}
			m, err := onnx.Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := onnx.Load(m)
			if err != nil {
				t.Fatal(err)
			}
			header, rows := patientsFile(rng)
			engine, err := serve.NewModel(plan, of)
			if err != nil {
				t.Fatal(err)
			}
			var want []float64
			refused := 0
			for _, row := range rows {
				said := math.NaN()
				if body, err := serve.Rows(engine.Schema(), header, [][]string{row}); err == nil {
					if answer, err := engine.Infer(context.Background(), serve.Request{Task: serve.Predict, Body: body}, nil); err == nil {
						_, values, err := serve.Outputs(answer.Body)
						if err != nil {
							t.Fatal(err)
						}
						said = values[0]
					}
				}
				if math.IsNaN(said) {
					refused++
				}
				want = append(want, said)
			}
			if refused != 23 {
				t.Errorf("%d rows are refused", refused)
			}
			in := feeds(t, p.Inputs(), header, rows)
			got, err := p.Run(in)
			if err != nil {
				t.Fatal(err)
			}
			output := p.Outputs()[0].Name
			if names := map[string]string{"linear": "value", "poisson": "rate", "cox": "relative_hazard"}; output != cmp.Or(names[family], "probability") {
				t.Errorf("the output is called %s", output)
			}
			agree(t, "our engine", got[output].Data.([]float64), want, rows)
			if theirs := runtime(t, file, in, output); theirs != nil {
				agree(t, "ONNX Runtime", theirs, want, rows)
			}
		})
	}
}

func agree(t *testing.T, who string, got, want []float64, rows [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows of %d", who, len(got), len(want))
	}
	worst := 0.0
	for i, v := range got {
		if math.IsNaN(v) != math.IsNaN(want[i]) {
			t.Errorf("%s, row %q: %v, want %v", who, rows[i], v, want[i])
		} else if !math.IsNaN(v) {
			worst = max(worst, math.Abs(v-want[i])/max(1, math.Abs(want[i])))
		}
	}
	if worst > 1e-12 {
		t.Errorf("%s: a row differs by %g", who, worst)
	}
	t.Logf("%s: %d rows, largest difference %g", who, len(got), worst)
}

// runtime runs a model in ONNX Runtime; nil where that is not installed.
func runtime(t *testing.T, model []byte, in map[string]onnx.Tensor, output string) (out []float64) {
	t.Helper()
	type tensor struct {
		Type string   `json:"type"`
		Dims []int    `json:"dims"`
		Data []string `json:"data"`
	}
	inputs := map[string]tensor{}
	for name, value := range in {
		text := tensor{Dims: value.Shape}
		switch d := value.Data.(type) {
		case []float64:
			text.Type = "float64"
			for _, v := range d {
				text.Data = append(text.Data, strconv.FormatFloat(v, 'g', -1, 64))
			}
		case []int64:
			text.Type = "int64"
			for _, v := range d {
				text.Data = append(text.Data, strconv.FormatInt(v, 10))
			}
		case []string:
			text.Type, text.Data = "string", d
		}
		inputs[name] = text
	}
	question, err := json.Marshal(map[string]any{"model": base64.StdEncoding.EncodeToString(model), "inputs": inputs})
	if err != nil {
		t.Fatal(err)
	}
	const install = "not tried in ONNX Runtime: install node and npm's onnxruntime-node, and name its node_modules in NODE_PATH"
	node, err := exec.LookPath("node")
	if err != nil {
		t.Log(install)
		return nil
	}
	run := exec.CommandContext(t.Context(), node, filepath.Join("..", "onnx", "testdata", "run.js"))
	run.Stdin = bytes.NewReader(question)
	answer, err := run.Output()
	if failure, failed := errors.AsType[*exec.ExitError](err); failed && failure.ExitCode() == 3 {
		t.Log(install)
		return nil
	} else if err != nil {
		t.Fatalf("%v: %s", err, failure.Stderr)
	}
	var said map[string]tensor
	if err := json.Unmarshal(answer, &said); err != nil {
		t.Fatal(err)
	}
	for _, text := range said[output].Data {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// A graph says of itself what it is and where it came from, and equal models are
// equal bytes.
func TestONNXSaysWhereItCameFrom(t *testing.T) {
	_, _, e := exported(t, "logistic", rand.New(rand.NewPCG(1, 1)))
	file, err := e.ONNX()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := e.ONNX()
	m, err := onnx.Decode(file)
	if err != nil || !bytes.Equal(file, again) {
		t.Fatal(err)
	}
	facts := map[string]string{}
	for _, p := range m.Properties {
		facts[p[0]] = p[1]
	}
	for key, want := range map[string]string{"intended_use": research, "study": "heart", "plan_hash": e.PlanHash.String(), "model_hash": e.Result.State.String(), "ledger_height": "42", "may_be_used_by": "public",
		"sites": `["Clinic A","Clinic \"B\"","Clinic \u003cC\u003e | *D*"]`} {
		if facts[key] != want {
			t.Errorf("%s is %q, want %q", key, facts[key], want)
		}
	}
	inputs := []string{}
	for _, in := range m.Graph.Inputs {
		inputs = append(inputs, fmt.Sprintf("%s %s: %s", in.Type, in.Name, in.Doc))
	}
	if got, want := strings.Join(inputs, "\n"), `int64 cp: one of 1, 2, -3, 04
string sex: one of female, male, or nearly so
string half: one of 0.5, 1.5
string ward: one of A, B, rest; any other counts as rest
int64 grade: one of 1, 2, 3
double age: from 18 to 120, in years
double chol: from 50 to 700, in mg/dl
double linear_predictor: from 0.5 to 1, in %
double lab: from 1 to 20, in mmol/l
double mean: from -3 to 5`; got != want {
		t.Errorf("inputs\n%s\nwant\n%s", got, want)
	}
}

// The file is as the format wants it, and its numbers are the result's.
func TestSafetensors(t *testing.T) {
	_, _, e := exported(t, "cox", rand.New(rand.NewPCG(2, 2)))
	file, err := e.Safetensors()
	if err != nil {
		t.Fatal(err)
	}
	length := binary.LittleEndian.Uint64(file)
	if length%8 != 0 || length > uint64(len(file)) {
		t.Fatalf("a header of %d bytes", length)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+length], &header); err != nil || file[8] != '{' {
		t.Fatal(err)
	}
	data, covered := file[8+length:], 0
	read := func(name string, sides int) (out []float64) {
		var of struct {
			Type  string `json:"dtype"`
			Shape []int  `json:"shape"`
			At    [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(header[name], &of); err != nil || of.Type != "F64" || len(of.Shape) != sides {
			t.Fatalf("%s: %v %+v", name, err, of)
		}
		elements := 1
		for _, d := range of.Shape {
			elements *= d
		}
		if of.At[1]-of.At[0] != 8*elements {
			t.Errorf("%s: %+v", name, of)
		}
		for at := of.At[0]; at < of.At[1]; at += 8 {
			out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(data[at:])))
		}
		covered += of.At[1] - of.At[0]
		return out
	}
	coefficients, covariance, means, spreads := read("coefficients", 1), read("covariance", 2), read("means", 1), read("standard_deviations", 1)
	if covered != len(data) || len(header) != 5 {
		t.Errorf("%d bytes of %d belong to a tensor; %d names", covered, len(data), len(header))
	}
	var about map[string]string
	var names []string
	if err := errors.Join(json.Unmarshal(header["__metadata__"], &about), json.Unmarshal([]byte(about["terms"]), &names)); err != nil {
		t.Fatal(err)
	}
	for i, term := range e.Result.Terms {
		if names[i] != term.Name || coefficients[i] != term.Estimate || means[i] != term.Mean || spreads[i] != term.SD || covariance[i*len(names)+i] != e.Result.Covariance[i][i] {
			t.Errorf("term %d is %s %v %v %v, want %+v", i, names[i], coefficients[i], means[i], spreads[i], term)
		}
	}
	if about["intended_use"] != research || about["study"] != "heart" {
		t.Errorf("%v", about)
	}
}

// What the sites did not allow is not saved.
func TestExportRefuses(t *testing.T) {
	plan, _, e := exported(t, "logistic", rand.New(rand.NewPCG(3, 3)))
	plan.Export = false
	if _, err := ExportOf(api.Study{Plan: plan}, e.Result, api.Status{}, ""); !errors.Is(err, croft.ErrExport) {
		t.Error(err)
	}
	plan.Export, plan.Use = true, croft.UseMembers
	stranger := api.Status{Member: api.Party{ID: croft.MemberID{9}, Name: "d"}}
	if _, err := ExportOf(api.Study{Plan: plan}, e.Result, stranger, ""); !errors.Is(err, croft.ErrUse) {
		t.Error(err)
	}
	e.Result.Terms = nil
	if _, err := ExportOf(api.Study{Plan: plan}, e.Result, api.Status{}, ""); !errors.Is(err, croft.ErrUsage) {
		t.Error(err)
	}
}

// The card has what a registry reads and what a person asks, and no name of others
// becomes markup. Its golden page is to be looked at.
func TestCard(t *testing.T) {
	plan, r := run(t, "logistic")
	plan.Export = true
	e, err := ExportOf(api.Study{Summary: api.Summary{Name: plan.Name, Proposer: r.Cohort[0]}, Plan: plan, PlanHash: plan.PlanHash(),
		Rounds: []api.Round{{Number: 0, Reports: make([]api.Report, 3), Cost: croft.Cost{CPU: 1_500_000, Bytes: 4096}}, {Number: 1, Reports: make([]api.Report, 3)}}},
		r, api.Status{Member: r.Cohort[0], NetworkName: "relapse", Scope: api.Scope{Chain: "croft-1"}, Height: 42}, "")
	if err != nil {
		t.Fatal(err)
	}
	page, err := e.Card()
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "card.golden")
	if *update {
		if err := os.WriteFile(golden, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(page, want) {
		t.Errorf("the card is not %s (%v); look at it, then: go test ./internal/report -update", golden, err)
	}

	for i, family := range []string{"logistic", "linear", "poisson", "cox"} {
		_, _, e := exported(t, family, rand.New(rand.NewPCG(5, uint64(i))))
		e.Intended = "Triage at <b>Clinic</b> [x](http://y)"
		page, err := e.Card()
		if err != nil {
			t.Fatal(err)
		}
		head, body, found := strings.Cut(strings.TrimPrefix(string(page), "---\n"), "\n---\n")
		if !found || !strings.Contains(head, "    results: []") || !strings.Contains(head, "\npipeline_tag: tabular-") {
			t.Errorf("%s: head\n%s", family, head)
		}
		for _, want := range []string{`Triage at &lt;b>Clinic&lt;/b> \[x\](http://y)`, `Clinic &lt;C> \| \*D\*`, "| chol | number | 50 to 700 mg/dl | 211.5 is put in; 0 means none; NA means none |",
			`"linear_predictor": np.array([0.5], dtype=np.float64)`, `"cp": np.array([1], dtype=np.int64)`, `"half": np.array(["0.5"], dtype=object)`, "used 1.50 processor seconds and sent 4096 bytes", "No rows were held out"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the card does not say %s", family, want)
			}
		}
		if strings.Contains(body, "<b>") || strings.Contains(body, "[x](http") || strings.Contains(body, "<no value>") {
			t.Errorf("%s: a name became markup:\n%s", family, body)
		}
	}
}
