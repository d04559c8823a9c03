package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rsc.io/qr"

	"croft"
	"croft/internal/api"
	"croft/internal/node"
)

func TestWhereANodeListens(t *testing.T) {
	for where, want := range map[string][]string{
		"lan":              {"/ip4/0.0.0.0/tcp/7421", "/ip4/0.0.0.0/udp/7421/quic-v1"},
		"[::]:80":          {"/ip6/::/tcp/80", "/ip6/::/udp/80/quic-v1"},
		"none":             {node.NoListen},
		"/ip4/1.2.3.4/tcp": {"/ip4/1.2.3.4/tcp"}, // the node says what is wrong with it
	} {
		o := upOptions{listen: []string{where}, page: "none", relay: true}
		cfg, err := (&cli{}).config(o)
		if err != nil || !slices.Equal(cfg.Listen, want) || !cfg.Relay {
			t.Errorf("%s: %v %v", where, cfg.Listen, err)
		}
		if again := o.again("dir"); !slices.Contains(again, "--relay") || !slices.Contains(again, where) {
			t.Errorf("in the background: %v", again)
		}
	}
}

// A picture has every module of the code, and light around them.
func TestPicture(t *testing.T) {
	code := "croft1" + strings.Repeat("q", 194)
	drawn, err := qr.Encode(strings.ToUpper(code), qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(picture(code), "\n"), "\n")
	if len(lines) > 30 {
		t.Errorf("%d lines are more than a screen has", len(lines))
	}
	for y := -2; y < drawn.Size+2; y++ {
		line := []rune(lines[(y+2)/2])
		for x := -2; x < drawn.Size+2; x++ {
			light := line[x+2] == '█' || line[x+2] == []rune("▀▄")[(y+2)%2]
			if light == drawn.Black(x, y) {
				t.Fatalf("module %d, %d is drawn wrong", x, y)
			}
		}
	}
}

func TestBandwidth(t *testing.T) {
	for text, want := range map[string]int{"1MB/s": 1_000_000, "500kB/s": 500_000, "1.5 mb": 1_500_000, "100kB/s": 100_000, "2GB/s": 2_000_000_000} {
		if got, err := parseRate(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "MB/s", "99kB/s", "-1MB/s", "NaNMB/s", "1e99GB/s", "fast"} {
		if got, err := parseRate(text); !errors.Is(err, croft.ErrUsage) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// A study that stands still says for whom, once.
func TestWatchSaysForWhom(t *testing.T) {
	waits := func(round uint32, names ...string) (st api.Summary) {
		st.Round = round
		for _, n := range names {
			st.Waits = append(st.Waits, api.Party{Name: n})
		}
		return st
	}
	var s silence
	for i, look := range []struct {
		st   api.Summary
		says bool
	}{{waits(1, "glen"), false}, {waits(1, "glen"), true}, {waits(1, "glen"), false}, {waits(1, "moor"), false}, {waits(2, "moor"), false}, {waits(2, "moor"), true}, {waits(2), false}, {waits(2), false}} {
		if s.lasts(look.st) != look.says {
			t.Errorf("look %d: want %v", i, look.says)
		}
	}
}
