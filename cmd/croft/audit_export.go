package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/audit"
)

func (c *cli) auditExportVerb() *verb {
	return c.verb("audit.export", "export FILE", one(c.auditExport))
}

type auditExportResult struct {
	File       string           `json:"file"`
	Blocks     int64            `json:"blocks"`
	Checkpoint audit.Checkpoint `json:"checkpoint"`
}

// auditExport writes the whole chain into one file that can be verified
// elsewhere. It is verified as it is written; what does not hold is not kept.
func (c *cli) auditExport(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return croft.E(croft.ErrConflict, say("exists", path), say("exists.fix"))
	}
	g, err := c.genesis()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".croft-export-")
	if err != nil {
		return croft.E(croft.ErrFileWrite, path, reason(err))
	}
	defer os.Remove(temp.Name()) // gone by then if all went well
	report, err := c.export(ctx, temp, g)
	closed := errors.Join(temp.Sync(), temp.Close())
	if _, disk := errors.AsType[*fs.PathError](err); disk {
		return croft.E(croft.ErrFileWrite, path, reason(err))
	} else if err != nil {
		return err
	}
	if err := errors.Join(closed, os.Rename(temp.Name(), path)); err != nil {
		return croft.E(croft.ErrFileWrite, path, reason(err))
	}
	return c.result(auditExportResult{path, report.Blocks, report.End}, func(w io.Writer) {
		tell(w, "audit.export.done", count(int(report.Blocks), "block", "blocks"), path)
		tell(w, "audit.export.checkpoint", report.End)
		tell(w, "audit.export.next", api.Quote(path))
	})
}

// settle is how long a ledger at rest may take to name the state of its last
// block in the header of one more.
const settle = 10 * time.Second

// export writes the chain; again, while its last block is not proved yet.
func (c *cli) export(ctx context.Context, f *os.File, g croft.Genesis) (audit.Report, error) {
	for begun := time.Now(); ; {
		report, err := audit.Export(ctx, f, g, c.node().Blocks(ctx), audit.Options{Inherited: c.node().Inherited(ctx)})
		if !errors.Is(err, croft.ErrNoQuorum) || time.Since(begun) > settle {
			return report, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return report, err
		}
		if err := f.Truncate(0); err != nil {
			return report, err
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return report, err
		}
	}
}
