package p2p

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"croft"
)

// pipeEnd is a stream that holds what was written.
type pipeEnd struct{ bytes.Buffer }

func (*pipeEnd) SetReadDeadline(time.Time) error  { return nil }
func (*pipeEnd) SetWriteDeadline(time.Time) error { return nil }

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, 1, 2, 3}, 10)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, MaxAnswer)
	f.Add([]byte{0, 0, 1}, 0)
	f.Fuzz(func(t *testing.T, raw []byte, limit int) {
		limit &= 1<<20 - 1
		var in, out pipeEnd
		in.Write(raw)
		asked := 0
		data, err := readFrame(&in, limit, func(n int) error { asked = n; return nil })
		if asked > limit || len(data) > limit {
			t.Fatalf("%d bytes with a limit of %d", asked, limit)
		}
		if err != nil {
			return
		}
		if err := writeFrame(&out, nil, data); err != nil || !bytes.Equal(out.Bytes(), raw[:4+len(data)]) {
			t.Fatalf("%x became %x", raw, out.Bytes())
		}
	})
}

func TestFrameAsksBeforeItAllocates(t *testing.T) {
	var in pipeEnd
	in.Write([]byte{0x03, 0xff, 0xff, 0xff})
	no := errors.New("no memory")
	allocs := testing.AllocsPerRun(1, func() {
		b := bytes.Clone(in.Bytes())
		if _, err := readFrame(&pipeEnd{*bytes.NewBuffer(b)}, MaxAnswer, func(int) error { return no }); !errors.Is(err, no) {
			t.Error(err)
		}
	})
	if allocs > 20 {
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzUnpackAnswer(f *testing.F) {
	_, body := packError(croft.E(croft.ErrPolicy, "at least 20 rows"))
	f.Add(byte(failed), body)
	f.Add(byte(failed), croft.Encode(failure{Code: croft.ErrPolicy, Args: []string{"\x1b[2J" + strings.Repeat("x", maxArg)}}))
	f.Add(byte(answered), []byte("x"))
	f.Add(byte(200), []byte{})
	f.Fuzz(func(t *testing.T, s byte, body []byte) {
		_, err := unpackAnswer("peer", status(s), body)
		if status(s) == answered {
			return
		}
		e, ok := errors.AsType[*croft.Error](err)
		if !ok || e.Code.Kind() == 0 || e.Code.Kind() == croft.Internal {
			t.Fatalf("got %v", err)
		}
		for _, arg := range e.Args {
			if len(arg) > maxArg || printable(arg) != arg {
				t.Fatalf("%q reaches a screen", arg)
			}
		}
	})
}

func FuzzParseAddrs(f *testing.F) {
	f.Add("/ip4/127.0.0.1/tcp/4001/p2p/" + string(PeerOf(croft.PublicKey{})))
	f.Add("/dns4/example.org/udp/1/quic-v1/p2p/" + string(PeerOf(croft.PublicKey{})))
	f.Add("/dnsaddr/example.org/p2p/" + string(PeerOf(croft.PublicKey{})))
	f.Fuzz(func(t *testing.T, addr string) {
		peers, err := parseAddrs([]string{addr})
		if (err == nil) != (len(peers) == 1) || err != nil && !errors.Is(err, croft.ErrEncoding) {
			t.Fatalf("%v, %v", peers, err)
		}
		if err == nil && strings.HasPrefix(addr, "/dns") {
			t.Fatalf("%s would be asked of somebody outside", addr)
		}
	})
}

func TestErrorSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &croft.Error{Code: rapid.SampledFrom([]croft.Code{croft.ErrPolicy, croft.ErrBlob, croft.ErrTxOrder}).Draw(t, "code")}
		for range rapid.IntRange(0, maxArgs+3).Draw(t, "arguments") {
			e.Args = append(e.Args, rapid.StringN(0, 300, -1).Draw(t, "argument"))
		}
		code, body := packError(e)
		_, err := unpackAnswer("peer", code, body)
		back, ok := errors.AsType[*croft.Error](err)
		if !ok || back.Code != e.Code || len(back.Args) != min(len(e.Args), maxArgs) {
			t.Fatalf("%+v became %v", e, err)
		}
		for i, arg := range back.Args {
			if arg != printable(e.Args[i]) || len(arg) > maxArg || !utf8.ValidString(arg) {
				t.Fatalf("%q became %q", e.Args[i], arg)
			}
		}
	})
}

func TestWhatStaysHere(t *testing.T) {
	for _, err := range []error{errors.New("open secret.csv"), croft.E(croft.ErrInternal, "open secret.csv")} {
		if code, body := packError(err); code != mute || len(body) > 0 {
			t.Errorf("%v: sent as %d %q", err, code, body)
		}
	}
}

// In any second no more calls are admitted than the rate and the burst allow,
// and whoever waits as told is admitted.
func TestQuotaKeepsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates{atOnce: 1, perSecond: rapid.IntRange(1, 50).Draw(t, "rate")}
		l := &lane{tokens: float64(r.perSecond)}
		now := time.Unix(1e9, 0)
		var admitted []time.Time
		for range rapid.IntRange(1, 300).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 5000)).Draw(t, "ms")) * time.Millisecond)
			d := l.take(r, now, false)
			if d > 0 && rapid.Bool().Draw(t, "wait") {
				now = now.Add(d)
				if d = l.take(r, now, false); d > 0 {
					t.Fatalf("waited as told, and %v more", d)
				}
			}
			if d == 0 {
				admitted = append(admitted, now)
			}
		}
		for i, from := range admitted {
			for j, to := range admitted[i:] {
				if most := float64(r.perSecond) * (1 + to.Sub(from).Seconds()); float64(j+1) > most+1e-6 {
					t.Fatalf("%d calls in %v with %d a second", j+1, to.Sub(from), r.perSecond)
				}
			}
		}
	})
}

// Who waits for room keeps the pace, on the bubble's clock.
func TestQuotaWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuota(outgoing)
		start := time.Now()
		for range 3 * outgoing.perSecond {
			release, err := q.wait(t.Context(), "peer")
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		if took := time.Since(start); took < 1900*time.Millisecond || took > 2100*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}
