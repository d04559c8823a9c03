package serve

import (
	"encoding/json"
	"net/http"
	"strconv"

	"croft"
)

// inference adds the routes of the Open Inference Protocol, REST, version 2: for
// models that predict. Names with a slash are written with %2F.
func (d Dialects) inference(mux *http.ServeMux) {
	server := func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"name": "croft", "version": croft.EngineVersion, "extensions": []string{}})
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

// model finds the model that a path names.
func (d Dialects) model(r *http.Request) (Offer, error) {
	key, err := d.key(r)
	if err != nil {
		return Offer{}, err
	}
	o, err := d.offer(r.PathValue("name"))
	if err == nil {
		err = key.may(o)
	}
	if v := r.PathValue("version"); err == nil && v != "" && v != o.version() {
		err = croft.E(croft.ErrNotFound, "version of "+o.Name, v, "GET /v2/models/"+o.Name)
	}
	return o, err
}

func (o Offer) version() string { return strconv.FormatUint(uint64(max(o.Version, 1)), 10) }

func (d Dialects) metadata(w http.ResponseWriter, r *http.Request) {
	o, err := d.model(r)
	var s Schema
	if err == nil {
		s, err = d.Backend.Schema(r.Context(), o.Name)
	}
	if err != nil {
		d.fail(w, r, err, o)
		return
	}
	reply(w, map[string]any{"name": o.Name, "versions": []string{o.version()}, "platform": "croft_study", "inputs": s.Inputs, "outputs": s.Outputs})
}

func (d Dialects) modelReady(w http.ResponseWriter, r *http.Request) {
	o, err := d.model(r)
	if err != nil {
		d.fail(w, r, err, o)
		return
	}
	reply(w, map[string]any{"name": o.Name, "ready": true})
}

func (d Dialects) infer(w http.ResponseWriter, r *http.Request) {
	o, err := d.model(r)
	var raw []byte
	if err == nil {
		raw, err = body(r)
	}
	var in infer
	if err == nil && json.Unmarshal(raw, &in) != nil {
		err = croft.E(croft.ErrUsage, "the body is not JSON of the Open Inference Protocol", "see GET /openapi.json")
	}
	if err != nil {
		d.fail(w, r, err, o)
		return
	}
	var columns []string
	for _, t := range in.Inputs {
		columns = append(columns, t.Name)
	}
	result, o, err := d.call(r, Call{Name: o.Name, Request: Request{Task: Predict, Body: raw}, Columns: columns})
	var out infer
	if err == nil && json.Unmarshal(result.Body, &out) != nil {
		err = croft.E(croft.ErrEngineFailed, o.Name, "its answer is not one")
	}
	if err != nil {
		d.fail(w, r, err, o)
		return
	}
	out.ModelName, out.ModelVersion, out.ID = o.Name, o.version(), in.ID
	reply(w, out)
}
