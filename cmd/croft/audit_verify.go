package main

import (
	"context"
	"errors"
	"io"
	"os"

	"croft"
	"croft/internal/api"
	"croft/internal/audit"
	"croft/internal/node"
)

type auditVerifyOptions struct {
	file        string
	checkpoints []string
}

func (c *cli) auditVerifyVerb() *verb {
	var o auditVerifyOptions
	cmd := c.verb("audit.verify", "verify [FILE]", some(0, 1, func(ctx context.Context, args []string) error {
		if len(args) > 0 {
			o.file = args[0]
		}
		return c.auditVerify(ctx, o)
	}))
	cmd.Flags().StringArrayVar(&o.checkpoints, "checkpoint", nil, say("audit.verify.flag.checkpoint"))
	return cmd
}

// auditVerify verifies a node's folder, or an export without any node. A node
// that runs is asked to do it; else the folder is read here, and nothing is started.
func (c *cli) auditVerify(ctx context.Context, o auditVerifyOptions) error {
	options := audit.Options{Progress: c.blocksRead}
	for _, text := range o.checkpoints {
		point, err := audit.ParseCheckpoint(text)
		if err != nil {
			return err
		}
		options.Checkpoints = append(options.Checkpoints, point)
	}
	var done api.Audited
	var err error
	if o.file != "" {
		done, err = verifyFile(ctx, o.file, options)
	} else {
		done, err = c.verifyFolder(ctx, o.checkpoints, options)
	}
	if err != nil {
		return err
	}
	return c.result(done.Report, func(w io.Writer) {
		for _, line := range done.Words {
			tell(w, "audit.verify.line", line)
		}
	})
}

// readSign is how many blocks are read, in a second or so, between two signs of life.
const readSign = 1000

func (c *cli) blocksRead(done, total int64) {
	switch {
	case done%readSign != 0:
	case total > 0:
		c.progress("audit.verify.progress", done, total)
	default:
		c.progress("audit.verify.counting", done)
	}
}

func verifyFile(ctx context.Context, path string, options audit.Options) (api.Audited, error) {
	f, err := os.Open(path)
	if err != nil {
		return api.Audited{}, unread(path, err)
	}
	defer f.Close()
	report, err := audit.VerifyExport(ctx, f, options)
	if err != nil {
		return api.Audited{}, err
	}
	return api.NewAudited(report)
}

func (c *cli) verifyFolder(ctx context.Context, checkpoints []string, options audit.Options) (done api.Audited, err error) {
	g, err := c.genesis()
	if err != nil {
		return done, err
	}
	if client, err := api.Dial(c.dir); err == nil {
		return client.Verify(ctx, api.Audit{Genesis: croft.Encode(g), Checkpoints: checkpoints})
	}
	stored, release, err := node.Stopped(c.dir)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, release()) }()
	report, err := audit.VerifyNode(ctx, stored, options)
	if err != nil {
		return done, err
	}
	return api.NewAudited(report)
}
