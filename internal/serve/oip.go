package serve

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"croft"
)

// inference adds the routes of the Open Inference Protocol, REST, version 2: for
// models that predict. Names with a slash are written with %2F.
func (d Dialects) inference(mux *http.ServeMux) {
	server := func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"name": serverName, "version": croft.EngineVersion, "extensions": []string{}})
	}
	mux.HandleFunc("GET /v2", server)
	mux.HandleFunc("GET /v2/{$}", server)
	mux.HandleFunc("GET /v2/health/live", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]bool{"live": true, "ready": true})
	})
	mux.HandleFunc("GET /v2/health/ready", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]bool{"live": true, "ready": true})
	})
	for _, version := range []string{"", "/versions/{version}"} {
		mux.HandleFunc("GET /v2/models/{name}"+version, d.metadata)
		mux.HandleFunc("GET /v2/models/{name}"+version+"/ready", d.modelReady)
		mux.HandleFunc("POST /v2/models/{name}"+version+"/infer", d.infer)
	}
	mux.HandleFunc("/v2/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, croft.E(croft.ErrNotFound, "call", r.Method+" "+r.URL.Path, "GET /openapi.json"), Offer{})
	})
}

const serverName = "croft"

// model finds the model that a request names, for the key in its headers. No version
// means the one there is.
func (d Dialects) model(h http.Header, name, version string) (Offer, error) {
	key, err := d.key(h)
	if err != nil {
		return Offer{}, err
	}
	o, err := d.offer(name)
	if err == nil {
		err = key.may(o)
	}
	if err == nil && version != "" && version != o.version() {
		err = croft.E(croft.ErrNotFound, "version of "+o.Name, version, "GET /v2/models/"+o.Name)
	}
	return o, err
}

func (o Offer) version() string { return strconv.FormatUint(uint64(max(o.Version, 1)), 10) }

// metadata is what the protocol says of a model.
type metadata struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions"`
	Schema
}

// describe says what a model is, what goes in and what comes out.
func (d Dialects) describe(ctx context.Context, h http.Header, name, version string) (metadata, Offer, error) {
	o, err := d.model(h, name, version)
	if err != nil {
		return metadata{}, o, err
	}
	s, err := d.Backend.Schema(ctx, o.Name)
	return metadata{o.Name, []string{o.version()}, s}, o, err
}

// predict answers a request, given as the JSON that crosses the network.
func (d Dialects) predict(ctx context.Context, h http.Header, name, version string, raw []byte) (infer, Offer, error) {
	o, err := d.model(h, name, version)
	var in infer
	if err == nil && json.Unmarshal(raw, &in) != nil {
		err = croft.E(croft.ErrUsage, "the body is not JSON of the Open Inference Protocol", "see GET /openapi.json")
	}
	if err != nil {
		return infer{}, o, err
	}
	var columns []string
	for _, t := range in.Inputs {
		columns = append(columns, t.Name)
	}
	result, o, err := d.call(ctx, h, Call{Name: o.Name, Request: Request{Task: Predict, Body: raw}, Columns: columns})
	var out infer
	if err == nil && json.Unmarshal(result.Body, &out) != nil {
		err = croft.E(croft.ErrEngineFailed, o.Name, "its answer is not one")
	}
	out.ModelName, out.ModelVersion, out.ID = o.Name, o.version(), in.ID
	return out, o, err
}

func (d Dialects) metadata(w http.ResponseWriter, r *http.Request) {
	out, o, err := d.describe(r.Context(), r.Header, r.PathValue("name"), r.PathValue("version"))
	d.answer(w, r, out, o, err)
}

func (d Dialects) modelReady(w http.ResponseWriter, r *http.Request) {
	o, err := d.model(r.Header, r.PathValue("name"), r.PathValue("version"))
	d.answer(w, r, map[string]any{"name": o.Name, "ready": true}, o, err)
}

func (d Dialects) infer(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		d.fail(w, r, err, Offer{})
		return
	}
	out, o, err := d.predict(r.Context(), r.Header, r.PathValue("name"), r.PathValue("version"), raw)
	d.answer(w, r, out, o, err)
}

// answer writes what came of a call: out, unless it failed.
func (d Dialects) answer(w http.ResponseWriter, r *http.Request, out any, o Offer, err error) {
	if err != nil {
		d.fail(w, r, err, o)
		return
	}
	reply(w, out)
}
