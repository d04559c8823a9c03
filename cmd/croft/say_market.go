package main

// marketSentences are what is said of models and services, and how they are paid.
var marketSentences = map[string]string{
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
	"service.noun": "service",

	"service.publish.short": "offer a model, or a server that you run, to the network",
	"service.publish.long": `Publish puts a service on the ledger and serves it from this node: a study's model (--model),
a model file that another program wrote (--onnx), a server that speaks OpenAI's API (--upstream,
--task chat or embed), or one that takes and gives JSON (--task http). The same command changes a service; changing a price costs nothing.

A model may be offered to those whom its study allows, and no others. The credentials of a
server stay in their file; they never leave this node. Prices are in credits; --most is what a
voucher promises before it is known what a call uses, and the rest comes back.

A server may name the price of each request itself (--quote): the request is posted to that path,
and the answer is JSON such as {"credits": 0.25}. The caller agrees to that, or to less with --most.`,
	"service.publish.example": `  croft service publish heart --model heart-risk --price 0.01
  croft service publish chat --upstream http://127.0.0.1:11434/v1 --upstream-model llama3.2 --output 0.0001 --most 0.2
  croft service publish scans --upstream http://127.0.0.1:9000/read --task http --quote /price --most 5`,
	"service.publish.flag.model":         "the study whose model it serves",
	"service.publish.flag.onnx":          "a model file that another program wrote, as ONNX",
	"service.publish.flag.upstream":      "the server's address; several of them share the calls",
	"service.publish.flag.task":          "what the server does: chat, embed, http",
	"service.publish.flag.upstreammodel": "what the server calls its model (default: the service's name)",
	"service.publish.flag.credentials":   "a file with what the server wants in its Authorization header",
	"service.publish.flag.public":        "the server may be outside of this machine's own networks",
	"service.publish.flag.description":   "a sentence for those who look for it",
	"service.publish.flag.use":           "who may call: members (of the study), network, market (guests too), public",
	"service.publish.flag.price":         "credits for a call",
	"service.publish.flag.input":         "credits for a token read",
	"service.publish.flag.output":        "credits for a token written",
	"service.publish.flag.second":        "credits for a second of work",
	"service.publish.flag.most":          "credits that a call costs at most",
	"service.publish.flag.quote":         "the path of the server that says what a request would cost, such as /price; with --most",
	"service.publish.flag.free":          "free calls a day for each member",
	"service.publish.flag.inflight":      "calls at a time",
	"service.publish.flag.seconds":       "seconds until a call is given up",
	"service.publish.flag.bytes":         "bytes of the largest request",
	"service.publish.what":               "a service is one thing: a model of the network, a model file, or a server",
	"service.publish.what.fix":           "give --model STUDY, --onnx FILE or --upstream http://127.0.0.1:11434/v1",
	"service.publish.price.fix":          "give an amount such as 0.01",
	"service.publish.most":               "what a call costs depends on what it uses, and a voucher must promise some amount",
	"service.publish.most.fix":           "give the most that a call may cost: --most 0.5",
	"service.publish.quote":              "a price by quote is named by a server of yours, and is the whole price",
	"service.publish.quote.fix":          "give --upstream, --quote /price and --most 5, and no other price",
	"service.publish.done":               "✓ {0} is on the ledger: {1}; for {2}",
	"service.publish.next":               "Others: croft service call {0}. Here: croft wallet show tells what it earned.",

	"price.free":   "free",
	"price.call":   "{0} {0|credit|credits} a call",
	"price.quote":  "by quote, at most {0} {0|credit|credits} a call",
	"price.most":   "at most {0} {0|credit|credits} a call",
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
prints programs that call it: curl, Python, JavaScript, and for models grpcurl.`,
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
	"service.call.long": `Call asks a service: about the rows of a CSV or Parquet file, or with JSON (--data, or a file
that ends in .json). A model of the network answers at your own node, whose copy is checked
against the ledger; its provider is paid for the use, and the rows stay here.

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
	"service.call.flag.most":       "credits that you would pay at most; 0: free calls only",
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
	"service.call.paid":            "Paid {0} {0|credit|credits} to {1} (channel {2}, call {3}); {4} left in the channel.",
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
	"service.check.agrees":         "✓ {0} agrees ({1} {1|credit|credits})",
	"service.check.differs":        "✗ {0} says something else ({1} {1|credit|credits})",
	"service.check.abstains":       "  {0} gave no answer ({1} {1|credit|credits}): {2}",

	"service.stop.short": "withdraw a service, or stop serving a model",
	"service.stop.long": `Stop withdraws a service of yours from the ledger and serves it no longer. Calls in hand are
finished, and channels stay until somebody closes them: what was earned is paid.`,
	"service.stop.example": `  croft service stop heart`,
	"service.stop.done":    "✓ {0} is served no longer",

	"wallet.short": "credits, and the channels that calls are paid from",
	"wallet.long": `Credits are the community's own unit: issued by vote, moved between members, and for nothing
but services. A channel sets some of them aside for one provider; each call is a voucher on it.`,
	"wallet.channel":       "channel",
	"wallet.nodeposit":     "a channel needs a deposit",
	"wallet.nodeposit.fix": "croft wallet open SERVICE --deposit 10",
	"wallet.topup.fix":     "croft wallet topup CHANNEL --add 10",

	"wallet.show.short": "show all credits on one page",
	"wallet.show.long": `Show tells what is free, what is reserved in channels, what was earned and when it is paid.
A node claims what it earned by itself, once half of a deposit is due and at least daily.`,
	"wallet.show.example":   `  croft wallet show`,
	"wallet.show.sums":      "Free {0}\treserved {1}\tearned, not paid out yet {2}\t({3} in the whole network)",
	"wallet.show.head":      "CHANNEL\t\tOTHER END\tDEPOSIT\t\tSTATUS",
	"wallet.show.row":       "{0}\t{1}\t{2}\t{3}\t{4}\t{5}",
	"wallet.show.pays":      "pays",
	"wallet.show.sponsored": "pays, set aside by {0}",
	"wallet.show.earns":     "earns",
	"wallet.show.spent":     "spent {0}, left {1}",
	"wallet.show.earned":    "earned {0}, claimable {1}, paid {2}",
	"wallet.show.open":      "open",
	"wallet.show.until":     "{0}, pays after {1}",
	"wallet.show.none":      "No channel is open: croft wallet open SERVICE --deposit 10",
	"wallet.show.watcher":   "{0} watches for you while your node is off: {1}.",
	"wallet.show.told":      "it has what there was at {0}",
	"wallet.show.untold":    "its node has not answered since yours started",
	"wallet.show.watching":  "This node watches {0} for others.",
	"wallet.show.broke":     "The network has no credits yet. More than half of the members vote for them: croft wallet mint MEMBER --amount 100",

	"wallet.open.short": "set credits aside for calls of a provider",
	"wallet.open.long": `Open makes a channel to the provider of a service: a deposit that its calls are paid from.
What is left when it closes comes back. The window is the time for objections when one side
closes it alone; a provider may insist on more than it says.`,
	"wallet.open.example":      `  croft wallet open heart --deposit 10`,
	"wallet.open.flag.deposit": "credits to set aside",
	"wallet.open.flag.window":  "time for objections to a settlement, from 1m to 720h",
	"wallet.open.done":         "✓ {0} {0|credit is|credits are} set aside for {1} (channel {2})",
	"wallet.open.flag.payer":   "the payment key of the node whose calls it is for: croft wallet accept there tells it",
	"wallet.open.payer":        "a payment key has 64 hexadecimal digits",
	"wallet.open.payer.fix":    "whose calls you pay for finds it with croft wallet accept",
	"wallet.open.tell":         "Whose calls it is for says: croft wallet accept {0}",
	"wallet.open.next":         "Next: croft service call {0}",

	"wallet.accept.short": "pay from a channel that somebody else funds",
	"wallet.accept.long": `Somebody else can set credits aside for your calls. Without a channel, accept tells the payment
key that they need; with the channel's id, which they tell you, this node pays from it. What is left
in the end returns to who funded it.`,
	"wallet.accept.example": `  croft wallet accept
  croft wallet accept 9f3c21aa9f3c21aa9f3c21aa9f3c21aa9f3c21aa9f3c21aa9f3c21aa9f3c21aa`,
	"wallet.accept.key":  "Who sets credits aside for your calls says: croft wallet open SERVICE --deposit 10 --payer {0}",
	"wallet.accept.done": "✓ Calls of {0} are paid from {1} {1|credit|credits} that {2} set aside",

	"wallet.topup.short":    "put more into a channel",
	"wallet.topup.long":     `Topup raises the deposit of a channel that is not closing.`,
	"wallet.topup.example":  `  croft wallet topup 9f3c21aa --add 10`,
	"wallet.topup.flag.add": "credits to add",
	"wallet.topup.done":     "✓ Channel {0} has a deposit of {1} {1|credit|credits}",

	"wallet.close.short": "end a channel",
	"wallet.close.long": `Close ends a channel: the provider gets what is due, the rest returns. If both nodes are up
that takes a moment; if the other end is silent, as long as the channel's window. A channel is
named by its id, or by the member at its other end.`,
	"wallet.close.example": `  croft wallet close 9f3c21aa
  croft wallet close "Clinic A"`,
	"wallet.close.done":  "✓ Channel {0} is closed: {1} {1|credit was|credits were} paid, {2} returned",
	"wallet.close.waits": "✓ Channel {0} is closing: it ends when {1}'s node agrees, or when its window has passed",

	"wallet.receipts.short":   "list the latest calls",
	"wallet.receipts.long":    `Receipts lists the latest calls that this node made or answered, with what each cost.`,
	"wallet.receipts.example": `  croft wallet receipts`,
	"wallet.receipts.none":    "There were no paid calls yet.",
	"wallet.receipts.head":    "TIME\tSERVICE\tCALL\tOUTCOME\tCREDITS\t",
	"wallet.receipts.row":     "{0}\t{1}\t{2}\t{3}\t{4}\t{5}",
	"wallet.receipts.both":    "both signed",

	"wallet.send.short": "send credits to a member or guest",
	"wallet.send.long": `Send moves free credits from this member's account to another. It costs nothing, and
nobody but the one who has them can send them back.

The ledger takes each of your transfers' numbers once. If a send was cut off and you do not know
whether it counts, give its number: it is never sent twice.`,
	"wallet.send.example":     `  croft wallet send "Clinic A" --amount 5`,
	"wallet.send.flag.amount": "credits to send",
	"wallet.send.flag.number": "the number of a transfer that was cut off",
	"wallet.send.noamount":    "a transfer names an amount",
	"wallet.send.fix":         "croft wallet send MEMBER --amount 5",
	"wallet.send.ask":         "Send {0} of your {1} free {1|credit|credits} to {2}? [y/N]",
	"wallet.send.done":        "✓ {0} {0|credit was|credits were} sent to {1}; {2} are free",
	"wallet.send.counted":     "your transfer number {0} is on the ledger already; nothing is sent twice",
	"wallet.send.early":       "your next transfer has the number {1}; {0} is not its turn",
	"wallet.send.again":       "Whether it counts is not known yet. This says the same again, and never sends twice: croft wallet send {0} --amount {1} --number {2}",

	"wallet.watch.short": "choose who objects for you while your node is off",
	"wallet.watch.long": `When the other end of a channel asks the ledger to settle with an old number, your node shows the
newer one, as long as it is on before the window ends. Watch hands what speaks for you to other
members' nodes, now, every ten seconds and when yours stops: while it is off, they show it.

They see amounts and hashes, no request and no answer, and can change nothing of what they hold.
Choose members that are not at the other end of your channels. The names replace those before.`,
	"wallet.watch.example":   `  croft wallet watch "Clinic A"`,
	"wallet.watch.flag.none": "nobody watches any more",
	"wallet.watch.who":       "watch names from one to four members, or --none",
	"wallet.watch.fix":       "croft wallet watch MEMBER",
	"wallet.watch.self":      "your own node watches for itself while it is on",
	"wallet.watch.done":      "✓ {0} watches for you: its node has all there is",
	"wallet.watch.away":      "{0}'s node does not answer: it is told once it does",
	"wallet.watch.ended":     "✓ Nobody watches for you any more. What they have they keep until the channels end.",

	"wallet.mint.short": "vote for new credits",
	"wallet.mint.long": `Mint casts this member's vote for new credits on somebody's account. They are there when a
majority of the members has cast the same vote: same member, same amount.`,
	"wallet.mint.example":     `  croft wallet mint "Clinic A" --amount 100`,
	"wallet.mint.flag.amount": "credits to issue",
	"wallet.mint.fix":         "croft wallet mint MEMBER --amount 100",
	"wallet.mint.ask":         "Vote for {0} new {0|credit|credits} for {1}? [y/N]",
	"wallet.mint.done":        "✓ {0} {0|credit was|credits were} issued to {1}",
	"wallet.mint.waits":       "✓ Your vote for {0} {0|credit|credits} for {1} is cast; {2} still needed. The others say the same: croft wallet mint {3} --amount {0}",
	"wallet.mint.asked":       "{0} new {0|credit|credits} for {1}, asked for by {2}: {3} of {4} votes.",
	"wallet.mint.agree":       "To agree: croft wallet mint {1} --amount {0}",

	"wallet.burn.short": "vote to take credits back",
	"wallet.burn.long": `Burn casts this member's vote that credits go from somebody's account, and from the network. They
do when a majority of the members has cast the same vote, if as many are free there: what is set
aside in channels stays.`,
	"wallet.burn.example":     `  croft wallet burn "Clinic A" --amount 40`,
	"wallet.burn.flag.amount": "credits to take back",
	"wallet.burn.fix":         "croft wallet burn MEMBER --amount 40",
	"wallet.burn.ask":         "Vote that {0} {0|credit|credits} of {1} {0|goes|go}? [y/N]",
	"wallet.burn.done":        "✓ {0} {0|credit|credits} of {1} {0|is|are} gone",
	"wallet.burn.waits":       "✓ Your vote that {0} {0|credit|credits} of {1} {0|goes|go} is cast; {2} still needed. The others say the same: croft wallet burn {3} --amount {0}",
	"wallet.burn.asked":       "{0} {0|credit|credits} of {1} {0|is|are} to go, asked for by {2}: {3} of {4} votes.",
	"wallet.burn.agree":       "To agree: croft wallet burn {1} --amount {0}",

	"wallet.several":     "several channels are called {0}",
	"wallet.several.fix": "name the one you mean by its id: croft wallet show",
	"wallet.noamount":    "a vote on credits names an amount",

	"apikey.short": "keys for programs on this machine",
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
}
