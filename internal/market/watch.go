package market

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"croft"
	"croft/internal/ledger"
)

// A node that is off cannot object when the other end of a channel shows an old number.
// So it hands what speaks for it to others while it is on: its watchers, whom its owner
// chose. They show it to the ledger when somebody asks to settle with less. What they
// hold is signed, for one channel, and takes nobody's number back; they learn amounts and
// hashes, no request and no answer.

// watching is both sides of that.
type watching struct {
	telling sync.Mutex // one round of telling at a time
	shown   paces      // guarded by Market.onDuty

	mu   sync.Mutex // guards what follows
	by   []croft.MemberID
	told map[croft.MemberID]*told
	held map[croft.ChannelID]watched
}

// watched is what speaks for others on a channel.
type watched struct {
	ledger.Position
	By *croft.MemberID `cbor:"5,keyasint,omitempty"` // who first told it; older documents do not say
}

// told is what a watcher of this node has.
type told struct {
	since    time.Time // it is told all again after a while: its disk may be a new one
	channels map[croft.ChannelID]shown
	at       time.Time // when it last had everything
}

// shown are the two numbers that speak for an end of a channel.
type shown struct{ owed, credited croft.Credits }

func shownBy(at ledger.Position) (s shown) {
	if at.Voucher != nil {
		s.owed = at.Voucher.Voucher.Owed
	}
	if at.Receipt != nil {
		s.credited = at.Receipt.Receipt.Credited
	}
	return s
}

// beyond says whether s says more than o.
func (s shown) beyond(o shown) bool { return s.owed > o.owed || s.credited > o.credited }

// maxWatched is for how many channels of others a node holds something, of them maxShare
// told by one; maxTold how many positions one may tell in a minute, each of which is read,
// checked and written. tellAll is after how long a watcher is told all again; lastTelling
// what a node that ends may take for it.
const (
	maxWatched  = 4096
	maxShare    = 512
	maxTold     = 4 * maxShare
	tellAll     = time.Hour
	lastTelling = 3 * time.Second
)

// The documents: one with the watchers, and one for each channel that is watched.
const (
	watchersKind, watchersName = "watchers", "mine"
	watchedKind                = "watched"
)

// loadWatched reads what this node holds for others, and who watches for it.
func (m *Market) loadWatched() error {
	w := &m.watching
	w.told, w.held = map[croft.MemberID]*told{}, map[croft.ChannelID]watched{}
	names, err := m.Docs.List(watchedKind)
	if err != nil {
		return err
	}
	for _, name := range names {
		raw, err := m.Docs.Get(watchedKind, name)
		if err != nil {
			return err
		}
		var at watched
		if err := croft.Decode(raw, &at); err != nil {
			return err
		}
		w.held[at.Channel] = at
	}
	raw, err := m.Docs.Get(watchersKind, watchersName)
	if absent(err) {
		return nil
	} else if err != nil {
		return err
	}
	return croft.Decode(raw, &w.by)
}

// Watcher is somebody who watches for this node.
type Watcher struct {
	ID   croft.MemberID
	Told time.Time // when it last had everything; zero: not since this node started
}

// Watchers returns who watches for this node, and for how many channels it watches.
func (m *Market) Watchers() (by []Watcher, channels int) {
	w := &m.watching
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.by {
		one := Watcher{ID: id}
		if t := w.told[id]; t != nil {
			one.Told = t.at
		}
		by = append(by, one)
	}
	return by, len(w.held)
}

// WatchedBy sets who watches for this node from now on, and tells them what there is to
// tell. Who is away is told when it is back.
func (m *Market) WatchedBy(ctx context.Context, by []croft.MemberID) error {
	w := &m.watching
	w.mu.Lock()
	err := m.Docs.Put(watchersKind, watchersName, croft.Encode(by))
	if err == nil {
		w.by, w.told = by, map[croft.MemberID]*told{}
	}
	w.mu.Unlock()
	if err == nil {
		m.tellWatchers(ctx)
	}
	return err
}

// keepTelling tells the watchers what is new, until ctx ends.
func (m *Market) keepTelling(ctx context.Context) error {
	for {
		m.tellWatchers(ctx)
		select {
		case <-ctx.Done(): // what is not told now, is not while this node is off
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTelling)
			defer cancel()
			m.tellWatchers(within)
			return nil
		case <-time.After(saveEvery):
		}
	}
}

// tellWatchers hands what is new to each watcher, as far as it answers: to all at the same
// time, so that one that is away keeps it from no other when this node ends.
func (m *Market) tellWatchers(ctx context.Context) {
	w := &m.watching
	w.telling.Lock()
	defer w.telling.Unlock()
	by, _ := m.Watchers()
	var all sync.WaitGroup
	for _, one := range by {
		w.mu.Lock()
		t := w.told[one.ID]
		if t == nil || time.Since(t.since) >= tellAll {
			t = &told{since: time.Now(), channels: map[croft.ChannelID]shown{}, at: one.Told}
			w.told[one.ID] = t
		}
		w.mu.Unlock()
		all.Go(func() {
			if err := m.tell(ctx, one.ID, t); err != nil {
				m.Log.Info("watch", "not told", one.ID.Short(), "why", err)
				return
			}
			w.mu.Lock()
			t.at = time.Now()
			w.mu.Unlock()
		})
	}
	all.Wait()
}

