package serve

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"croft"
)

// An upstream names its price at the path that its owner gave, of the body that it would
// be asked with; what is no price is its failure.
func TestUpstreamQuotes(t *testing.T) {
	says := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); r.URL.String() != "/price" || string(body) != `{"pages":3}` {
			t.Errorf("%s was asked with %s", r.URL, body)
		}
		io.WriteString(w, says)
	}))
	defer server.Close()
	u := upstream(t, UpstreamConfig{Task: HTTP, URLs: []string{server.URL + "/read?fast=1"}, Quote: "/price"})
	for answer, want := range map[string]croft.Credits{
		`{"credits": 0.25}`: croft.Credit / 4, `{"credits": "0.25"}`: croft.Credit / 4, `{"credits": 0}`: 0, `{"credits": 3, "unit": "page"}`: 3 * croft.Credit,
	} {
		says = answer
		if price, err := u.Quote(t.Context(), Request{Task: HTTP, Body: []byte(`{"pages":3}`)}); err != nil || price != want {
			t.Errorf("%s: %s, %v", answer, price, err)
		}
	}
	for _, answer := range []string{``, `{}`, `{"credits": -1}`, `{"credits": 1e-7}`, `{"credits": "much"}`, `{"credits": null}`, `{"credits": 99999999999}`, `3`, `no`} {
		says = answer
		if price, err := u.Quote(t.Context(), Request{Task: HTTP, Body: []byte(`{"pages":3}`)}); !errors.Is(err, croft.ErrEngineFailed) || price != 0 {
			t.Errorf("%s: %s, %v", answer, price, err)
		}
	}
	if _, err := u.Quote(t.Context(), Request{Task: HTTP, Body: []byte(`no JSON`)}); !errors.Is(err, croft.ErrRequest) {
		t.Error(err)
	}
	if _, err := upstream(t, UpstreamConfig{Task: HTTP, URLs: []string{server.URL}}).Quote(t.Context(), Request{Task: HTTP, Body: []byte(`{}`)}); !errors.Is(err, croft.ErrEngineFailed) {
		t.Error(err)
	}
	if _, err := NewUpstream(UpstreamConfig{Task: HTTP, URLs: []string{server.URL}, Quote: "http://elsewhere/price"}); !errors.Is(err, croft.ErrUsage) {
		t.Error(err)
	}
}

// Who cannot pay is told what was quoted for the request, not the most that any costs.
func TestPaymentRequiredHasTheQuote(t *testing.T) {
	url, secret, b, _, _ := server(t, APIKey{Name: "k", Cap: 10 * croft.Credit})
	b.err, b.quoted = croft.E(croft.ErrNoChannel, "Ada", croft.Credit/4, "chat"), croft.Credit/4
	code, head, _ := post(t, url+"/v1/chat/completions", secret, `{"model":"chat","messages":[]}`)
	raw, err := base64.StdEncoding.DecodeString(head.Get("PAYMENT-REQUIRED"))
	if code != http.StatusPaymentRequired || err != nil || !strings.Contains(string(raw), `"amount":"250000"`) {
		t.Errorf("%d %s %v", code, raw, err)
	}
}
