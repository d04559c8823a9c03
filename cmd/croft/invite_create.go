package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rsc.io/qr"

	"croft"
	"croft/internal/ledger"
)

type inviteCreateOptions struct {
	uses    uint8
	auto    bool
	guest   bool
	expires time.Duration
	address []string
	qr      bool
}

func (c *cli) inviteCreateVerb() *verb {
	var o inviteCreateOptions
	cmd := c.verb("invite.create", "create", none(func(ctx context.Context) error { return c.inviteCreate(ctx, o) }))
	cmd.Flags().Uint8Var(&o.uses, "uses", 1, say("invite.create.flag.uses", ledger.MaxUses))
	cmd.Flags().BoolVar(&o.auto, "auto", false, say("invite.create.flag.auto"))
	cmd.Flags().BoolVar(&o.guest, "guest", false, say("invite.create.flag.guest"))
	cmd.Flags().DurationVar(&o.expires, "expires", 24*time.Hour, say("invite.create.flag.expires"))
	cmd.Flags().StringSliceVar(&o.address, "address", nil, say("invite.create.flag.address"))
	cmd.Flags().BoolVar(&o.qr, "qr", false, say("invite.create.flag.qr"))
	return cmd
}

type inviteCreateResult struct {
	Code    string    `json:"code"`
	Key     string    `json:"key"`
	Expires time.Time `json:"expires"`
	Uses    uint8     `json:"uses"`
	Auto    bool      `json:"auto"`
	Guest   bool      `json:"guest,omitempty"`
	Addrs   []string  `json:"addrs"`
	Local   bool      `json:"local"` // the code is good on this machine only
}

// longest is how long an invite may be good for: a code lies about in mails.
const longest = 30 * 24 * time.Hour

// inviteCreate puts an invite on the ledger and prints its code, which is nowhere
// else.
func (c *cli) inviteCreate(ctx context.Context, o inviteCreateOptions) error {
	if o.uses == 0 || o.uses > ledger.MaxUses {
		return croft.E(croft.ErrUsage, say("invite.create.baduses", o.uses), fmt.Sprintf("--uses 1 … %d", ledger.MaxUses))
	}
	if o.expires < time.Minute || o.expires > longest {
		return croft.E(croft.ErrUsage, say("invite.create.badexpiry", o.expires), "--expires 1m … 720h")
	}
	p, council, err := c.voter(ctx)
	if err != nil {
		return err
	}
	v := croft.Invite{Network: p.genesis, Node: council.Node, Expires: time.Now().Add(o.expires).Unix()}
	rand.Read(v.Secret[:]) // never fails
	addrs := reachable(council.Addrs)
	if len(o.address) > 0 {
		if addrs, err = given(o.address); err != nil {
			return err
		}
	}
	code := ""
	for _, a := range addrs { // the best ones first, as many as there is room for
		v.Addrs = append(v.Addrs, a)
		if longer, err := v.Code(); err != nil {
			v.Addrs = v.Addrs[:len(v.Addrs)-1]
		} else {
			code = longer
		}
	}
	if code == "" {
		return croft.E(croft.ErrUsage, say("invite.create.noaddress"), "croft invite create --address 192.0.2.7:7421")
	}
	if _, err := c.submit(ctx, p, 0, &ledger.Invite{Key: v.Public(), Expires: v.Expires, Uses: o.uses, Auto: o.auto, Guest: o.guest}); err != nil {
		if later(err) {
			c.progress("invite.create.unshown")
		}
		return err
	}
	public := v.Public()
	r := inviteCreateResult{Code: code, Key: hex.EncodeToString(public[:]), Expires: time.Unix(v.Expires, 0).UTC(), Uses: o.uses, Auto: o.auto, Guest: o.guest, Local: v.Addrs[0].Addr().IsLoopback()}
	for _, a := range v.Addrs {
		r.Addrs = append(r.Addrs, a.String())
	}
	if r.Local {
		c.progress("invite.create.local")
	}
	return c.result(r, func(w io.Writer) {
		tell(w, "invite.create.done", count(int(r.Uses), "use", "uses"), day(r.Expires))
		fmt.Fprintln(w, r.Code)
		if o.qr {
			fmt.Fprint(w, picture(r.Code))
		}
		others := council.Needed - 1
		switch {
		case r.Guest && r.Auto:
			tell(w, "invite.create.guest.auto")
		case r.Guest:
			tell(w, "invite.create.guest")
		case r.Auto && others == 0:
			tell(w, "invite.create.auto.alone")
		case r.Auto:
			tell(w, "invite.create.auto", count(others, "vote", "votes"))
		}
		tell(w, "invite.create.next")
		if !r.Auto || !r.Guest && (others > 0 || r.Uses > 1) { // else the first who applies is in
			c.advise(w, "invite.create.vote")
		}
	})
}

// picture draws a code as a QR code, two rows of it a line, for terminals that are
// dark. Capitals, which count as the same, take less room.
func picture(code string) string {
	drawn, err := qr.Encode(strings.ToUpper(code), qr.L)
	if err != nil {
		return "" // a code is shorter than what fits
	}
	const quiet = 2 // modules around it
	var b strings.Builder
	for y := -quiet; y < drawn.Size+quiet; y += 2 {
		for x := -quiet; x < drawn.Size+quiet; x++ {
			light := 0 // bit 0 the upper row, bit 1 the lower
			if !drawn.Black(x, y) {
				light |= 1
			}
			if !drawn.Black(x, y+1) {
				light |= 2
			}
			b.WriteString([]string{" ", "▀", "▄", "█"}[light])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// reachable puts a node's own addresses in the order in which others will reach
// it: the internet's, then the building's. Those of this machine are taken only
// where there is no other. Each machine comes by TCP before any comes by QUIC too.
func reachable(texts []string) []croft.Addr {
	class := func(a croft.Addr) int {
		switch ip := a.Addr(); {
		case ip.IsLoopback():
			return 2
		case ip.IsPrivate():
			return 1
		}
		return 0
	}
	var out []croft.Addr
	for _, text := range texts {
		if a, ok := croft.ParseAddr(text); ok && (a.Addr().IsGlobalUnicast() || a.Addr().IsLoopback()) {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b croft.Addr) int {
		if a.QUIC != b.QUIC && class(a) < 2 && class(b) < 2 {
			if a.QUIC {
				return 1
			}
			return -1
		}
		return class(a) - class(b)
	})
	if len(out) > 0 && class(out[0]) < 2 {
		out = slices.DeleteFunc(out, func(a croft.Addr) bool { return class(a) == 2 })
	}
	return out
}

// given reads addresses that a person knows better than the node: a forwarded
// port, say.
func given(texts []string) (out []croft.Addr, err error) {
	for _, quic := range []bool{false, true} {
		for _, text := range texts {
			addr, err := netip.ParseAddrPort(text)
			if err != nil || addr.Port() == 0 || addr.Addr().IsUnspecified() {
				return nil, croft.E(croft.ErrUsage, say("invite.create.badaddress", fmt.Sprintf("%.80q", text)), "croft invite create --address 192.0.2.7:7421")
			}
			out = append(out, croft.Addr{AddrPort: addr, QUIC: quic})
		}
	}
	return out, nil
}
