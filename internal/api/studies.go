package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"croft"
	"croft/internal/data"
	"croft/internal/fed"
	"croft/internal/ledger"
	"croft/internal/privagg"
	"croft/internal/store"
	"croft/internal/study"
	"croft/internal/table"
	"croft/internal/tensor"
)

// waiting is the answer of a site that gave none yet.
const waiting = "waiting"

func (s Services) studies(r *http.Request) ([]Summary, error) {
	ctx := r.Context()
	network, _, err := record[ledger.Network](ctx, s, ledger.NetworkKey)
	if err != nil {
		return nil, err
	}
	out := make([]Summary, network.Studies)
	for n := range network.Studies {
		id, _, err := record[croft.StudyID](ctx, s, ledger.StudyAtKey(n))
		if err != nil {
			return nil, err
		}
		st, plan, err := s.study(ctx, id)
		if err != nil {
			return nil, err
		}
		out[n] = s.summary(ctx, st, plan)
	}
	return out, nil
}

// open returns the studies that have not ended, in order of proposal. The ledger counts
// them for each proposer: who looks back from the newest until all are found reads none
// of the many that ended before.
func (s Services) open(ctx context.Context, network ledger.Network) ([]Summary, error) {
	out, left := []Summary{}, 0
	for _, id := range network.Members {
		n, _, err := record[int](ctx, s, ledger.OpenKey(id))
		if err != nil {
			return out, err
		}
		left += n
	}
	for n := network.Studies; n > 0 && left > 0; n-- {
		id, _, err := record[croft.StudyID](ctx, s, ledger.StudyAtKey(n-1))
		if err != nil {
			return out, err
		}
		st, plan, err := s.study(ctx, id)
		if err != nil {
			return out, err
		}
		if !st.Status.Ended() {
			out = append([]Summary{s.summary(ctx, st, plan)}, out...)
			left--
		}
	}
	return out, nil
}

func (s Services) study(ctx context.Context, id croft.StudyID) (ledger.Study, croft.Study, error) {
	st, found, err := record[ledger.Study](ctx, s, ledger.StudyKey(id))
	if err == nil && !found {
		err = croft.E(croft.ErrNotFound, "study", id.Short(), "croft study ls")
	}
	if err != nil {
		return st, croft.Study{}, err
	}
	plan, _, err := record[croft.Study](ctx, s, ledger.PlanKey(id))
	return st, plan, err
}

