package main

import (
	"fmt"
	"strings"
	"unicode"
)

// say returns a sentence of the catalogue, filled in: {0}, {1} … are its
// arguments in order. They may come from other members, so nothing in them can
// leave its line or steer the terminal.
func say(key string, args ...any) string {
	sentence, ok := sentences[key]
	if !ok {
		panic("no sentence for " + key) // the test of this file finds it first
	}
	if len(args) == 0 {
		return sentence
	}
	pairs := make([]string, 0, 2*len(args))
	for i, a := range args {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), strings.Map(printable, fmt.Sprint(a)))
	}
	return strings.NewReplacer(pairs...).Replace(sentence)
}

func printable(r rune) rune {
	switch {
	case unicode.IsPrint(r):
		return r
	case unicode.IsSpace(r):
		return ' '
	}
	return '?'
}

// sentences is all that the commands say, beside the failures (croft's catalogue).
// A verb has its line in lists (.short), its page (.long), its examples
// (.example). Tabs part the columns of a list.
var sentences = map[string]string{
	"failure":      "croft: {0} ({1})",
	"failure.next": "  → {0}",
	"dry":          "A dry run: nothing was sent and nothing changed.",
	"exists":       "{0} exists already",
	"exists.fix":   "nothing was overwritten: choose another file",
	"near":         "did you mean {0}?",
	"nocommand":    "there is no command {0}",
	"args.none":    "{0} takes no arguments; {1} is one too many",
	"args.wants":   "{0} wants {1}; {2} given",
	"noanswer":     "the input ended without an answer, so nothing was done",
	"noanswer.fix": "answer the question with a line of its own, give the flag that answers it, or --yes",
	"stands":       "Waiting: the ledger {0}.",
	"fetching":     "Waiting: the node is still fetching the ledger's blocks from the other members …",
	"sent.later":   "What you signed is kept: the node hands it in again by itself when the ledger moves.",
	"unproved":     "UNPROVED: reports carried no proof; a site could have sent numbers beyond its bound.",
	"unchecked":    "UNCHECKED: at least one sum was opened without a seat to check it; a lying seat would not have been seen.",
	"promise": `The promise: rows stay on your machine; what leaves is one sealed report a round, readable only as a total over at
least three sites; totals can still say something about people.`,

	"flag.dir":     "the node's folder ($CROFT_DIR)",
	"flag.json":    "print the result, or the failure, as JSON",
	"flag.quiet":   "say only results and failures",
	"flag.yes":     "answer every question with yes or the default",
	"flag.timeout": "give up waiting after so long, such as 30s (exit code 9; what was begun goes on)",
	"flag.dry":     "show what would happen, and do nothing",

	"croft.short": "decentralised AI that a community owns",
	"croft.long": `Croft is decentralised AI that a community owns. Each organisation runs a node beside
its own records; together the nodes train models on records that never leave their owners.

Rows stay on your machine. What leaves is one sealed report a round, readable only as a
total over at least three sites. Totals can still say something about people.

First:   croft demo                    a whole community on this machine, in seconds
Then:    croft up --name "Clinic A"    a node of your own and a network, running
         croft join CODE --name B      or become a member of somebody's

Results go to standard output, progress and questions to standard error.

Exit codes
  0  done
  1  failed
  2  the words of the command are off
  3  there is no such thing
  4  a file or a message is wrong
  5  a person has to approve first
  6  refused: by policy, by consent, by rights
  7  a budget or a quota is used up
  8  no node, no peer, or not enough of them
  9  waited long enough; the same command goes on`,

	"init.short": "make this machine's node and a network with one member",
	"init.long": `Init makes the folder of a node: its keys and the genesis of a network of which you are
the only member so far. It never overwrites a node.

The keys are in DIR/keys, readable by you alone. member.pem is yours: it signs your
approvals, and the running node does not use it. Keep a copy of the folder in a safe place
while the node is down: without the keys nobody can be this member again.`,
	"init.example": `  croft init --name "Clinic A"
  croft init --name "Clinic A" --network "Valley clinics" --dir /srv/croft`,
	"init.flag.name":       "the member's name, 1 to 40 characters",
	"init.flag.network":    "the network's name (default: made from the member's)",
	"init.network":         "community of {0}",
	"init.noname":          "a member needs a name",
	"init.badname":         "{0} cannot be a member's name: it must have 1 to 40 printable bytes and no space at its ends",
	"init.notempty":        "it holds {0}, and a node wants an empty folder",
	"init.keys":            "✓ Keys made\t{0} (yours alone)\tmember {1}",
	"init.founded":         "✓ Network founded\t{0}\tnetwork {1}",
	"init.next":            "Next: croft up{0}",
	"init.recovery":        "✓ Recovery page\t{0}\tprint it, put it into a safe, delete the file",
	"init.flag.passphrase": "ask for a passphrase of the member key (or --passphrase-file)",
	"init.flag.recovery":   "write the page with the recovery key, which opens backups: FILE.html or FILE.txt",

	"up.short": "run the node; make it and its network first if there is none",
	"up.long": `Up runs the node of a folder until you stop it (Ctrl-C, or croft down). It prints what it
offers, then its log on standard error. With --detach it runs on in the background, and its log
is DIR/node.log. With --service the system runs it.

In an empty folder --name makes a node and a network of which you are the only member so far,
as croft init does, and runs it.

Other members reach it on one port for everything. With --listen lan nodes in one building find
each other by themselves. A node that nobody can dial, behind a router, is reached through one
that runs with --relay. The commands reach it over a socket in
its folder that only you can open. The status page is read-only and answers on this machine only;
so do the numbers for Prometheus beside it, at /metrics.`,
	"up.example": `  croft up
  croft up --name "Clinic A" --detach --listen lan
  croft up --page none --quiet --dir /srv/croft`,
	"up.flag.name":       "make a node of this member where there is none",
	"up.flag.listen":     "where other members reach this node: lan (all networks of this machine, port 7421), IP:PORT, none (it only dials), or a multiaddr (default: as before; at first a free port on loopback)",
	"up.flag.relay":      "let members whose nodes cannot be dialled be reached through this one",
	"up.flag.detach":     "run in the background; return when the node answers",
	"up.flag.page":       "address of the status page, on loopback; 127.0.0.1:7420, or any free port if that is taken; or none",
	"up.flag.lan":        "the fast pace of consensus, for nodes in one room or on one machine",
	"up.flag.light":      "a light member's node: it keeps no blocks and has what it reads proved by the others; it is no seat and orders no blocks. Chosen at croft join, for good",
	"up.notlight":        "a member is light from the day it joins, and this folder's is not",
	"up.othername":       "this folder's node is that of {0}",
	"up.othername.fix":   "leave out --name, or take another folder: --dir",
	"up.badpage":         "the status page cannot listen on {0}",
	"up.badpage.fix":     "give a loopback address such as 127.0.0.1:7420, or none",
	"up.died":            "the node ended before it was up; the end of {0} may say why",
	"up.detached":        "✓ The node of {0} runs in the background, as process {1}. To stop it: croft down{2}",
	"up.log":             "├─ Log      {0}",
	"up.flag.bandwidth":  "the most that the node sends, and that it receives, in bytes a second: 500kB/s, 1MB/s",
	"up.badbandwidth":    "{0} is no bandwidth: it is a number of kB/s or MB/s, at least 100kB/s",
	"up.flag.quiethours": "hours of the day in which the node takes no part in rounds, by this machine's clock: 22-06, or 08:30-17:00",
	"up.flag.service":    "let the system start the node, with the machine and after a failure (see croft down --service)",
	"up.flag.enable":     "with --service: start it now too",
	"up.flag.print":      "with --service: only show the service's file",
	"up.badservice":      "--enable and --print say something of --service, which does without --detach; one of them at a time",

	"autostart.path":         "# {0}",
	"autostart.kind":         "service",
	"autostart.none":         "croft knows no services on {0}",
	"autostart.none.fix":     "let the system run croft up when it starts",
	"autostart.written":      "✓ Service {0}",
	"autostart.enabled":      "✓ {0} runs, and starts with the machine.",
	"autostart.next":         "To start it: {0}",
	"autostart.removed":      "✓ Removed {0}",
	"autostart.unknown":      "! The system did not know it: {0}",
	"autostart.other":        "{0} is another folder's, or was not made by croft",
	"autostart.other.fix":    "give this folder another name, or move that file away",
	"autostart.hint.linux":   "So that it runs while you are not logged in, once: loginctl enable-linger. Its log: journalctl --user",
	"autostart.hint.darwin":  "It runs while you are logged in.",
	"autostart.hint.windows": "To make it start with the machine Windows wants a command prompt of an administrator.",

	"up.opening":  "Opening {0} …",
	"up.stopping": "Stopping …",
	"up.title":    "croft ({0})  {1}",
	"up.page":     "├─ Page     http://{0}",
	"up.socket":   "├─ Socket   {0}",
	"up.listen":   "├─ Members  {0}",
	"up.new":      "└─ Ledger   new, no block yet",
	"up.ledger":   "└─ Ledger   height {0}, ordered by {1}",

	"down.short":        "stop the node",
	"down.long":         "Down asks the running node to stop and returns when its folder is free. Studies go on from\nwhere they were when the node is up again.",
	"down.example":      "  croft down\n  croft down --dir /srv/croft --timeout 30s",
	"down.flag.service": "take the node from what the system starts (croft up --service)",
	"down.done":         "✓ The node in {0} has stopped.",

	"pause.short": "take no part in rounds for a while",
	"pause.long": `Pause keeps this node out of the rounds of all studies: it computes nothing, keeps no shares,
adds none. It goes on checking blocks, gives others what it has already handed in, and a restart
does not end it. A step that is under way ends first.

A study that needs this node waits for it by name; what it has done is not lost. If it waits
twice as long as its study file says (patience), it ends.`,
	"pause.example":     "  croft pause\n  croft pause --until 18:00",
	"pause.flag.until":  "HH:MM, or \"YYYY-MM-DD HH:MM\", by this machine's clock; without it until croft resume",
	"pause.badtime":     "{0} is no time",
	"pause.badtime.fix": "croft pause --until 18:00",
	"pause.done":        "✓ This node takes no part in rounds {0}.",
	"pause.ends":        "! {0} ends if it has to wait for this node longer than {1}.",

	"resume.short":   "take part in rounds again",
	"resume.long":    "Resume ends a pause. Studies go on from where they stood. Quiet hours (croft up --quiet-hours)\nare no pause: they end by the clock.",
	"resume.example": "  croft resume",
	"resume.done":    "✓ This node takes part in rounds.",
	"resume.quiet":   "✓ No pause, but quiet hours: this node takes no part in rounds {0}.",

	"status.rest":       "Rounds\tthis node takes no part {0}; studies wait for it",
	"status.short":      "where the node and its network stand, and what waits for you",
	"status.long":       "Status shows the node, its network, the other members' nodes, the studies that have not\nended, and the studies that wait for your answer.",
	"status.example":    "  croft status\n  croft status --json",
	"status.member":     "Member\t{0} ({1})",
	"status.network":    "Network\t{0} ({1}), {2}",
	"status.new":        "Network\t{0} ({1})",
	"status.noblock":    "Ledger\tno block is here yet: the node fetches them from the other members' nodes",
	"status.left":       "Role\tNO MEMBER ANY MORE: this one has left the network, and the others' nodes answer it no more (croft audit log says who voted)",
	"status.light":      "Role\tlight: this node keeps no blocks, and has what it reads proved by the others",
	"status.ledger":     "Ledger\theight {0}, last block {1}, {2}",
	"status.current":    "up to date",
	"status.ended":      "the last that it was given",
	"status.catching":   "fetching old blocks",
	"status.stopped":    "STOPPED by vote: nothing goes on, and nothing is taken but votes",
	"status.stop":       "Waiting\ta vote to stop everything, by {0}, {1} of {2}: croft network stop",
	"status.resume":     "Waiting\ta vote to go on after the stop, {0} of {1}: croft network resume",
	"status.checkpoint": "Checkpoint\t{0}",
	"status.stands":     "does not move: {0} of {1} orderers must be up, {2} are (away: {3})",
	"status.round":      "{0}, round {1}",
	"status.order":      "Order\t{0} ({1})",
	"status.one":        "one member orders, all check",
	"status.many":       "they order together, all check",
	"status.peer":       "Node\t{0}: {1}",
	"status.connected":  "connected",
	"status.relayed":    "connected, through a member that relays",
	"status.away":       "away",
	"status.study":      "Study\t{0}: {1} ({2})",
	"status.nothing":    "Waiting\tnothing waits for you",
	"status.newcomer":   "Waiting\t{0} wants to become a member: croft member ls",
	"status.waiting":    "Waiting\t{0}, proposed by {1}: croft study show {2}",

	"doctor.short": "check the node, and say what to mend",
	"doctor.long": `Doctor checks the clock, the ledger, the other members' nodes, whether they can dial this one,
versions, studies that wait, the disk, the folder and the backup. It asks the other members'
nodes, which takes some seconds. Each finding comes with what to do about it. The status page
shows the same. Of a node that does not run only the disk, the folder and the backup are checked.

Exit code 0: nothing has to be mended (marked ! is worth knowing). 4: something has to be
(marked ✗).`,
	"doctor.example":    "  croft doctor\n  croft doctor --json",
	"net.short":         "see the lines to the other nodes",
	"net.long":          "Net shows how this node and the others reach each other.",
	"net.peers.short":   "list the other nodes: direct, relayed or away, who is behind",
	"net.peers.long":    "Peers lists the other members' and guests' nodes: whether there is a connection and by which\nway, and what each said when it was last asked (croft net test, croft doctor).",
	"net.peers.example": "  croft net peers\n  croft net peers --json",
	"net.test.short":    "ask every other node, and have it dial back",
	"net.test.long": `Test asks every other node: how long its answer takes, how many blocks it lacks, and at which
address it can dial this node, by a connection of its own. It shows what croft doctor says of
that, and fails (exit code 4) if something has to be mended.`,
	"net.test.example": "  croft net test\n  croft net test --json",
	"net.alone":        "There is no other node in this network. Invite somebody: croft invite create",
	"net.head":         "NODE\tWAY\tANSWERS IN\tBEHIND BY\tDIALS YOU AT",
	"net.row":          "{0}\t{1}\t{2}\t{3}\t{4}",
	"net.direct":       "direct",
	"net.ms":           "{0} ms",
	"net.level":        "nothing",
	"net.silent":       "no answer",
	"net.unreached":    "nowhere",
	"net.asked":        "Asked {0}.",
	"net.unasked":      "Nobody was asked since the node started: croft net test",
	"doctor.asking":    "Asking the other members' nodes …",
	"doctor.fine":      "✓ {0}\t{1}",
	"doctor.note":      "! {0}\t{1}",
	"doctor.problem":   "✗ {0}\t{1}",
	"doctor.fix":       "\t→ {0}",

	"report.short": "write a file for whoever helps you",
	"report.long": `Report writes one text file: versions, where the node stands, what doctor found, and the last
lines of the log of a node in the background. It holds no data and no keys, and of the log only
times, steps, numbers and codes of failures. Members and studies are numbers in it, unless you
give --names. Read it before you send it.`,
	"report.example":    "  croft report\n  croft report --names --out -",
	"report.flag.out":   "the file to write; - for standard output",
	"report.flag.names": "with the names of members and studies, paths and addresses",
	"report.title":      "Croft report, {0}. No data, no keys; read it before you send it.",
	"report.status":     "Node of {0} in {1}: {2} members, {3} connected; height {4}, last block {5}, state {6}",
	"report.study":      "Study {0}: {1}. {2}",
	"report.node":       "Node of {0}: height {1}, round trip {2} ms, clock {3} ms ahead; reaches this one at: {4}",
	"report.findings":   "DOCTOR",
	"report.log":        "LOG: last {0} lines; {1} lines had nothing that may leave",
	"report.done":       "✓ {0}: read it, then send it to whoever helps you.",

	"join.short": "become a member of somebody's network",
	"join.long": `Join makes the folder of a node in a network that exists. The code comes from one of its
members (croft invite create). Join makes keys, fetches the network's genesis and checks that
it is the one in the code, applies for membership, and waits until the members have said yes.

It prints twelve digits. Read them to the member who invited you, by telephone: the same
digits on both screens mean that your application, and nobody else's, is what they admit.

It can be interrupted; the same command goes on. With --up or --detach the node runs as soon as
it is admitted.`,
	"join.example": `  croft join croft1… --name "Clinic A"
  croft join croft1… --name "Clinic A" --detach --listen 0.0.0.0:7421
  croft join croft1… --name "Clinic A" --dir /srv/croft --timeout 24h`,
	"join.flag.name":     "the member's name, 1 to 40 characters",
	"join.flag.up":       "then run the node, as croft up does",
	"join.flag.welcome":  "with --detach: stay until everybody whom the code is good for has come, and vote for each",
	"join.welcome.alone": "--welcome needs a node in the background to vote at",
	"join.welcome.waits": "The code is good for {0}: staying to vote for them (Ctrl-C ends that, and nothing else).",
	"join.knocking":      "Asking the inviter's node ({0} …) …",
	"join.found":         "Found {0} (network {1}), as the code says. Your application is in.",
	"join.digits":        "Check digits: {0}   read them to the one who invited you",
	"join.waiting":       "Waiting: {0} of {1} votes",
	"join.done":          "✓ {0} is a member of {1} ({2}).",
	"join.guest":         "✓ {0} is a guest of {1} ({2}): it can use and sell services.",
	"join.next":          "Next: croft up{0}",

	"invite.short": "invite others into the network",
	"invite.long":  "An invite lets somebody apply for membership. It admits nobody: that is a vote of the members\n(croft member approve).",

	"invite.create.short": "make an invite code",
	"invite.create.long": `Create puts an invite on the ledger and prints its code, once; the ledger has only its public
half. Whoever has the code can apply for membership until it expires, so send it as you would
send a password.

The newcomer talks to this node to join: it must be up, and reachable at one of the addresses
in the code. croft up --listen sets where it listens. If a router forwards a port to it, say so
with --address.`,
	"invite.create.example": `  croft invite create
  croft invite create --uses 3 --expires 72h
  croft invite create --address 198.51.100.7:7421 --auto`,
	"invite.create.flag.uses":    "how many may apply with it, 1 to {0}",
	"invite.create.flag.auto":    "your vote for whoever applies is cast beforehand; in a network of one that admits them",
	"invite.create.flag.guest":   "who applies becomes a guest: it uses and sells services, has no vote and no part in studies",
	"invite.create.flag.expires": "how long it is good for, at most 720h",
	"invite.create.flag.qr":      "print the code as a QR code, too",
	"invite.create.flag.address": "IP:PORT where newcomers reach this node, if it is not where it listens; may be repeated",
	"invite.create.baduses":      "{0} is not a number of uses",
	"invite.create.badexpiry":    "{0} is too short or too long for an invite",
	"invite.create.badaddress":   "{0} is not an IP address with a port",
	"invite.create.noaddress":    "this node has no address that fits into a code",
	"invite.create.local":        "! This code is good on this machine only: the node listens on loopback. croft up --listen opens it to others.",
	"invite.create.done":         "✓ Invite for {0}, until {1}. Its code, which is shown only now:",
	"invite.create.auto":         "Your vote for whoever applies is cast. Each newcomer needs {0} more: of the others, with croft member approve NAME.",
	"invite.create.auto.alone":   "Your vote for whoever applies is cast. While you are the only member it admits the first who applies;\nwhoever comes after needs the votes of more than half of the members that there are then.",
	"invite.create.guest":        "Whoever applies becomes a guest with one member's vote, and that member answers for it.",
	"invite.create.guest.auto":   "Whoever applies becomes a guest at once, and you answer for it.",
	"invite.create.next":         "Next, at the newcomer's: croft join CODE --name NAME\nThen compare the digits, and vote: croft member ls{0}, croft member approve NAME{0}",

	"invite.ls.short":   "list the network's invites",
	"invite.ls.long":    "Ls lists all invites on the ledger: who made them, until when they are good, how often they\nwere used. It cannot show codes: the ledger never had them.",
	"invite.ls.example": "  croft invite ls",
	"invite.ls.none":    "No invite yet. Make one: croft invite create",
	"invite.ls.head":    "KEY\tBY\tUNTIL\tUSED\tSTATE",
	"invite.ls.row":     "{0}\t{1}\t{2}\t{3} of {4}\t{5}",
	"invite.ls.open":    "open",
	"invite.ls.used":    "used up",
	"invite.ls.expired": "expired",

	"member.short":       "members: who they are, who wants to become one, votes",
	"member.long":        "Members decide by vote who becomes a member and who leaves: one organisation, one vote, and\nmore than half of the members. Of one or two, all.",
	"member.applicant":   "newcomer that waits for votes",
	"member.member":      "member",
	"member.voted":       "you have voted for this already",
	"member.revoked":     "left",
	"member.self":        "this node",
	"member.self.orders": "this node, orders blocks",
	"member.orders":      "orders blocks",
	"member.new":         "catching up",
	"member.light":       "light: keeps no blocks",
	"member.self.light":  "this node, light: keeps no blocks",
	"member.checks":      "checks blocks",

	"member.ls.short":      "list members, newcomers and votes",
	"member.ls.long":       "Ls lists the members, the newcomers who wait for votes with the digits to compare, and the\nmembers whom somebody wants to leave.",
	"member.ls.example":    "  croft member ls\n  croft member ls --json",
	"member.ls.head":       "NAME\tID\tNODE",
	"member.ls.row":        "{0}\t{1}\t{2}",
	"member.ls.applies":    "{0} wants to join, invited by {1}. Digits: {2}. {3} of {4} votes: croft member approve {5}",
	"member.ls.hosted":     "{0}\t{1}\tguest of {2}",
	"member.ls.guest":      "{0} wants to be a guest, invited by {1}. Digits: {2}. One vote is enough: croft member approve {3}",
	"member.ls.arrived":    "{0} has applied, invited by {1}. The next block says whether that was in time; then you can vote.",
	"member.ls.late":       "{0} applied when the invite of {1} had expired, and needs a new one.",
	"member.ls.revocation": "{0} is to leave, by {1}. {2} of {3} votes: croft member revoke {4}",

	"member.approve.short": "vote for a newcomer",
	"member.approve.long": `Approve casts your vote for a newcomer: exactly for the name and the keys that were applied
with. Compare the digits by telephone first. Other digits mean other keys: somebody else has
the code.

A newcomer is named by its name or the beginning of its id. So is a member that lost its seat,
because seats of a study found it to lie: your vote is then that it may be one again.`,
	"member.approve.example":    `  croft member approve "Clinic A"`,
	"member.approve.several":    "several newcomers are called {0}: name the one you mean by its id",
	"member.approve.shows":      "{0}, invited by {1}. Check digits: {2}",
	"member.approve.ask":        "Does {0} read the same digits to you, and do you want it as a member? [y/N]",
	"member.approve.done":       "✓ {0} is a member.",
	"member.approve.guest.ask":  "Does {0} read the same digits to you, and do you want to answer for it as its host? [y/N]",
	"member.approve.guest.done": "✓ {0} is your guest.",
	"member.approve.waits":      "✓ You voted for {0}. {1} still needed.",
	"member.reseat.ask":         "Seats of a study found that {0} lied as a seat. Vote that it may be one again? [y/N]",
	"member.reseat.done":        "✓ {0} can be a seat of new studies again.",
	"member.ls.unseated":        "{0} lied as a seat of a study, the other seats found, and is none in new ones. {1} of {2} votes to let it be one again: croft member approve {3}",

	"member.revoke.short": "vote that a member leaves",
	"member.revoke.long": `Revoke casts your vote that a member leaves the network, or that you do. Once decided, its
node is cut off and its key signs nothing any more. It stays on the ledger, and cannot come
back under the same keys or name. A guest goes at once, by the word of the member who hosts it.`,
	"member.revoke.example": `  croft member revoke "Clinic A"`,
	"member.revoke.means":   "Once decided, {0} is cut off for good: it cannot come back under the same keys or name. Running studies of which it is a site end.",
	"member.revoke.ask":     "Vote that {0} leaves? [y/N]",
	"member.revoke.guest":   "A guest goes by the word of its host: yours. It can use and sell nothing here from then on.",
	"member.revoke.host":    "{0} is a guest of {1}, who alone can send it away",
	"member.revoke.done":    "✓ {0} has left the network.",
	"member.revoke.waits":   "✓ You voted that {0} leaves. {1} still needed.",

	"network.short": "the whole network: what it is, stop it in an emergency, rescue it",
	"network.long":  "Members decide by vote over the network as a whole: more than half of them; of one or two, all.",

	"network.show.short":   "what the network is, and who orders its blocks",
	"network.show.long":    "Show prints the network's id and its chain. Of a network that was rescued, or is about to be, it\nprints the code of the rescue, for members who were away.",
	"network.show.example": "  croft network show",
	"network.show.name":    "Network\t{0} ({1})",
	"network.show.chain":   "Chain\t{0}, begun {1}",
	"network.show.after":   "After\t{0}, which ended with block {1}",
	"network.show.members": "Members\t{0}",
	"network.show.order":   "Order\t{0}; {1} must be up for a block",
	"network.show.rescue":  "Rescue\tunder way: {0} still needed",

	"network.rescue.short": "go on without members whose nodes are lost for good",
	"network.rescue.long": `When the nodes that order blocks are lost for good (a fire, a disk without a backup), the ledger
stands still and no vote can change that. More than half of all members then sign a successor:
a new chain of the same network, which goes on from the last state that they have.

One member begins, with --without and the names of the lost, and sends the code that is printed
to the others. Each confirms it with the code, and sends on the code that is printed then, until
there are enough signatures. Each node comes to the same state by itself before its member signs.
Then each member, in any order: croft network rescue CODE with the last code, and croft up.

What goes on: members, datasets, budgets, credits, channels, results. Studies that were running end.
Who is lost has left, as by croft member revoke. What was signed for the chain that ended counts
no more. That chain stays in the node's folder as chain.old-1.

If a lost node might come back, restore it instead: croft backup restore.`,
	"network.rescue.example": `  croft network rescue --without "Clinic A"
  croft network rescue rescue.txt`,
	"network.rescue.flag.without": "a member who is lost; may be repeated",
	"network.rescue.flag.instead": "sign although you have signed another rescue of this chain, which must never be completed",
	"network.rescue.oneof":        "a rescue is either begun, by naming who is lost, or confirmed, with its code",
	"network.rescue.self":         "this member is not lost",
	"network.rescue.done":         "this node is on the successor chain already",
	"network.rescue.lost":         "it goes on without this member: the others have given it up",
	"network.rescue.lost.fix":     "ask them to vote you in again, with new keys: croft invite create there, croft join CODE here in a new folder",
	"network.rescue.differs":      "it is about block {0}, and this node comes to something else after block {1}",
	"network.rescue.differs.fix":  "start all nodes that are left and wait until they have the same height (croft status); then begin again: croft network rescue --without NAME",
	"network.rescue.another":      "you have signed another rescue of this chain, after block {0}",
	"network.rescue.another.fix":  "two rescues would make two networks; if you are certain that nobody will complete the other: --instead",
	"network.rescue.means": `{0} goes on from block {1} ({2}) with: {3}.
Studies that were running end. Whoever is not named has left for good. This cannot be taken back.`,
	"network.rescue.ask":      "Sign the rescue of {0}? [y/N]",
	"network.rescue.follow":   "Enough members have signed. Go on with them in {0}? [y/N]",
	"network.rescue.signed":   "✓ Signed. {0} still needed.",
	"network.rescue.complete": "✓ Complete: the node changes over when it starts: croft up{0}",
	"network.rescue.code":     "Send this code to the others: croft network rescue CODE, or a file that holds it",

	"network.stop.short": "vote that everything stops: every study, every report",
	"network.stop.long": `Stop casts your vote for the emergency stop. Once more than half of the members want it, no
node sends a report, opens a sum or changes the ledger, but for votes. Nothing is lost: studies
stand where they are, and their days run on. What was published stays published.

To take only your own rows out of one study there is croft study withdraw, which needs no vote.`,
	"network.stop.example": "  croft network stop",
	"network.stop.already": "the network is stopped already",
	"network.stop.means":   "Once decided, every study of every member stands still until the members vote to go on. What was published stays published.",
	"network.stop.ask":     "Vote that everything in {0} stops? [y/N]",
	"network.stop.waits":   "✓ You voted for the stop. {0} still needed; until then all goes on.",
	"network.stop.done":    "✓ {0} is stopped. To go on: croft network resume",

	"network.resume.short":   "vote that a stopped network goes on",
	"network.resume.long":    "Resume casts your vote that the network goes on after an emergency stop. Studies go on from\nwhere they stood, if their last day has not passed.",
	"network.resume.example": "  croft network resume",
	"network.resume.already": "the network is not stopped",
	"network.resume.means":   "Once decided, studies go on from where they stood.",
	"network.resume.ask":     "Vote that {0} goes on? [y/N]",
	"network.resume.waits":   "✓ You voted to go on. {0} still needed.",
	"network.resume.done":    "✓ {0} goes on.",

	"data.short":        "your datasets",
	"data.long":         "Data registers files with your node, so that studies can be approved for them. Rows stay\nwhere they are; the ledger gets a name, a commitment to the content, and a budget.",
	"data.public":       "Public data: disclosure rules off, what they would refuse is only a warning.",
	"data.registered":   "registered",
	"data.unregistered": "not on the ledger yet: add it again",

	"data.add.short": "register a file of rows",
	"data.add.long": `Add reads a CSV or Parquet file, several with one header, or a folder of them, and registers
this version of it. Nothing of it is copied or sent: the ledger gets its name, a commitment to
its content, and how many sums its people may be in. A file that changes later stops the studies that use it until it is added again.

Datasets that hold the same people share one budget: a copy brings none.

Your rules: a study that has fewer people here than --min-rows to train on, or fewer than
--min-cell in any cell of a table of features and label, gets nothing from you. They can
only be tightened, except for data that is published anyway (--public).`,
	"data.add.example": `  croft data add visits.csv --unit patient_id
  croft data add visits.csv --unit row --releases 50 --yes
  croft data add visits.csv --unit patient_id --dry-run
  croft data add 2024.csv 2025.csv --unit patient_id --decimal-comma
  croft data add export/ --view pressures.json --unit patient`,
	"data.add.flag.name":     "name for people (default: the file's)",
	"data.add.flag.view":     "read a folder of FHIR resources (*.ndjson) by this view, an SQL on FHIR ViewDefinition",
	"flag.comma":             "numbers are written with a decimal comma, and perhaps points between thousands: 1.234,5",
	"data.add.flag.host":     "a host that may be asked for resources, when a FHIR server's manifest of an export is added by its address",
	"data.add.flag.token":    "a file with the token that those hosts ask for",
	"data.add.url":           "resources from a server need a view, the column that identifies a person, a name and the hosts that may be asked",
	"data.add.fetching":      "Fetching {0} into {1} …",
	"data.add.flag.unit":     "the column that identifies a person; row if each row is one person. It never leaves",
	"data.add.flag.releases": "how many sums these people may be in, over all studies (asked if left out)",
	"data.add.flag.public":   "published research data: disclosure rules only warn",
	"data.add.flag.rows":     "people to train on, at least",
	"data.add.flag.cell":     "people in each cell that is not empty, at least",
	"data.add.flag.exact":    "allow counts by time or value with fewer people in a cell, and more than 4 exact numbers a row: they can show single people",
	"data.add.nounit":        "the file does not say by itself which rows are one person",
	"data.add.nounit.fix":    "name the column that identifies a person with --unit COLUMN, or give --unit row if each row is one person",
	"data.add.nounit.guess":  "it looks like --unit {0}; give --unit row if each row is one person",
	"data.add.ask":           "Each round of a study publishes one total that your people are in. How many such totals do you allow, over all studies? [{0}]",
	"data.add.badreleases":   "{0} is not a number of sums",
	"data.add.reading":       "Reading {0} …",
	"data.add.read":          "{0}, {1}, {2} by column {3}.",
	"data.add.personal":      "! These columns say who somebody is: {0}. Leave them out of the file; no study should read them.",
	"data.add.overlaps":      "It holds people of {0}: they share one budget.",
	"data.add.releases":      "These people may be in {0} sums, over all studies.",
	"data.add.done":          "✓ Stays in {0}. The ledger has a name and a commitment: croft data card {1}",
	"data.add.next":          "Next: croft study new --from {0}, or see whether a study waits for it: croft status",

	"data.ls.short":   "list your datasets",
	"data.ls.long":    "Ls lists your datasets, oldest first, with how many of the allowed sums their people were in.",
	"data.ls.example": "  croft data ls",
	"data.ls.none":    "No dataset yet. Register one: croft data add FILE.csv --unit COLUMN",
	"data.ls.head":    "NAME\tID\tROWS\tCOLUMNS\tSUMS USED\tADDED\t",
	"data.ls.row":     "{0}\t{1}\t{2}\t{3}\t{4} of {5}\t{6}\t{7}",

	"data.card.short":        "show a dataset",
	"data.card.long":         "Card shows all that your node knows of a dataset, and what the ledger knows of it.\n\nWith --json-ld it is a card for others, in the Croissant format that search engines for datasets\nread: name, license, creator, about how many rows, and the columns that a draft of a study\nwould have. Nothing of it is published: put it where you like.",
	"data.card.example":      "  croft data card visits\n  croft data card visits --json-ld --license CC-BY-4.0",
	"data.card.flag.linked":  "write a card for others, as Croissant JSON-LD",
	"data.card.flag.license": "with --json-ld: under which license, an SPDX name or a URL",
	"data.card.nolicense":    "a card for others says under which license the data may be used",
	"data.card.describes":    "About {0} rows that stay with their owner. Studies of the network {1} may ask them for totals.",
	"data.card.name":         "{0}\t{1}, {2}",
	"data.card.file":         "File\t{0}, added {1}",
	"data.card.more":         "\t{0}",
	"data.card.view":         "View\t{0}",
	"data.card.rows":         "Rows\t{0}; a person is told by {1}",
	"data.card.columns":      "Columns\t{0}",
	"data.card.budget":       "Budget\t{0} of {1} sums used",
	"data.card.exact":        "\texact detail is allowed: counts by time or value can show single people",
	"data.card.policy":       "Rules\tat least {0} people to train on, {1} in every cell, at most {2} parameters a row",
	"data.card.known":        "Ledger\tcommitment {0}, record group {1}; nothing of the content",

	"study.short":      "studies: propose, approve, watch, read",
	"study.long":       "A study is a question over several sites' rows. Whoever asks writes a study file and\nproposes it; each site approves or declines; then the nodes compute it together.",
	"study.status.why": "{0} ({1})",
	"study.answer":     "{0}: {1}",
	"study.missing":    "missing",
	"study.declined":   "declined ({0})",
	"study.why":        "{0}: {1}",
	"study.because":    "\t{0}",
	"study.without":    "it could not go on without {0}",
	"study.refused":    "proof refused: {0}",
	"study.waits":      "it waits for {0}",
	"study.paused":     "it waits for {0}: start their nodes; leaving a site out would show its numbers",
	"study.ended.fix":  "see how it stands: croft study show {0}",

	"because.policy":      "a site's own rules for its data refused",
	"because.consent":     "a site withdrew, or has no approval that covers the study",
	"because.expired":     "the study's last day, or that of a site's approval, has passed",
	"because.differs":     "at a site something is not what its owner approved: the plan, the seats, or the file, which has changed",
	"because.unavailable": "a site or too many seats stayed away longer than the study waits",
	"because.revoked":     "the members revoked one without whom it cannot go on",
	"because.proof":       "a site's report did not prove that its numbers are within their bound; no sum was opened",
	"because.report":      "more than half of the seats could not use a site's report: it was damaged, made for another round, or of another version",
	"because.budget":      "a site's allowed sums are used up: its owner may raise the cap with croft data add",
	"because.cohort":      "a site did not report in the first round, and too few or the wrong set of sites was left; or the sites differ by one or two from an earlier study's",
	"because.rounds":      "it did not come to an end in the rounds that it may have",
	"because.plan":        "{0}: {1}",
	"because.unknown":     "a later version of this program knows why",

	"study.name":       "{0} ({1})\t{2}, proposed by {3}",
	"study.purpose":    "Purpose\t{0}",
	"study.basis":      "Legal basis\t{0}",
	"study.contact":    "Contact\t{0}",
	"study.until":      "Until\t{0}",
	"study.plan":       "Plan\t{0}",
	"study.sites":      "Sites\t{0}; it starts with {1}",
	"study.model":      "Model\t{0} regression of {1} on {2}; {3}",
	"study.describes":  "Model\t{0} of {1}, every row counts",
	"study.by":         "{0} by {1}",
	"study.time":       "Time\t{0}, {1} cells of {2}",
	"study.part":       "\t{0}: {1}",
	"study.inference":  "estimates with intervals",
	"study.prediction": "for prediction, coefficients shrunk",
	"study.people":     "People\ttold apart by {0}, which never leaves; {1} % test the model and do not train it",
	"study.people.all": "People\ttold apart by {0}, which never leaves; all count",
	"study.seats":      "Seats\t{0}: nobody learns your numbers unless {1} of these {2} collude; any {3} together learn nothing",
	"study.collude":    "\tChance that {0} of them do, if each is corrupt with a chance of 1 in 20: {1}; of 1 in 10: {2}; of 1 in 5: {3}",
	"study.onein":      "1 in {0}",
	"study.proved":     "\tEach report proves that its numbers keep to the site's bound, which grows with its rows, before it counts (unaudited)",
	"study.unproved":   "\tUNPROVED: reports carry no proof; a site could send numbers beyond its bound",
	"study.unchecked":  "\tUNCHECKED is allowed: one lying seat could change a sum unseen",
	"study.readers":    "Readers\t{0} read the totals",
	"study.groups":     "\tthe model's worth is also published for each level of {0}, over all sites",
	"study.metrics":    "\teach site's own accuracy is published under its name",
	"study.use":        "Result\tfor {0}; {1}",
	"study.export":     "it may be saved as a file",
	"study.noexport":   "it may not be exported",
	"use.members":      "its sites and its proposer",
	"use.network":      "all members of the network",
	"use.market":       "the market: whoever pays",
	"use.public":       "everybody",
	"leaves":           "Leaves\tat most {0} sealed reports, each of at most {1} numbers ({2}); {3} in all. Never: rows, names, dates.",
	"check.exact":      "\tof all rows together become known at most {0} exact totals: about {1} for each row, were all sites as large; {2} is the most for data that is not public",
	"check.rows":       "Here\tdataset {0}: {1} rows train, {2} test",
	"check.dropped":    "\tleft out for a missing value, by column: {0}",
	"check.budget":     "Budget\t{0} of the {1} sums that you allow for these people are used",
	"check.warning":    "!\t{0}",
	"check.withheld":   "NOT SENT\t{0}",
	"check.local":      "Yours alone\t{0}",
	"check.auc":        "AUC {0}, log-loss {1} on {2} rows held out",
	"check.rmse":       "root mean squared error {0} on {1} rows held out",
	"check.deviance":   "deviance of a row {0}, on {1} rows held out",
	"check.pairs":      "concordance {0} on {1} rows held out",
	"check.nolocal":    "Yours alone\tno result: {0}",
	"check.none":       "Here\tno check: {0}",

	"study.new.short": "write a study file from a file of rows, with guesses",
	"study.new.long": `New reads a CSV or Parquet file, or a folder of them, and writes a commented study file: the columns with guessed kinds,
ranges and levels, and REQUIRED wherever only you know the answer. It needs no node.

Ranges and levels become public with the study. Replace the guesses by what is possible in
anyone, so that they say nothing about the people in this file.`,
	"study.new.example": `  croft study new --from visits.csv
  croft study new --from visits.csv --out anaemia.toml
  croft study new --from visits.csv --out -`,
	"study.new.flag.from":   "the file to guess from",
	"study.new.flag.family": "what to compute: {0}",
	"study.new.family":      "{0} is not a family of models",
	"study.new.flag.out":    "the study file to write (default: the CSV file's name with .toml); - for standard output",
	"study.new.nofrom":      "there is nothing to guess from",
	"study.new.positional":  "the file is given as --from FILE",
	"study.new.done":        "✓ {0}: {1}; {2} left out, with the reason in the file",
	"study.new.next":        "Next: fill in what says REQUIRED, then croft study propose {0} --dry-run",

	"study.mock.short": "write made-up rows to try a study on",
	"study.mock.long": `Mock writes a CSV file of made-up rows for a study: its columns, values within the declared
ranges, the declared levels, missing values where the study has a rule for them. It follows from
the study's text and the seed alone. So a study can be written and tried before anybody has seen
a row. A result on it means nothing.`,
	"study.mock.example":   "  croft study mock anaemia.toml --rows 500",
	"study.mock.flag.rows": "how many rows",
	"study.mock.flag.seed": "the same seed makes the same rows (default: another each time)",
	"study.mock.flag.out":  "the CSV file to write; - for standard output",
	"study.mock.badrows":   "from 1 to {0} rows can be made up",
	"study.mock.done":      "✓ {0}: {1}, made up (seed {2})",
	"study.mock.next":      "Next: croft study propose {0} --dry-run --dataset {1}",

	"study.preflight.short": "compare the sites' columns before a study",
	"study.preflight.long": `Preflight proposes a small study before the study of a file: how many values each column
lacks, how many are outside of the declared range, zero, or of each level, means and spreads,
also by the label, as totals over all sites. Each site cuts its numbers down to multiples of
its min_cell, so that they do not show a few people. It takes two sums.

When it is done, preflight STUDY compares your own rows with those of the others, here, and
says what looks wrong: another unit, labels the wrong way round, zeros where others have no
value, levels written otherwise. Nobody else is told.`,
	"study.preflight.example": "  croft study preflight anaemia.toml",
	"preflight.none":          "Nothing in your rows looks wrong beside those of the others.",
	"preflight.found":         "Beside the other sites, {0} in your rows may be wrong. Only you see this.",
	"preflight.next":          "Next: correct the file or the study file, then croft data add it again",
	"preflight.unit":          "{0}: {1}{4} on average here, {2}{4} elsewhere. Is it in the unit that the study says?",
	"preflight.outside":       "{0}: at least {1} values are outside of what the study declares ({2} elsewhere): the study would stop at the first",
	"preflight.missing":       "{0}: {1} have no value here, {2} elsewhere",
	"preflight.zeros":         "{0}: {1} are 0 here, {2} elsewhere. If 0 stands for no value, the study file says so with missing_codes = [\"0\"]",
	"preflight.level":         "{0}: {1} are {3} here, {2} elsewhere",
	"preflight.onlyhere":      "{0}: {1} are {3} here, nobody elsewhere. Is it written otherwise there?",
	"preflight.absent":        "{0}: nobody is {3} here, {2} elsewhere",
	"preflight.prevalence":    "{0}: {1} are {3} here, {2} elsewhere. Does the label mean the same?",
	"preflight.swapped":       "{0}: what goes with it elsewhere goes against it here. Are its levels the wrong way round?",
	"result.shape":            "COLUMN\tNO VALUE\tOUTSIDE\tMEAN\tSD\tLEVELS",
	"result.shape.one":        "{0}\t{1}\t{2}\t{3}\t{4}\t{5}",

	"study.propose.short": "propose a study to its sites",
	"study.propose.long": `Propose reads a study file and puts the study on the ledger, where its sites find it.
Nothing is computed before enough of them have approved it.

With --dry-run nothing is put anywhere: it says what would leave each site, checks your own
data against your own rules, and computes the result of your rows alone.

The same file is the same study, however often it is proposed.`,
	"study.propose.example":      "  croft study propose anaemia.toml --dry-run\n  croft study propose anaemia.toml",
	"study.propose.flag.dry":     "check the file, say what would leave, compute the local result; propose nothing",
	"study.propose.flag.dataset": "the dataset for the dry run, or a CSV file that is not registered (default: the newest dataset with the columns)",
	"study.propose.past":         "it is in the past",
	"study.flag.data":            "a CSV file: register it under the study's column of people (croft data add), and approve the study for it",
	"study.flag.wait":            "stay until the study has ended, and print its result",
	"study.registered":           "Registered {0} as {1}: {2}, allowed in {3} sums over all studies.",
	"study.propose.unfilled":     "only you know what belongs there: fill in what the file marks as REQUIRED",
	"study.propose.title":        "{0}\t{1} features, {2} sites, starts with {3}",
	"study.propose.unknown":      "!\t{0} is not a member yet; names as in croft member ls",
	"study.propose.known":        "{0} ({1}) is on the ledger already: {2}",
	"study.propose.done":         "✓ Proposed {0} ({1}). Its sites see it in croft status.",
	"study.propose.next":         "Next: croft study watch {0}",
	"study.propose.approve":      "Next: you are one of its sites, and it waits for your answer, too: croft study approve {0}",
	"study.propose.ready":        "Next: croft study {0} {1}",
	"study.propose.anew":         "To run it again, change its name in the file.",

	"study.ls.short":   "list the network's studies",
	"study.ls.long":    "Ls lists all studies of the network, oldest first, with each site's answer.",
	"study.ls.example": "  croft study ls",
	"study.ls.none":    "No study yet. Begin one: croft study new --from FILE.csv",
	"study.ls.head":    "NAME\tID\tSTATUS\tPROPOSED BY\tSITES",
	"study.ls.row":     "{0}\t{1}\t{2}\t{3}\t{4}",

	"study.show.short": "show a study in words, and what it would find here",
	"study.show.long": `Show says what a study is for, who takes part, what would leave each site, who could read
it, and until when. For a study that waits for your answer it also checks your own data,
here, and computes what your rows alone would say. A study is named by its name, its id, or
the beginning of its id.

With --print it writes one page for whoever has to decide: to read without this program, to
print, to sign. It holds about how many people you have, so it is for your house.`,
	"study.show.example":      "  croft study show anaemia\n  croft study show 7c1f --dataset visits\n  croft study show anaemia --print --out anaemia.html",
	"study.show.flag.print":   "write one HTML page to read, print and sign",
	"study.show.flag.out":     "with --print: the file to write (default: made from the study's name); - for standard output",
	"study.show.noprint":      "--out is for --print",
	"study.show.flag.dataset": "the dataset to check (default: the newest with the columns)",
	"study.show.round":        "Round {0}\t{1}: {2} reports, {3} shares, sum {4}",
	"study.show.nays":         "\tround {0}: the report of {1} cannot be used by {2}",
	"study.show.bound":        "\tround {0}: the report of {1} proves a length of at most {2}",
	"study.show.model":        "Model\t{0} after {1} rounds",
	"study.show.next":         "Next: croft study approve {0}, or croft study decline {0} --reason policy",

	"study.diff.short": "say what two studies do not have in common",
	"study.diff.long": `Diff compares two studies, or a study and a study file, or two files, and names each thing in
which they differ. What ends in .toml is a file; two files need no node.`,
	"study.diff.example": "  croft study diff anaemia anaemia-2\n  croft study diff anaemia new.toml",
	"diff.same":          "They propose the same: plan {0}",
	"diff.order":         "They differ only in the order in which members stand, so their hashes differ.",
	"diff.row":           "{0}\t{1}\t{2}",
	"diff.absent":        "–",
	"diff.also":          "also: {0}",
	"diff.yes":           "yes",
	"diff.no":            "no",
	"diff.proposer":      "(whoever proposes it)",
	"diff.name":          "Name",
	"diff.purpose":       "Purpose",
	"diff.basis":         "Legal basis",
	"diff.contact":       "Contact",
	"diff.until":         "Until",
	"diff.sites":         "Sites",
	"diff.required":      "Required sites",
	"diff.min":           "Starts with",
	"diff.unit":          "People told apart by",
	"diff.holdout":       "Percent held out",
	"diff.key":           "Held out by the key",
	"diff.family":        "Model",
	"diff.goal":          "Goal",
	"diff.intercepts":    "Intercepts",
	"diff.ridge":         "Ridge",
	"diff.label":         "Label",
	"diff.positive":      "Positive level",
	"diff.features":      "Features",
	"diff.rounds":        "Rounds at most",
	"diff.time":          "Time column",
	"diff.ties":          "Ties",
	"diff.exposure":      "Exposure column",
	"diff.weight":        "Weight column",
	"diff.clusters":      "Several rows a person",
	"diff.width":         "Width of a time cell",
	"diff.cells":         "Time cells",
	"diff.tally":         "Numbers of a preflight",
	"diff.means":         "The mean put in",
	"diff.bins":          "Bins of histograms",
	"diff.classes":       "Levels of the label",
	"diff.cut":           "Taken for positive from",
	"diff.groups":        "Evaluated by",
	"diff.group":         "{0} ({1} levels)",
	"diff.metrics":       "Each site's accuracy published",
	"diff.use":           "Result for",
	"diff.export":        "Result as a file",
	"diff.readers":       "Readers",
	"diff.strict":        "Strict seats",
	"diff.unchecked":     "Unchecked sums allowed",
	"diff.unproved":      "Reports without proof",
	"diff.patience":      "Patience",
	"diff.engine":        "Plan engine",
	"diff.version":       "Version",
	"diff.columns":       "Columns",
	"diff.seats":         "Seats",
	"diff.threshold":     "Seats that learn nothing",
	"diff.range":         "{0} to {1}",

	"diff.column.kind":    "{0}: kind",
	"diff.column.unit":    "{0}: unit",
	"diff.column.range":   "{0}: range",
	"diff.column.other":   "{0}: what any other value counts as",
	"diff.column.levels":  "{0}: levels",
	"diff.column.codes":   "{0}: codes for missing",
	"diff.column.missing": "{0}: a missing value",

	"study.clone.short": "write a study file that proposes a study again",
	"study.clone.long": `Clone writes the study file of a study, whoever proposed it, to change or to propose again.
It reads the file back and makes sure that it says the same. The last day is the study's.`,
	"study.clone.example":     "  croft study clone anaemia\n  croft study clone 7c1f --out again.toml",
	"study.clone.flag.out":    "the study file to write (default: made from the study's name); - for standard output",
	"study.clone.heading":     "A Croft study: {0} ({1}) again. Every site that approves it approves exactly what stands here.",
	"study.clone.done":        "✓ {0} proposes the same again",
	"study.clone.passed":      "! Its last day has passed: set expires to another one.",
	"study.clone.next":        "Next: croft study propose {0} --dry-run",
	"study.clone.differs":     "study {0} says what no study file of this version can say",
	"study.clone.differs.fix": "write the file by hand: croft study show says what the study is",

	"print.done":                "✓ {0}: one page to read, print and sign. It is for your house: it says about how many people you have.",
	"print.family.logistic":     "Logistic regression: how the columns above go together with {0} being {1}.",
	"print.family.firth":        "Logistic regression for rare outcomes (Firth): how the columns above go together with {0} being {1}.",
	"print.family.linear":       "Linear regression: how the columns above go together with the value of {0}.",
	"print.family.poisson":      "Poisson regression: how the columns above go together with the number {0}.",
	"print.family.cox":          "Cox regression: how the columns above go together with the time until {0} is {1}.",
	"print.family.kaplan-meier": "Survival curves: how many are still without {0} being {1} as time goes on.",
	"print.family.describe":     "Descriptive statistics: counts, means, spreads and histograms of the columns above.",
	"print.range":               "{0} to {1} {2}",
	"print.levels":              "one of: {0}",
	"print.other":               "{0}; any other value counts as {1}",
	"print.label":               "is explained",
	"print.group":               "tells for whom the model works",
	"print.also":                "{0}; {1}",
	"print.feature":             "explains",
	"print.time":                "how long a person was followed",
	"print.exposure":            "how long or how much was at risk",
	"print.weight":              "how much a row counts",
	"print.unused":              "is read, and not used",
	"print.drop":                "the row is left out",
	"print.mean":                "the mean over all sites is put in",
	"print.indicator":           "the row stays, and a column of its own says that there is none",
	"print.count":               "it is counted, and so is a value outside",
	"print.fill":                "{0} is put in",
	"print.stops":               "nothing is sent until it is corrected",
	"print.codes":               "{0}; these mean a missing value: {1}",
	"print.few":                 "fewer than 20",
	"print.about":               "about {0}",

	"study.approve.short": "approve a study for your rows",
	"study.approve.long": `Approve shows what would leave this machine, to whom, for what and until when, and asks.
Your yes is signed with your member key and binds exactly what was shown: the plan, this
version of the data, the seats, the readers, the number of rounds, the expiry. Your node
keeps it and refuses whatever differs.`,
	"study.approve.example":      "  croft study approve anaemia\n  croft study approve anaemia --dataset visits --until 2027-01-31 --yes",
	"study.approve.flag.dataset": "the dataset to approve it for (default: the newest with the columns)",
	"study.approve.flag.until":   "the last day of the approval (default: the study's)",
	"study.approve.late":         "study {0} is {1}, its sites have answered",
	"study.approve.badday":       "{0} is not a day",
	"study.approve.binds":        "You allow\tuntil {0}, at most {1} reports",
	"study.approve.rows":         "\tof at most {0} rows: this number, rounded up, goes on the ledger for all members to see",
	"study.approve.bound":        "\tyour first report proves that its numbers are at most {0} long together; any report's, {1}",
	"study.approve.ask":          "Approve {0}? [y/N]",
	"study.approve.done":         "✓ Approved {0}. Your node obeys its own copy of what you signed.",
	"study.approve.next":         "Next: croft study watch {0}. To end it: croft study withdraw {0}",

	"study.decline.short":       "decline a study",
	"study.decline.long":        "Decline says no to a study. The ledger gets one word of a closed list as the reason, and\nnothing else: policy, consent, expired, differs, unavailable.",
	"study.decline.example":     "  croft study decline anaemia --reason policy",
	"study.decline.flag.reason": "policy, consent, expired, differs or unavailable",
	"study.decline.noreason":    "the reason is one of {0}",
	"study.decline.done":        "✓ Declined {0}: {1}.",

	"study.decline.nothing": "Nothing of your rows has left for it.",
	"study.decline.late":    "study {0} is {1}: your rows are in {2} already",
	"study.decline.without": "study {0} is {1}, without your rows",

	"study.withdraw.short": "take your rows out of a study",
	"study.withdraw.long": `Withdraw ends your part in a study: no further report leaves for it. A study that has begun
stops for everybody, since a total without you, next to one with you, would show your
numbers. Totals that were published stay published.`,
	"study.withdraw.example": "  croft study withdraw anaemia",
	"study.withdraw.ended":   "study {0} is {1}, nothing more leaves for it",
	"study.withdraw.means":   "No further report leaves for {0}. It cannot be undone: you are in {1} that its readers have.",
	"study.withdraw.early":   "Your rows stay out of {0}. You can approve again until it starts.",
	"study.withdraw.ask":     "Withdraw from {0}? [y/N]",
	"study.withdraw.done":    "✓ Withdrawn from {0}.",

	"study.watch.short": "follow a study until it ends",
	"study.watch.long": `Watch shows what your node does for a study, step by step, until the study is done (exit
code 0) or stopped (6). It can be interrupted and run again at any time: the study does not
depend on it. With --json each event is one line.`,
	"study.watch.example": "  croft study watch anaemia\n  croft study watch anaemia --timeout 10m",
	"study.watch.begin":   "{0}: {1}. {2}",
	"study.watch.event":   "{0}  round {1}  {2}  {3}",
	"study.watch.waits":   "{0}  round {1}  waits for {2}",
	"study.watch.bytes":   "  {0} left",
	"study.watch.loss":    "  loss {0}",
	"study.watch.done":    "✓ Done. croft study result {1}",
	"study.watch.compare": "What looks wrong in your own rows: croft study preflight {0}",
	"study.watch.worth":   "Whether joining was worth it here: croft study worth {0}",

	"study.result.short": "show what a finished study says",
	"study.result.long": `Result shows what a finished study found, in the units of the data: a regression's
coefficients, with odds, rate or hazard ratios, 95 % intervals and p-values where the study
was for inference, and how well the model does on the rows that were held out; survival
curves with numbers at risk; or counts, means and tables. With --html it is one page with
drawings, in plain words first; with --csv a file to compute on.`,
	"study.result.example":   "  croft study result anaemia\n  croft study result anaemia --json\n  croft study result anaemia --html anaemia.html --csv anaemia.csv",
	"study.result.flag.csv":  "write the figures, with the covariance, to this CSV file; - for standard output",
	"study.result.flag.html": "write one page to read and print, with drawings, to this file; - for standard output",
	"study.result.wrote":     "✓ {0}",
	"result.title":           "{0}\t{1} = {2}, {3}",
	"result.title.number":    "{0}\t{1}, {3}",
	"result.title.describe":  "{0}\t{3}",
	"result.rows":            "Rows\t{0} train ({1} positive), {2} test ({3} positive); {4} sums",
	"result.rows.plain":      "Rows\t{0} train, {1} test; {2} sums",
	"result.rows.all":        "Rows\t{0}; {1} sums",
	"result.shrunk":          "Shrunk\tfor prediction: coefficients are biased towards 0, so there are no intervals and no p-values",
	"result.head.logistic":   "TERM\tESTIMATE\tSE\tODDS RATIO OF ONE SD\tOF ONE UNIT\tP",
	"result.head.firth":      "TERM\tESTIMATE\tSE\tODDS RATIO OF ONE SD\tOF ONE UNIT\tP",
	"result.head.poisson":    "TERM\tESTIMATE\tSE\tRATE RATIO OF ONE SD\tOF ONE UNIT\tP",
	"result.head.cox":        "TERM\tESTIMATE\tSE\tHAZARD RATIO OF ONE SD\tOF ONE UNIT\tP",
	"result.head.linear":     "TERM\tESTIMATE\tSE\t95 % INTERVAL\tT\tP",
	"result.term":            "{0}\t{1}\t{2}\t{3}\t{4}\t{5}",
	"result.people":          "Errors\tallow for several rows of each of {0} people",
	"result.fit":             "Fit\tdeviance {0}, condition number {1}",
	"result.aic":             "AIC\t{0}",
	"result.rsquared":        "R²\t{0}",
	"result.proportional":    "Proportional hazards?\t{0}: χ² {1} on {2} df, p {3}",
	"result.scores.logistic": "HELD OUT\tROWS\tAUC\tLOG-LOSS\tACCURACY",
	"result.scores.firth":    "HELD OUT\tROWS\tAUC\tLOG-LOSS\tACCURACY",
	"result.scores.linear":   "HELD OUT\tROWS\tROOT MEAN SQUARED ERROR",
	"result.scores.poisson":  "HELD OUT\tROWS\tDEVIANCE OF A ROW\tROOT MEAN SQUARED ERROR",
	"result.scores.cox":      "HELD OUT\tROWS\tCONCORDANCE WITHIN SITES",
	"result.score":           "{0}\t{1}\t{2}\t{3}\t{4}",
	"result.score.one":       "{0}\t{1}\t{2}",
	"result.score.two":       "{0}\t{1}\t{2}\t{3}",
	"result.pooled":          "AUC of all held-out rows together, whatever their site: {0}; for certain {1} to {2}",
	"result.confusion":       "Taken for positive from {0} on: {1} rightly, {2} wrongly; {3} positives missed, {4} negatives rightly left",
	"result.calibration":     "PREDICTED\tROWS\tON AVERAGE\tHAPPENED",
	"result.bin":             "{0} – {1}\t{2}\t{3}\t{4}",
	"result.group":           "By {0}:",
	"result.group.withheld":  "By {0}: withheld, {1}",
	"result.group.worst":     "Least right for {0}",
	"result.gap.parity":      "Taken for positive: {0} more of 100 for {1} than for {2} (95 % interval {3} to {4}); {5}",
	"result.gap.opportunity": "Positives found: {0} more of 100 for {1} than for {2} (95 % interval {3} to {4}); {5}",
	"result.gap.odds":        "Of one class taken for positive, at most: {0} more of 100 for {1} than for {2} (95 % interval {3} to {4}); {5}",
	"result.gap.chance":      "chance may explain it",
	"result.gap.clear":       "more than chance explains",
	"study.worth.short":      "say whether joining a study was worth it to this site",
	"study.worth.long": `Worth holds the model of a finished study against one that is fitted to your own rows
alone, on the people whom you held out: did joining help you, did it hurt, or cannot it be
told from so few people? It also says how good the model is on your own rows, and what your
rows gave to the others. All of it is worked out here and shown to you only.`,
	"study.worth.example":   "  croft study worth anaemia\n  croft study worth anaemia --json",
	"worth.verdict.helped":  "Joining {0} helped: on your {1} held-out people the network's model is better than one of your rows alone.",
	"worth.verdict.hurt":    "Joining {0} hurt: on your {1} held-out people a model of your rows alone is better than the network's.",
	"worth.verdict.cannot":  "By your {1} held-out people it cannot be told whether joining {0} helped: {2}.",
	"worth.gain":            "Better by {0} ({1}–{2}) in {3}; below 0 it would be worse. 95 % interval of a bootstrap over people",
	"worth.network":         "the network's model",
	"worth.alone":           "a model of your rows alone",
	"worth.ridge":           "Your rows alone determine no finite model; that one is held back a little (ridge {0}).",
	"worth.given":           "Without your rows a held-out row of the others would lose about {0} more.",
	"worth.given.worse":     "Without your rows a held-out row of the others would lose about {0} less: yours may be unlike theirs, or noisy, or be there twice.",
	"worth.own":             "You alone see this; nothing of it left.",
	"result.all":            "all sites",
	"result.curve":          "{0}\t{1} rows, median {2}",
	"result.curve.nomedian": "not reached",
	"result.curve.head":     "BY {0}\tAT RISK\tEVENTS\tCENSORED\tSURVIVAL (95 %)",
	"result.curve.point":    "{0}\t{1}\t{2}\t{3}\t{4}",
	"result.logrank":        "Log-rank test within sites\tχ² {0} on {1} df, p {2}",
	"result.numbers":        "NUMBER\tMEAN\tSD\tLOWER QUARTILE (ITS BIN)\tMEDIAN\tUPPER QUARTILE",
	"result.number":         "{0}\t{1}\t{2}\t{3}\t{4}\t{5}",
	"result.table":          "{0}\t{1}",
	"result.table.test":     "{0} and {1}\tχ² {2} on {3} df, p {4}; smallest expected count {5}",

	"model.short": "models: read and use",
	"model.long":  "A finished study leaves a model. It has the study's name.",

	"model.show.short":   "show a model's card",
	"model.show.long":    "Show says what a model is for, who may use it, which sites it came from, and what it is worth.",
	"model.show.example": "  croft model show anaemia",
	"model.show.from":    "From\t{0}, study {1}, state {2}",

	"model.predict.short": "give the rows of a CSV or Parquet file to a model",
	"model.predict.long": `Predict writes a CSV file with the probability of each row of another file, CSV or Parquet.
That one needs the study's features under the same names, each with a value unless the study
puts one in; the rows stay on this machine. A use that the study does not allow is refused
(exit code 6).

Where each site has its own base rate the mean of all is used; --own takes this site's.`,
	"model.predict.example":  "  croft model predict anaemia patients.csv\n  croft model predict anaemia patients.csv --own --out risks.csv",
	"model.predict.flag.own": "use this site's own base rate",
	"model.predict.flag.out": "the file to write (default: standard output)",
	"model.predict.done":     "✓ {0} written to {1}",

	"model.export.short": "save a model as a file for other programs",
	"model.export.long": `Export writes a model as ONNX (columns in as they stand in a file, prediction out), as
safetensors (coefficients and covariance), or as JSON (everything). --card writes its model
card, a README.md in the form of Hugging Face. Each says where the model came from: study,
sites, hashes on the ledger. A study that does not allow files of its model is refused (exit
code 6). Nothing is overwritten; - is standard output.`,
	"model.export.example":       "  croft model export anaemia -o anaemia.onnx\n  croft model export anaemia --format safetensors -o model.safetensors --card README.md",
	"model.export.flag.format":   "onnx, safetensors or json (default: as the file is called)",
	"model.export.flag.out":      "the file to write",
	"model.export.flag.card":     "the file for the model card",
	"model.export.flag.intended": "what the model is meant for, on your responsibility (default: research use; not a medical device)",
	"model.export.none":          "there is nothing to write",
	"model.export.none.fix":      "name a file: -o model.onnx, or --card README.md",
	"model.export.format":        "{0} is no format of a model",
	"model.export.format.fix":    "--format onnx, safetensors or json",

	"flag.passphrase":       "the file whose first line is the member key's passphrase ($CROFT_PASSPHRASE_FILE; default: ask)",
	"flag.newpassphrase":    "the file whose first line is the new passphrase (default: ask)",
	"passphrase.ask":        "Passphrase of {0}:",
	"passphrase.new":        "New passphrase of {0}:",
	"passphrase.again":      "The same again:",
	"passphrase.member":     "the member key",
	"passphrase.backup":     "the backup",
	"passphrase.differ":     "the two passphrases differ",
	"passphrase.differ.fix": "nothing was changed: run it again",
	"passphrase.short":      "a passphrase has at least {0} characters",
	"passphrase.short.fix":  "four or five words are easy to remember and hard to guess",

	"key.short": "the keys of this machine",
	"key.long": `The member key signs what a person decides; the other keys (node, validator, payment) are
the running node's. Only the member key can have a passphrase: a node starts by itself after a
power cut, and could not if it had to ask.`,
	"key.passphrase.short": "give the member key a passphrase, change it, or take it away",
	"key.passphrase.long": `Passphrase asks for a new passphrase and encrypts the member key with it. From then on each
command that signs as the member asks for it. Passphrases are asked on the terminal or read
from a file; never from an argument or an environment variable, which others could see.`,
	"key.passphrase.example":     "  croft key passphrase\n  croft key passphrase --new-passphrase-file new.txt --passphrase-file old.txt\n  croft key passphrase --remove",
	"key.passphrase.flag.remove": "keep the member key without a passphrase",
	"key.passphrase.done":        "✓ The member key has a new passphrase. A backup made before has it as it was then.",
	"key.passphrase.removed":     "✓ The member key has no passphrase.",
	"key.recovery.short":         "make a recovery key and the page to print",
	"key.recovery.long": `Recovery makes a key that opens the backups made from now on, and writes it on a page, HTML
or text. Print the page, put it into a safe, delete the file. On this machine stays only the
half of the key that closes backups.`,
	"key.recovery.example":  "  croft key recovery page.html\n  croft key recovery page.txt --yes",
	"key.recovery.ask":      "There is a recovery page already: backups made from now on will open with the new one only. Go on? [y/N]",
	"key.recovery.kept":     "there is a recovery page already",
	"key.recovery.kept.fix": "nothing was changed: go on using it, or answer yes",
	"key.recovery.done":     "✓ Recovery page\t{0}\tprint it, put it into a safe, delete the file",
	"recovery.kind":         "a recovery page is HTML or text, and {0} is neither",
	"recovery.kind.fix":     "choose a file that ends in .html or .txt",
	"recovery.title":        "Recovery key of {0}, member of {1}",
	"recovery.what":         "What it is for: it opens the backups that this member's node makes (croft backup now). With this page and a backup the member can be itself again after its machine is lost. Capital and small letters are the same, spaces do not count, and a slip of the pen is found when it is typed.",
	"recovery.who":          "Who may have it: nobody but who may act for the member. Whoever has this page and a backup has the keys; a member key with a passphrase still asks for that. Keep it in a safe, and not beside the backups.",
	"recovery.how":          "How to use it: on the new machine, croft backup restore FILE --dir FOLDER, type the key when asked, then croft up --dir FOLDER. Never start the old folder again. Without croft, the program age opens a backup too: its key is AGE-SECRET-KEY-PQ-1 followed by the characters above without spaces.",
	"recovery.not":          "What it cannot do: it brings back no budget that was spent, no approval that was taken back, no study that was running.",
	"recovery.made":         "Made {0}. A page made later opens the backups made after it; keep this one for those before.",

	"backup.short": "carry away what nobody else has of this node",
	"backup.long": `A backup is one encrypted file with the node's keys, its network's genesis, and what its owner
registered and approved. It does not hold the ledger, which the other members have, nor the
data files, nor anything of running studies.`,
	"backup.now.short": "make a backup",
	"backup.now.long": `Now writes one encrypted file, reads it back and opens it. It opens with the recovery page
(croft key recovery), or with a passphrase if there is no page. The node may run. Make one
after each study: what a backup does not know must be learned again from the data files.`,
	"backup.now.example":         "  croft backup now --to /media/stick\n  croft backup now --passphrase --to clinic-a.age",
	"backup.now.flag.to":         "the file to write, FILE.age, or the folder to write it into (default: backups in the node's folder)",
	"backup.now.flag.passphrase": "close it with a passphrase, also where there is a recovery page",
	"backup.now.done":            "✓ Backup\t{0} ({1}), read back and opened; it opens with the {2}",
	"backup.now.same":            "! It lies in the node's own folder: carry a copy elsewhere.",
	"backup.now.nofolder":        "there is no folder {0}",
	"backup.now.nofolder.fix":    "look whether its disk is there, or make the folder; a file's name ends in .age",
	"backup.now.next":            "Next: croft backup test {0}",
	"backup.opens.passphrase":    "passphrase",
	"backup.opens.recovery":      "recovery page",
	"backup.ls.short":            "list the backups that were made here",
	"backup.ls.long":             "Ls lists the backups that were made of this folder, oldest first, and whether each file is\nstill where it was put.",
	"backup.ls.example":          "  croft backup ls\n  croft backup ls --json",
	"backup.ls.none":             "No backup was made. Make one: croft backup now --to FOLDER",
	"backup.ls.head":             "MADE\tSIZE\tOPENS WITH\tFILE",
	"backup.ls.row":              "{0}\t{1}\t{2}\t{4} ({3})",
	"backup.ls.here":             "here",
	"backup.ls.away":             "not there now",
	"backup.test.short":          "open a backup and check all of it",
	"backup.test.long":           "Test opens a backup with its passphrase or the recovery page and checks everything that a\nrestore would use. It writes nothing and needs no node.",
	"backup.test.example":        "  croft backup test /media/stick/croft-clinic-a-20270131-180000.age",
	"backup.test.done":           "✓ {0} opens: {1} of {2} ({3}), made {4}, {5}.",
	"backup.flag.key":            "the file with the recovery key, instead of typing it",
	"backup.key.ask":             "Recovery key, from the page:",
	"backup.restore.short":       "make a node's folder from a backup",
	"backup.restore.long": `Restore makes a new folder from a backup. croft up then fetches the ledger from the other
members before the node takes part in anything: votes of the old node are not repeated,
budgets that were spent since are spent, approvals count as the ledger has them. Studies that
were running end. Never start the old folder again: a second copy is turned away.

If this member alone ordered blocks, the node waits until every other member's node has
answered, since its last block may be with any of them.`,
	"backup.restore.example":      "  croft backup restore clinic-a.age --dir /srv/croft\n  croft backup restore clinic-a.age --dir /srv/croft --without clinic-c",
	"backup.restore.flag.via":     "where another member's node is reached, as its croft up prints it, if the backup knows no address that is right; may be repeated",
	"backup.restore.flag.alone":   "nobody else has this network's ledger: begin it anew",
	"backup.restore.flag.without": "a member whose node is lost for good: do not wait for it; may be repeated",
	"backup.restore.nobody":       "the backup knows of no other member's node, and the ledger is with the others",
	"backup.restore.nobody.fix":   "ask a member for an address that croft up prints there (Members) and give it with --via; if nobody ever joined, --alone",
	"backup.restore.done":         "✓ Restored {0} into {1}, as it was {2}.",
	"backup.restore.old":          "! Never start the old folder again.",
	"backup.restore.next":         "Next: croft up{0}",
	"recover.nobody":              "These keys came from a backup or were copied. Asking the other members' nodes for the ledger …",
	"recover.fetching":            "Fetching the ledger: {0} of {1} blocks",
	"recover.waits":               "Waiting for the node of {0}: it may have a block that only it has. (If it is lost: croft backup restore … --without NAME)",
	"recover.done":                "✓ The ledger is here: {0} blocks.",

	"audit.short": "who did what, and does it all hold",
	"audit.long":  "Audit reads the network's ledger and trusts nobody who ordered it: it checks every signature\nand runs every transaction again.",

	"audit.log.short":       "show who did what, when",
	"audit.log.long":        "Log shows the entries of the ledger, oldest first: who approved, reported, computed, voted.\nEach was checked by running the chain again.",
	"audit.log.example":     "  croft audit log\n  croft audit log --study anaemia --member \"Clinic A\"",
	"audit.log.flag.study":  "only of this study",
	"audit.log.flag.member": "only of this member",
	"audit.log.flag.from":   "only from this block on",
	"audit.log.none":        "No entry.",

	"audit.verify.short": "verify all that this node has stored, or an export",
	"audit.verify.long": `Verify runs the whole chain again from its genesis and checks every signature, every effect,
and all that is stored: state, blobs, documents. Whatever does not hold is named (exit code 1).

With a FILE that croft audit export wrote it needs no node and no network. A checkpoint
that another member gave you shows whether both have the same history.`,
	"audit.verify.example":         "  croft audit verify\n  croft audit verify valley.croft --checkpoint NETWORK/HEIGHT/HASH",
	"audit.verify.flag.checkpoint": "what another member says the state was: NETWORK/HEIGHT/HASH; may be repeated",
	"audit.verify.line":            "✓ {0}",
	"audit.verify.progress":        "… {0} of {1} blocks",
	"audit.verify.counting":        "… {0} blocks",

	"audit.export.short":      "write the whole ledger into a file that can be verified elsewhere",
	"audit.export.long":       "Export writes every block into one file and verifies it on the way. It overwrites nothing.",
	"audit.export.example":    "  croft audit export valley.croft",
	"audit.export.done":       "✓ {0} in {1}",
	"audit.export.checkpoint": "Checkpoint {0}",
	"audit.export.next":       "Next, anywhere: croft audit verify {0}",

	"bench.short":             "experiments that can be repeated",
	"bench.long":              "Bench runs the project's experiments.",
	"bench.progress":          "{0} …",
	"bench.compare.short":     "one place, each alone, or together without moving a row",
	"bench.compare.long":      "Compare fits the same model to the same rows of four hospitals in three ways: all rows in one\nplace, each hospital alone, and federated over a network of five nodes on this machine. It says\nwhat each is worth on rows held out, what it costs, what one stolen disk gives away and who\nsees what.",
	"bench.compare.example":   "  croft bench compare heart\n  croft bench compare heart --json",
	"bench.compare.unknown":   "there is nothing to compare called {0}",
	"bench.heart.short":       "what federated regression is worth to four real hospitals",
	"bench.heart.long":        "Heart takes FLamby's heart disease task at four hospitals, by its own split and over random\nones, and says which hospitals gain and which do not.",
	"bench.heart.example":     "  croft bench heart --splits 20\n  croft bench heart --json",
	"bench.heart.flag.data":   "the folder with the four files processed.*.data",
	"bench.heart.flag.splits": "random splits",
	"bench.heart.flag.seed":   "of the random splits",

	"bench.privagg.short":          "what hiding vectors and proving their bounds cost",
	"bench.privagg.long":           "Privagg times a report of a private sum with its proof: at the site that makes it and at a\nseat that checks it, beside one pass of a hash and a cipher over the vector. Without --dim it\nprints a table over lengths and seats, with circl's Prio3SumVec and the unprotected sum.\nA threshold of one seat less than there are means additive shares, which need every seat.",
	"bench.privagg.example":        "  croft bench privagg\n  croft bench privagg --json --dim 1000000 --seats 4 --threshold 1",
	"bench.privagg.flag.dim":       "numbers in the vector; without it the table",
	"bench.privagg.flag.seats":     "seats, 2 to 9",
	"bench.privagg.flag.threshold": "seats that together learn nothing",
	"bench.privagg.flag.repeats":   "times each is measured; the median counts",
	"bench.privagg.flag.seed":      "of the vectors",

	"version.short":   "say what this program was built from",
	"version.long":    "Version prints the program's version, its commit, the plan engine (two nodes compute\ntogether only with the same one), and what it was built with.",
	"version.example": "  croft version --json",
	"version":         "croft {0}, commit {1}, engine {2}, {3} {4}",

	"demo.short": "a whole community on this machine: the first minute",
	"demo.long": `Demo runs five members on this machine, each with its own folder, keys, ports and real
consensus. Four clinics hold slices of one hospital's published data; the fifth holds none
and helps to keep the secrets. A study is proposed and approved, a model is trained over
private sums, and the ledger is audited. Nothing is left behind unless you give --dir.`,
	"demo.example":      "  croft demo\n  croft demo --json --seed 7\n  croft demo --dir ./commons",
	"demo.flag.seed":    "of the split into clinics",
	"demo.flag.proof":   "without proofs that reports keep to their bounds, for comparison",
	"demo.notempty":     "it is not empty: it holds {0}",
	"demo.intro":        "Data:  {0}\nSites: {1} (seed {2})\nStudy: eight features (mean and standard error of texture, smoothness, symmetry, fractal dimension);\n       with all thirty the classes separate perfectly and odds ratios mean nothing\nPublic data, disclosure rules off: what fails them only warns",
	"demo.found":        "✓ Founded a network of five: {1}",
	"demo.register":     "✓ {0} registered {1}",
	"demo.propose":      "✓ {0} proposed the study {1}",
	"demo.approve":      "✓ {0} approved it",
	"demo.audit":        "Auditing {1} …",
	"demo.round":        "round {0}  {1}  {2} sites  loss {3}  {4} bytes",
	"demo.trouble":      "! {0}: {1} {2}",
	"demo.result.head":  "{0} rows, {1} of them held out; {2} private sums; {3} s in all",
	"demo.auc":          "AUC on held-out rows (95 % interval)",
	"demo.logloss":      "Log-loss on held-out rows (95 % interval)",
	"demo.accuracy":     "Accuracy on held-out rows (95 % interval)",
	"demo.columns":      "  site\trows\tfederated\tlocal only\tmajority\tpooled\t",
	"demo.mean":         "mean",
	"demo.coef":         "Odds ratios of one standard deviation more; at most {0} standard errors from a pooled fit, condition number {1}",
	"demo.coef.columns": "  column\todds ratio (95 %)\t\t",
	"demo.left":         "What left each site",
	"demo.left.site":    "  {0}: {1} sealed reports, {2} numbers in all, {3} bytes",
	"demo.promise":      "  Rows stayed where they were. The reports could be read only as totals over all sites; totals can still say something about people.",
	"demo.profile":      "  Who would have to collude: {0}.",
	"demo.cost":         "Ledger: height {0}, {1} MB. CPU {2} s, about {3} J ({4}). {5} MB between the nodes; at most {6} ledger steps a round, one after the other.",
	"demo.breach":       "Rows readable from one stolen disk: pooled {0}, here {1} to {2}.",
	"demo.audited":      "✓ Audited: {0} blocks, {1} entries, every signature and effect holds.",
	"demo.next":         "Next: croft demo --dir ./commons keeps the network; croft init --name \"Clinic A\" makes your own.",
	"demo.next.kept":    "Next: croft up --lan --dir {0}, and in another terminal croft up --lan --page 127.0.0.1:7421 --dir {1}",

	"member.noun": "member",

	"model.serve.short": "let programs on this machine call a model",
	"model.serve.long": `Serve answers calls of a study's model, or of an ONNX file whose operators are known here, at
this node's own API: the Open Inference Protocol, /v2, on this machine alone. Nothing of it is on the ledger, and nobody pays. croft service
publish offers a model to others; croft service stop ends either.`,
	"model.serve.example":   "  croft model serve heart-risk --name heart\n  croft model serve triage.onnx",
	"model.serve.flag.name": "what programs call it (default: the study's or the file's name)",
	"model.serve.done":      "✓ {0} answers at {1}",
	"model.serve.next":      "Next: croft apikey create NAME makes the key that a program needs.",

	"service.short": "services: what members offer each other, for a price",
	"service.long": `A service is a model of the network, or a server that somebody runs, offered to the other
members. A call is paid from a channel, which is opened once; then no call waits for the ledger.

A model of the network runs at the caller's own node, and the use is paid for: the record
stays. A call with --remote goes to the provider's node, which then reads it.`,
	"service.noun":        "service",
	"service.several":     "several services are called {0}",
	"service.several.fix": "say whose: {0}",

	"service.publish.short": "offer a model, or a server that you run, to the network",
	"service.publish.long": `Publish puts a service on the ledger and serves it from this node: a study's model (--model),
a model file that another program wrote (--onnx), a server that speaks OpenAI's API (--upstream,
--task chat or embed), or one that takes and gives JSON (--task http). The same command changes a service; changing a price costs nothing.

A model may be offered to those whom its study allows, and no others. The credentials of a
server stay in their file; they never leave this node. Prices are in credits; --most is what a
voucher promises before it is known what a call uses, and the rest comes back.`,
	"service.publish.example": `  croft service publish heart --model heart-risk --price 0.01
  croft service publish chat --upstream http://127.0.0.1:11434/v1 --upstream-model llama3.2 --output 0.0001 --most 0.2`,
	"service.publish.flag.model":         "the study whose model it serves",
	"service.publish.flag.onnx":          "a model file that another program wrote, as ONNX",
	"service.publish.flag.upstream":      "the server's address; several of them share the calls",
	"service.publish.flag.task":          "what the server does: chat, embed, http",
	"service.publish.flag.upstreammodel": "what the server calls its model",
	"service.publish.flag.credentials":   "a file with what the server wants in its Authorization header",
	"service.publish.flag.public":        "the server may be outside of this machine's own networks",
	"service.publish.flag.description":   "a sentence for those who look for it",
	"service.publish.flag.use":           "who may call: members (of the study), network, market (guests too), public",
	"service.publish.flag.price":         "credits for a call",
	"service.publish.flag.input":         "credits for a token read",
	"service.publish.flag.output":        "credits for a token written",
	"service.publish.flag.second":        "credits for a second of work",
	"service.publish.flag.most":          "credits that a call costs at most",
	"service.publish.flag.free":          "free calls a day for each member",
	"service.publish.flag.inflight":      "calls at a time",
	"service.publish.flag.seconds":       "seconds until a call is given up",
	"service.publish.flag.bytes":         "bytes of the largest request",
	"service.publish.what":               "a service is one thing: a model of the network, a model file, or a server",
	"service.publish.what.fix":           "give --model STUDY, --onnx FILE or --upstream http://127.0.0.1:11434/v1",
	"service.publish.price.fix":          "give an amount such as 0.01",
	"service.publish.most":               "what a call costs depends on what it uses, and a voucher must promise some amount",
	"service.publish.most.fix":           "give the most that a call may cost: --most 0.5",
	"service.publish.done":               "✓ {0} is on the ledger: {1}; for {2}",
	"service.publish.next":               "Others: croft service call {0}. Here: croft wallet show tells what it earned.",

	"price.free":   "free",
	"price.call":   "{0} credits a call",
	"price.most":   "at most {0} credits a call",
	"price.input":  ", {0} for a token read",
	"price.output": ", {0} for a token written",
	"price.second": ", {0} for a second",
	"price.gratis": ", {0} calls a day free",

	"audience.members": "the study's sites and proposer",
	"audience.network": "members of the network",
	"audience.market":  "members and guests",
	"audience.public":  "everybody",

	"service.publish.members": "{0}; or offer it to them alone: --use members",

	"service.ls.short":    "list the services that the network offers",
	"service.ls.long":     `Ls lists all services on the ledger, with their providers and prices.`,
	"service.ls.example":  `  croft service ls`,
	"service.ls.none":     "No service yet. Offer one: croft service publish NAME --model STUDY",
	"service.search.none": "No service has {0} in its name, description, task or provider. All there are: croft service ls",
	"service.ls.head":     "SERVICE\tPROVIDER\tTASK\tPRICE\t",
	"service.ls.row":      "{0}\t{1}\t{2}\t{3}\t{4}",
	"service.ls.mine":     "yours",
	"service.ls.silent":   "yours, and not served: croft service publish",

	"service.search.short":   "find services by a word",
	"service.search.long":    `Search lists the services that have a word in their name, description, task or provider.`,
	"service.search.example": `  croft service search heart`,

	"service.show.short": "show a service, and how programs call it",
	"service.show.long": `Show tells what a service takes and gives, what it costs, where a call is answered, and
prints programs that call it: curl, Python, JavaScript.`,
	"service.show.example":     `  croft service show heart`,
	"service.show.title":       "{0}, by {1} ({2})",
	"service.show.description": "  {0}",
	"service.show.price":       "  Price: {0}; for {1}",
	"service.show.quality":     "  Of {0} calls of this node {1} were answered, in {2} of late; {3} answers were found wrong.",
	"service.show.model":       "  It is the model of study {0}: it runs at your own node, the record stays, the use is paid for.",
	"service.show.remote":      "  It runs at {0}'s node, which reads what is asked and answered: a call needs --remote.",
	"service.show.range":       "{0} to {1}",
	"service.show.input":       "  takes\t{0}\t{1}\t{2}",
	"service.show.output":      "  gives\t{0}\t{1}\t",
	"service.show.snippet":     "{0}:",
	"service.show.key":         "Programs take their key from $CROFT_API_KEY: croft apikey create NAME --cap 5 makes one.",

	"service.call.short": "call a service and pay for it",
	"service.call.long": `Call asks a service: about the rows of a CSV file, or with JSON (--data, or a file that ends
in .json). A model of the network answers at your own node, whose copy is checked against the
ledger; its provider is paid for the use, and the rows stay here.

With --remote the request goes to the provider's node, end to end encrypted to that node, which
reads it. Croft says before what it sends to whom. Columns of a dataset that you registered are
not sent, unless you add --registered.

Several members may offer a service of one name. With --any it may go to any of them: to the one
whose answers cost least, by what this node has seen of each, and to the next if that one does
not answer. Croft says which were asked and why.`,
	"service.call.example": `  croft service call heart patients.csv
  croft service call chat --any --remote --data '{"messages":[]}'
  croft service call chat --remote --data '{"messages":[]}'`,
	"service.call.flag.data":       "the request, as JSON",
	"service.call.flag.most":       "credits that you would pay at most",
	"service.call.flag.remote":     "send the request to the provider's node",
	"service.call.flag.registered": "even if it has the columns of a dataset that you registered",
	"service.call.flag.any":        "any provider of a service of this name may answer",
	"service.call.or":              " or ",
	"service.call.tried":           "Asked {0} ({1}): {2}.",
	"service.call.chosen":          "Then asked {0} ({1}).",
	"service.call.what":            "a call is about a file or about --data",
	"service.call.what.fix":        "croft service call NAME FILE.csv, or croft service call NAME --data '{}'",
	"service.call.json":            "that is not JSON",
	"service.call.body":            "a request of {0} bytes",
	"service.call.rows":            "{0} with {1}",
	"service.call.sends":           "Sending to {1}, whose node will read it: {0}.",
	"service.call.here":            "Answered at this node: nothing of the request was sent.",
	"service.call.there":           "Answered by {0}'s node, which read the request.",
	"service.call.paid":            "Paid {0} credits to {1} (channel {2}, call {3}); {4} left in the channel.",
	"service.call.free":            "Nothing was paid.",

	"service.check.short": "check a service's answers",
	"service.check.long": `Check asks like a call, and holds the answers against something: against the one that you know
(--want, a file with its JSON), or, with --any, those of all providers of that name against each
other, of which more than half must be alike. Numbers may differ a little (--tolerance); ids and
times do not count. It only makes sense for services that always give the same answer.

A provider cannot tell a check from a call, so each is paid for. An answer that differs is not
countersigned, and its provider is passed over for an hour. Who does not answer is not wrong.
The exit code is 4 if no answer holds.`,
	"service.check.example": `  croft service check heart patients.csv --any --remote
  croft service check Ada/heart --data '{"inputs":[]}' --want known.json --remote`,
	"service.check.flag.want":      "a file with the answer that is known, as JSON",
	"service.check.flag.tolerance": "by what part of a number two answers may differ",
	"service.check.against":        "an answer is checked against another",
	"service.check.against.fix":    "give the known one with --want FILE.json, or ask several providers with --any",
	"service.check.tolerance":      "a tolerance is a part of a number",
	"service.check.tolerance.fix":  "give one from 0 to below 1, such as 1e-6",
	"service.check.agrees":         "✓ {0} agrees ({1} credits)",
	"service.check.differs":        "✗ {0} says something else ({1} credits)",
	"service.check.abstains":       "  {0} gave no answer ({1} credits): {2}",

	"service.stop.short": "withdraw a service, or stop serving a model",
	"service.stop.long": `Stop withdraws a service of yours from the ledger and serves it no longer. Calls in hand are
finished, and channels stay until somebody closes them: what was earned is paid.`,
	"service.stop.example": `  croft service stop heart`,
	"service.stop.done":    "✓ {0} is served no longer",

	"wallet.short": "wallet: credits, and the channels that calls are paid from",
	"wallet.long": `Credits are the community's own unit: issued by vote, moved between members, and for nothing
but services. A channel sets some of them aside for one provider; each call is a voucher on it.`,
	"wallet.channel":       "channel",
	"wallet.nodeposit":     "a channel needs a deposit",
	"wallet.nodeposit.fix": "croft wallet open SERVICE --deposit 10",
	"wallet.topup.fix":     "croft wallet topup CHANNEL --add 10",

	"wallet.show.short": "show all credits on one page",
	"wallet.show.long": `Show tells what is free, what is reserved in channels, what was earned and when it is paid.
A node claims what it earned by itself, once half of a deposit is due and at least daily.`,
	"wallet.show.example": `  croft wallet show`,
	"wallet.show.sums":    "Free {0}\treserved {1}\tearned, not paid out yet {2}\t({3} in the whole network)",
	"wallet.show.head":    "CHANNEL\t\tOTHER END\tDEPOSIT\t\tSTATUS",
	"wallet.show.row":     "{0}\t{1}\t{2}\t{3}\t{4}\t{5}",
	"wallet.show.pays":    "pays",
	"wallet.show.earns":   "earns",
	"wallet.show.spent":   "spent {0}, left {1}",
	"wallet.show.earned":  "earned {0}, claimable {1}, paid {2}",
	"wallet.show.open":    "open",
	"wallet.show.until":   "{0}, pays after {1}",
	"wallet.show.none":    "No channel is open: croft wallet open SERVICE --deposit 10",
	"wallet.show.broke":   "The network has no credits yet. More than half of the members vote for them: croft wallet mint MEMBER --amount 100",

	"wallet.open.short": "set credits aside for calls of a provider",
	"wallet.open.long": `Open makes a channel to the provider of a service: a deposit that its calls are paid from.
What is left when it closes comes back. The window is the time for objections when one side
closes it alone; a provider may insist on more than it says.`,
	"wallet.open.example":      `  croft wallet open heart --deposit 10`,
	"wallet.open.flag.deposit": "credits to set aside",
	"wallet.open.flag.window":  "time for objections to a settlement, from 1m to 720h",
	"wallet.open.done":         "✓ {0} credits are set aside for {1} (channel {2})",
	"wallet.open.next":         "Next: croft service call {0}",

	"wallet.topup.short":    "put more into a channel",
	"wallet.topup.long":     `Topup raises the deposit of a channel that is not closing.`,
	"wallet.topup.example":  `  croft wallet topup 9f3c21aa --add 10`,
	"wallet.topup.flag.add": "credits to add",
	"wallet.topup.done":     "✓ Channel {0} has a deposit of {1} credits",

	"wallet.close.short": "end a channel",
	"wallet.close.long": `Close ends a channel: the provider gets what is due, the rest returns. If both nodes are up
that takes a moment; if the other end is silent, as long as the channel's window. A channel is
named by its id, or by the member at its other end.`,
	"wallet.close.example": `  croft wallet close 9f3c21aa
  croft wallet close "Clinic A"`,
	"wallet.close.done":  "✓ Channel {0} is closed: {1} credits were paid, {2} returned",
	"wallet.close.waits": "✓ Channel {0} is closing: it ends when {1}'s node agrees, or when its window has passed",

	"wallet.receipts.short":   "list the latest calls",
	"wallet.receipts.long":    `Receipts lists the latest calls that this node made or answered, with what each cost.`,
	"wallet.receipts.example": `  croft wallet receipts`,
	"wallet.receipts.none":    "There were no paid calls yet.",
	"wallet.receipts.head":    "TIME\tSERVICE\tCALL\tOUTCOME\tCREDITS\t",
	"wallet.receipts.row":     "{0}\t{1}\t{2}\t{3}\t{4}\t{5}",
	"wallet.receipts.both":    "both signed",

	"wallet.mint.short": "vote for new credits",
	"wallet.mint.long": `Mint casts this member's vote for new credits on somebody's account. They are there when a
majority of the members has cast the same vote: same member, same amount.`,
	"wallet.mint.example":     `  croft wallet mint "Clinic A" --amount 100`,
	"wallet.mint.flag.amount": "credits to issue",
	"wallet.mint.ask":         "Vote for {0} new credits for {1}? [y/N]",
	"wallet.mint.done":        "✓ {0} credits were issued to {1}",
	"wallet.mint.waits":       "✓ Your vote for {0} credits for {1} is cast; {2} votes in all decide. The others say the same: croft wallet mint {3} --amount {0}",
	"wallet.several":          "several channels are called {0}",
	"wallet.several.fix":      "name the one you mean by its id: croft wallet show",
	"wallet.noamount":         "a vote on credits names an amount",
	"wallet.noamount.fix":     "croft wallet mint MEMBER --amount 100",

	"apikey.short": "apikey: keys for programs on this machine",
	"apikey.long": `Programs on this machine call services through this node: OpenAI's API at /v1, the Open
Inference Protocol at /v2. Each has a key, which says what it may call and spend.`,
	"apikey.create.short": "make a key for a program",
	"apikey.create.long": `Create makes an API key and shows it once; the node keeps a hash. Without --cap the key can
make free calls only. Without --remote nothing that is asked with it leaves this node.`,
	"apikey.create.example":      `  croft apikey create reports --cap 5 --service heart`,
	"apikey.create.flag.cap":     "credits that it may spend in all",
	"apikey.create.flag.service": "a service that it may call, by its name in croft service ls; again for more (default: all)",
	"apikey.create.flag.any":     "a name that several providers have may go to any of them",
	"apikey.create.flag.remote":  "what is asked with it may be sent to providers",
	"apikey.create.done":         "✓ Key {0} ({1}) is made. It is shown this once:",
	"apikey.create.secret":       "  {0}",
	"apikey.create.url":          "Programs call {0}/v1 and {0}/v2 with it: export CROFT_API_KEY=…",
	"apikey.ls.short":            "list the keys of programs",
	"apikey.ls.long":             `Ls lists the API keys with what each may spend and has spent at most.`,
	"apikey.ls.example":          `  croft apikey ls`,
	"apikey.ls.none":             "There is no API key: croft apikey create NAME",
	"apikey.ls.head":             "KEY\tNAME\tSPENT\tCAP\tSERVICES\tREQUESTS\tMADE",
	"apikey.ls.row":              "{0}\t{1}\t{2}\t{3}\t{4}\t{5}\t{6}",
	"apikey.ls.all":              "all",
	"apikey.ls.here":             "stay here",
	"apikey.ls.remote":           "may leave",
	"apikey.revoke.short":        "end a program's key",
	"apikey.revoke.long":         `Revoke ends an API key at once, by its name or number.`,
	"apikey.revoke.example":      `  croft apikey revoke reports`,
	"apikey.revoke.done":         "✓ Key {0} is revoked",

	"up.flag.api":   "where programs on this machine call services: a loopback address; 127.0.0.1:7430, or any free port if that is taken; or none",
	"up.badapi":     "programs cannot call {0}",
	"up.badapi.fix": "give a loopback address with a port: --api 127.0.0.1:7430, or none",
	"up.api":        "├─ API      http://{0}/v1 and /v2, for programs with a key",

	"bench.market.short": "measure paid calls: how many, how late",
	"bench.market.long": `Market measures what it costs to be paid: calls on one channel, both ends in this process, the
provider's journal on the disk of a folder. A file system in memory is refused: its syncs cost
nothing and keep nothing.`,
	"bench.market.example":       `  croft bench market --on /srv --json`,
	"bench.market.flag.on":       "a folder on the disk to measure",
	"bench.market.flag.time":     "for each number of calls in flight",
	"bench.market.flag.channels": "channels that are open, for the memory",
}
