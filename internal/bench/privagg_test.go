package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"croft"
)

func TestPrivagg(t *testing.T) {
	for _, c := range []struct {
		seats, threshold, head int
		scheme                 string
	}{
		{2, 1, 0, "additive, 2 of 2"},
		{4, 1, 4 * 1120, "any 2 of 4"},
		{5, 2, 5 * 1120, "any 3 of 5"},
	} {
		said := 0
		r, err := Privagg(t.Context(), PrivaggOptions{Dim: 100, Seats: c.seats, Threshold: c.threshold, Repeats: 1, Where: Where{Machine: "here"}, Seed: 1},
			func(string) { said++ })
		if err != nil {
			t.Fatal(err)
		}
		if r.Scheme != c.scheme || r.Dim != 100 || r.Machine != "here" || said == 0 {
			t.Errorf("%+v, said %d", r, said)
		}
		if r.ClientSeconds <= 0 || r.SeatSeconds <= 0 || r.FloorSeconds <= 0 || r.VerifierBytes <= 0 || r.UploadBytes < 800+c.head ||
			r.UploadOver != float64(r.UploadBytes)/800 || r.ClientOver != r.ClientSeconds/r.FloorSeconds || r.SeatOver != r.SeatSeconds/r.FloorSeconds {
			t.Errorf("%+v", r)
		}
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"client_seconds", "seat_seconds_per_report", "upload_bytes", "upload_over_vector", "verifier_bytes",
			"peak_bytes", "floor_seconds", "client_over_floor", "seat_over_floor", "machine", "commit", "seed", "repeats"} {
			if !bytes.Contains(line, []byte(`"`+field+`":`)) {
				t.Errorf("no field %s in %s", field, line)
			}
		}
		var out strings.Builder
		if err := r.Print(&out); err != nil || !strings.Contains(out.String(), c.scheme) {
			t.Errorf("%v\n%s", err, out.String())
		}
	}
}

func TestPrivaggBesideOthers(t *testing.T) {
	b := newPrivaggBench(PrivaggOptions{Repeats: 1})
	quiet := func(string) {}
	row, err := b.circl(t.Context(), 50, quiet)
	if err != nil || row.UploadBytes < 50*16*16 { // 16 bytes a bit
		t.Errorf("%+v %v", row, err)
	}
	if row, err = b.unprotected(t.Context(), 50, quiet); err != nil || row.UploadBytes != 400 {
		t.Errorf("%+v %v", row, err)
	}
}

func TestPrivaggRefuses(t *testing.T) {
	quiet := func(string) {}
	for name, c := range map[string]struct {
		o    PrivaggOptions
		want error
	}{
		"no vector":    {PrivaggOptions{Dim: -1, Seats: 4, Threshold: 1}, croft.ErrShape},
		"a huge one":   {PrivaggOptions{Dim: 1 << 30, Seats: 4, Threshold: 1}, croft.ErrShape},
		"many seats":   {PrivaggOptions{Dim: 5, Seats: 10, Threshold: 4}, croft.ErrProfile},
		"no threshold": {PrivaggOptions{Dim: 5, Seats: 4}, croft.ErrProfile},
	} {
		if _, err := Privagg(t.Context(), c.o, quiet); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(croft.E(croft.ErrTimeout, "1 s"))
	if _, err := PrivaggTable(stopped, PrivaggOptions{}, quiet); !errors.Is(err, croft.ErrTimeout) {
		t.Error("stopped:", err)
	}
}