func (s Services) summary(ctx context.Context, st ledger.Study, plan croft.Study) Summary {
	out := Summary{ID: st.ID, Name: plan.Name, Status: st.Status.String(), Reason: st.Reason, Proposer: s.party(ctx, st.Proposer),
		Expires: time.Unix(plan.Expires, 0).UTC(), Round: st.Round, Mine: slices.Contains(plan.Sites, s.Self)}
	missing := st.Missing
	if st.Status == ledger.Running || st.Status == ledger.Paused {
		round, _, _ := record[ledger.Round](ctx, s, ledger.RoundKey(st.ID, st.Round)) // without it nobody is waited for
		sites, seats := round.Awaits(st, plan)
		if out.Doubt = round.Phase == croft.PhaseSum && s.Events.newest(st.ID, st.Round) == "doubt"; out.Doubt {
			seats = s.silent(st, round) // the others have done what they can
		}
		for _, id := range slices.Concat(sites, seats) {
			if m, _, _ := record[croft.Member](ctx, s, ledger.MemberKey(id)); !m.Revoked {
				out.Waits = append(out.Waits, Party{id, m.Name})
			}
		}
		if missing = nil; st.Status == ledger.Paused {
			missing = sites
		}
	}
	for _, id := range plan.Sites {
		site := Site{Party: s.party(ctx, id), Answer: waiting, Missing: slices.Contains(missing, id)}
		for _, a := range st.Answers {
			switch {
			case a.Site != id:
			case a.Approved || a.Pending:
				site.Answer = "approved"
			default:
				site.Answer = a.Refusal.String()
			}
		}
		out.Sites = append(out.Sites, site)
	}
	slices.SortFunc(out.Sites, func(a, b Site) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// silent returns the seats whose nodes are away and have added nothing to the round's sum.
func (s Services) silent(st ledger.Study, round ledger.Round) (seats []croft.MemberID) {
	for _, p := range s.Peers() {
		added := slices.ContainsFunc(round.Shares, func(share ledger.SeatShare) bool { return share.Seat == p.Member })
		if !p.Connected && !added && slices.Contains(st.Seats, p.Member) && slices.Contains(st.Enrolled, p.Member) {
			seats = append(seats, p.Member)
		}
	}
	return seats
}

// find returns the study that a person means: by its id, the beginning of it, or
// its name. Of several with one name the one that was not stopped counts.
func (s Services) find(ctx context.Context, ref string) (ledger.Study, croft.Study, error) {
	if id, err := croft.ParseID[croft.Study](ref); err == nil {
		return s.study(ctx, id)
	}
	network, _, err := record[ledger.Network](ctx, s, ledger.NetworkKey)
	if err != nil {
		return ledger.Study{}, croft.Study{}, err
	}
	type candidate struct {
		st   ledger.Study
		plan croft.Study
	}
	var all, alive []candidate
	for n := range network.Studies {
		id, _, err := record[croft.StudyID](ctx, s, ledger.StudyAtKey(n))
		if err != nil {
			return ledger.Study{}, croft.Study{}, err
		}
		st, plan, err := s.study(ctx, id)
		if err != nil {
			return st, plan, err
		}
		if plan.Name != ref && (len(ref) < 4 || !strings.HasPrefix(id.String(), ref)) {
			continue
		}
		all = append(all, candidate{st, plan})
		if st.Status != ledger.Stopped {
			alive = append(alive, candidate{st, plan})
		}
	}
	if len(alive) == 1 {
		all = alive
	}
	switch len(all) {
	case 1:
		return all[0].st, all[0].plan, nil
	case 0:
		return ledger.Study{}, croft.Study{}, croft.E(croft.ErrNotFound, "study", fmt.Sprintf("%.80q", ref), "croft study ls")
	}
	var ids []string
	for _, c := range all[:min(len(all), 8)] {
		ids = append(ids, c.st.ID.Short())
	}
	return ledger.Study{}, croft.Study{}, croft.E(croft.ErrUsage, fmt.Sprintf("%d studies are called %.80q", len(all), ref), "name one by its id: "+strings.Join(ids, ", "))
}

func (s Services) show(r *http.Request) (Study, error) {
	ctx := r.Context()
	st, plan, err := s.find(ctx, r.PathValue("study"))
	if err != nil {
		return Study{}, err
	}
	out := Study{Summary: s.summary(ctx, st, plan), Plan: plan, PlanHash: st.Plan, Seats: s.parties(ctx, st.Seats), Threshold: st.Threshold,
		Quorum: st.Quorum, Readers: s.parties(ctx, plan.Readers), Cohort: s.parties(ctx, st.Cohort)}
	profile := privagg.Profile{Seats: len(st.Seats), Threshold: int(st.Threshold)}
	if out.Leaves, err = leaves(plan, profile); err != nil {
		return Study{}, err
	}
	for n := range st.Round + 1 {
		round, found, err := record[ledger.Round](ctx, s, ledger.RoundKey(st.ID, n))
		if err != nil {
			return Study{}, err
		}
		if !found {
			break
		}
		out.Rounds = append(out.Rounds, s.round(ctx, round))
	}
	model, found, err := record[ledger.Model](ctx, s, ledger.ModelKey(st.ID))
	if found {
		out.Model = &Model{model.State, model.Rounds, model.Unchecked}
	}
	return out, err
}

// SumsWith counts the sums, readable by the study's readers, that a site is in.
func (s Study) SumsWith(site croft.MemberID) (n int) {
	if !slices.ContainsFunc(s.Cohort, func(p Party) bool { return p.ID == site }) {
		return 0
	}
	for _, r := range s.Rounds {
		if r.Phase == croft.PhaseCommit.String() {
			n++
		}
	}
	return n
}

// Approval returns what a site says yes to: the study as it stands, for one of its
// datasets, until a time in Unix seconds, with at most so many rows (Check.Rows). It is
// binding once it is signed.
func (s Study) Approval(dataset croft.DatasetID, until int64, rows uint32) *croft.Approval {
	a := &croft.Approval{Study: s.ID, Plan: s.PlanHash, Dataset: dataset, Threshold: s.Threshold, Readers: s.Plan.Readers,
		Releases: uint32(s.Leaves.Rounds), Expires: until, Engine: s.Plan.Engine, Purpose: s.Plan.Purpose, LegalBasis: s.Plan.LegalBasis, Rows: rows}
	for _, seat := range s.Seats {
		a.Seats = append(a.Seats, seat.ID)
	}
	return a
}

func (s Services) round(ctx context.Context, r ledger.Round) Round {
	out := Round{Number: r.Number, Phase: r.Phase.String(), Reports: []Report{}, Shares: len(r.Shares), Sum: r.Sum, Next: r.Next,
		Liars: s.parties(ctx, r.Liars), Unchecked: r.Unchecked}
	for _, report := range r.Reports {
		shown := Report{Party: s.party(ctx, report.Site), Bytes: report.Header.Size, Acks: len(report.Acks), Refused: s.parties(ctx, report.Nays)}
		if at := slices.Index(r.Sites, report.Site); at >= 0 && at < len(r.Bounds) {
			shown.Bound = r.Bounds[at]
		}
		out.Reports = append(out.Reports, shown)
	}
	return out
}

// leaves says what a study lets leave each site, at most: counted from its
// layouts, which depend on nobody's rows.
func leaves(plan croft.Study, profile privagg.Profile) (Leaves, error) {
	compiled, err := compile(plan)
	if err != nil {
		return Leaves{}, err
	}
	var l Leaves
	for _, word := range compiled.Words() {
		layout := compiled.Layout(fed.State{Word: word}, len(plan.Sites))
		times := 1
		if word == fed.Newton {
			times = int(plan.Model.MaxRounds)
		}
		bytes, err := reportBytes(study.Elems(layout), profile, plan)
		if err != nil {
			return Leaves{}, err
		}
		l.Rounds += times
		l.Numbers, l.AllNumbers = max(l.Numbers, layout.Numbers()), l.AllNumbers+times*layout.Numbers()
		l.Bytes, l.AllBytes = max(l.Bytes, bytes), l.AllBytes+times*bytes
	}
	return l, nil
}

// reportBytes bounds the size of a sealed report of so many elements: the masked
// vector with its proof, which is longest for the largest bound; a commitment for each part; for each seat a box with the seeds of the
// parts that it holds and, while a pipe is new, its encapsulation (1,120 bytes).
func reportBytes(elems int, p privagg.Profile, plan croft.Study) (int, error) {
	of := privagg.Context{Profile: p, Length: uint32(elems), Bound: 1 << tensor.NormBits}
	if plan.Unproved {
		of.Bound = 0
	}
	blob, err := of.BlobSize()
	if err != nil {
		return 0, err
	}
	choose := func(n, k int) int {
		out := 1
		for i := range k {
			out = out * (n - i) / (i + 1)
		}
		return out
	}
	const frame = 64 // lengths, tags and numbers of an encoded item, generously
	commits := choose(p.Seats, p.Threshold) * 34
	boxes := p.Seats * (1120 + frame + 34*choose(p.Seats-1, p.Threshold))
	return blob + commits + boxes + 4*frame, nil
}

// check computes here what a proposed study would find at this site.
func (s Services) check(r *http.Request) (Check, error) {
	st, plan, err := s.find(r.Context(), r.PathValue("study"))
	if err != nil {
		return Check{}, err
	}
	return s.checkPlan(r.Context(), plan, privagg.Profile{Seats: len(st.Seats), Threshold: int(st.Threshold)}, r.URL.Query().Get("dataset"))
}

// Draft is a study that nobody has proposed yet.
type Draft struct {
	Plan    []byte `json:"plan"` // canonical encoding of a croft.Study
	Dataset string `json:"dataset,omitempty"`
}

func (s Services) checkDraft(r *http.Request, d Draft) (Check, error) {
	var plan croft.Study
	if err := croft.Decode(d.Plan, &plan); err != nil {
		return Check{}, err
	}
	if err := study.Validate(plan); err != nil {
		return Check{}, err
	}
	members, err := s.members(r)
	if err != nil {
		return Check{}, err
	}
	seats := 0
	for _, m := range members {
		if m.Seat && !m.Revoked {
			seats++
		}
	}
	var few []string
	if seats < privagg.MinSeats {
		few, seats = []string{fmt.Sprintf("a study needs %d members that are seats; the network has %d", privagg.MinSeats, seats)}, privagg.MinSeats
	}
	profile, err := privagg.Majority(min(seats, privagg.MaxSeats))
	if plan.Strict {
		profile, err = privagg.Strict(min(seats, privagg.MaxSeats))
	}
	if err != nil {
		return Check{}, err
	}
	out, err := s.checkPlan(r.Context(), plan, profile, d.Dataset)
	out.Warnings = append(few, out.Warnings...)
	return out, err
}

// checkPlan reads the rows under the study's schema, applies the site's
// disclosure rules, and fits the model to these rows alone. A file that cannot be
// read so is an error; rows that the rules withhold are an answer.
func (s Services) checkPlan(ctx context.Context, plan croft.Study, profile privagg.Profile, dataset string) (out Check, err error) {
	if out.Leaves, err = leaves(plan, profile); err != nil {
		return out, err
	}
	ds, err := s.dataset(plan, dataset)
	if err != nil {
		return out, err
	}
	t, commitment, err := s.Data.Read(ds.Entry, plan.Schema)
	registered := !ds.ID.IsZero()
	if registered && errors.Is(err, fs.ErrNotExist) {
		err = croft.E(croft.ErrDataGone, ds.Path)
	}
	if err != nil {
		return out, err
	}
	if registered && commitment != ds.Commitment {
		return out, croft.E(croft.ErrDataChanged, ds.Path)
	}
	site, err := study.Rows(t, plan)
	if err != nil {
		return out, err
	}
	group, _, err := record[ledger.Group](ctx, s, ledger.GroupKey(ds.Group))
	if err != nil {
		return out, err
	}
	out.Dataset, out.Public, out.People, out.Train, out.Test = ds.Name, ds.Policy.Public, len(t.People()), len(site.Train.Y), len(site.Test.Y)
	out.Rows = study.RowsAllowed(len(site.Train.X) + len(site.Test.X))
	if out.Bound, err = study.Bound(plan, out.Rows); err != nil {
		return out, err
	}
	out.Used, out.Cap = group.Used, group.Cap
	for i, n := range t.Dropped() {
		if n > 0 {
			out.Dropped = append(out.Dropped, fmt.Sprintf("%s: %d", plan.Schema.Columns[i].Name, n))
		}
	}
	for _, c := range plan.Schema.Columns {
		if why := data.Personal(c.Name); why != "" {
			out.Warnings = append(out.Warnings, fmt.Sprintf("column %s: %s", c.Name, why))
		}
	}
	if rows := out.Train + out.Test; rows > out.People && plan.Model.Goal == croft.Inference && !plan.Model.Clusters && trains(plan) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d rows are of %d people, and the standard errors take each row for a person: logistic, linear and poisson allow for it with clusters = true", rows, out.People))
	}
	warnings, err := study.Disclose(t, plan, site, ds.Policy)
	out.Warnings = append(out.Warnings, warnings...)
	if withheld, ok := errors.AsType[*croft.Error](err); ok && withheld.Code == croft.ErrWithheld {
		out.Withheld = strings.Join(withheld.Args, "; ") // the sentence is made of it where it is shown
	} else if err != nil {
		return out, err
	}
	if plan.Model.Family == "logistic" && fed.OneClass(site.Train.Y) {
		out.Warnings = append(out.Warnings, "all rows to train on have the same label: they add nothing to the coefficients")
	}
	if need := uint32(out.Leaves.Rounds); registered && out.Used+need > out.Cap {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the study may need %d sums over these people; you allowed %d, and %d are used", need, out.Cap, out.Used))
	}
	rows := len(site.Train.Y) * len(plan.Sites)
	out.Exact = float64(out.Leaves.AllNumbers) / float64(max(rows, 1))
	if !ds.Policy.Public && ds.Policy.Detail(out.Leaves.AllNumbers, rows) != nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf("it may publish up to %d exact numbers: your node stops where they are more than %d for each row of all sites", out.Leaves.AllNumbers, table.MaxDetail))
	}
	if !trains(plan) {
		return out, nil
	}
	score, err := alone(plan, site)
	if err != nil {
		out.LocalWhy = err.Error()
		if errors.Is(err, croft.ErrOneClass) { // its sentence is about a network
			out.LocalWhy = "your rows have only one class of the label " + plan.Model.Label
		}
	} else {
		out.Local = &score
	}
	return out, nil
}

