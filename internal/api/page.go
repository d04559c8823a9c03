package api

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"croft/internal/serve"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle []byte

var page = template.Must(template.New("page").Parse(pageText))

// StatusPage returns the read-only page of a node, without JavaScript, and beside it
// /metrics for a machine that watches. Whoever
// serves it listens on loopback; the page answers only to loopback's names, so
// that no site in a browser can read it by pointing its own name there. All users
// of the machine can open it: it shows what the network's members know, and
// nothing of the owner's data.
func StatusPage(s Services) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		health, err := s.health(r)
		view := struct {
			Status
			Peers    []Peer
			Findings []Finding
			Asked    time.Time
			Trouble  *Failure
			Quoted   string // the folder
		}{Peers: s.Peers(), Asked: health.Asked, Quoted: Quote(s.Dir)}
		if err != nil {
			view.Trouble = FailureOf(err)
		} else {
			view.Status, view.Findings = *health.Status, health.Findings()
		}
		var body bytes.Buffer
		if err := page.Execute(&body, view); err != nil {
			s.Log.Error("page", "why", err)
			http.Error(w, "the page cannot be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(body.Bytes())
	})
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(pageStyle)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
		} {
			w.Header().Set(name, value)
		}
		if !serve.OnLoopback(r.Host) {
			http.Error(w, "open this page as 127.0.0.1, [::1] or localhost", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
