package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
	"croft/internal/table"
)

type dataAddOptions struct {
	file             string
	more             []string // files beside file, with the same header
	views            []string // of FHIR resources; others are joined to the first
	comma            bool
	hosts            []string // of a server, to fetch resources from
	tokenFile        string
	name, unit       string
	releases         uint32
	public, dryRun   bool
	exact            bool
	minRows, minCell int
}

// defaultReleases covers a few regressions of about ten sums each.
const defaultReleases = 100

func (c *cli) dataAddVerb() *verb {
	var o dataAddOptions
	var cmd *verb
	cmd = c.verb("data.add", "add FILE.csv --unit COLUMN", some(1, many, func(ctx context.Context, args []string) error {
		o.file, o.more = args[0], args[1:]
		if o.releases == 0 && cmd.Flags().Changed("releases") {
			return badReleases("0")
		}
		return c.dataAdd(ctx, o)
	}))
	policy := table.DefaultPolicy()
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "", say("data.add.flag.name"))
	flags.StringVar(&o.unit, "unit", "", say("data.add.flag.unit"))
	flags.StringArrayVar(&o.views, "view", nil, say("data.add.flag.view"))
	flags.StringArrayVar(&o.hosts, "allow-host", nil, say("data.add.flag.host"))
	flags.StringVar(&o.tokenFile, "token-file", "", say("data.add.flag.token"))
	flags.BoolVar(&o.comma, "decimal-comma", false, say("flag.comma"))
	flags.Uint32Var(&o.releases, "releases", 0, say("data.add.flag.releases"))
	flags.BoolVar(&o.public, "public", false, say("data.add.flag.public"))
	flags.IntVar(&o.minRows, "min-rows", policy.MinRows, say("data.add.flag.rows"))
	flags.IntVar(&o.minCell, "min-cell", policy.MinCell, say("data.add.flag.cell"))
	flags.BoolVar(&o.exact, "allow-exact-detail", false, say("data.add.flag.exact"))
	flags.BoolVar(&o.dryRun, "dry-run", false, say("flag.dry"))
	return cmd
}

type dataAddResult struct {
	api.Prepared
	Added bool `json:"added"`
}

// dataAdd registers one file or several, or a folder of FHIR resources that a view
// reads: a name, a commitment to its content, and how often its people may be in a sum. The
// rows stay where they are.
func (c *cli) dataAdd(ctx context.Context, o dataAddOptions) error {
	if strings.Contains(o.file, "://") {
		folder, err := c.fetch(ctx, o)
		if err != nil {
			return err
		}
		o.file = folder
	}
	path, err := absolute(o.file)
	if err != nil {
		return err
	}
	if o.name == "" {
		o.name = nameOf(path)
	}
	for _, paths := range [][]string{o.views, o.more} {
		for i := range paths {
			if paths[i], err = absolute(paths[i]); err != nil {
				return err
			}
		}
	}
	if o.unit == "" {
		return noUnit(o.source(path))
	}
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	r, err := c.register(ctx, p, path, o)
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) {
		c.printAdded(w, r)
		if r.Added && o.views == nil { // a draft is made from rows that a view has not read
			from := api.Quote(o.file)
			if o.comma {
				from += " --decimal-comma"
			}
			c.advise(w, "data.add.next", from)
		}
	})
}

// source says where the rows of a path are, under the options.
func (o dataAddOptions) source(path string) data.Source {
	s := data.Source{Path: path, More: o.more, DecimalComma: o.comma}
	if len(o.views) > 0 {
		s.View, s.Joined = o.views[0], o.views[1:]
	}
	return s
}

// fetch brings the resources that a server has exported into the node's folder.
func (c *cli) fetch(ctx context.Context, o dataAddOptions) (folder string, err error) {
	if o.views == nil || o.unit == "" || o.name == "" || len(o.more) > 0 || filepath.Base(o.name) != o.name {
		return "", croft.E(croft.ErrUsage, say("data.add.url"), "croft data add "+api.Quote(o.file)+" --view view.json --unit id --name visits --allow-host HOST")
	}
	b := data.Bulk{Manifest: o.file, Hosts: o.hosts}
	if o.tokenFile != "" {
		token, err := readSmall(o.tokenFile)
		if err != nil {
			return "", err
		}
		b.Token = strings.TrimSpace(string(token))
	}
	folder = filepath.Join(c.dir, "bulk", o.name)
	c.progress("data.add.fetching", o.file, folder)
	_, err = b.Fetch(ctx, folder)
	return folder, err
}