// trains says whether a study fits a model, which can be tried on held-out rows.
func trains(plan croft.Study) bool { return plan.Model.MaxRounds > 0 }

// alone fits the study's model to one site's rows and scores it on those that the
// site holds out.
func alone(plan croft.Study, site fed.Site) (Score, error) {
	if len(site.Test.Y) == 0 {
		return Score{}, croft.E(croft.ErrNoRows, "the part held out", 0, 1)
	}
	compiled, err := compile(plan)
	if err != nil {
		return Score{}, err
	}
	state, err := compiled.Run(site)
	if err != nil {
		return Score{}, err
	}
	result, err := compiled.Result(state)
	return scoreOf(plan, result.Score), err
}

func compile(plan croft.Study) (*fed.Plan, error) {
	return fed.Compile(plan.Model, table.ColumnsOf(plan), plan.PerSiteMetrics)
}

// model returns a finished study's model, checked against the ledger's hash.
func (s Services) model(ctx context.Context, ref string) (st ledger.Study, plan croft.Study, compiled *fed.Plan, state fed.State, err error) {
	if st, plan, err = s.find(ctx, ref); err != nil {
		return
	}
	if st.Status != ledger.Done {
		err = croft.E(croft.ErrTxOrder, fmt.Sprintf("study %s has no result, it is %s", plan.Name, st.Status))
		return
	}
	compiled, state, err = s.Study.Model(ctx, plan, st.ID)
	if errors.Is(err, store.ErrAbsent) {
		if err = croft.E(croft.ErrUse, "its readers", s.Name, "the study file says who reads"); slices.Contains(plan.Readers, s.Self) {
			err = croft.E(croft.ErrTxOrder, "this node is still opening the last sum of "+plan.Name)
		}
	}
	return
}

