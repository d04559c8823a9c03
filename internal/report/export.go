package report

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"croft"
	"croft/internal/api"
)

// research is what a model is meant for unless its operator says something else.
const research = "Research use; not a medical device."

// Export is a finished model with what it came from: what a file of it says, in
// whatever form.
type Export struct {
	Intended string      `json:"intended_use"`
	Network  string      `json:"network"`
	Scope    api.Scope   `json:"scope"`
	Height   int64       `json:"ledger_height"` // at which all this was read
	Proposer api.Party   `json:"proposer"`
	PlanHash croft.Hash  `json:"plan_hash"`
	Plan     croft.Study `json:"plan"`
	Rounds   []api.Round `json:"rounds"`
	Result   api.Result  `json:"result"`
}

// ExportOf puts together what a node knows of a finished study. It fails where the
// study allows no files of its model (croft.ErrExport) or this member no use of it
// (croft.ErrUse), and where it made no model that predicts (croft.ErrUsage).
func ExportOf(st api.Study, r api.Result, status api.Status, intended string) (Export, error) {
	if !st.Plan.Export {
		return Export{}, croft.E(croft.ErrExport, st.Name)
	}
	if err := api.Entitled(st.Plan, st.Proposer.ID, status.Member); err != nil {
		return Export{}, err
	}
	if r.Terms == nil {
		return Export{}, croft.E(croft.ErrUsage, st.Name+" describes rows and predicts none", "croft study result "+st.Name+" --csv FILE")
	}
	if intended == "" {
		intended = research
	}
	return Export{intended, status.NetworkName, status.Scope, status.Height, st.Proposer, st.PlanHash, st.Plan, st.Rounds, r}, nil
}

// JSON returns everything, as one value.
func (e Export) JSON() ([]byte, error) {
	out, err := json.MarshalIndent(e, "", "  ")
	return append(out, '\n'), err
}

// facts are what a file says of itself: text by name, in order.
func (e Export) facts() [][2]string {
	sites := make([]string, len(e.Result.Cohort))
	for i, p := range e.Result.Cohort {
		sites[i] = p.Name
	}
	names, _ := json.Marshal(sites)
	return [][2]string{
		{"intended_use", e.Intended},
		{"purpose", e.Plan.Purpose},
		{"may_be_used_by", string(e.Plan.Use)},
		{"study", e.Plan.Name},
		{"study_id", e.Result.Study.String()},
		{"plan_hash", e.PlanHash.String()},
		{"model_hash", e.Result.State.String()}, // of the plan's last state, as on the ledger
		{"network", e.Network},
		{"network_id", e.Scope.Network.String()},
		{"chain", e.Scope.Chain},
		{"ledger_height", strconv.FormatInt(e.Height, 10)},
		{"sites", string(names)},
		{"family", e.Result.Family},
		{"label", e.Plan.Model.Label},
		{"positive_level", e.Plan.Model.Positive},
		{"rows", strconv.FormatInt(e.Result.Rows, 10)},
		{"shrunk", strconv.FormatBool(e.Result.Shrunk)},
	}
}

// Safetensors returns the numbers of the model: an 8-byte length, a JSON header, and
// float64 values without holes, as https://huggingface.co/docs/safetensors says.
// Coefficients are in the data's own units, in the order of the names in the
// header's "terms"; means and SDs are 0 for an intercept.
func (e Export) Safetensors() ([]byte, error) {
	terms := e.Result.Terms
	names := make([]string, len(terms))
	var coefficients, means, spreads, covariance []float64
	for i, t := range terms {
		names[i] = t.Name
		coefficients, means, spreads = append(coefficients, t.Estimate), append(means, t.Mean), append(spreads, t.SD)
	}
	for _, row := range e.Result.Covariance {
		covariance = append(covariance, row...)
	}
	type entry struct {
		Type  string `json:"dtype"`
		Shape []int  `json:"shape"`
		At    [2]int `json:"data_offsets"`
	}
	listed, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	about := map[string]string{"terms": string(listed)}
	for _, f := range e.facts() {
		about[f[0]] = f[1]
	}
	header, data := map[string]any{"__metadata__": about}, []byte{}
	add := func(name string, values []float64, shape ...int) {
		at := len(data)
		for _, v := range values {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
		header[name] = entry{"F64", shape, [2]int{at, len(data)}}
	}
	add("coefficients", coefficients, len(terms))
	if covariance != nil {
		add("covariance", covariance, len(terms), len(terms))
	}
	add("means", means, len(terms))
	add("standard_deviations", spreads, len(terms))
	head, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(head)%8 != 0 { // so that the numbers stand at multiples of 8
		head = append(head, ' ')
	}
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head, data), nil
}

// outputs names what a model says of a row, by family; logistic models say a
// probability.
var outputs = map[string]string{"linear": "value", "poisson": "rate", "cox": "relative_hazard"}

// output returns what the model gives, and in words what that is.
func (e Export) output() (name, is string) {
	m := e.Plan.Model
	switch name = outputs[m.Family]; name {
	case "value":
		return name, fmt.Sprintf("%s expected of the row%s", m.Label, inUnit(e.Result.LabelUnit))
	case "rate":
		if m.Exposure == "" {
			return name, fmt.Sprintf("%s expected of the row", m.Label)
		}
		return name, fmt.Sprintf("%s expected for one unit of %s", m.Label, m.Exposure)
	case "relative_hazard":
		return name, fmt.Sprintf("hazard of %s = %s, relative to a row at the average of all rows trained on", m.Label, m.Positive)
	}
	return "probability", fmt.Sprintf("probability of %s = %s", m.Label, m.Positive)
}

func inUnit(unit string) string {
	if unit == "" {
		return ""
	}
	return ", in " + unit
}
