package main

// nodeSentences are what is said of one node: founding it, running it, its health, its keys and backups.
var nodeSentences = map[string]string{
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
	"init.badname":         "{0} cannot be a member's name: it must have 1 to 40 printable characters (ä counts as 2, 院 as 3) and no space at its ends",
	"init.badname.fix":     "give a shorter one, such as --name \"Clinic A\"",
	"init.keys":            "✓ Keys made\t{0} (yours alone)\tmember {1}",
	"init.founded":         "✓ Network founded\t{0}\tnetwork {1}",
	"init.next":            "Next: croft up",
	"init.recovery":        "✓ Recovery page\t{0}\tprint it, put it into a safe, delete the file",
	"init.flag.passphrase": "ask for a passphrase of the member key (or --passphrase-file)",
	"init.flag.recovery":   "write the page with the recovery key, which opens backups: FILE.html or FILE.txt",

	"settings.short": "show or forget what croft up was told before",
	"settings.long": `A flag of croft up that says how a node runs (--listen, --page, --api, --bandwidth,
--quiet-hours, --relay and its limits, --lan) is kept in the node's folder once the node has
started with it. A plain croft up, and the system's service, go by it. A flag that is given
again counts instead, and is kept then.`,
	"settings.show.short":       "show the flags that croft up goes by",
	"settings.show.long":        "Show prints the flags that this folder keeps for croft up, and where.",
	"settings.show.example":     "  croft settings show\n  croft settings show --json",
	"settings.unset.short":      "forget flags of croft up",
	"settings.unset.long":       "Unset forgets flags that this folder keeps, by name, or all of them. A node that runs goes on\nas it is; it counts from the next croft up on.",
	"settings.unset.example":    "  croft settings unset bandwidth quiet-hours\n  croft settings unset all",
	"settings.unset":            "✓ Forgotten. It counts from the next croft up on.",
	"settings.none":             "Nothing is kept: croft up runs this node in the usual way.",
	"settings.where":            "Kept in {0}. To forget one: croft settings unset FLAG",
	"settings.kind":             "setting",
	"settings.unknown":          "{0} is no flag of croft up that can be kept",
	"settings.bad":              "{0}: {1}",
	"settings.type.bool":        "it is true or false",
	"settings.type.int":         "it is a whole number",
	"settings.type.string":      "it is a text in quotes",
	"settings.type.stringSlice": "it is a list of texts, in brackets",
	"settings.long.file":        "{0} bytes; it has at most {1}",
	"settings.line":             "line {0}: {1}",

	"up.short": "run the node; make it and its network first if there is none",
	"up.long": `Up runs the node of a folder until you stop it (Ctrl-C, or croft down). It prints what it
offers, then its log on standard error. With --detach it runs on in the background, and its log
is DIR/node.log. With --service the system runs it. What flags say of how the node runs is kept for
the next time: see croft settings.

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
	"up.flag.name":          "make a node of this member where there is none",
	"up.flag.listen":        "where other members reach this node: lan (all networks of this machine, port 7421), IP:PORT, none (it only dials), or a multiaddr (default: as before; at first a free port on loopback)",
	"up.flag.relay":         "let members whose nodes cannot be dialled be reached through this one",
	"up.flag.relaycircuits": "with --relay: at most so many connections between others at once",
	"up.flag.relayeach":     "with --relay: the most bytes that one of them carries, each way; then it is cut and opened anew",
	"up.flag.relaydaily":    "with --relay: the most bytes that all of them carry in 24 hours",
	"up.badcircuits":        "a relay can have 1 to {1} circuits, not {0}",
	"up.badamount":          "{0} is no amount: it is a number of MB or GB, at least 1MB",
	"up.settings":           "├─ Settings {0}   (kept: croft settings show)",
	"up.flag.detach":        "run in the background; return when the node answers",
	"up.flag.page":          "address of the status page, on loopback; 127.0.0.1:7420, or any free port if that is taken; or none",
	"up.flag.lan":           "the fast pace of consensus, for nodes in one room or on one machine",
	"up.flag.light":         "a light member's node: it keeps no blocks and has what it reads proved by the others; it is no seat and orders no blocks. Chosen at croft join, for good",
	"up.notlight":           "a member is light from the day it joins, and this folder's is not",
	"up.othername":          "this folder's node is that of {0}",
	"up.othername.fix":      "leave out --name, or take another folder: --dir",
	"up.badlisten":          "the node cannot listen on {0}",
	"up.badpage":            "the status page cannot listen on {0}",
	"up.badpage.fix":        "give a loopback address such as 127.0.0.1:7420, or none",
	"up.died":               "the node ended before it was up; the end of {0} may say why",
	"up.detached":           "✓ The node of {0} runs in the background, as process {1}. To stop it: croft down",
	"up.log":                "├─ Log      {0}",
	"up.flag.bandwidth":     "the most that the node sends, and that it receives, in bytes a second: 500kB/s, 1MB/s",
	"up.badbandwidth":       "{0} is no bandwidth: it is a number of kB/s or MB/s, at least 100kB/s",
	"up.flag.quiethours":    "hours of the day in which the node takes no part in rounds, by this machine's clock: 22-06, or 08:30-17:00",
	"up.flag.service":       "let the system start the node, with the machine and after a failure (see croft down --service)",
	"up.flag.enable":        "with --service: start it now too",
	"up.flag.print":         "with --service: only show the service's file",
	"up.badservice":         "--enable and --print say something of --service, which does without --detach; one of them at a time",

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

	"down.already":  "✓ No node runs in {0}.",
	"down.busy":     "a croft command has {0} and does not answer yet: it starts a node, joins, or waits for other members' nodes",
	"down.busy.fix": "wait until it answers: croft status; or end it where it was started, with Ctrl-C",

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

	"status.relay":      "Relay\t{0} for others; {1} so far, {2} left of the day's",
	"status.rest":       "Rounds\tthis node takes no part {0}; studies wait for it",
	"status.short":      "where the node and its network stand, and what waits for you",
	"status.long":       "Status shows the node, its network, the other members' nodes, the studies that have not\nended, and the studies that wait for your answer.",
	"status.example":    "  croft status\n  croft status --json",
	"status.member":     "Member\t{0} ({1})",
	"status.network":    "Network\t{0} ({1}), {2}",
	"status.new":        "Network\t{0} ({1})",
	"status.noblock":    "Ledger\tno block is here yet: the node makes the first, or fetches what the other members' nodes have",
	"status.left":       "Role\tNO MEMBER ANY MORE: this one has left the network, and the others' nodes answer it no more (croft audit log says who voted)",
	"status.light":      "Role\tlight: this node keeps no blocks, and has what it reads proved by the others",
	"status.ledger":     "Ledger\theight {0}, last block {1}, {2}",
	"status.current":    "up to date",
	"status.ended":      "the last that it was given",
	"status.catching":   "fetching old blocks",
	"status.stopped":    "STOPPED by vote: nothing goes on, and nothing is taken but votes",
	"status.vote":       "Waiting\t{0}: {1}",
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
	"status.unmet":      "light too, called when there is something to say",
	"status.study":      "Study\t{0}: {1} ({2})",
	"status.nothing":    "Waiting\tnothing waits for you",
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
	"net.unmet":        "light",
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
	"report.example":        "  croft report\n  croft report --names --out -",
	"report.flag.out":       "the file to write; - for standard output",
	"report.flag.names":     "with the names of members and studies, paths and addresses",
	"report.title":          "Croft report, {0}. No data, no keys; read it before you send it.",
	"report.status":         "Node of {0} in {1}: {2} members, {3} connected; height {4}, last block {5}, state {6}",
	"report.study":          "Study {0}: {1}. {2}",
	"report.node":           "Node of {0}: height {1}, round trip {2} ms, clock {3} ms ahead; reaches this one at: {4}",
	"report.findings":       "DOCTOR",
	"report.log":            "LOG: last {0} lines; {1} lines had nothing that may leave",
	"report.done":           "✓ {0}: read it, then send it to whoever helps you.",
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
	"backup.restore.next":         "Next: croft up",

	"up.flag.api":   "where programs on this machine call services: a loopback address; 127.0.0.1:7430, or any free port if that is taken; or none",
	"up.badapi":     "programs cannot call {0}",
	"up.badapi.fix": "give a loopback address with a port: --api 127.0.0.1:7430, or none",
	"up.api":        "├─ API      http://{0}/v1 and /v2, for programs with a key",
}
