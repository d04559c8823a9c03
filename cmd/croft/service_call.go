package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"croft"
	"croft/internal/api"
	"croft/internal/data"
	"croft/internal/market"
	"croft/internal/serve"
)

type serviceCallOptions struct {
	ref, file, data, most string
	remote, registered    bool
	any                   bool
}

func (c *cli) serviceCallVerb() *verb {
	var o serviceCallOptions
	cmd := c.verb("service.call", "call SERVICE [FILE]", some(1, 2, func(ctx context.Context, args []string) error {
		if o.ref = args[0]; len(args) > 1 {
			o.file = args[1]
		}
		return c.serviceCall(ctx, o)
	}))
	o.flags(cmd)
	return cmd
}

// flags are those that say what a request is, where it may go, and for how much.
func (o *serviceCallOptions) flags(cmd *verb) {
	cmd.Flags().StringVar(&o.data, "data", "", say("service.call.flag.data"))
	cmd.Flags().StringVar(&o.most, "most", "", say("service.call.flag.most"))
	cmd.Flags().BoolVar(&o.remote, "remote", false, say("service.call.flag.remote"))
	cmd.Flags().BoolVar(&o.registered, "registered", false, say("service.call.flag.registered"))
	cmd.Flags().BoolVar(&o.any, "any", false, say("service.call.flag.any"))
}

// serviceCall calls a service: at this node if it can, else, with --remote, at its
// provider's, after saying what goes to whom.
func (c *cli) serviceCall(ctx context.Context, o serviceCallOptions) error {
	call, err := c.calling(ctx, o)
	if err != nil {
		return err
	}
	r, err := c.node().Call(ctx, call)
	if err != nil {
		return err
	}
	return c.result(r, func(w io.Writer) { c.printCall(w, r) })
}

// calling puts a call together, and says what would be sent to whom.
func (c *cli) calling(ctx context.Context, o serviceCallOptions) (call api.Calling, err error) {
	if (o.file == "") == (o.data == "") {
		return call, croft.E(croft.ErrUsage, say("service.call.what"), say("service.call.what.fix"))
	}
	var most *croft.Credits
	if o.most != "" {
		limit, err := croft.ParseCredits(o.most)
		if err != nil {
			return call, croft.E(croft.ErrUsage, err, say("service.publish.price.fix"))
		}
		most = &limit
	}
	rows := 1
	switch {
	case o.data != "":
		call.Body, err = asJSON([]byte(o.data))
	case strings.HasSuffix(o.file, ".json"):
		call.Body, err = jsonFile(o.file)
	default:
		call, rows, err = c.rowsOf(ctx, o)
	}
	call.Ref, call.Any, call.Remote, call.Registered, call.Most = o.ref, o.any, o.remote, o.registered, most
	if err != nil || !o.remote {
		return call, err
	}
	what := say("service.call.body", len(call.Body))
	if call.Columns != nil {
		what = say("service.call.rows", count(rows, "row", "rows"), strings.Join(call.Columns, ", "))
	}
	offered, err := c.node().Offered(ctx)
	if err != nil {
		return call, err
	}
	c.progress("service.call.sends", what, strings.Join(readers(offered, o), say("service.call.or")))
	return call, nil
}

// readers are the providers that a remote call may go to.
func readers(offered api.Offered, o serviceCallOptions) (names []string) {
	for _, l := range offered.Services {
		if o.any && l.Name == o.ref {
			names = append(names, l.ProviderName)
		}
	}
	if l, err := market.Find(offered.Services, o.ref); !o.any && err == nil {
		names = append(names, l.ProviderName)
	}
	if names == nil {
		names = []string{o.ref}
	}
	return names
}

func asJSON(text []byte) (json.RawMessage, error) {
	if !json.Valid(text) {
		return nil, croft.E(croft.ErrUsage, say("service.call.json"), say("service.call.what.fix"))
	}
	return text, nil
}

func jsonFile(path string) (json.RawMessage, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, unread(path, err)
	}
	return asJSON(raw)
}

// rowsOf makes a request from a file of rows: of its columns only those that the model
// takes.
func (c *cli) rowsOf(ctx context.Context, o serviceCallOptions) (call api.Calling, rows int, err error) {
	path, err := absolute(o.file)
	if err != nil {
		return call, 0, err
	}
	header, cells, err := data.Cells(path, data.Limits{})
	if err != nil {
		return call, 0, err
	}
	schema, err := c.node().Schema(ctx, o.ref)
	if err != nil {
		return call, 0, err
	}
	for _, t := range schema.Inputs {
		call.Columns = append(call.Columns, t.Name)
	}
	call.Body, err = serve.Rows(schema, header, cells)
	return call, len(cells), err
}

// escaped writes as JSON does what a terminal might obey: an answer is somebody else's text.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		for _, half := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, half)
		}
	}
	return out.String()
}

// printCall shows an answer, where it was made, and what it cost.
func (c *cli) printCall(w io.Writer, r api.Called) {
	if name, values, err := serve.Outputs(r.Body); err == nil {
		fmt.Fprintln(w, "row,"+escaped(name))
		for i, v := range values {
			fmt.Fprintf(w, "%d,%s\n", i+1, strconv.FormatFloat(v, 'g', 6, 64))
		}
	} else {
		fmt.Fprintln(w, escaped(string(r.Body)))
	}
	if c.quiet {
		return
	}
	for i, t := range r.Tried {
		if i < len(r.Tried)-1 {
			tell(c.errs, "service.call.tried", t.Provider, t.Why, t.Failed)
		} else if len(r.Tried) > 1 {
			tell(c.errs, "service.call.chosen", t.Provider, t.Why)
		}
	}
	where := "service.call.here"
	if r.Remote {
		where = "service.call.there"
	}
	tell(c.errs, where, r.Provider)
	if r.Receipt != nil {
		tell(c.errs, "service.call.paid", r.Receipt.Price, r.Provider, r.Receipt.Channel.Short(), r.Receipt.Number, r.Left)
	} else {
		tell(c.errs, "service.call.free")
	}
}
