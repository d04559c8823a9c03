package api

import (
	"net/http"

	"croft"
	"croft/internal/fed"
	"croft/internal/study"
	"croft/internal/table"
)

// Evaluation says for whom a model works, and how far its probabilities can be
// believed, by rows that it was not trained on.
type Evaluation struct {
	Threshold   float64       `json:"threshold,omitzero"`    // from which probability on a row is taken for positive
	Calibration []fed.Bin     `json:"calibration,omitempty"` // rows by predicted probability
	PooledAUC   *fed.Estimate `json:"pooled_auc,omitempty"`  // over all rows, whatever their site: low and high bound what the bins leave open
	Groups      []Group       `json:"groups,omitempty"`
}

// Group compares the levels of a column.
type Group struct {
	Column   string       `json:"column"`
	Withheld string       `json:"withheld,omitempty"` // why nothing is said
	Levels   []LevelScore `json:"levels,omitempty"`
	Fairness *Fairness    `json:"fairness,omitempty"` // of probabilities
	Worst    string       `json:"worst,omitempty"`    // the level for which the model is least right
}

// LevelScore is the score of a level's rows.
type LevelScore struct {
	Level string `json:"level"`
	Score
}

// Fairness has the gaps between levels, as fed.Fairness.
type Fairness struct {
	Parity      Gap `json:"demographic_parity"`
	Opportunity Gap `json:"equal_opportunity"`
	Odds        Gap `json:"equalised_odds"`
}

// Gap is a difference between the shares of two levels; where its interval holds 0,
// chance may explain it.
type Gap struct {
	fed.Estimate
	Most  string `json:"most"`
	Least string `json:"least"`
}

// evaluationOf gives an evaluation the names of its study. A group of which a level
// has too few people of either class is withheld.
func evaluationOf(plan croft.Study, of fed.Result) (out Evaluation) {
	if of.Bins != nil {
		auc := fed.PooledAUC(of.Bins)
		out.Calibration, out.PooledAUC, out.Threshold = of.Bins, &auc, 0.5
		if t := plan.Model.Threshold.Float(); t > 0 {
			out.Threshold = t
		}
	}
	for i, g := range plan.Model.Groups {
		column, _ := plan.Schema.Column(g.Column)
		out.Groups = append(out.Groups, groupOf(plan, column, of.Groups[i]))
	}
	return out
}

func groupOf(plan croft.Study, column croft.Column, levels []fed.Score) Group {
	out := Group{Column: column.Name}
	least := int64(table.DefaultPolicy().MinCell)
	if levels == nil {
		out.Withheld = "it takes three sites, and each that holds people out must have enough of each level among them"
		return out
	}
	chances := plan.Model.Family == "logistic" || plan.Model.Family == "firth"
	worst := -1
	for i, s := range levels {
		if s.Rows > 0 && (s.Rows < least || chances && min(s.Positive, s.Rows-s.Positive) < least) {
			out.Levels, out.Withheld = nil, "a level has too few people held out: "+column.Levels[i]
			return out
		}
		out.Levels = append(out.Levels, LevelScore{column.Levels[i], scoreOf(plan, s)})
		if s.Rows > 0 && (worst < 0 || goodness(plan, s) < goodness(plan, levels[worst])) {
			worst = i
		}
	}
	if worst >= 0 {
		out.Worst = column.Levels[worst]
	}
	if f := fed.FairnessOf(levels, least); chances && f != nil {
		named := func(g fed.Gap) Gap { return Gap{g.Estimate, column.Levels[g.Most], column.Levels[g.Least]} }
		out.Fairness = &Fairness{named(f.Parity), named(f.Opportunity), named(f.Odds)}
	}
	return out
}

// goodness is what levels are ranked by: more is better.
func goodness(plan croft.Study, s fed.Score) float64 {
	switch plan.Model.Family {
	case "linear", "poisson":
		return -s.Loss.Float()
	case "cox":
		return s.AUC().Value
	}
	return s.Accuracy().Value
}

// Worth is what a finished study was worth to this site, by its own held-out rows. It
// is computed here, for this screen; nothing of it leaves.
type Worth struct {
	Study      croft.StudyID `json:"study"`
	Name       string        `json:"name"`
	Family     string        `json:"family"`
	Label      string        `json:"label"`
	Verdict    string        `json:"verdict"`       // helped, hurt or cannot tell
	Why        string        `json:"why,omitempty"` // it cannot be told
	People     int           `json:"people"`        // held out here
	Measure    string        `json:"measure"`
	Gain       *fed.Estimate `json:"gain,omitempty"` // by how much the network's model is better, with its 95 % interval
	Network    Score         `json:"network"`
	Alone      *Score        `json:"alone,omitempty"` // a model of this site's rows alone
	Ridge      croft.Decimal `json:"alone_ridge"`     // of that model; StudyRidge where these rows determine a finite one
	StudyRidge croft.Decimal `json:"study_ridge"`
	Given      *float64      `json:"contribution,omitempty"` // how much more a held-out row of the others would lose without this site
	Evaluation
}

// worth holds the network's model against one of this site's own rows.
func (s Services) worth(r *http.Request) (Worth, error) {
	ctx := r.Context()
	st, plan, _, state, err := s.model(ctx, r.PathValue("study"))
	if err != nil {
		return Worth{}, err
	}
	if !trains(plan) {
		return Worth{}, croft.E(croft.ErrUsage, plan.Name+" describes rows and predicts none", "croft study result "+plan.Name)
	}
	site, err := s.own(ctx, st, plan)
	if err != nil {
		return Worth{}, err
	}
	of, err := study.WorthOf(plan, state, site)
	return worthOf(st.ID, plan, of), err
}

func worthOf(id croft.StudyID, plan croft.Study, of study.Worth) Worth {
	out := Worth{Study: id, Name: plan.Name, Family: plan.Model.Family, Label: plan.Model.Label, Verdict: of.Verdict, Why: of.Why, People: of.People, Measure: of.Measure,
		Network: scoreOf(plan, of.Network.Score), Ridge: of.Ridge, StudyRidge: plan.Model.Ridge, Given: of.Contribution, Evaluation: evaluationOf(plan, of.Network)}
	if of.Alone != nil {
		alone := scoreOf(plan, *of.Alone)
		out.Alone, out.Gain = &alone, &of.Gain
	}
	return out
}
