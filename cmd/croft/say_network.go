package main

// networkSentences are what is said of the network: who is in it, who decides, what happened.
var networkSentences = map[string]string{
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
	"join.next":          "Next: croft up",

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
	"invite.create.local":        "! This code is good on this machine only: the node listens on loopback. To open it to others: croft down, then croft up --listen lan --detach, then another code.",
	"invite.create.done":         "✓ Invite for {0}, until {1}. Its code, which is shown only now:",
	"invite.create.auto":         "Your vote for whoever applies is cast. Each newcomer needs {0} more: of the others, with croft member approve NAME.",
	"invite.create.auto.alone":   "Your vote for whoever applies is cast. While you are the only member it admits the first who applies;\nwhoever comes after needs the votes of more than half of the members that there are then.",
	"invite.create.guest":        "Whoever applies becomes a guest with one member's vote, and that member answers for it.",
	"invite.create.guest.auto":   "Whoever applies becomes a guest at once, and you answer for it.",
	"invite.create.unshown":      "No code was printed, so nobody can come by this invite. Make another one.",
	"invite.create.next":         "Next, at the newcomer's: croft join CODE --name NAME",
	"invite.create.vote":         "Then compare the digits, and vote: croft member ls, croft member approve NAME",

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
	"member.guest":         "{0}\t{1}\tguest of {2}",
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
	"network.rescue.complete": "✓ Complete: the node changes over when it starts: croft up",
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
	"recover.nobody":         "These keys came from a backup or were copied. Asking the other members' nodes for the ledger …",
	"recover.fetching":       "Fetching the ledger: {0} of {1} blocks",
	"recover.waits":          "Waiting for the node of {0}: it may have a block that only it has. (If it is lost: croft backup restore … --without NAME)",
	"recover.done":           "✓ The ledger is here: {0} blocks.",

	"audit.short": "who did what, and does it all hold",
	"audit.long":  "Audit reads the network's ledger and trusts nobody who ordered it: it checks every signature\nand runs every transaction again.",

	"audit.log.short":       "show who did what, when",
	"audit.log.long":        "Log shows the entries of the ledger, oldest first: who approved, reported, computed, voted.\nEach was checked by running the chain again.",
	"audit.log.example":     "  croft audit log\n  croft audit log --study anaemia --member \"Clinic A\"",
	"audit.log.flag.study":  "only of this study",
	"audit.log.flag.member": "only of this member or guest, by name or id",
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

	"member.several":     "{0} may be any of: {1}",
	"member.several.fix": "name the one you mean by its id",
}
