package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"croft/internal/api"
	"croft/internal/market"
	"croft/internal/serve"
)

func (c *cli) serviceShowVerb() *verb {
	return c.verb("service.show", "show SERVICE", one(c.serviceShow))
}

type serviceShowResult struct {
	market.Listing
	URL      string            `json:"url,omitempty"`
	Snippets map[string]string `json:"snippets"`
}

// serviceShow shows a service and how programs call it.
func (c *cli) serviceShow(ctx context.Context, ref string) error {
	offered, err := c.node().Offered(ctx)
	if err != nil {
		return err
	}
	l, err := market.Find(offered.Services, ref)
	if err != nil {
		return err
	}
	if l.Schema == nil && l.Task == serve.Predict {
		if s, err := c.node().Schema(ctx, l.ID.String()); err == nil {
			l.Schema = &s
		}
	}
	r := serviceShowResult{Listing: l, URL: offered.URL, Snippets: snippets(l, programName(offered, l), offered.URL)}
	return c.result(r, func(w io.Writer) {
		tell(w, "service.show.title", l.Name, l.ProviderName, l.ID.Short())
		if l.Description != "" {
			tell(w, "service.show.description", l.Description)
		}
		tell(w, "service.show.price", priceOf(l.Price), audience(l.Use))
		if q := l.Quality; q.Calls > 0 {
			tell(w, "service.show.quality", q.Calls, q.Answered, q.Took.Round(time.Millisecond), q.Wrong)
		}
		if !l.Model.IsZero() {
			tell(w, "service.show.model", l.Model.Short())
		} else {
			tell(w, "service.show.remote", l.ProviderName)
		}
		if l.Schema != nil {
			for _, t := range l.Schema.Inputs {
				what := say("service.show.range", t.Low, t.High)
				switch {
				case t.Levels != nil:
					what = strings.Join(t.Levels, ", ")
				case t.Low == "":
					what = fmt.Sprint(t.Shape)
				}
				tell(w, "service.show.input", t.Name, t.Datatype, what)
			}
			for _, t := range l.Schema.Outputs {
				tell(w, "service.show.output", t.Name, t.Datatype)
			}
		}
		for _, language := range []string{"curl", "grpcurl", "python", "javascript"} {
			if r.Snippets[language] == "" {
				continue // gRPC is for models
			}
			fmt.Fprintf(w, "\n%s\n", say("service.show.snippet", language))
			for line := range strings.Lines(r.Snippets[language]) {
				fmt.Fprint(w, "  ", line)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, "\n"+c.here("service.show.key"))
	})
}

// programName is what programs call a service: a name that two providers have takes
// its provider's with it.
func programName(offered api.Offered, l market.Listing) string {
	for _, other := range offered.Services {
		if other.Name == l.Name && other.ID != l.ID {
			return l.ProviderName + "/" + l.Name
		}
	}
	if slices.Contains(offered.Local, l.Name) || strings.Contains(l.Name, "/") {
		return l.ProviderName + "/" + l.Name
	}
	return l.Name
}

// snippets are programs that call a service, with this node's address. They take the
// key from the environment: it is shown once, when it is made. The name is whatever
// its provider chose, and people paste these lines into shells: it is quoted in each.
func snippets(l market.Listing, name, base string) map[string]string {
	model, _ := json.Marshal(name) // a text is always JSON
	q := string(model)
	switch l.Task {
	case serve.Chat:
		return map[string]string{
			"curl": fmt.Sprintf("curl %s/v1/chat/completions -H \"Authorization: Bearer $CROFT_API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"model\": %s, \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'",
				base, strings.ReplaceAll(q, "'", `'\''`)),
			"python": fmt.Sprintf("import os\nfrom openai import OpenAI\nclient = OpenAI(base_url=\"%s/v1\", api_key=os.environ[\"CROFT_API_KEY\"])\nanswer = client.chat.completions.create(model=%s, messages=[{\"role\": \"user\", \"content\": \"Hello\"}])\nprint(answer.choices[0].message.content)",
				base, q),
			"javascript": fmt.Sprintf("import OpenAI from \"openai\";\nconst client = new OpenAI({ baseURL: \"%s/v1\", apiKey: process.env.CROFT_API_KEY });\nconst answer = await client.chat.completions.create({ model: %s, messages: [{ role: \"user\", content: \"Hello\" }] });\nconsole.log(answer.choices[0].message.content);",
				base, q),
		}
	case serve.Embed:
		return map[string]string{
			"curl":       fmt.Sprintf("curl %s/v1/embeddings -H \"Authorization: Bearer $CROFT_API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"model\": %s, \"input\": \"Hello\"}'", base, strings.ReplaceAll(q, "'", `'\''`)),
			"python":     fmt.Sprintf("import os\nfrom openai import OpenAI\nclient = OpenAI(base_url=\"%s/v1\", api_key=os.environ[\"CROFT_API_KEY\"])\nprint(client.embeddings.create(model=%s, input=\"Hello\").data[0].embedding)", base, q),
			"javascript": fmt.Sprintf("import OpenAI from \"openai\";\nconst client = new OpenAI({ baseURL: \"%s/v1\", apiKey: process.env.CROFT_API_KEY });\nconsole.log((await client.embeddings.create({ model: %s, input: \"Hello\" })).data[0].embedding);", base, q),
		}
	}
	body := `{"inputs": []}`
	if l.Schema != nil {
		body = string(serve.Example(*l.Schema))
	}
	path := base + "/v2/models/" + url.PathEscape(name) + "/infer"
	message, err := serve.GRPC(name, []byte(body))
	if err != nil {
		message = []byte("{}") // an example is always a request
	}
	return map[string]string{
		"grpcurl": fmt.Sprintf("grpcurl -plaintext -H \"authorization: Bearer $CROFT_API_KEY\" \\\n  -d '%s' \\\n  %s inference.GRPCInferenceService/ModelInfer",
			strings.ReplaceAll(string(message), "'", `'\''`), strings.TrimPrefix(base, "http://")),
		"curl": fmt.Sprintf("curl '%s' -H \"Authorization: Bearer $CROFT_API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '%s'", path, strings.ReplaceAll(body, "'", `'\''`)),
		"python": fmt.Sprintf("import json, os, urllib.request\nbody = %s\nrequest = urllib.request.Request(\"%s\", json.dumps(body).encode(),\n  {\"Authorization\": \"Bearer \" + os.environ[\"CROFT_API_KEY\"], \"Content-Type\": \"application/json\"})\nprint(json.load(urllib.request.urlopen(request))[\"outputs\"])",
			body, path),
		"javascript": fmt.Sprintf("const body = %s;\nconst answer = await fetch(\"%s\", { method: \"POST\", body: JSON.stringify(body),\n  headers: { Authorization: \"Bearer \" + process.env.CROFT_API_KEY, \"Content-Type\": \"application/json\" } });\nconsole.log((await answer.json()).outputs);",
			body, path),
	}
}
