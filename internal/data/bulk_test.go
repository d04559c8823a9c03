package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"croft"
)

// server gives a manifest of files, over TLS; asked counts requests by path.
func bulkServer(t *testing.T, files map[string]string) (b Bulk, asked map[string]int) {
	t.Helper()
	asked = map[string]int{}
	var s *httptest.Server
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		if files["ranges"] == "none" {
			r.Header.Del("Range")
		}
		switch text, ok := files[r.URL.Path]; {
		case r.Header.Get("Authorization") != "Bearer secret":
			http.Error(w, "who are you?", http.StatusUnauthorized)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/1", http.StatusFound)
		case !ok:
			http.NotFound(w, r)
		default:
			http.ServeContent(w, r, "x", time.Time{}, strings.NewReader(strings.ReplaceAll(text, "HOST", s.URL)))
		}
	}))
	t.Cleanup(s.Close)
	return Bulk{Manifest: s.URL + "/manifest", Hosts: []string{strings.TrimPrefix(s.URL, "https://")}, Token: "secret", Client: s.Client()}, asked
}

const bulkManifest = `{"transactionTime":"2026-11-23T00:00:00Z","request":"HOST/$export","requiresAccessToken":true,
"output":[{"type":"Patient","url":"HOST/1"},{"type":"Patient","url":"HOST/2"}],"error":[]}`

func TestBulkDataIsFetchedAndResumed(t *testing.T) {
	patients := func(from, to int) (text string) {
		for i := from; i < to; i++ {
			text += fmt.Sprintf(`{"resourceType":"Patient","id":"%d","active":true,"gender":"female"}`+"\n", i)
		}
		return text
	}
	one, two := patients(0, 30), patients(30, 50)
	b, asked := bulkServer(t, map[string]string{"/manifest": bulkManifest, "/1": one, "/2": two})
	dir := filepath.Join(t.TempDir(), "export")
	if n, err := b.Fetch(t.Context(), dir); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	view := filepath.Join(t.TempDir(), "view.json")
	os.WriteFile(view, []byte(`{"resource":"Patient","select":[{"column":[{"name":"id","path":"id"},{"name":"gender","path":"gender"}]}]}`), 0o600)
	tab, hash, err := openFHIR(dir, view, croft.Schema{UnitColumn: "id"}, Limits{})
	if err != nil || tab.Rows() != 50 {
		t.Fatal(err)
	}
	// A try that broke off leaves a part; the next asks for the rest of it only.
	first := filepath.Join(dir, "0001.Patient.ndjson")
	os.Remove(first)
	os.WriteFile(first+".part", []byte(one[:100]), 0o600)
	if _, err := b.Fetch(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if again, other, err := openFHIR(dir, view, croft.Schema{UnitColumn: "id"}, Limits{}); err != nil || other != hash || again.Rows() != 50 {
		t.Error("resumed, it is another export", err)
	}
	os.Rename(first, first+".part") // all arrived, and then it died
	if _, err := b.Fetch(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if asked["/1"] != 3 || asked["/2"] != 1 {
		t.Errorf("asked %v", asked)
	}
	// A server that cannot go on where it was begins anew.
	dir = filepath.Join(t.TempDir(), "export")
	b, _ = bulkServer(t, map[string]string{"/manifest": strings.Replace(bulkManifest, "/2", "/1", 1), "/1": one, "ranges": "none"})
	os.MkdirAll(dir, 0o700)
	os.WriteFile(filepath.Join(dir, "0001.Patient.ndjson.part"), []byte(one[:100]), 0o600)
	if _, err := b.Fetch(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "0001.Patient.ndjson")); err != nil || string(got) != one {
		t.Errorf("%d bytes, want %d: %v", len(got), len(one), err)
	}
}

func TestBulkDataIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files  map[string]string
		change func(*Bulk)
		code   croft.Code
		says   string
	}{
		"another host":     {map[string]string{"/manifest": strings.Replace(bulkManifest, "HOST/2", "https://evil.example/2", 1)}, nil, croft.ErrHost, "evil.example"},
		"not allowed":      {nil, func(b *Bulk) { b.Hosts = []string{"clinic.example"} }, croft.ErrHost, "127.0.0.1"},
		"no TLS":           {nil, func(b *Bulk) { b.Manifest = "http" + strings.TrimPrefix(b.Manifest, "https") }, croft.ErrHost, "http://"},
		"a name in it":     {nil, func(b *Bulk) { b.Manifest = strings.Replace(b.Manifest, "//", "//me:pw@", 1) }, croft.ErrHost, ""},
		"no token":         {nil, func(b *Bulk) { b.Token = "" }, croft.ErrFetch, "401"},
		"a redirect":       {map[string]string{"/manifest": strings.Replace(bulkManifest, "HOST/2", "HOST/moved", 1)}, nil, croft.ErrFetch, "redirects are not followed"},
		"not there":        {map[string]string{"/manifest": strings.Replace(bulkManifest, "HOST/2", "HOST/3", 1)}, nil, croft.ErrFetch, "404"},
		"no manifest":      {map[string]string{"/manifest": "[]"}, nil, croft.ErrFetch, "no manifest"},
		"a path as a type": {map[string]string{"/manifest": strings.Replace(bulkManifest, `"Patient"`, `"../x"`, 1)}, nil, croft.ErrFetch, "no type of resources"},
		"endless manifest": {map[string]string{"/manifest": strings.Repeat(" ", maxManifest+1)}, nil, croft.ErrFetch, "more than"},
		"too large":        {nil, func(b *Bulk) { b.Most = 5 }, croft.ErrFetch, "larger than is allowed"},
	} {
		files := map[string]string{"/manifest": bulkManifest, "/1": "{}\n", "/2": "{}\n"}
		for path, text := range c.files {
			files[path] = text
		}
		b, _ := bulkServer(t, files)
		if c.change != nil {
			c.change(&b)
		}
		dir := t.TempDir()
		if _, err := b.Fetch(t.Context(), dir); !errors.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if found, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "x*")); found != nil {
			t.Errorf("%s: it wrote %q", name, found)
		}
	}
	b, _ := bulkServer(t, map[string]string{"/manifest": bulkManifest, "/1": "{}\n", "/2": "{}\n"})
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, manifestName), []byte("another"), 0o600)
	if _, err := b.Fetch(t.Context(), dir); !errors.Is(err, croft.ErrFileOpen) {
		t.Errorf("two exports in one folder: %v", err)
	}
}

