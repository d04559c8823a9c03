package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"croft"
	"croft/internal/api"
	"croft/internal/chain"
	"croft/internal/node"
	"croft/internal/p2p"
	"croft/internal/study"
)

type upOptions struct {
	initOptions // of the node that is made where there is none
	listen      []string
	page, api   string
	quietHours  string
	bandwidth   string
	lan, detach bool
	light       bool // the folder must be a light member's

	relay                 bool
	relayCircuits         int
	relayEach, relayDaily string

	service, enable, print bool

	said *pflag.FlagSet // of the command: which flags were given
}

func (c *cli) upVerb() *verb {
	var o upOptions
	cmd := c.verb("up", "up", none(func(ctx context.Context) error { return c.up(ctx, &o) }))
	cmd.Flags().StringVar(&o.name, "name", "", say("up.flag.name"))
	cmd.Flags().StringVar(&o.network, "network", "", say("init.flag.network"))
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.service, "service", false, say("up.flag.service"))
	cmd.Flags().BoolVar(&o.enable, "enable", false, say("up.flag.enable"))
	cmd.Flags().BoolVar(&o.print, "print", false, say("up.flag.print"))
	return cmd
}

// flags adds those that say how a node runs.
func (o *upOptions) flags(cmd *verb) {
	o.said = cmd.Flags()
	cmd.Flags().StringSliceVar(&o.listen, "listen", nil, say("up.flag.listen"))
	cmd.Flags().StringVar(&o.page, "page", "", say("up.flag.page"))
	cmd.Flags().StringVar(&o.api, "api", "", say("up.flag.api"))
	cmd.Flags().StringVar(&o.bandwidth, "bandwidth", "", say("up.flag.bandwidth"))
	cmd.Flags().StringVar(&o.quietHours, "quiet-hours", "", say("up.flag.quiethours"))
	cmd.Flags().BoolVar(&o.relay, "relay", false, say("up.flag.relay"))
	cmd.Flags().IntVar(&o.relayCircuits, "relay-circuits", p2p.UsualRelaying.Circuits, say("up.flag.relaycircuits"))
	cmd.Flags().StringVar(&o.relayEach, "relay-each", "1GB", say("up.flag.relayeach"))
	cmd.Flags().StringVar(&o.relayDaily, "relay-daily", "10GB", say("up.flag.relaydaily"))
	cmd.Flags().BoolVar(&o.light, "light", false, say("up.flag.light"))
	cmd.Flags().BoolVar(&o.lan, "lan", false, say("up.flag.lan"))
	cmd.Flags().BoolVar(&o.detach, "detach", false, say("up.flag.detach"))
}

type upResult struct {
	Dir      string      `json:"dir"`
	Name     string      `json:"name"`
	Socket   string      `json:"socket"`
	Page     string      `json:"page,omitempty"`
	API      string      `json:"api,omitempty"`
	Listen   []string    `json:"listen"`
	Height   int64       `json:"height"`
	Orderers []api.Party `json:"orderers"`
	PID      int         `json:"pid"`
	Log      string      `json:"log,omitempty"`      // of a node in the background
	Settings []string    `json:"settings,omitempty"` // flags that the folder keeps, for the next time too
}

// up runs the node, in the foreground until it is asked to stop, which is no
// failure, or in the background. Where there is none yet, a name makes one.
func (c *cli) up(ctx context.Context, o *upOptions) error {
	if (o.enable || o.print) && !o.service || o.service && (o.detach || o.enable && o.print) {
		return croft.E(croft.ErrUsage, say("up.badservice"), "croft up --service --enable")
	}
	if err := o.recall(c.dir); err != nil {
		return err
	}
	cfg, err := c.config(o)
	if err != nil {
		return err
	}
	if _, err := api.Dial(c.dir); err == nil && !o.service { // its own addresses are not free either
		return croft.E(croft.ErrRunning, c.dir)
	}
	if err := o.free(); err != nil {
		return err
	}
	var boot autostart
	if o.service {
		if boot, err = c.autostart(); err != nil {
			return err
		}
	}
	if o.print {
		return c.showAutostart(boot)
	}
	if o.light {
		if light, err := node.IsLight(c.dir); err != nil {
			return err
		} else if !light {
			return croft.E(croft.ErrUsage, say("up.notlight"), "croft join CODE --name \"Clinic A\" --light")
		}
	}
	if _, err := c.genesis(); errors.Is(err, croft.ErrNoNode) && o.name != "" {
		made, err := c.init(o.initOptions)
		if err != nil {
			return err
		}
		if !c.quiet {
			columns(c.errs, func(w io.Writer) { c.printInit(w, made) })
		}
	} else if err != nil { // it says that there is no node, which a lock would not
		return err
	}
	switch {
	case o.service:
		return c.writeAutostart(ctx, boot, o)
	case o.detach:
		return c.detach(ctx, o)
	}
	return c.foreground(ctx, o, cfg)
}