// nameOf is what a dataset is called unless somebody says otherwise.
func nameOf(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// register reads what the options name and, unless it is a dry run, puts it on the
// ledger.
func (c *cli) register(ctx context.Context, p *person, path string, o dataAddOptions) (r dataAddResult, err error) {
	policy := table.DefaultPolicy()
	policy.MinRows, policy.MinCell, policy.Public, policy.Exact = o.minRows, o.minCell, o.public, o.exact
	s := o.source(path)
	add := api.Add{Path: path, Name: o.name, Options: data.Options{More: s.More, View: s.View, Joined: s.Joined, DecimalComma: s.DecimalComma, Unit: o.unit, Releases: o.releases, Policy: policy}}
	c.progress("data.add.reading", path)
	prepared, err := p.Prepare(ctx, add)
	if err != nil {
		return r, err
	}
	if add.Releases == 0 {
		if add.Releases, err = c.askReleases(ctx, cmp.Or(prepared.Cap, defaultReleases)); err != nil {
			return r, err
		}
		prepared.Releases = add.Releases
	}
	r.Prepared = prepared
	if !o.dryRun {
		// The record group of new people is drawn when the file is read: what is
		// signed is what was prepared.
		body, nonce := prepared.Register(), uint64(0)
		if prepared.Cap != 0 && prepared.Cap != add.Releases { // the same words as an older registration must count anew
			nonce = now()
		}
		add.Tx = p.seal(nonce, &body)
		done, err := c.hand(ctx, p, func() (api.Submitted, error) { return p.Add(ctx, add) })
		if err != nil {
			return r, err
		}
		r.ID, r.Added = croft.DatasetID(done.ID), true
	}
	return r, nil
}

// printAdded says what was read and registered.
func (c *cli) printAdded(w io.Writer, r dataAddResult) {
	tell(w, "data.add.read", count(r.Rows, "row", "rows"), count(len(r.Columns), "column", "columns"), count(r.People, "person", "people"), r.Unit)
	var personal []string
	for _, column := range r.Columns {
		if column != r.Unit && data.Personal(column) != "" {
			personal = append(personal, column)
		}
	}
	if personal != nil {
		tell(w, "data.add.personal", strings.Join(personal, ", "))
	}
	if len(r.Overlaps) > 0 {
		tell(w, "data.add.overlaps", strings.Join(r.Overlaps, ", "))
	}
	if r.Policy.Public {
		tell(w, "data.public")
	}
	tell(w, "data.add.releases", r.Releases)
	if r.Added {
		c.advise(w, "data.add.done", r.Path, api.Quote(r.Name))
	} else {
		tell(w, "dry")
	}
}

// noUnit says that a person has to name the column that tells people apart, and
// which one looks like it.
func noUnit(source data.Source) error {
	fix := say("data.add.nounit.fix")
	if source.View != "" { // whose writer knows the columns
		return croft.E(croft.ErrUsage, say("data.add.nounit"), fix)
	}
	draft, err := source.Guess()
	if err != nil {
		return err
	}
	if draft.Unit != "" {
		fix = say("data.add.nounit.guess", draft.Unit)
	}
	return croft.E(croft.ErrUsage, say("data.add.nounit"), fix)
}

// askReleases asks the owner for the cap of the record group's budget; usual is
// what an empty answer means.
func (c *cli) askReleases(ctx context.Context, usual uint32) (uint32, error) {
	if c.yes {
		return usual, nil
	}
	answer, err := c.ask(ctx, "data.add.ask", usual)
	if err != nil {
		return 0, err
	}
	if answer == "" {
		return usual, nil
	}
	n, err := strconv.ParseUint(answer, 10, 31)
	if err != nil || n == 0 {
		return 0, badReleases(answer)
	}
	return uint32(n), nil
}

func badReleases(answer string) error {
	return croft.E(croft.ErrUsage, say("data.add.badreleases", fmt.Sprintf("%.40q", answer)), "croft data add FILE.csv --unit COLUMN --releases 100")
}
