package main

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

// welcome votes for whoever else comes with the code that this member came with,
// until everybody has come whom it is good for. A code for several is handed to a
// group that knows each other, and of two members both must say yes to a third: so
// the second need not come back to its keyboard for it. The vote is this command's,
// not the node's, which has no key to vote with.
//
//	Ctrl-C: the node runs on; who comes later is voted for with croft member approve.
func (c *cli) welcome(ctx context.Context, v croft.Invite) error {
	p, err := c.sign(ctx)
	if err != nil {
		return err
	}
	if err := c.caughtUp(ctx, p); err != nil { // a younger ledger knows neither the invite nor who came
		return err
	}
	public := v.Public()
	key := hex.EncodeToString(public[:])
	for said := 0; ; {
		council, err := p.Council(ctx)
		if err != nil {
			return err
		}
		missing, next := coming(council, key, p.self)
		if next != nil {
			c.progress("member.approve.shows", next.Newcomer.Name, next.By.Name, croft.CheckDigits(p.genesis, next.Newcomer))
			_, err := c.vote(ctx, p, council, &ledger.Vote{Action: ledger.Admit, Newcomer: &next.Newcomer}, len(next.Yes))
			// It may have been decided without this vote meanwhile.
			if err != nil && !errors.Is(err, croft.ErrTxDuplicate) && !errors.Is(err, croft.ErrTxOrder) {
				return err
			}
			continue
		}
		if missing == 0 {
			return nil
		}
		if missing != said {
			c.progress("join.welcome.waits", count(missing, "more", "more"))
			said = missing
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// coming says how many have not been admitted whom an invite is still good for,
// and who of them waits for this member's vote.
func coming(council api.Council, key string, self croft.MemberID) (missing int, next *api.Application) {
	for _, v := range council.Invites {
		if v.Key == key && time.Now().Before(v.Expires) {
			missing = int(v.Uses - v.Used)
		}
	}
	for i, a := range council.Applications {
		if a.Invite != key || a.Standing == ledger.Late.String() {
			continue
		}
		missing++
		if a.Standing == ledger.Pending.String() && !votes(a.Yes, self) {
			next = &council.Applications[i]
		}
	}
	return missing, next
}
