package study

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"croft"
	"croft/internal/ledger"
	"croft/internal/store"
)

// proposals is a ledger with so many studies, which counts what is read.
type proposals struct {
	ids   []croft.StudyID
	reads int
}

func (p *proposals) Submit(context.Context, []byte) error { return nil }

func (p *proposals) Watch(context.Context) <-chan struct{} { return nil }

func (p *proposals) Read(_ context.Context, key string) ([]byte, error) {
	p.reads++
	for n, id := range p.ids {
		if key == ledger.StudyAtKey(uint32(n)) {
			return append([]byte{1}, croft.Encode(id)...), nil
		}
	}
	return nil, nil
}

// A start does not look at each study of years again; unless the ledger is another one,
// on which others may be in their places.
func TestStartAfterYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs := store.NewMemoryDocs(new(store.Memory))
		of := func(chain string, studies int) *proposals {
			p := new(proposals)
			for n := range studies {
				p.ids = append(p.ids, croft.StudyID(croft.HashOf([]any{chain, n})))
				f := follower{id: p.ids[n]}
				if err := docs.Put(endedKind, f.name(), nil); err != nil {
					t.Fatal(err)
				}
			}
			return p
		}
		for _, c := range []struct {
			name        string
			on          *proposals
			least, most int
		}{
			{"the first start", of("one", 300), 300, 302},
			{"the next", of("one", 300), 1, 3},
			{"with a new one", of("one", 301), 2, 4},
			{"after a rescue that took two back", of("one", 299), 300, 302},
			{"and that has others", of("two", 301), 302, 304},
		} {
			n := &Node{Ledger: c.on, Docs: docs, Log: slog.New(slog.DiscardHandler)}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- n.Run(ctx) }()
			synctest.Wait()
			stop()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if c.on.reads < c.least || c.on.reads > c.most {
				t.Errorf("%s: %d reads of %d studies", c.name, c.on.reads, len(c.on.ids))
			}
		}
	})
}
