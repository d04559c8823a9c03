package ledger

import (
	"testing"
	"time"

	"croft"
)

// clock is a world whose blocks are stamped like CometBFT's with blocks on demand
// (protocol §2): a block bears the time at which the block before was made, so the
// first one after an idle night bears yesterday's.
type clock struct {
	*world
	made time.Duration // when the last block was made, since the world began
	zero int64
}

// at sends transactions at a moment, and makes the blocks that follow.
func (c *clock) at(when time.Duration, txs ...[]byte) Outcome {
	c.t.Helper()
	var first Outcome
	for i, now := 0, when; ; i, now = i+1, now+50*time.Millisecond {
		before := c.m.AppHash()
		c.now = c.zero + max(c.made.Milliseconds(), c.now-c.zero+1)
		out := c.block(0, txs...)
		if c.made = now; i == 0 {
			first = out
		}
		if txs = nil; out.AppHash == before {
			return first
		}
	}
}

// A deadline is right to two seconds however long the chain slept before it.
func TestDeadlinesAfterAnIdleHour(t *testing.T) {
	const (
		hour  = time.Hour
		slack = 2 * time.Second
		wait  = time.Minute // the study's patience
	)
	begin := func(t *testing.T, approved ...string) (*clock, croft.StudyID, map[string]croft.DatasetID) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		data := w.register(9, "ada", "ben", "cleo")
		id := w.open(w.plan("ada", "ben", "cleo"), data, approved...)
		w.block(100)
		return &clock{world: w, zero: w.now}, id, data
	}
	expiring := func(c *clock, id croft.StudyID, d croft.DatasetID, after time.Duration) *croft.Approval {
		a := c.approval(id, d)
		a.Expires = (c.zero + after.Milliseconds()) / 1000
		return a
	}
	is := func(c *clock, id croft.StudyID, when string, want Status) {
		t.Helper()
		if st := c.study(id); st.Status != want {
			t.Errorf("%s: %v %s, want %v", when, st.Status, st.Reason, want)
		}
	}
	tick := func(c *clock, id croft.StudyID) []byte { c.nonce++; return c.seal("ben", &Tick{id}) }

	t.Run("an approval that comes in time, and one that comes late", func(t *testing.T) {
		for _, x := range []struct {
			after time.Duration
			want  Status
		}{{hour + slack, Running}, {hour - slack, Proposed}} {
			c, id, data := begin(t, "ada", "ben")
			c.at(hour, c.seal("cleo", expiring(c, id, data["cleo"], x.after)))
			is(c, id, x.after.String(), x.want)
		}
	})
	t.Run("an approval that expires while the study waits", func(t *testing.T) {
		for _, x := range []struct {
			when time.Duration
			want Status
		}{{hour - slack, Running}, {hour + slack, Stopped}} {
			c, id, data := begin(t, "ada", "ben")
			c.at(0, c.seal("cleo", expiring(c, id, data["cleo"], hour)))
			c.at(time.Second, c.seal("ada", &Report{Study: id, Header: header("ada", 0)}))
			c.at(x.when, c.seal("ben", &Report{Study: id, Header: header("ben", 0)}))
			is(c, id, x.when.String(), x.want)
		}
	})
	t.Run("the last acknowledgement comes after an approval has expired", func(t *testing.T) {
		for _, x := range []struct {
			when time.Duration
			want Status
		}{{hour - slack, Running}, {hour + slack, Stopped}} {
			c, id, data := begin(t, "ada", "ben")
			c.at(0, c.seal("cleo", expiring(c, id, data["cleo"], hour)))
			for i, name := range []string{"ada", "ben", "cleo"} {
				c.at(time.Duration(i+1)*time.Second, c.seal(name, &Report{Study: id, Header: header(name, 0)}))
			}
			for i, name := range []string{"ada", "ben", "cleo"} {
				c.at(time.Duration(i+5)*time.Second, c.seal(name, c.ack(name, id, 0, c.ids("ada", "ben", "cleo"))))
			}
			c.at(x.when, c.seal("dina", c.ack("dina", id, 0, c.ids("ada", "ben", "cleo"))))
			is(c, id, x.when.String(), x.want)
			for i, name := range c.names {
				c.at(x.when+time.Duration(i)*100*time.Millisecond, c.seal(name, &Share{Study: id, Blob: croft.Sum([]byte(name))}))
			}
			if opened := len(c.round(id, 0).Shares) > 0; opened != (x.want == Running) {
				t.Errorf("%v: shares are on the ledger: %v", x.when, opened)
			}
		}
	})
	t.Run("a share that comes after an approval has expired", func(t *testing.T) {
		c, id, data := begin(t, "ada", "ben")
		c.at(0, c.seal("cleo", expiring(c, id, data["cleo"], hour)))
		for i, name := range []string{"ada", "ben", "cleo"} {
			c.at(time.Duration(i+1)*time.Second, c.seal(name, &Report{Study: id, Header: header(name, 0)}))
		}
		for i, name := range c.names {
			c.at(time.Duration(i+5)*time.Second, c.seal(name, c.ack(name, id, 0, c.ids("ada", "ben", "cleo"))))
		}
		c.at(hour-slack, c.seal("ada", &Share{Study: id, Blob: croft.Sum([]byte("ada"))}))
		is(c, id, "a share in time", Running)
		c.at(hour+slack, c.seal("ben", &Share{Study: id, Blob: croft.Sum([]byte("ben"))}))
		is(c, id, "a share too late", Stopped)
	})
	t.Run("a window that begins after an idle hour", func(t *testing.T) {
		c, id, _ := begin(t, "ada", "ben", "cleo")
		c.at(hour, c.seal("ada", &Report{Study: id, Header: header("ada", 0)}))
		is(c, id, "at once", Running)
		c.at(hour+wait-slack, tick(c, id))
		is(c, id, "just before", Running)
		c.at(hour+wait+slack, tick(c, id))
		is(c, id, "just after", Paused)
	})
	t.Run("a pause that begins after an idle hour", func(t *testing.T) {
		// All nodes were off. When the first are back, the missing sites get a
		// patience to come back too.
		c, id, _ := begin(t, "ada", "ben", "cleo")
		c.at(hour, tick(c, id))
		is(c, id, "the first tick", Paused)
		c.at(hour+time.Second, tick(c, id))
		is(c, id, "the next tick", Paused)
		c.at(hour+wait-slack, tick(c, id))
		is(c, id, "just before", Paused)
		c.at(hour+wait+slack, tick(c, id))
		is(c, id, "just after", Stopped)
	})
	t.Run("a study that waits for answers", func(t *testing.T) {
		w := newWorld(t, "ada", "ben", "cleo", "dina")
		data := w.register(9, w.names...)
		id := w.open(w.plan(w.names...), data, "ada", "ben")
		c := &clock{world: w, zero: w.now}
		c.at(hour, c.seal("cleo", c.approval(id, data["cleo"])))
		is(c, id, "at once", Proposed)
		c.at(hour+wait-slack, tick(c, id))
		is(c, id, "just before", Proposed)
		c.at(hour+wait+slack, tick(c, id))
		is(c, id, "just after", Running)
	})
	t.Run("a study that expires", func(t *testing.T) {
		for _, x := range []struct {
			off  time.Duration
			want Status
		}{{-slack, Running}, {slack, Stopped}} {
			c, id, _ := begin(t, "ada", "ben", "cleo")
			plan, _ := decodeRecord[croft.Study](c.m.Get(PlanKey(id)))
			end := time.Duration(plan.Expires*1000-c.zero) * time.Millisecond
			c.at(end+x.off-time.Second, c.seal("ada", &Report{Study: id, Header: header("ada", 0)}))
			c.at(end+x.off, tick(c, id))
			is(c, id, x.off.String(), x.want)
		}
	})
}
