package audit

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"croft"
	"croft/internal/ledger"
)

// Entry is one transaction: who did what, when, and whether it holds.
type Entry struct {
	Height int64          `json:"height"`
	Index  int            `json:"index"` // in the block, from 0
	Tx     croft.Hash     `json:"tx"`
	Time   time.Time      `json:"time,omitzero"` // of the next block (protocol: that is when it happened); zero if there is none yet
	Member croft.MemberID `json:"member"`
	Name   string         `json:"name"` // the member's; empty if the ledger knows none
	Word   string         `json:"word"` // the step's word, as in logs and on screens
	Text   string         `json:"text,omitempty"`
	Study  croft.StudyID  `json:"study,omitzero"`
	Title  string         `json:"title,omitempty"` // the study's name
	Round  *uint32        `json:"round,omitempty"`
	Code   string         `json:"code,omitempty"` // why it has no effect
	Reason string         `json:"reason,omitempty"`
}

// Line returns the entry for people. Names that others chose cannot leave the
// line or steer the terminal.
func (e Entry) Line() string {
	when := "with the next block"
	if !e.Time.IsZero() {
		when = e.Time.UTC().Format("2006-01-02 15:04:05")
	}
	name := e.Name
	if name == "" {
		name = e.Member.Short()
	}
	parts := []string{when, fmt.Sprintf("%-16s", clean(name)), fmt.Sprintf("%-11s", e.Word)}
	if !e.Study.IsZero() {
		title := e.Title
		if title == "" {
			title = e.Study.Short()
		}
		parts = append(parts, clean(title))
	}
	if e.Round != nil {
		parts = append(parts, fmt.Sprintf("round %d", *e.Round+1)) // as people count
	}
	if e.Text != "" {
		parts = append(parts, clean(e.Text))
	}
	if e.Code != "" {
		parts = append(parts, fmt.Sprintf("no effect: %s (%s)", clean(e.Reason), e.Code))
	}
	return strings.Join(append(parts, fmt.Sprintf("tx %d/%d", e.Height, e.Index)), "  ")
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// journal turns blocks into entries, one block late: a transaction happened at
// the time of the block after its own.
type journal struct {
	machine *ledger.Machine
	tell    func(Entry)
	waiting []Entry
}

func (j *journal) block(b ledger.Block, txs [][]byte, results []ledger.Effect) {
	if j.tell == nil {
		return
	}
	j.flush(b.Time)
	for i, raw := range txs {
		e := Entry{Height: b.Height, Index: i, Tx: results[i].Tx}
		j.describe(&e, raw)
		if r := results[i]; r.Code != 0 {
			e.Code, e.Reason = r.Code.Error(), r.Log
		}
		j.waiting = append(j.waiting, e)
	}
}

// flush tells the waiting entries, with a time in Unix milliseconds; 0 if it is
// not known.
func (j *journal) flush(ms int64) {
	for _, e := range j.waiting {
		if ms != 0 {
			e.Time = time.UnixMilli(ms).UTC()
		}
		j.tell(e)
	}
	j.waiting = nil
}

// describe says what a transaction is about, in the words of the flows.
func (j *journal) describe(e *Entry, raw []byte) {
	tx, _, err := ledger.Parse(raw)
	if err != nil {
		e.Word = "unreadable"
		return
	}
	e.Member, e.Name = tx.Member, j.member(tx.Member)
	of := func(study croft.StudyID) { e.Study, e.Title = study, j.title(study) }
	in := func(study croft.StudyID, round uint32) { of(study); e.Round = &round }
	switch body := tx.Body.(type) {
	case *ledger.Vote:
		e.Word, e.Text = "vote", j.question(body)
	case *ledger.Invite:
		e.Word, e.Text = "invite", count(int64(body.Uses), "use")
	case *ledger.Join:
		e.Word, e.Text = "join", "asks to join as "+body.Newcomer.Name
	case *ledger.Ready:
		e.Word = "ready"
	case *ledger.Register:
		e.Word, e.Text = "register", body.Name
	case *ledger.Propose:
		of(croft.StudyID(tx.ID))
		e.Word, e.Title = "propose", body.Plan.Name
	case *ledger.Enrol:
		of(body.Study)
		e.Word = "enrol"
	case *croft.Approval:
		of(body.Study)
		e.Word, e.Text = "approve", count(int64(body.Releases), "round")
	case *ledger.Decline:
		of(body.Study)
		e.Word, e.Text = "decline", body.Reason.String()
	case *ledger.Withdraw:
		of(body.Study)
		e.Word = "withdraw"
	case *ledger.Stop:
		of(body.Study)
		e.Word, e.Text = "stop", body.Reason.String()
	case *ledger.Tick:
		of(body.Study)
		e.Word = "tick"
	case *ledger.Report:
		in(body.Study, body.Round)
		e.Word, e.Text = "report", count(int64(body.Header.Size), "byte")
	case *ledger.Ack:
		in(body.Study, body.Round)
		e.Word, e.Text = "acknowledge", j.members(body.Sites)
		if len(body.Nays) > 0 {
			e.Text = strings.TrimPrefix(e.Text+"; cannot use the report of "+j.members(body.Nays), "; ")
		}
	case *ledger.Share:
		in(body.Study, body.Round)
		e.Word = "sum"
	case *ledger.Result:
		in(body.Study, body.Round)
		e.Word, e.Text = "step", j.result(body)
	case *ledger.Reject:
		in(body.Study, body.Round)
		e.Word, e.Text = "reject", "the proof of "+j.members(body.Sites)+" does not hold"
	case *ledger.Recover:
		in(body.Study, body.Round)
		e.Word, e.Text = "recover", j.member(body.Site)
	case *ledger.Transfer:
		e.Word, e.Text = "transfer", credits(body.Amount)+" to "+j.member(body.To)
	case *ledger.Host:
		e.Word, e.Text = "host", body.Name
		if body.Gone {
			e.Text += " no longer"
		}
	case *ledger.Publish:
		e.Word, e.Text = "publish", body.Service.Name
		if body.Service.Withdrawn {
			e.Text += ", withdrawn"
		}
	case *ledger.Open:
		e.Word, e.Text = "open", j.service(body.Service)
		for _, deposit := range body.Deposits {
			e.Text += ", " + credits(deposit)
		}
	case *ledger.Topup:
		e.Word, e.Text = "topup", "channel "+body.Channel.Short()+", "+credits(body.Deposit)
	case *ledger.Claim:
		e.Word, e.Text = "claim", channels(body.Positions)
	case *ledger.Close:
		e.Word, e.Text = "close", channels(body.Positions)
	case *ledger.Post:
		e.Word, e.Text = "post", channels(body.Positions)
	case *ledger.Settle:
		e.Word, e.Text = "settle", count(int64(len(body.Channels)), "channel")
	}
}

func credits(amount croft.Credits) string { return amount.String() + " credits" }

// channels names those of which something is shown.
func channels(shown []ledger.Position) string {
	names := make([]string, len(shown))
	for i, p := range shown {
		names[i] = "channel " + p.Channel.Short()
	}
	return strings.Join(names, ", ")
}

func (j *journal) result(body *ledger.Result) string {
	var parts []string
	if body.Done {
		parts = append(parts, "done")
	}
	if body.Fail != 0 {
		parts = append(parts, "cannot go on: "+body.Fail.Error())
	}
	if len(body.Bad) > 0 {
		parts = append(parts, "wrong share of "+j.members(body.Bad))
	}
	return strings.Join(parts, ", ")
}

func (j *journal) question(v *ledger.Vote) string {
	switch {
	case v.Action == ledger.Admit && v.Newcomer != nil:
		return "admit " + v.Newcomer.Name
	case v.Action == ledger.Revoke:
		return "revoke " + j.member(v.Subject)
	case v.Action == ledger.Seat:
		return "make " + j.member(v.Subject) + " a seat again"
	case v.Action == ledger.StopAll:
		return "stop the network"
	case v.Action == ledger.Resume:
		return "resume the network"
	case v.Action == ledger.Mint && v.Issue != nil:
		return "mint " + credits(v.Issue.Amount) + " for " + j.member(v.Issue.Account)
	case v.Action == ledger.Burn && v.Issue != nil:
		return "burn " + credits(v.Issue.Amount) + " of " + j.member(v.Issue.Account)
	}
	return fmt.Sprintf("question %d", v.Action)
}

// member returns the name of a member or guest.
func (j *journal) member(id croft.MemberID) string {
	if m, found, _ := ledger.Decode[croft.Member](j.machine.Get(ledger.MemberKey(id))); found {
		return m.Name
	}
	if g, found, _ := ledger.Decode[ledger.Guest](j.machine.Get(ledger.GuestKey(id))); found {
		return g.Name
	}
	return id.Short()
}

func (j *journal) service(id croft.ServiceID) string {
	if v, found, _ := ledger.Decode[croft.Service](j.machine.Get(ledger.ServiceKey(id))); found {
		return v.Name
	}
	return id.Short()
}

func (j *journal) members(ids []croft.MemberID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = j.member(id)
	}
	return strings.Join(names, ", ")
}

func (j *journal) title(id croft.StudyID) string {
	plan, _, _ := ledger.Decode[croft.Study](j.machine.Get(ledger.PlanKey(id))) // our own record: always readable
	return plan.Name
}
