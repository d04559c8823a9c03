package market

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"croft"
	"croft/internal/ledger"
	"croft/internal/pay"
)

// What the ledger is told of channels, and when. Nobody waits for it: each duty looks
// at the ledger and does what is missing there, so that it may be cut off anywhere.

// How often this node looks at its channels, and when it asks for its money.
const (
	glance    = 5 * time.Second
	saveEvery = 10 * time.Second
	// flushAfter is how long finished calls may wait for the voucher of another.
	flushAfter = 20 * time.Millisecond
	claimAge   = 24 * time.Hour // what is due is claimed at the latest so long after the last claim
)

// Run does this node's duties until ctx ends: it follows its channels on the ledger,
// claims what it earned, shows what speaks for it while a window is open, asks to
// settle when it has passed, and saves what need not be durable at once. It fails
// when this node's disk does.
func (m *Market) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.flush(ctx) })
	group.Go(func() error { return m.follow(ctx) })
	group.Go(func() error { return m.keepTelling(ctx) })
	return group.Wait()
}

// flush makes the ends of calls durable a moment later. No call waits for it: the
// next one's voucher would take them along. But after the last one nothing comes, and
// what a power cut forgets of finished calls is given back.
func (m *Market) flush(ctx context.Context) error {
	for {
		select {
		case <-m.unsynced:
		case <-ctx.Done():
		}
		if ctx.Err() == nil {
			select {
			case <-time.After(flushAfter):
			case <-ctx.Done():
			}
		}
		if err := m.journal.Sync(m.journal.Last()); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// follow does the duties that need the ledger.
func (m *Market) follow(ctx context.Context) error {
	moved := m.Ledger.Watch(ctx)
	claimed, saved := time.Now(), time.Now()
	for {
		now := time.Now()
		old := now.Sub(claimed) >= claimAge
		if err := m.duties(ctx, now, old); err == nil && old {
			claimed = now
		} else if err != nil && ctx.Err() == nil {
			m.Log.Warn("channels", "why", err) // the ledger is away, or was quicker: looked at again
		}
		if now.Sub(saved) >= saveEvery || ctx.Err() != nil {
			saved = now
			if err := m.save(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return m.save()
		case <-moved:
		case <-time.After(glance):
		}
	}
}

func (m *Market) save() error {
	return errors.Join(m.savePurses(), m.saveReceipts(), m.compact())
}

// Catch looks at the ledger now, for a channel that was opened or changed.
func (m *Market) Catch(ctx context.Context) error { return m.duties(ctx, time.Now(), false) }

// duties looks at every channel of this node once. One that fails keeps none of the
// others waiting: whoever is at its other end may have made it so.
func (m *Market) duties(ctx context.Context, now time.Time, claimAll bool) error {
	m.onDuty.Lock()
	defer m.onDuty.Unlock()
	all, err := m.Channels(ctx)
	if err != nil {
		return err
	}
	var errs error
	for _, id := range all {
		if m.ended[id] || ctx.Err() != nil {
			continue
		}
		c, found, err := read[ledger.Channel](ctx, m, ledger.ChannelKey(id))
		if found {
			err = m.duty(ctx, c, now, claimAll)
		}
		errs = errors.Join(errs, err)
	}
	return errors.Join(errs, m.keepWatch(ctx, now)) // after its own: others can give it much to do
}

// Channels returns every channel that this node has a part in: those that its member
// funds or is paid from, oldest first, then those of others that it accepted.
func (m *Market) Channels(ctx context.Context) ([]croft.ChannelID, error) {
	account, _, err := read[ledger.Account](ctx, m, ledger.AccountKey(m.Self))
	if err != nil {
		return nil, err
	}
	var all []croft.ChannelID
	for n := range account.Channels {
		id, found, err := read[croft.ChannelID](ctx, m, ledger.ChannelAtKey(m.Self, n))
		if err != nil || !found {
			return nil, err
		}
		all = append(all, id)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return append(all, m.accepted...), nil
}

// duty does what one channel needs.
func (m *Market) duty(ctx context.Context, c ledger.Channel, now time.Time, claimAll bool) error {
	mine := ledger.Position{Channel: c.Terms.ID}
	news, due, agree, say := false, false, false, m.said.may(c, now)
	switch {
	case c.Terms.Payee == m.Self && c.Terms.Till == m.Key:
		t := m.adopt(c)
		t.mu.Lock()
		best, credit := t.till.State()
		claimable, working := t.till.Claimable(), t.working
		t.mu.Unlock()
		if c.Status == ledger.ChannelClosed && working == 0 {
			m.mu.Lock()
			delete(m.tills, c.Terms.ID)
			m.mu.Unlock()
			m.ended[c.Terms.ID] = true
			return nil
		}
		agree = c.Status == ledger.ChannelClosing && !c.ByPayee && working == 0
		if best == nil {
			break
		}
		mine = m.tillShows(best, credit)
		news = best.Voucher.Owed > c.Owed
		due = c.Status == ledger.ChannelOpen && claimable > c.Paid && (claimAll || claimable-c.Paid >= c.Terms.Deposit/2)
	case c.Terms.Payer == m.Key:
		m.fill(c)
		if c.Status == ledger.ChannelClosed {
			m.mu.Lock()
			delete(m.purses, c.Terms.ID)
			m.mu.Unlock()
			m.ended[c.Terms.ID] = true
			return errors.Join(m.Docs.Delete(purseKind, c.Terms.ID.String()), m.Docs.Delete(acceptedKind, c.Terms.ID.String()))
		}
		m.mu.RLock()
		p := m.purses[c.Terms.ID]
		m.mu.RUnlock()
		p.mu.Lock()
		mine.Receipt = p.purse.Evidence()
		owing := c.Terms.Deposit - p.purse.Left()
		bought, _ := p.purse.Spent()
		p.mu.Unlock()
		if c.Status == ledger.ChannelClosing && c.ByPayee && c.Terms.Funder == m.Self {
			shown := c.Credited
			if mine.Receipt != nil {
				shown = max(shown, mine.Receipt.Receipt.Credited)
			}
			if sum := pay.Due(c.Terms.Deposit, c.Owed, shown, c.Paid); sum <= owing {
				mine.Due, agree = &sum, true
			}
		}
		// What is claimed and was bought may be paid, whatever came back since for later calls.
		harm := c.Status == ledger.ChannelClosing || pay.Due(c.Terms.Deposit, c.Owed, c.Credited, c.Paid) > bought
		news = harm && mine.Receipt != nil && mine.Receipt.Receipt.Credited > c.Credited
	case c.Status == ledger.ChannelClosed:
		m.ended[c.Terms.ID] = true
		return nil
	}
	switch {
	case agree: // both ends have spoken: the window need not pass
		m.Log.Info("close", "channel", c.Terms.ID.Short())
		return m.Submit(ctx, 0, &ledger.Close{Positions: []ledger.Position{mine}})
	case due:
		m.Log.Info("claim", "channel", c.Terms.ID.Short(), "due", mine.Voucher.Voucher.Owed-mine.Receipt.Receipt.Credited)
		return m.Submit(ctx, 0, &ledger.Claim{Positions: []ledger.Position{mine}})
	case say && news:
		m.Log.Info("show", "channel", c.Terms.ID.Short(), "status", c.Status.String())
		return m.said.note(c, now, m.Submit(ctx, 0, &ledger.Post{Positions: []ledger.Position{mine}}))
	case say && c.Until > 0 && now.UnixMilli() > c.Until && len(c.Proposers) == 0:
		// Anew each time: it may have come too early for the ledger's clock, and a channel is
		// settled as often as it is claimed.
		return m.said.note(c, now, m.Submit(ctx, uint64(now.Unix()), &ledger.Settle{Channels: []croft.ChannelID{c.Terms.ID}}))
	}
	return nil
}

// paces are when the ledger was last told something of a channel whose window is open. On a
// channel in use there is always something new, and a node whose clock is ahead thinks that
// each block is late: neither is a reason for a transaction a block.
type paces map[croft.ChannelID]pace

type pace struct {
	until int64 // of the window
	at    time.Time
}

// may says whether a channel's window is open and something may be told of it: at once,
// then half-way to the end, and once that has passed when it is half as late again. So
// what is new is there before the end, and a day has some fifteen times, not one a block.
func (p paces) may(c ledger.Channel, now time.Time) bool {
	if c.Status != ledger.ChannelClaimed && c.Status != ledger.ChannelClosing {
		delete(p, c.Terms.ID)
		return false
	}
	last, told := p[c.Terms.ID]
	wait := max(glance, last.at.Sub(time.UnixMilli(last.until)).Abs()/2)
	return !told || last.until != c.Until || now.Before(last.at) || now.Sub(last.at) >= wait // clocks are set back
}

// note takes down that the ledger was told, unless it failed.
func (p paces) note(c ledger.Channel, now time.Time, err error) error {
	if err == nil {
		p[c.Terms.ID] = pace{c.Until, now}
	}
	return err
}

// tillShows is what a till shows: its best voucher, if it has one, and, being honest, also
// what it gave back. Then nobody has to object.
func (m *Market) tillShows(best *croft.SignedVoucher, credit croft.Receipt) ledger.Position {
	return ledger.Position{Channel: credit.Channel, Voucher: best,
		Receipt: &croft.SignedReceipt{Receipt: credit, Signature: m.Sign(m.Scope, croft.ReceiptDomain, croft.Encode(credit))}}
}

// Close ends a channel of this node, with what speaks for it: the ledger pays what is
// due and returns the rest when its window has passed, or at once if the other end
// has closed too. As payer it first asks the till what it gives back, as far as the
// till answers.
func (m *Market) Close(ctx context.Context, id croft.ChannelID) error {
	c, found, err := read[ledger.Channel](ctx, m, ledger.ChannelKey(id))
	if err != nil {
		return err
	}
	if !found || c.Terms.Funder != m.Self && c.Terms.Payee != m.Self {
		return croft.E(croft.ErrTxUnknown, "channel of this member", id.Short())
	}
	at := ledger.Position{Channel: id}
	if c.Terms.Payee == m.Self {
		t := m.adopt(c)
		t.mu.Lock()
		t.till.Close() // no call is admitted that the ledger would not hear of
		best, credit := t.till.State()
		t.mu.Unlock()
		return m.Submit(ctx, 0, &ledger.Close{Positions: []ledger.Position{m.tillShows(best, credit)}})
	}
	if c.Terms.Payer == m.Key {
		m.fill(c)
		m.mu.RLock()
		p := m.purses[id]
		m.mu.RUnlock()
		p.mu.Lock()
		p.closing = true
		p.wake()
		if p.purse.Waiting() == 0 && !p.asking {
			within, cancel := context.WithTimeout(ctx, 10*time.Second)
			if err := m.resume(within, p); err != nil {
				m.Log.Info("close", "channel", id.Short(), "till does not answer", err)
			}
			cancel()
		}
		at.Receipt = p.purse.Evidence()
		p.mu.Unlock()
	}
	if c.ByPayee { // the provider has shown what speaks for it: there is nothing to wait for
		credited := c.Credited
		if at.Receipt != nil {
			credited = max(credited, at.Receipt.Receipt.Credited)
		}
		due := pay.Due(c.Terms.Deposit, c.Owed, credited, c.Paid)
		at.Due = &due
	}
	return m.Submit(ctx, 0, &ledger.Close{Positions: []ledger.Position{at}})
}
