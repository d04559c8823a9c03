package main

import (
	"context"
	"io"

	"croft"
	"croft/internal/api"
)

type serviceCheckOptions struct {
	serviceCallOptions
	want      string
	tolerance float64
}

func (c *cli) serviceCheckVerb() *verb {
	var o serviceCheckOptions
	cmd := c.verb("service.check", "check SERVICE [FILE]", some(1, 2, func(ctx context.Context, args []string) error {
		if o.ref = args[0]; len(args) > 1 {
			o.file = args[1]
		}
		return c.serviceCheck(ctx, o)
	}))
	cmd.Flags().StringVar(&o.want, "want", "", say("service.check.flag.want"))
	cmd.Flags().Float64Var(&o.tolerance, "tolerance", 1e-6, say("service.check.flag.tolerance"))
	o.flags(cmd)
	return cmd
}

// serviceCheck holds a service's answers against what is known, or against each other.
func (c *cli) serviceCheck(ctx context.Context, o serviceCheckOptions) error {
	if o.want == "" && !o.any {
		return croft.E(croft.ErrUsage, say("service.check.against"), say("service.check.against.fix"))
	}
	if !(o.tolerance >= 0 && o.tolerance < 1) {
		return croft.E(croft.ErrUsage, say("service.check.tolerance"), say("service.check.tolerance.fix"))
	}
	call, err := c.calling(ctx, o.serviceCallOptions)
	if err != nil {
		return err
	}
	check := api.Checking{Calling: call, Tolerance: o.tolerance}
	if o.want != "" {
		if check.Want, err = jsonFile(o.want); err != nil {
			return err
		}
	}
	r, err := c.node().CheckService(ctx, check)
	if err != nil {
		return err
	}
	err = c.result(r, func(w io.Writer) {
		for _, v := range r.Verdicts {
			tell(w, "service.check."+v.Says, v.Provider, v.Cost, v.Why)
		}
	})
	if err == nil && r.Why != "" {
		return croft.E(croft.ErrUnproven, o.ref, r.Why)
	}
	return err
}
