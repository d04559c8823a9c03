package main

import (
	"context"
	"errors"
	"io"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/node"
)

func (c *cli) doctorVerb() *verb { return c.verb("doctor", "doctor", none(c.doctor)) }

type doctorResult struct {
	Findings []api.Finding `json:"findings"`
	Health   api.Health    `json:"health"`
}

// doctor checks the node from both sides and says what to mend. It fails with
// croft.ErrUnwell if anything has to be.
func (c *cli) doctor(ctx context.Context) error {
	health, err := c.health(ctx)
	if err != nil {
		return err
	}
	r := doctorResult{c.findings(health), health}
	if err := c.result(r, func(w io.Writer) { printFindings(w, r.Findings) }); err != nil {
		return err
	}
	return api.Unwell(r.Findings)
}

// health asks the node, which asks its neighbours. Of a node that does not run only
// the folder is looked at.
func (c *cli) health(ctx context.Context) (api.Health, error) {
	if _, err := c.genesis(); err != nil {
		return api.Health{}, err
	}
	client, err := api.Dial(c.dir)
	if err == nil {
		c.progress("doctor.asking")
		var health api.Health
		if health, err = client.Health(ctx, true); err == nil {
			return health, nil
		}
	}
	if !errors.Is(err, croft.ErrNodeDown) {
		return api.Health{}, err
	}
	return api.Health{At: time.Now().UTC(), Folder: api.Look(c.dir, node.LastBackup(c.dir))}, nil
}

// findings judges the facts; what it advises is for this folder's node.
func (c *cli) findings(health api.Health) []api.Finding {
	found := health.Findings()
	for i := range found {
		found[i].Fix = c.pointed(found[i].Fix)
	}
	return found
}

// printFindings writes a line each, and what to do under it.
func printFindings(w io.Writer, findings []api.Finding) {
	for _, f := range findings {
		mark := "doctor.fine"
		switch f.Level {
		case api.Note:
			mark = "doctor.note"
		case api.Problem:
			mark = "doctor.problem"
		}
		tell(w, mark, f.Check, f.Says)
		if f.Fix != "" {
			tell(w, "doctor.fix", f.Fix)
		}
	}
}
