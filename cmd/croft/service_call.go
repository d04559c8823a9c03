package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/serve"
)

type serviceCallOptions struct {
	ref, file, data, most string
	remote, registered    bool
}

func (c *cli) serviceCallVerb() *cobra.Command {
	var o serviceCallOptions
	cmd := c.verb("service.call", "call SERVICE [FILE]", cobra.RangeArgs(1, 2), func(ctx context.Context, args []string) error {
		if o.ref = args[0]; len(args) > 1 {
			o.file = args[1]
		}
		return c.serviceCall(ctx, o)
	})
	cmd.Flags().StringVar(&o.data, "data", "", say("service.call.flag.data"))
	cmd.Flags().StringVar(&o.most, "most", "", say("service.call.flag.most"))
	cmd.Flags().BoolVar(&o.remote, "remote", false, say("service.call.flag.remote"))
	cmd.Flags().BoolVar(&o.registered, "registered", false, say("service.call.flag.registered"))
	return cmd
}

// serviceCall calls a service: at this node if it can, else, with --remote, at its
// provider's, after saying what goes to whom.
func (c *cli) serviceCall(ctx context.Context, o serviceCallOptions) error {
	if (o.file == "") == (o.data == "") {
		return croft.E(croft.ErrUsage, say("service.call.what"), say("service.call.what.fix"))
	}
	call := api.Calling{Ref: o.ref, Remote: o.remote, Registered: o.registered}
	var err error
	if o.most != "" {
		if call.Most, err = croft.ParseCredits(o.most); err != nil {
			return croft.E(croft.ErrUsage, err, say("service.publish.price.fix"))
		}
	}
	client, err := api.Dial(c.dir)
	if err != nil {
		return err
	}
	rows := 1
	switch {
	case o.data != "":
		if !json.Valid([]byte(o.data)) {
			return croft.E(croft.ErrUsage, say("service.call.json"), say("service.call.what.fix"))
		}
		call.Body = json.RawMessage(o.data)
	case strings.HasSuffix(o.file, ".json"):
		raw, err := os.ReadFile(o.file)
		if err != nil {
			return unread(o.file, err)
		}
		if !json.Valid(raw) {
			return croft.E(croft.ErrUsage, say("service.call.json"), say("service.call.what.fix"))
		}
		call.Body = raw
	default:
		if call.Body, call.Columns, rows, err = c.rowsOf(ctx, client, o); err != nil {
			return err
		}
	}
	if o.remote {
		to := o.ref
		if offered, err := client.Offered(ctx); err == nil {
			if l, err := findService(offered, o.ref); err == nil {
				to = l.ProviderName
			}
		}
		what := say("service.call.body", len(call.Body))
		if call.Columns != nil {
			what = say("service.call.rows", count(rows, "row", "rows"), strings.Join(call.Columns, ", "))
		}
		c.progress("service.call.sends", what, to)
	}
	r, err := client.Call(ctx, call)
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) { c.printCall(w, r, rows) })
}

// rowsOf makes a request from a CSV file: of its columns only those that the model
// takes.
func (c *cli) rowsOf(ctx context.Context, client *api.Client, o serviceCallOptions) (body json.RawMessage, columns []string, rows int, err error) {
	text, err := os.ReadFile(o.file)
	if err != nil {
		return nil, nil, 0, unread(o.file, err)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	first, _, _ := bytes.Cut(text, []byte("\n"))
	in := csv.NewReader(bytes.NewReader(text))
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		in.Comma = ';'
	}
	all, err := in.ReadAll()
	if err != nil {
		return nil, nil, 0, croft.E(croft.ErrFileOpen, o.file, err)
	}
	if len(all) < 2 {
		return nil, nil, 0, croft.E(croft.ErrNoRows, o.file, 0, 1)
	}
	schema, err := client.Schema(ctx, o.ref)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, t := range schema.Inputs {
		columns = append(columns, t.Name)
	}
	body, err = serve.Rows(schema, all[0], all[1:])
	return body, columns, len(all) - 1, err
}

// printCall shows an answer, where it was made, and what it cost.
func (c *cli) printCall(w io.Writer, r api.Called, rows int) {
	if name, values, err := serve.Outputs(r.Body); err == nil {
		fmt.Fprintln(w, "row,"+name)
		for i, v := range values {
			fmt.Fprintf(w, "%d,%s\n", i+1, strconv.FormatFloat(v, 'g', 6, 64))
		}
	} else {
		fmt.Fprintf(w, "%s\n", r.Body)
	}
	if c.quiet {
		return
	}
	where := "service.call.here"
	if r.Remote {
		where = "service.call.there"
	}
	fmt.Fprintln(c.errs, say(where, r.Provider))
	if r.Receipt != nil {
		fmt.Fprintln(c.errs, say("service.call.paid", r.Receipt.Price, r.Provider, r.Receipt.Channel.Short(), r.Receipt.Number, r.Left))
	} else {
		fmt.Fprintln(c.errs, say("service.call.free"))
	}
}