// everywhere is where a node listens to all networks of its machine.
func everywhere() []string {
	wheres := []string{"0.0.0.0:7421"}
	if l, err := net.Listen("tcp6", "[::]:0"); err == nil { // the machine knows of IPv6
		l.Close()
		wheres = append(wheres, "[::]:7421")
	}
	return wheres
}

// config refuses what cannot work before anything is made or started.
func (c *cli) config(o *upOptions) (cfg node.Config, err error) {
	level := slog.LevelInfo
	if c.quiet {
		level = slog.LevelWarn
	}
	cfg = node.Config{Dir: c.dir, Socket: true, At: failpoint(),
		Log: slog.New(slog.NewTextHandler(c.errs, &slog.HandlerOptions{Level: level, ReplaceAttr: coded}))}
	if o.relay {
		if cfg.Relay, err = o.relaying(); err != nil {
			return cfg, err
		}
	}
	wheres := slices.Clone(o.listen)
	if at := slices.Index(wheres, "lan"); at >= 0 {
		wheres = slices.Replace(wheres, at, at+1, everywhere()...)
	}
	for _, where := range wheres {
		if addr, err := netip.ParseAddrPort(where); err == nil { // as people write it: both ways
			cfg.Listen = append(cfg.Listen, croft.Addr{AddrPort: addr}.String(), croft.Addr{AddrPort: addr, QUIC: true}.String())
		} else if where == node.NoListen || strings.HasPrefix(where, "/") {
			cfg.Listen = append(cfg.Listen, where)
		} else {
			return cfg, croft.E(croft.ErrUsage, say("up.badlisten", fmt.Sprintf("%.80q", where)), "croft up --listen lan, or --listen 0.0.0.0:7421")
		}
	}
	if o.lan {
		cfg.Timing = chain.LAN
	}
	if o.bandwidth != "" {
		if cfg.Rate, err = parseRate(o.bandwidth); err != nil {
			return cfg, err
		}
	}
	if o.quietHours != "" {
		if cfg.Quiet, err = study.ParseHours(o.quietHours); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

// free refuses addresses for the status page and for programs that the node would not
// get.
func (o *upOptions) free() error {
	var cfg node.Config
	return errors.Join(o.open(&cfg), shut(cfg.Page), shut(cfg.Serve))
}

// relaying reads the limits of a relay.
func (o *upOptions) relaying() (r p2p.Relaying, err error) {
	most := p2p.UsualRelaying.Circuits
	if r.Circuits = o.relayCircuits; r.Circuits < 1 || r.Circuits > most {
		return r, croft.E(croft.ErrUsage, say("up.badcircuits", r.Circuits, most), "croft up --relay --relay-circuits 16")
	}
	if r.Each, err = parseAmount(o.relayEach); err == nil {
		r.Daily, err = parseAmount(o.relayDaily)
	}
	return r, err
}

// parseAmount reads how many bytes a relay may carry: 500MB, 10GB.
func parseAmount(text string) (int64, error) {
	amount, err := parseBytes(text)
	if err != nil || !(amount >= 1e6 && amount <= 1e15) {
		return 0, croft.E(croft.ErrUsage, say("up.badamount", fmt.Sprintf("%.40q", text)), "croft up --relay --relay-each 1GB --relay-daily 10GB")
	}
	return int64(amount), nil
}

// parseRate reads how many bytes a second: 500kB/s, 1.5 MB/s.
func parseRate(text string) (int, error) {
	rate, err := parseBytes(strings.TrimSuffix(strings.ReplaceAll(text, " ", ""), "/s"))
	if err != nil || !(rate >= p2p.MinRate && rate <= 1e10) {
		return 0, croft.E(croft.ErrUsage, say("up.badbandwidth", fmt.Sprintf("%.40q", text)), "croft up --bandwidth 1MB/s")
	}
	return int(rate), nil
}

// parseBytes reads how many bytes: 500kB, 1.5 MB, 10GB. A number without a unit is none.
func parseBytes(text string) (float64, error) {
	number, units := strings.ToLower(strings.ReplaceAll(text, " ", "")), 0
	for unit, bytes := range map[string]int{"kb": 1e3, "mb": 1e6, "gb": 1e9} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, units = rest, bytes
		}
	}
	amount, err := strconv.ParseFloat(number, 64)
	return amount * float64(units), err
}

