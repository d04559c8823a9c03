package bench

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"croft"
	"croft/internal/fed"
	"croft/internal/study"
	"croft/internal/table"
)

// heartRun takes the study's steps over the four hospitals in this process.
func heartRun(t *testing.T) (cast, []Site, *outcome) {
	t.Helper()
	k, err := heartCast(heartDir(t))
	if err != nil {
		t.Fatal(err)
	}
	plan, sites, err := k.rows()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := fed.Compile(plan.Model, table.ColumnsOf(plan), plan.PerSiteMetrics)
	if err != nil {
		t.Fatal(err)
	}
	var rows []fed.Site
	for _, s := range sites {
		rows = append(rows, s.Site)
	}
	final, err := compiled.Run(rows...)
	if err != nil {
		t.Fatal(err)
	}
	result, err := compiled.Result(final)
	if err != nil {
		t.Fatal(err)
	}
	return k, sites, &outcome{&played{plan, compiled, final}, result}
}

// The files of the comparison hold the rows that FLamby's reader finds.
func TestHeartCastHasAllRows(t *testing.T) {
	_, sites, _ := heartRun(t)
	for i, rows := range readHeart(t) {
		s := sites[i]
		positive := 0.0
		for _, y := range append(s.Train.Y[:len(s.Train.Y):len(s.Train.Y)], s.Test.Y...) {
			positive += y
		}
		want := 0.0
		for _, y := range rows.Y {
			want += y
		}
		if n := len(s.Train.Y) + len(s.Test.Y); n != len(rows.Y) || positive != want || len(s.Train.X[0]) != len(rows.X[0]) {
			t.Errorf("%s: %d rows, %g positive, %d columns; want %d, %g, %d", s.Name, n, positive, len(s.Train.X[0]), len(rows.Y), want, len(rows.X[0]))
		}
	}
}

// By sex something is said over the network, and nothing at the two hospitals with
// too few women (0 and 2 are held out), nor where of 28 too few are ill.
func TestHeartBySex(t *testing.T) {
	_, sites, over := heartRun(t)
	of, err := over.bySex(sites)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, f := range of {
		t.Logf("%s: %d women, %d men, %+v", f.Where, f.Women, f.Men, f.Fairness)
		said[f.Where] = f.Fairness != nil
	}
	for where, want := range map[string]bool{"all": true, "cleveland": true, "hungarian": false, "switzerland": false, "va": false} {
		if said[where] != want {
			t.Errorf("%s: said %v, want %v", where, said[where], want)
		}
	}
}

// Two arms need no network; the third is measured by the test behind the tag long.
func TestArms(t *testing.T) {
	_, sites, over := heartRun(t)
	for _, a := range []arm{
		{"central", "all", func(context.Context, []Site) (f fitted, err error) {
			fit, err := pooledFit(sites, 1, croft.SiteIntercepts)
			for g := range sites {
				f.models = append(f.models, linear{fit.Intercepts[g], fit.Coef})
			}
			return f, err
		}},
		{"federated", "totals", func(context.Context, []Site) (f fitted, err error) {
			for _, s := range sites {
				f.models = append(f.models, federated(over.compiled, over.final, over.result, s.Train))
			}
			f.seconds, f.cpu = 3, 2
			return f, nil
		}},
	} {
		r, err := a.run(t.Context(), sites)
		if err != nil {
			t.Fatal(err)
		}
		if r.Mean.AUC < 0.6 || r.Worst == "" || len(r.Sites) != 4 || r.Together < r.Mean.AUC || (a.name == "federated") != (r.Seconds == 3) {
			t.Errorf("%+v", r)
		}
		var out bytes.Buffer
		if err := (&ArmsReport{Arms: []ArmReport{*r}, Fairness: []BySex{{Where: "all"}}}).Print(&out); err != nil || !strings.Contains(out.String(), a.name+": "+a.saw) || !strings.Contains(out.String(), "withheld") {
			t.Errorf("%v\n%s", err, &out)
		}
	}
	joined, err := over.worth(sites)
	if err != nil {
		t.Fatal(err)
	}
	for i, j := range joined {
		t.Logf("%+v", j)
		if j.People != len(sites[i].Test.Y) || j.Verdict == "" {
			t.Errorf("%+v", j)
		}
	}
	if swiss := joined[2]; swiss.Verdict != study.CannotTell || swiss.Contribution == nil {
		t.Errorf("of 15 people: %+v", swiss)
	}
	if _, err := heartCast(t.TempDir()); !errors.Is(err, croft.ErrPublicData) {
		t.Error(err)
	}
}
