package study

import (
	"context"
	"errors"
	"slices"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/store"
)

// A folder that was restored from a backup lacks what happened since. The ledger
// knows which sums the site's records were in; what exactly was in them only the
// site can say, from the files. Until it can, no further sum is over these records:
// its difference to one that is forgotten could describe a few.

// relearn brings the site's own record of the sums over a record group up to the
// ledger's. Nothing is to be done but after a restore.
func (f *follower) relearn(ctx context.Context, entry data.Entry) error {
	f.accounts.Lock()
	defer f.accounts.Unlock()
	group, _, err := get[ledger.Group](ctx, f.Node, ledger.GroupKey(entry.Group))
	if err != nil {
		return err
	}
	for _, c := range group.Cohorts {
		spent, err := f.spent(entry)
		if err != nil {
			return err
		}
		if c.Study == f.id || slices.ContainsFunc(spent, func(r release) bool { return r.Study == c.Study }) {
			continue
		}
		old := &follower{Node: f.Node, id: c.Study}
		releases, err := old.recount(ctx, entry)
		if err != nil {
			return err
		}
		if err := f.Docs.Put(spentKind, entry.Group.String(), croft.Encode(append(spent, releases...))); err != nil {
			return err
		}
	}
	return nil
}

// recount finds out again what a study's sums over a record group were about, and
// keeps it; it returns the releases. The file must be there as it was then.
func (f *follower) recount(ctx context.Context, entry data.Entry) (releases []release, err error) {
	st, plan, err := f.study(ctx)
	if err != nil {
		return nil, err
	}
	for n := range st.Round + 1 {
		r, _, err := get[ledger.Round](ctx, f.Node, ledger.RoundKey(f.id, n))
		if err != nil {
			return nil, err
		}
		if has(r.Accepted, f.Self) {
			releases = append(releases, release{f.id, n})
		}
	}
	if entry.Policy.Public {
		return releases, nil
	}
	dataset := answerOf(st, f.Self).Dataset
	registered, _, err := get[croft.Dataset](ctx, f.Node, ledger.DatasetKey(dataset))
	if err != nil {
		return nil, err
	}
	entries, err := f.Data.List()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Group != entry.Group || e.Commitment != registered.Commitment {
			continue
		}
		t, commitment, err := f.Data.Open(ctx, e.ID, plan.Schema)
		if err != nil || commitment != registered.Commitment {
			continue
		}
		sets, err := f.countedIn(t, plan, e.Policy)
		if err != nil {
			return nil, err
		}
		return releases, f.remember(e, sets)
	}
	return nil, croft.E(croft.ErrWithheld, "this folder comes from a backup that is older than study "+plan.Name+
		", whose sums were over these people; what was in them is known again once "+registered.Name+" is there as it was then")
}

// lost refuses to go on with a study whose key went with the old folder: nothing
// that is sealed to it can be read.
func (f *follower) lost(ctx context.Context, st ledger.Study, r ledger.Round) error {
	if !has(st.Enrolled, f.Self) {
		return nil
	}
	_, err := f.key()
	if !errors.Is(err, store.ErrAbsent) {
		return err
	}
	gone := croft.E(croft.ErrKeyLost, f.id.Short())
	if st.Status == ledger.Done || !has(r.Sites, f.Self) {
		return gone // its model stays with the others, who go on without it if they are enough
	}
	return errors.Join(gone, f.refuse(ctx, r, gone))
}
