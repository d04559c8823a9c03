package main

import (
	"context"
	"io"
	"strings"

	"croft"
	"croft/internal/api"
	"croft/internal/ledger"
)

func (c *cli) walletMintVerb() *verb {
	var amount string
	cmd := c.verb("wallet.mint", "mint MEMBER", one(func(ctx context.Context, ref string) error {
		return c.voteOnSupply(ctx, "wallet.mint.", ledger.Mint, ref, amount)
	}))
	cmd.Flags().StringVar(&amount, "amount", "", say("wallet.mint.flag.amount"))
	return cmd
}

func (c *cli) walletBurnVerb() *verb {
	var amount string
	cmd := c.verb("wallet.burn", "burn MEMBER", one(func(ctx context.Context, ref string) error {
		return c.voteOnSupply(ctx, "wallet.burn.", ledger.Burn, ref, amount)
	}))
	cmd.Flags().StringVar(&amount, "amount", "", say("wallet.burn.flag.amount"))
	return cmd
}

type supplyResult struct {
	Member  croft.MemberID `json:"member"`
	Name    string         `json:"name"`
	Amount  croft.Credits  `json:"amount"`
	Decided bool           `json:"decided"`
	Missing int            `json:"missing"` // votes that are still needed
}

// voteOnSupply casts this member's vote for credits that come onto somebody's account, or
// go from it. They do once a majority has cast the same.
func (c *cli) voteOnSupply(ctx context.Context, key string, action ledger.Action, ref, text string) error {
	amount, err := croft.ParseCredits(text)
	if err != nil || amount == 0 {
		return croft.E(croft.ErrUsage, say("wallet.noamount"), say(key+"fix"))
	}
	p, council, err := c.voter(ctx)
	if err != nil {
		return err
	}
	who, err := c.somebody(ctx, council, ref)
	if err != nil {
		return err
	}
	wallet, err := p.Wallet(ctx)
	if err != nil {
		return err
	}
	before := 0
	for _, q := range council.Supply {
		if q.Burn == (action == ledger.Burn) && q.Account.ID == who.ID && q.Amount == amount {
			if before = len(q.Yes); votes(q.Yes, p.self) {
				return croft.E(croft.ErrConflict, say("member.voted"), "croft wallet show")
			}
		}
	}
	if err := c.confirm(ctx, key+"ask", amount, who.Name); err != nil {
		return err
	}
	missing, err := c.vote(ctx, p, council, &ledger.Vote{Action: action, Issue: &ledger.Issue{Number: wallet.Decided + 1, Account: who.ID, Amount: amount}}, before)
	if err != nil {
		return err
	}
	r := supplyResult{who.ID, who.Name, amount, missing == 0, missing}
	return c.result(r, func(w io.Writer) {
		if r.Decided {
			tell(w, key+"done", r.Amount, r.Name)
			return
		}
		tell(w, key+"waits", r.Amount, r.Name, count(missing, "vote is", "votes are"), api.Quote(r.Name))
	})
}

// onSupply says what is asked about credits, and, to who has a vote, how to agree.
func (c *cli) onSupply(q api.Supply, needed int, voter bool) string {
	key := "wallet.mint."
	if q.Burn {
		key = "wallet.burn."
	}
	text := say(key+"asked", q.Amount, q.Account.Name, names(q.Yes), len(q.Yes), needed)
	if voter {
		text += " " + c.here(key+"agree", q.Amount, api.Quote(q.Account.Name))
	}
	return text
}

// somebody returns the member or guest that a person means.
func (c *cli) somebody(ctx context.Context, council api.Council, ref string) (api.Party, error) {
	members, err := c.node().Members(ctx)
	if err != nil {
		return api.Party{}, err
	}
	all := staying(members)
	for _, g := range council.Guests {
		all = append(all, g.Party)
	}
	return whom(all, ref)
}

// whom returns the one that a person means: by its name, or by the beginning of its id.
// Guests may be called like somebody else, and then only the id tells.
func whom(all []api.Party, ref string) (api.Party, error) {
	var found, called []api.Party
	var ids []string
	for _, a := range all {
		if named(ref, a.Name, a.ID) {
			found, ids = append(found, a), append(ids, a.Name+" "+a.ID.Short())
		}
		if a.Name == ref {
			called = append(called, a)
		}
	}
	switch {
	case len(found) == 0:
		return api.Party{}, croft.E(croft.ErrNotFound, say("member.member"), ref, "croft member ls")
	case len(called) == 1:
		return called[0], nil
	case len(found) > 1:
		return api.Party{}, croft.E(croft.ErrUsage, say("member.several", ref, strings.Join(ids, ", ")), say("member.several.fix"))
	}
	return found[0], nil
}