// Entitled refuses, with croft.ErrUse, a member for whom a study's model is not.
func Entitled(plan croft.Study, proposer croft.MemberID, who Party) error {
	if plan.Use == croft.UseMembers && who.ID != proposer && !slices.Contains(plan.Sites, who.ID) {
		return croft.E(croft.ErrUse, "its sites and its proposer", who.Name, "a new study with use = \"network\"")
	}
	return nil
}

// predict gives the rows of a file to a finished model. The file needs the
// study's features and nothing else of it; no row may lack a value.
func (s Services) predict(r *http.Request, p Predict) (Prediction, error) {
	ctx := r.Context()
	st, plan, compiled, state, err := s.model(ctx, r.PathValue("study"))
	if err != nil {
		return Prediction{}, err
	}
	if err := Entitled(plan, st.Proposer, Party{s.Self, s.Name}); err != nil {
		return Prediction{}, err
	}
	if !trains(plan) {
		return Prediction{}, croft.E(croft.ErrUsage, plan.Name+" describes rows and predicts none", "croft study result "+plan.Name)
	}
	if !filepath.IsAbs(p.Path) {
		return Prediction{}, croft.E(croft.ErrFileOpen, p.Path, "the path must be absolute")
	}
	asked := table.Asking(plan)
	t, _, err := data.Open(p.Path, asked.Schema, data.Limits{})
	if err != nil {
		return Prediction{}, err
	}
	rows, _, err := table.Build(t, asked)
	if err != nil {
		return Prediction{}, err
	}
	result, err := compiled.Result(state)
	if err != nil {
		return Prediction{}, err
	}
	if p.Own && plan.Model.Family == "cox" {
		return Prediction{}, croft.E(croft.ErrUsage, "a Cox regression has no base rate, the sites' neither", "leave out --own")
	}
	if p.Own {
		own, err := s.intercept(ctx, st, plan, compiled, state)
		if err != nil {
			return Prediction{}, err
		}
		result.Terms = slices.Clone(result.Terms)
		result.Terms[0].Coef = own
	}
	if plan.Model.Family == "linear" {
		result = result.LabelIn(fed.Scale(table.LabelScale(plan)))
	}
	says := make([]float64, len(rows.X))
	for i, x := range rows.X {
		says[i] = result.Predict(x)
	}
	switch plan.Model.Family {
	case "linear":
		return Prediction{Value: says}, nil
	case "poisson":
		return Prediction{Rate: says}, nil
	case "cox":
		return Prediction{Hazard: says}, nil
	}
	return Prediction{Probability: says}, nil
}

