package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"

	"croft"
)

// openAI adds the routes of OpenAI's API, specification 2.3.0: models,
// chat/completions with streaming and usage, embeddings as floats and in base64.
// Parameters that a model's server knows are handed on as they are.
func (d Dialects) openAI(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/models", d.models)
	mux.HandleFunc("GET /v1/models/{name...}", d.modelByName)
	mux.HandleFunc("POST /v1/chat/completions", d.chat)
	mux.HandleFunc("POST /v1/embeddings", d.embeddings)
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, croft.E(croft.ErrNotFound, "call", r.Method+" "+r.URL.Path, "GET /openapi.json"), Offer{})
	})
}

// listed is OpenAI's model object, with what the market adds.
type listed struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"`
	OwnedBy string        `json:"owned_by"`
	Task    string        `json:"task"`
	Most    croft.Credits `json:"most"`
}

func list(o Offer) listed { return listed{o.Name, "model", o.Created, o.Provider, o.Task, o.Most} }

func (d Dialects) models(w http.ResponseWriter, r *http.Request) {
	key, err := d.key(r.Header)
	if err != nil {
		d.fail(w, r, err, Offer{})
		return
	}
	out := struct {
		Object string   `json:"object"`
		Data   []listed `json:"data"`
	}{"list", []listed{}}
	for _, o := range d.offers(key) {
		out.Data = append(out.Data, list(o))
	}
	reply(w, out)
}

func (d Dialects) modelByName(w http.ResponseWriter, r *http.Request) {
	key, err := d.key(r.Header)
	var o Offer
	if err == nil {
		o, err = d.offer(r.PathValue("name"))
	}
	if err == nil {
		err = key.may(o)
	}
	if err != nil {
		d.fail(w, r, err, o)
		return
	}
	reply(w, list(o))
}

// asked is what the node itself reads of a request.
type asked struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Encoding string `json:"encoding_format"`
	Options  struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`
}

func readAsked(r *http.Request) (raw []byte, a asked, err error) {
	if raw, err = io.ReadAll(r.Body); err != nil {
		return raw, a, err
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return raw, a, croft.E(croft.ErrUsage, "the body is not a JSON object of this call", "see GET /openapi.json")
	}
	if a.Model == "" {
		return raw, a, croft.E(croft.ErrUsage, "the request names no model", "see GET /v1/models")
	}
	return raw, a, nil
}

func (d Dialects) chat(w http.ResponseWriter, r *http.Request) {
	raw, a, err := readAsked(r)
	if err != nil {
		d.fail(w, r, err, Offer{})
		return
	}
	c := Call{Name: a.Model, Request: Request{Task: Chat, Body: raw, Stream: a.Stream}}
	out := &events{w: w, control: http.NewResponseController(w), usage: a.Options.Usage}
	if a.Stream {
		c.Part = out.part
	}
	result, offer, err := d.call(r.Context(), r.Header, c)
	switch {
	case err != nil && out.begun: // OpenAI's clients raise what an event says
		if r.Context().Err() == nil {
			text, _ := json.Marshal(failureOf(err)) // texts
			_ = out.write(text)
		}
	case err != nil:
		d.fail(w, r, err, offer)
	case a.Stream:
		_ = out.write([]byte("[DONE]"))
	default:
		reply(w, json.RawMessage(result.Body))
	}
}

// events writes server-sent events.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	usage   bool // the client wants the one that says what the call used
	begun   bool
}

// part writes a chunk, unless it is about usage and nobody asked. It comes from
// whoever provides the service: on one line of JSON it can be no other event.
func (e *events) part(data []byte) error {
	var chunk struct{ Choices []json.RawMessage }
	var line bytes.Buffer
	if json.Unmarshal(data, &chunk) != nil || json.Compact(&line, data) != nil {
		return croft.E(croft.ErrEngineFailed, "this service", "a part of its answer is not JSON")
	}
	if !e.usage && len(chunk.Choices) == 0 {
		return nil
	}
	return e.write(line.Bytes())
}

func (e *events) write(data []byte) error {
	if !e.begun {
		e.begun = true
		e.w.Header().Set("Content-Type", "text/event-stream")
	}
	if _, err := e.w.Write(append(append([]byte("data: "), data...), "\n\n"...)); err != nil {
		return err
	}
	return e.control.Flush()
}

// embeddings hands each caller the form it asked for: OpenAI's clients ask for
// base64, of little-endian float32, unless told otherwise.
func (d Dialects) embeddings(w http.ResponseWriter, r *http.Request) {
	raw, a, err := readAsked(r)
	if err == nil && a.Encoding != "" && a.Encoding != "float" && a.Encoding != "base64" {
		err = croft.E(croft.ErrUsage, "encoding_format is float or base64", "leave it out")
	}
	if err != nil {
		d.fail(w, r, err, Offer{})
		return
	}
	result, offer, err := d.call(r.Context(), r.Header, Call{Name: a.Model, Request: Request{Task: Embed, Body: raw}})
	if err == nil && a.Encoding == "base64" {
		result.Body, err = inBase64(result.Body)
	}
	if err != nil {
		d.fail(w, r, err, offer)
		return
	}
	reply(w, json.RawMessage(result.Body))
}

func inBase64(text []byte) ([]byte, error) {
	failed := croft.E(croft.ErrEngineFailed, "this service", "its server's answer is not a list of embeddings")
	var all map[string]json.RawMessage
	var items []map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &all), json.Unmarshal(all["data"], &items)); err != nil {
		return nil, failed
	}
	for _, item := range items {
		var numbers []float32
		if err := json.Unmarshal(item["embedding"], &numbers); err != nil {
			return nil, failed
		}
		packed := make([]byte, 0, 4*len(numbers))
		for _, v := range numbers {
			packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(v))
		}
		item["embedding"], _ = json.Marshal(base64.StdEncoding.EncodeToString(packed))
	}
	all["data"], _ = json.Marshal(items)
	return json.Marshal(all)
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}