// open listens for the status page and the API for programs.
func (o *upOptions) open(cfg *node.Config) (err error) {
	if cfg.Page, err = loopback(o.page, usualPage, "up.badpage", "up.badpage.fix"); err != nil {
		return err
	}
	cfg.Serve, err = loopback(o.api, usualAPI, "up.badapi", "up.badapi.fix")
	return err
}

func shut(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}

func at(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// loopback listens at the address that somebody gave, which must be free and this
// machine's own; else at the usual one, or, where a second node of this machine has
// that, anywhere. It returns nil for "none".
func loopback(given, usual, bad, fix string) (net.Listener, error) {
	if given == "none" {
		return nil, nil
	}
	address := cmp.Or(given, usual)
	if where, err := netip.ParseAddrPort(address); err != nil || !where.Addr().IsLoopback() { // the node looks again
		return nil, croft.E(croft.ErrUsage, say(bad, fmt.Sprintf("%.80q", address)), say(fix))
	}
	l, err := net.Listen("tcp", address)
	if err != nil && given == "" {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, croft.E(croft.ErrPortUsed, address, err)
	}
	return l, nil
}

// usualPage is where the status page answers if nobody says otherwise.
const usualPage = "127.0.0.1:7420"

// usualAPI is where programs call services if nobody says otherwise.
const usualAPI = "127.0.0.1:7430"

// coded puts the code before the sentence of a failure: it is what docs/ref/errors.md
// is in the order of, and all that croft report takes of it.
func coded(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok && croft.CodeOf(err) != croft.ErrInternal {
		a.Value = slog.StringValue(croft.CodeOf(err).Error() + " " + err.Error())
	}
	return a
}

// foreground runs the node until it is asked to stop.
func (c *cli) foreground(ctx context.Context, o *upOptions, cfg node.Config) (err error) {
	c.progress("up.opening", c.dir)
	if err := node.Recover(ctx, cfg, c.recovering); err != nil {
		if ctx.Err() != nil { // asked to stop
			return nil
		}
		return err
	}
	if err := o.open(&cfg); err != nil { // held from here on, or two nodes might find the same port free
		return errors.Join(err, shut(cfg.Page))
	}
	n, err := node.Open(cfg)
	if err != nil {
		return errors.Join(err, shut(cfg.Page), shut(cfg.Serve))
	}
	defer func() {
		c.progress("up.stopping")
		err = errors.Join(err, n.Close())
	}()
	if o.name != "" && o.name != n.Member.Name {
		return croft.E(croft.ErrUsage, say("up.othername", n.Member.Name), say("up.othername.fix"))
	}
	kept, err := o.keep(c.dir)
	if err != nil {
		return err
	}

	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	status, up, err := answering(ctx, c.dir, ended)
	if !up {
		return err
	}
	r := upResult{Dir: c.dir, Name: n.Member.Name, Socket: filepath.Join(c.dir, "api.sock"), Page: at(cfg.Page), API: at(cfg.Serve), Listen: n.Host.Addrs(),
		Height: status.Height, Orderers: status.Orderers, PID: os.Getpid(), Settings: kept.words()}
	err = c.result(r, func(w io.Writer) {
		tell(w, "up.title", croft.EngineVersion, r.Name)
		c.printUp(w, r)
	})
	died := <-ended
	if died != nil && ctx.Err() == nil {
		cfg.Log.Error("end", "why", died) // in the background nobody reads what is printed any more
	}
	return errors.Join(err, died)
}

// printUp says what a running node offers.
func (c *cli) printUp(w io.Writer, r upResult) {
	if r.Page != "" {
		tell(w, "up.page", r.Page)
	}
	if r.API != "" {
		tell(w, "up.api", r.API)
	}
	tell(w, "up.socket", r.Socket)
	if len(r.Settings) > 0 {
		c.advise(w, "up.settings", strings.Join(r.Settings, " "))
	}
	for _, addr := range r.Listen {
		tell(w, "up.listen", addr)
	}
	if r.Height == 0 {
		tell(w, "up.new")
	} else {
		tell(w, "up.ledger", r.Height, names(r.Orderers))
	}
}

// answering waits until the node that runs in dir answers, or has ended: then it
// is not up, and err says why.
func answering(ctx context.Context, dir string, ended <-chan error) (status api.Status, up bool, err error) {
	for {
		if client, err := api.Dial(dir); err == nil {
			if status, err := client.Status(ctx); err == nil {
				return status, true, nil
			}
		}
		select {
		case err := <-ended:
			return status, false, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