// intercept returns this site's own base rate under the model, computed here from
// the rows that it took part with.
func (s Services) intercept(ctx context.Context, st ledger.Study, plan croft.Study, compiled *fed.Plan, state fed.State) (float64, error) {
	site, err := s.own(ctx, st, plan)
	if err != nil {
		return 0, err
	}
	if plan.Model.Family == "logistic" && plan.Model.Intercepts == croft.SiteIntercepts && fed.OneClass(site.Train.Y) {
		return 0, croft.E(croft.ErrUsage, "all rows here have the same label: the site has no intercept of its own", "leave out --own")
	}
	return compiled.Intercept(state, site.Train), nil
}

// own returns the rows with which this site took part in a study.
func (s Services) own(ctx context.Context, st ledger.Study, plan croft.Study) (site fed.Site, err error) {
	at := slices.IndexFunc(st.Answers, func(a ledger.Answer) bool { return a.Site == s.Self && a.Approved })
	if at < 0 {
		return site, croft.E(croft.ErrUsage, s.Name+" took no part in the study with rows of its own", "croft study result "+plan.Name+"; to predict, leave out --own")
	}
	entry, err := s.Data.Get(st.Answers[at].Dataset)
	if err != nil {
		return site, err
	}
	t, commitment, err := s.Data.Open(ctx, entry.ID, plan.Schema)
	if err != nil {
		return site, err
	}
	if commitment != entry.Commitment {
		return site, croft.E(croft.ErrDataChanged, entry.Path)
	}
	return study.Rows(t, plan)
}
