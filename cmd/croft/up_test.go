package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"croft"
	"croft/internal/api"
	"croft/internal/node"
	"croft/internal/p2p"
)

func TestWhereANodeListens(t *testing.T) {
	lan := []string{"/ip4/0.0.0.0/tcp/7421", "/ip4/0.0.0.0/udp/7421/quic-v1"}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		lan = append(lan, "/ip6/::/tcp/7421", "/ip6/::/udp/7421/quic-v1")
	}
	for where, want := range map[string][]string{
		"lan":              lan,
		"[::]:80":          {"/ip6/::/tcp/80", "/ip6/::/udp/80/quic-v1"},
		"none":             {node.NoListen},
		"/ip4/1.2.3.4/tcp": {"/ip4/1.2.3.4/tcp"}, // the node says what is wrong with it
	} {
		o := told(t, "--listen", where, "--page", "none", "--relay")
		cfg, err := (&cli{}).config(o)
		if err != nil || !slices.Equal(cfg.Listen, want) || cfg.Relay != p2p.UsualRelaying {
			t.Errorf("%s: %v %v", where, cfg.Listen, err)
		}
		if again := strings.Join(o.again("dir"), " "); again != "up --dir dir --listen="+where+" --page=none --relay" {
			t.Errorf("in the background: %v", again)
		}
	}
}

// told are the options of a croft up that was given these flags.
func told(t *testing.T, flags ...string) *upOptions {
	t.Helper()
	o, cmd := new(upOptions), new(cobra.Command)
	o.flags(cmd)
	if err := cmd.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	return o
}

// What is kept comes back as it was given, in each type; a flag that is given counts
// instead; its usual value is not kept.
func TestSettings(t *testing.T) {
	dir := t.TempDir()
	first := []string{"--listen=lan", "--listen=/ip4/127.0.0.1/tcp/7", "--bandwidth=1MB/s", "--relay", "--relay-circuits=7", "--lan", "--light"}
	kept, err := told(t, first...).keep(dir)
	if err != nil || len(kept) != 5 || kept["light"] != nil {
		t.Fatal(kept, err)
	}
	back, err := readSettings(dir)
	if err != nil || !reflect.DeepEqual(back, kept) {
		t.Errorf("kept %v, read %v %v", kept, back, err)
	}
	o := told(t, "--bandwidth=2MB/s", "--lan=false", "--listen=", "--page=none")
	if err := o.recall(dir); err != nil || o.bandwidth != "2MB/s" || o.lan || !o.relay || o.relayCircuits != 7 || len(o.listen) != 0 {
		t.Errorf("recalled %+v %v", o, err)
	}
	if kept, err = o.keep(dir); err != nil || strings.Join(kept.words(), " ") != "--bandwidth=2MB/s --page=none --relay --relay-circuits=7" {
		t.Errorf("kept %v %v", kept.words(), err)
	}
	for _, free := range []string{"127.0.0.1:0", "/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"} {
		if kept, err := told(t, "--listen=lan", "--listen="+free).keep(t.TempDir()); err != nil || len(kept) != 0 {
			t.Errorf("%s: kept %v %v", free, kept, err)
		}
	}
	plain := told(t)
	if err := plain.recall(dir); err != nil || plain.again("d")[2] != "d" || len(plain.again("d")) != 3 {
		t.Errorf("what is kept need not be said again: %v %v", plain.again("d"), err)
	}

	for text, says := range map[string]string{
		"bandwith = \"1MB/s\"":   `"bandwith" is no flag`,
		"light = true":           `"light" is no flag`,
		"Relay = true":           `"Relay" is no flag`,
		"[relay]\ndaily = 1":     "relay: it is true or false",
		"relay = \"true\"":       "relay: it is true or false",
		"listen = \"lan\"":       "listen: it is a list",
		"listen = [1]":           "listen: it is a list",
		"listen = [[\"lan\"]]":   "listen: it is a list",
		"relay-circuits = 1.0":   "relay-circuits: it is a whole number",
		"bandwidth = 1979-05-27": "bandwidth: it is a text",
		"lan = true\nlan = true": "line 2",
		"lan":                    "line 1",
		strings.Repeat("# and so on\n", maxSettings): "bytes",
	} {
		if err := os.WriteFile(filepath.Join(dir, settingsName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := told(t).recall(dir); !errors.Is(err, croft.ErrSettings) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func FuzzSettings(f *testing.F) {
	for _, text := range []string{"", "relay = true", "listen = [\"lan\", \"none\"]", "relay-circuits = 3\nrelay-daily = \"1GB\"", "a.b.c = [{}]", "lan = tru"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, settingsName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		kept, err := readSettings(dir)
		if err != nil {
			if !errors.Is(err, croft.ErrSettings) {
				t.Fatal(err)
			}
			return
		}
		if err := told(t).recall(dir); err != nil {
			return // no flag of croft up
		}
		if err := kept.write(dir); err != nil {
			t.Fatal(err)
		}
		if again, err := readSettings(dir); err != nil || !reflect.DeepEqual(kept, again) {
			t.Errorf("%v became %v %v", kept, again, err)
		}
	})
}

func TestRelayLimits(t *testing.T) {
	cfg, err := (&cli{}).config(told(t, "--relay", "--relay-circuits", "3", "--relay-each", "20MB", "--relay-daily", "1.5 GB"))
	if want := (p2p.Relaying{Circuits: 3, Each: 20e6, Daily: 15e8}); err != nil || cfg.Relay != want {
		t.Errorf("%+v %v", cfg.Relay, err)
	}
	if cfg, err := (&cli{}).config(told(t, "--relay")); err != nil || cfg.Relay != p2p.UsualRelaying {
		t.Errorf("help says %+v: %v", cfg.Relay, err)
	}
	for _, wrong := range []string{"--relay-circuits=0", "--relay-circuits=65", "--relay-each=10", "--relay-daily=1kB", "--relay-daily=-1GB", "--relay-daily=NaNGB", "--relay-each=much"} {
		if _, err := (&cli{}).config(told(t, "--relay", wrong)); !errors.Is(err, croft.ErrUsage) {
			t.Errorf("%s: %v", wrong, err)
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
