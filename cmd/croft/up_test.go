package main

import (
	"slices"
	"strings"
	"testing"

	"rsc.io/qr"

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
