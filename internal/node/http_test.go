package node

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A listener for programs speaks HTTP/1.1 and, for gRPC, HTTP/2 without TLS; it ends
// with its node, also while clients hold connections.
func TestServeHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		_ = serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	})
	for _, want := range []string{"HTTP/1.1", "HTTP/2.0"} {
		client := &http.Client{Transport: &http.Transport{Protocols: new(http.Protocols)}}
		client.Transport.(*http.Transport).Protocols.SetHTTP1(want == "HTTP/1.1")
		client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(want == "HTTP/2.0")
		a, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(a.Body); err != nil || string(got) != want {
			t.Errorf("%s %v, want %s", got, err, want)
		}
		a.Body.Close()
	}
	stop()
	done.Wait()
}
