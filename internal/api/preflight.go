package api

import (
	"net/http"

	"croft"
	"croft/internal/table"
)

// Preflight is what a finished preflight says to one of its sites. It stays on the
// owner's screen.
type Preflight struct {
	Study croft.StudyID   `json:"study"`
	Name  string          `json:"name"`
	Label string          `json:"label,omitempty"`
	Shape []table.Shape   `json:"shape"` // of all sites together
	Found []table.Finding `json:"found"`
}

func (s Services) preflight(r *http.Request) (Preflight, error) {
	st, plan, compiled, state, err := s.model(r.Context(), r.PathValue("study"))
	if err != nil {
		return Preflight{}, err
	}
	if plan.Model.Family != croft.Preflight {
		return Preflight{}, croft.E(croft.ErrUsage, plan.Name+" is no preflight", "croft study preflight FILE.toml proposes one")
	}
	of, err := compiled.Result(state)
	if err != nil {
		return Preflight{}, err
	}
	found, err := s.Study.Preflight(r.Context(), plan, st.ID, state)
	return Preflight{st.ID, plan.Name, plan.Model.Label, table.Shapes(plan, of.Tally), found}, err
}
