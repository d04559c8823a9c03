package data

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"croft"
	"croft/internal/store"
	"croft/internal/table"
)

// Registry is what a node knows of its owner's datasets: where the files are,
// which bytes were registered, under which rules, and which datasets hold the
// same people. It lives on the owner's disk and is never sent.
type Registry struct {
	docs *store.Docs
	key  []byte // of commitments and fingerprints: never leaves
}

// The kinds of the registry's documents.
const (
	entryKind  = "dataset"
	peopleKind = "people" // fingerprints of a dataset's people
	secretKind = "data-key"
)

// Entry is a registered dataset version.
type Entry struct {
	ID   croft.DatasetID `json:"id"`
	Name string          `json:"name"`
	Source
	Rows       int          `json:"rows"`
	Columns    []string     `json:"columns"`
	Unit       string       `json:"unit"` // the column that identifies a person, or "row"
	Group      croft.Hash   `json:"group"`
	Policy     table.Policy `json:"policy"`
	Releases   uint32       `json:"releases"`
	Commitment croft.Hash   `json:"commitment"`
	AddedAt    time.Time    `json:"added_at"`
}

// Options are what an owner says about a dataset.
type Options struct {
	// More, View, Joined and DecimalComma are those of the Source, beside its path.
	More         []string `json:"more,omitempty"`
	View         string   `json:"view,omitempty"`
	Joined       []string `json:"joined,omitempty"`
	DecimalComma bool     `json:"decimal_comma,omitempty"`

	Unit     string       `json:"unit"`     // column that identifies a person; "row" if each row is one
	Releases uint32       `json:"releases"` // sums that its people may be in, over all studies
	Policy   table.Policy `json:"policy"`
}

// Prepared is a file that was read and may be registered.
type Prepared struct {
	Entry
	Overlaps []string     `json:"overlaps,omitempty"` // datasets that hold some of the same people
	People   []croft.Hash `json:"-"`
}

// NewRegistry opens the registry in a node's documents, with a fresh secret key
// the first time.
func NewRegistry(docs *store.Docs) (*Registry, error) {
	key, err := docs.Get(secretKind, "key")
	if errors.Is(err, store.ErrAbsent) {
		key = make([]byte, 32)
		rand.Read(key) // never fails
		err = docs.Put(secretKind, "key", key)
	}
	if err != nil {
		return nil, err
	}
	return &Registry{docs, key}, nil
}

// Prepare reads a file and says what registering it would put on the ledger. A
// dataset that shares people with an older one joins its record group, and so its
// budget.
func (r *Registry) Prepare(path, name string, o Options) (Prepared, error) {
	source := Source{path, slices.Clone(o.More), o.View, slices.Clone(o.Joined), o.DecimalComma}
	if err := source.absolute(); err != nil {
		return Prepared{}, err
	}
	if o.Policy == (table.Policy{Public: o.Policy.Public, Exact: o.Policy.Exact}) {
		public, exact := o.Policy.Public, o.Policy.Exact
		o.Policy = table.DefaultPolicy()
		o.Policy.Public, o.Policy.Exact = public, exact
	}
	if floor := table.DefaultPolicy(); !o.Policy.Public && (o.Policy.MinRows < floor.MinRows || o.Policy.MinCell < floor.MinCell || o.Policy.MaxRatio > floor.MaxRatio) {
		return Prepared{}, croft.E(croft.ErrPolicy, fmt.Sprintf("rules can only tighten, to --min-rows %d and --min-cell %d or more, except for data that is published anyway (--public)", floor.MinRows, floor.MinCell))
	}
	t, commitment, err := r.read(source, croft.Schema{UnitColumn: o.Unit})
	if err != nil {
		return Prepared{}, err
	}
	header, err := source.columns()
	if err != nil {
		return Prepared{}, err
	}
	d := Prepared{People: fingerprints(r.key, t.People()), Entry: Entry{Name: name, Source: source, Rows: t.Rows(), Columns: header, Unit: o.Unit,
		Policy: o.Policy, Releases: o.Releases, Commitment: commitment}}
	rand.Read(d.Group[:])
	entries, err := r.List()
	if err != nil {
		return Prepared{}, err
	}
	for _, e := range entries {
		people, err := r.people(e.ID)
		if err != nil {
			return Prepared{}, err
		}
		if Overlap(people, d.People) == 0 && e.Commitment != commitment {
			continue
		}
		if len(d.Overlaps) > 0 && e.Group != d.Group {
			return Prepared{}, croft.E(croft.ErrPolicy, fmt.Sprintf("%s holds people of %s and of %s, which have separate budgets", name, d.Overlaps[0], e.Name))
		}
		d.Overlaps, d.Group = append(d.Overlaps, e.Name), e.Group
	}
	return d, nil
}