// What lies in the folder under a part's name, and is no part of the file, is not taken
// for it; a manifest that was half written is written anew.
func TestBulkPartThatIsNone(t *testing.T) {
	b, _ := bulkServer(t, map[string]string{"/manifest": bulkManifest, "/1": "{}\n", "/2": "{}\n"})
	dir := t.TempDir()
	first := filepath.Join(dir, "0001.Patient.ndjson")
	os.WriteFile(first+".part", []byte("more than the file has"), 0o600)
	os.WriteFile(filepath.Join(dir, manifestName+".part"), []byte("{"), 0o600)
	if n, err := b.Fetch(t.Context(), dir); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if text, err := os.ReadFile(first); err != nil || string(text) != "{}\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// Whatever a server calls a manifest, fetching ends with a sentence.
func FuzzManifest(f *testing.F) {
	f.Add(bulkManifest)
	f.Add(`{"output":[{"type":"Patient","url":"https://x/%zz"}]}`)
	f.Add(`{"output":[{"type":"A","url":"\u0000"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(text)) }))
		defer s.Close()
		b := Bulk{Manifest: s.URL, Hosts: []string{strings.TrimPrefix(s.URL, "https://")}, Client: s.Client()}
		if _, err := b.Fetch(t.Context(), t.TempDir()); err != nil && croft.CodeOf(err) == croft.ErrInternal {
			t.Error(err)
		}
	})
}

// A server that falls silent is given up, before its manifest as in the middle of a
// file; one that is slow is not.
func TestBulkDataIsNotWaitedForForEver(t *testing.T) {
	for name, c := range map[string]struct {
		pauses map[string]time.Duration // before each byte, by path
		silent bool
	}{
		"slow":              {map[string]time.Duration{"/1": bulkSilence / 2, "/manifest": time.Second}, false},
		"a silent manifest": {map[string]time.Duration{"/manifest": 2 * bulkSilence}, true},
		"a silent file":     {map[string]time.Duration{"/2": 2 * bulkSilence}, true},
		"not even a head":   {map[string]time.Duration{"head": 2 * bulkSilence}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "export")
			synctest.Test(t, func(t *testing.T) {
				texts := map[string]string{"/manifest": strings.ReplaceAll(bulkManifest, "HOST", "https://example.org"), "/1": "{}\n", "/2": "{}\n"}
				b := Bulk{Manifest: "https://example.org/manifest", Hosts: []string{"example.org"}, Client: &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
					if err := pause(r.Context(), c.pauses["head"]); err != nil {
						return nil, err
					}
					body := &dripping{r.Context(), texts[r.URL.Path], c.pauses[r.URL.Path]}
					return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
				})}}
				n, err := b.Fetch(t.Context(), dir)
				if !c.silent && (n != 2 || err != nil) || c.silent && (!errors.Is(err, croft.ErrFetch) || !strings.Contains(err.Error(), errSilent.Error())) {
					t.Errorf("%d files, %v", n, err)
				}
			})
		})
	}
}

type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// dripping gives its text byte by byte, with a pause before each.
type dripping struct {
	ctx   context.Context
	text  string
	pause time.Duration
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.text == "" {
		return 0, io.EOF
	}
	if err := pause(d.ctx, d.pause); err != nil {
		return 0, err
	}
	n := copy(p[:1], d.text)
	d.text = d.text[n:]
	return n, nil
}

func (*dripping) Close() error { return nil }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