// tell hands one watcher what it does not have; the first time also nothing, to hear
// whether it is there.
func (m *Market) tell(ctx context.Context, who croft.MemberID, t *told) error {
	within, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	news, refused := m.speaks(t.channels), error(nil)
	for first := t.at.IsZero(); first || len(news) > 0; first = false {
		some := news[:min(len(news), maxShown)]
		news = news[len(some):]
		_, err := m.Peers.Ask(within, who, croft.Encode(ask{Kind: askWatch, Shown: some}), nil)
		switch croft.CodeOf(err) {
		case croft.ErrTxUnknown, croft.ErrVoucher, croft.ErrBusy: // it does not hold one of them; the others are not to suffer
			refused = err
			continue
		}
		if err != nil {
			return err
		}
		for _, at := range some {
			t.channels[at.Channel] = shownBy(at)
		}
	}
	return refused
}

// speaks returns what speaks for this node's ends of channels, where it is more than a
// watcher knows, by channel.
func (m *Market) speaks(known map[croft.ChannelID]shown) (out []ledger.Position) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for id, t := range m.tills {
		t.mu.Lock()
		best, credit := t.till.State()
		t.mu.Unlock()
		if best != nil && (shown{best.Voucher.Owed, credit.Credited}).beyond(known[id]) {
			out = append(out, m.tillShows(best, credit))
		}
	}
	for id, p := range m.purses {
		p.mu.Lock()
		at := ledger.Position{Channel: id, Receipt: p.purse.Evidence()}
		p.mu.Unlock()
		if p.channel.Funder == m.Self && shownBy(at).beyond(known[id]) { // who else funds one looks after itself
			out = append(out, at)
		}
	}
	slices.SortFunc(out, byChannel)
	return out
}

func byChannel(a, b ledger.Position) int { return a.Channel.Compare(b.Channel) }

// watch holds what a member or guest asks this node to hold: what speaks for its end of
// channels that have not ended, if it is genuine and more than was held. It is durable
// when watch returns.
func (m *Market) watch(ctx context.Context, from croft.MemberID, news []ledger.Position) error {
	if m.told.add(counted{member: from}, len(news), time.Now()) > maxTold {
		return croft.E(croft.ErrBusy, "this node's watch")
	}
	scopes, errs := m.scopes(ctx)
	for _, at := range news {
		c, found, err := read[ledger.Channel](ctx, m, ledger.ChannelKey(at.Channel))
		switch {
		case err != nil:
		case !found || c.Terms.Funder != from && c.Terms.Payee != from:
			err = croft.E(croft.ErrTxUnknown, "channel of this member", at.Channel.Short())
		case !at.Genuine(c.Terms, scopes):
			err = croft.E(croft.ErrVoucher, "the channel's payer or till did not sign it for this channel and network")
		case c.Status != ledger.ChannelClosed:
			err = m.hold(from, at)
		}
		errs = errors.Join(errs, err) // the others are held all the same
	}
	return errs
}

// hold keeps the higher of each number that was shown of a channel, by either end.
func (m *Market) hold(from croft.MemberID, at ledger.Position) error {
	w := &m.watching
	w.mu.Lock()
	defer w.mu.Unlock()
	now, held := w.held[at.Channel]
	if !held {
		now.Channel, now.By = at.Channel, &from
	}
	switch was, is := shownBy(now.Position), shownBy(at); {
	case !is.beyond(was):
		return nil
	case !held && (len(w.held) >= maxWatched || w.share(from) >= maxShare):
		return croft.E(croft.ErrBusy, "this node's watch")
	default:
		if is.owed > was.owed {
			now.Voucher = at.Voucher
		}
		if is.credited > was.credited {
			now.Receipt = at.Receipt
		}
	}
	if err := m.Docs.Put(watchedKind, at.Channel.String(), croft.Encode(now)); err != nil {
		return err
	}
	w.held[at.Channel] = now
	return nil
}

// share counts the channels that somebody told; mu is held.
func (w *watching) share(of croft.MemberID) (n int) {
	for _, at := range w.held {
		if at.By != nil && *at.By == of {
			n++
		}
	}
	return n
}

// keepWatch shows the ledger what this node holds for others, where less was shown and a
// window is open, and forgets what has ended.
func (m *Market) keepWatch(ctx context.Context, now time.Time) (errs error) {
	w := &m.watching
	w.mu.Lock()
	held := slices.SortedFunc(maps.Values(w.held), func(a, b watched) int { return byChannel(a.Position, b.Position) })
	w.mu.Unlock()
	var show []ledger.Position
	var of []ledger.Channel
	for _, at := range held {
		c, found, err := read[ledger.Channel](ctx, m, ledger.ChannelKey(at.Channel))
		say := w.shown.may(c, now)
		switch {
		case err != nil || !found:
		case c.Status == ledger.ChannelClosed:
			w.mu.Lock()
			delete(w.held, at.Channel)
			w.mu.Unlock()
			err = m.Docs.Delete(watchedKind, at.Channel.String())
		case say && shownBy(at.Position).beyond(shown{c.Owed, c.Credited}):
			m.Log.Info("show", "channel", at.Channel.Short(), "status", c.Status.String(), "for", "others")
			show, of = append(show, at.Position), append(of, c)
		}
		errs = errors.Join(errs, err)
	}
	for len(show) > 0 {
		n := min(len(show), maxShown)
		err := m.Submit(ctx, 0, &ledger.Post{Positions: show[:n]})
		for _, c := range of[:n] {
			_ = w.shown.note(c, now, err)
		}
		show, of, errs = show[n:], of[n:], errors.Join(errs, err)
	}
	return errs
}