// absolute makes the paths absolute: what is registered is found from anywhere.
func (s *Source) absolute() error {
	paths := []*string{&s.Path}
	for i := range s.More {
		paths = append(paths, &s.More[i])
	}
	if s.View != "" {
		paths = append(paths, &s.View)
	}
	for i := range s.Joined {
		paths = append(paths, &s.Joined[i])
	}
	for _, p := range paths {
		full, err := filepath.Abs(*p)
		if err != nil {
			return croft.E(croft.ErrFileOpen, *p, err)
		}
		*p = full
	}
	return nil
}

// read opens a source and turns its content's hash into the commitment: an HMAC, so
// that nobody can test guesses of the content against the ledger.
func (r *Registry) read(s Source, schema croft.Schema) (*table.Table, croft.Hash, error) {
	t, content, err := s.Open(schema, Limits{})
	if err != nil {
		return nil, croft.Hash{}, err
	}
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte("content"))
	mac.Write(content[:])
	return t, croft.Hash(mac.Sum(nil)), nil
}

// Add keeps a prepared file under the id that its registration has on the ledger.
//
//	Crash between the two documents: the dataset is not listed, and is added again.
func (r *Registry) Add(id croft.DatasetID, d Prepared) error {
	d.ID, d.AddedAt = id, time.Now().UTC()
	var people []byte
	for _, p := range d.People {
		people = append(people, p[:]...)
	}
	if err := r.docs.Put(peopleKind, id.String(), people); err != nil {
		return err
	}
	entry, err := json.MarshalIndent(d.Entry, "", "  ")
	if err != nil {
		return err
	}
	return r.docs.Put(entryKind, id.String(), entry)
}

func (r *Registry) people(id croft.DatasetID) ([]croft.Hash, error) {
	data, err := r.docs.Get(peopleKind, id.String())
	if err != nil {
		return nil, err
	}
	people := make([]croft.Hash, 0, len(data)/len(croft.Hash{}))
	for hash := range slices.Chunk(data, len(croft.Hash{})) {
		people = append(people, croft.Hash(hash))
	}
	return people, nil
}

// List returns all registered datasets, oldest first.
func (r *Registry) List() ([]Entry, error) {
	names, err := r.docs.List(entryKind)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, name := range names {
		data, err := r.docs.Get(entryKind, name)
		if err != nil {
			return nil, err
		}
		var e Entry
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, croft.E(croft.ErrStoreCorrupt, "dataset "+name, err)
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.AddedAt.Compare(b.AddedAt) })
	return out, nil
}

// Find returns the newest version of a dataset.
func (r *Registry) Find(name string) (Entry, error) {
	entries, err := r.List()
	if err != nil {
		return Entry{}, err
	}
	for _, e := range slices.Backward(entries) {
		if e.Name == name {
			return e, nil
		}
	}
	return Entry{}, croft.E(croft.ErrNotFound, "dataset", name, "croft data ls")
}

// Get returns a registered version.
func (r *Registry) Get(id croft.DatasetID) (Entry, error) {
	data, err := r.docs.Get(entryKind, id.String())
	if errors.Is(err, store.ErrAbsent) {
		return Entry{}, croft.E(croft.ErrNotFound, "dataset", id.Short(), "croft data ls")
	}
	var e Entry
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	return e, err
}

// Fingerprints returns keyed fingerprints of people of this owner's files.
func (r *Registry) Fingerprints(people []table.Person) []croft.Hash {
	return fingerprints(r.key, people)
}

// Open returns a dataset's rows under a study's schema as the file is now, and
// the commitment of what was read: the caller compares it with the registered one.
func (r *Registry) Open(_ context.Context, id croft.DatasetID, schema croft.Schema) (*table.Table, croft.Hash, error) {
	e, err := r.Get(id)
	if err != nil {
		return nil, croft.Hash{}, err
	}
	return r.Read(e, schema)
}

// Read is Open for an entry that need not be registered.
func (r *Registry) Read(e Entry, schema croft.Schema) (*table.Table, croft.Hash, error) {
	return r.read(e.Source, schema)
}
