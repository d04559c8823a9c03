package api

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"croft"
	"croft/internal/data"
	"croft/internal/ledger"
	"croft/internal/table"
)

func (s Services) datasets(r *http.Request) ([]Dataset, error) {
	entries, err := s.Data.List()
	if err != nil {
		return nil, err
	}
	out := make([]Dataset, len(entries))
	for i, e := range entries {
		out[i].Entry = e
		_, out[i].Registered, err = record[croft.Dataset](r.Context(), s, ledger.DatasetKey(e.ID))
		if err != nil {
			return nil, err
		}
		group, _, err := record[ledger.Group](r.Context(), s, ledger.GroupKey(e.Group))
		if err != nil {
			return nil, err
		}
		out[i].Used, out[i].Cap = group.Used, group.Cap
	}
	return out, nil
}

// prepare reads a file and says what registering it would put on the ledger. It
// changes nothing.
func (s Services) prepare(r *http.Request, add Add) (Prepared, error) {
	for _, path := range slices.Concat([]string{add.Path, add.View}, add.More, add.Joined) {
		if path != "" && !filepath.IsAbs(path) || add.Path == "" {
			return Prepared{}, croft.E(croft.ErrFileOpen, path, "the path must be absolute")
		}
	}
	if add.Name == "" || len(add.Name) > maxName {
		return Prepared{}, croft.E(croft.ErrUsage, "a dataset's name has 1 to 64 bytes", "choose one with --name")
	}
	p, err := s.Data.Prepare(add.Path, add.Name, add.Options)
	if err != nil {
		return Prepared{}, err
	}
	if len(p.Overlaps) == 0 {
		if err := s.adopt(r.Context(), &p); err != nil {
			return Prepared{}, err
		}
	}
	group, _, err := record[ledger.Group](r.Context(), s, ledger.GroupKey(p.Group))
	return Prepared{p, len(p.People), group.Cap}, err
}

// maxName is what the ledger takes as a dataset's name, in bytes.
const maxName = 64

// addData keeps a dataset and puts its signed registration on the ledger. The
// file is read again: what was signed must be what is there now.
//
//	Crash after the registry: the dataset is listed as not registered; adding it
//	again signs the same bytes.
func (s Services) addData(r *http.Request, add Add) (Submitted, error) {
	tx, _, err := ledger.Parse(add.Tx)
	if err != nil {
		return Submitted{}, err
	}
	signed, ok := tx.Body.(*ledger.Register)
	if !ok {
		return Submitted{}, croft.E(croft.ErrTxUnknown, "registration in", "this transaction")
	}
	p, err := s.prepare(r, add)
	if err != nil {
		return Submitted{}, err
	}
	if len(p.Overlaps) == 0 {
		p.Group = signed.Group // a fresh one each time it is prepared
	}
	if *signed != p.Register() {
		return Submitted{}, croft.E(croft.ErrDataChanged, add.Path)
	}
	return s.send(r.Context(), tx, func(ctx context.Context) error {
		if err := s.Data.Add(croft.DatasetID(tx.ID), p.Prepared); err != nil {
			return err
		}
		return s.Study.Send(ctx, add.Tx)
	})
}

// Register returns what goes on the ledger: commitments, never content.
func (p Prepared) Register() ledger.Register {
	return ledger.Register{Name: p.Name, Commitment: p.Commitment, Group: p.Group, Releases: p.Releases, Public: p.Policy.Public}
}

// dataset returns the dataset to use for a study: the named one, or the newest
// with the study's columns. For a dry run the name may be the absolute path of a file
// that is not registered, which the usual rules apply to.
func (s Services) dataset(plan croft.Study, name string) (ds Dataset, err error) {
	if filepath.IsAbs(name) {
		ds.Entry = data.Entry{Name: filepath.Base(name), Source: data.Source{Path: name}, Unit: plan.Schema.UnitColumn, Policy: table.DefaultPolicy()}
		return ds, nil
	}
	if name != "" {
		ds.Entry, err = s.Data.Find(name)
		return ds, err
	}
	entries, err := s.Data.List()
	if err != nil {
		return ds, err
	}
	why := "none is registered"
	for i, e := range slices.Backward(entries) {
		short := unfit(e, plan.Schema)
		if short == "" {
			return Dataset{Entry: e}, nil
		}
		if i == len(entries)-1 {
			why = short
		}
	}
	return ds, croft.E(croft.ErrNoDataset, plan.Name, plan.Schema.UnitColumn, why)
}

// unfit says why a study cannot use a dataset; "" if it can, as far as names tell.
func unfit(e data.Entry, schema croft.Schema) string {
	if e.Unit != schema.UnitColumn {
		return fmt.Sprintf("in the newest, %s, %s does", e.Name, e.Unit)
	}
	var missing []string
	for _, c := range schema.Columns {
		if !slices.Contains(e.Columns, c.Name) {
			missing = append(missing, c.Name)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("the newest, %s, has no %s", e.Name, strings.Join(missing, ", "))
}
