package croft

// The catalogue: every failure that a person can meet, in one place, ready to be
// translated. Each has a stable code, a kind, a sentence that says what happened
// and why, and what to do next. {0}, {1} … are the arguments given to E.
//
// Ranges: 1xxx general · 2xxx data and study files · 3xxx private sums and plans
// · 4xxx ledger rules · 5xxx node, network, disk · 6xxx studies at a site
// · 7xxx audit · 8xxx payments. A number is given once: _ keeps the place of
// one that no longer happens.

// General.
const (
	ErrInternal Code = 1000 + iota
	ErrEncoding
	ErrUsage
	ErrNotFound
	ErrInterrupted
	ErrTimeout
	ErrConflict
)

// Data and study files (table, data, study files).
const (
	ErrFileOpen Code = 2000 + iota
	ErrQuoting
	ErrHeader
	ErrColumnMissing
	ErrRowWidth
	ErrLineTooLong
	ErrNotNumber
	ErrValueRange
	ErrLevelUnknown
	_
	ErrMissingValue
	ErrTooManyRows
	ErrNoRows
	ErrStudyFile
	ErrStudyValue
	ErrPublicData
	ErrFileMissing
	ErrFileWrite
	ErrView
	ErrResource
	ErrNotCount
	ErrParquet
	ErrOtherHeader
	ErrHost
	ErrFetch
	ErrNoPerson
)

// Private sums and plans (tensor, privagg, fed).
const (
	ErrOverflow Code = 3000 + iota
	ErrShape
	ErrProfile
	ErrBox
	ErrCommitment
	ErrTooFewShares
	ErrShareMismatch
	ErrOneClass
	ErrSeparation
	ErrNoConvergence
	ErrConstant
	ErrEngine
	ErrCollinear
	ErrNoContrast
	ErrSum
	ErrSealed
	ErrReport
	ErrEntitled
	ErrSumBound
	ErrProof
	ErrTotal
	ErrUnbounded
	ErrFewTell
)

// Rules of the ledger: why a transaction has no effect.
const (
	ErrTxSignature Code = 4000 + iota
	ErrTxScope
	ErrTxTooLarge
	ErrTxRights
	ErrTxOrder
	ErrTxStopped
	ErrTxUnknown
	_
	ErrTxDuplicate
	ErrTxBudget
	ErrTxCohort
	ErrTxStudy
	ErrTxQuota
	ErrInvite
	ErrTxCredits
	ErrTxChannel
	ErrTxService
)

// Node, network, disk.
const (
	ErrFolder Code = 5000 + iota
	ErrFolderUsed
	ErrKeyFile
	ErrPortUsed
	ErrDiskFull
	ErrNodeDown
	ErrNoQuorum
	ErrPeer
	ErrBlob
	ErrRunning
	ErrStoreCorrupt
	ErrTooLarge
	ErrInviteCode
	ErrNotAdmitted
	ErrGenesis
	ErrNoNode
	ErrClock
	ErrStuck
	ErrPassphrase
	ErrNoPassphrase
	ErrRecoveryKey
	ErrBackup
	ErrCopyRuns
	ErrRestored
	ErrUnwell
	ErrRescue
	ErrChain
	ErrAutostart
	ErrLied
	ErrLight
	ErrSettings
	ErrInviter
)

// Studies at a site.
const (
	ErrNotApproved Code = 6000 + iota
	ErrDiffers
	ErrExpired
	ErrPolicy
	ErrDataChanged
	ErrWithheld
	_
	ErrUse
	ErrStopped
	ErrNotSigned
	ErrNotSite
	ErrNoDataset
	ErrKeyLost
	ErrExport
	ErrDataGone
)

// Audit.
const (
	ErrAudit Code = 7000 + iota
)

// Payments.
const (
	ErrVoucher Code = 8000 + iota
	ErrCallNumber
	ErrOwed
	ErrChannelEmpty
	ErrChannelClosed
	ErrInFlight
	ErrReceipt
	ErrTillBusy
	ErrNoChannel
	ErrBusy
	ErrEngineFailed
	ErrRequest
	ErrAnswered
	ErrRemote
	ErrAPIKey
	ErrSpendCap
	ErrNotServed
	ErrUnproven
	ErrQuote
	ErrDear
)

type entry struct {
	kind       Kind
	what, next string
}

var catalogue = map[Code]entry{
	ErrInternal:    {Internal, "something went wrong that should not: {0}", "please report it with the output of the same command and --json"},
	ErrEncoding:    {Invalid, "these bytes are not a {0}: {1}", "get the file or message again from where it came"},
	ErrUsage:       {Usage, "{0}", "{1}"},
	ErrNotFound:    {NotFound, "there is no {0} called {1}", "see what there is: {2}"},
	ErrInterrupted: {Interrupted, "stopped on request", "run the same command again"},
	ErrTimeout:     {Timeout, "not finished after {0}", "run the same command again, which goes on from where this one was; or wait longer with --timeout"},
	ErrConflict:    {Conflict, "{0}", "{1}"},

	ErrFileOpen:      {Invalid, "cannot read {0}: {1}", "check the path and that you may read the file"},
	ErrQuoting:       {Invalid, "{0}, line {1}: a quoted value does not end or a quote stands inside a value", "close the quote, and write a quote inside a value as two"},
	ErrHeader:        {Invalid, "{0}: the first line is not a header: {1}", "put each column's name in the first line, each name once"},
	ErrColumnMissing: {Invalid, "{0} has no column {1}", "give the column that name in the first line of the file, or name another column"},
	ErrRowWidth:      {Invalid, "{0}, line {1}: {2} values where the header names {3} columns", "correct the line; often a separator stands inside an unquoted value"},
	ErrLineTooLong:   {Invalid, "{0}, line {1}: longer than {2} bytes", "check that the file is a CSV with one row a line"},
	ErrNotNumber:     {Invalid, "{0}, line {1}, column {2}: {3} is not a number", "correct the value, or declare it under missing in the study file"},
	ErrValueRange:    {Invalid, "{0}, line {1}, column {2}: {3} is outside the declared range {4} to {5}", "correct the value; if it is right, the study's range must be widened and approved again"},
	ErrLevelUnknown:  {Invalid, "{0}, line {1}, column {2}: {3} is not one of the declared levels {4}", "correct the value, or add the level to the study file and have it approved again"},
	ErrMissingValue:  {Invalid, "{0}, line {1}, column {2}: no value, and the study has no rule for a missing one", "fill it in, or give the column a missing rule in the study file"},
	ErrTooManyRows:   {Invalid, "{0} has more than {1} rows", "split the file into datasets of their own"},
	ErrNoRows:        {Invalid, "{0} has {1} usable rows; at least {2} are needed", "check the missing-value rules and the site's policy"},
	ErrStudyFile:     {Invalid, "{0}, line {1}, column {2}: {3}", "correct the line; croft study new --from data.csv writes a correct file to compare"},
	ErrStudyValue:    {Invalid, "{0}: {1}: {2}", "correct the value; croft study new --from data.csv writes a correct file to compare"},
	ErrPublicData:    {NotFound, "{0} is not here: the program does not bring this published data along", "put {1} from {2} into that folder"},
	ErrFileMissing:   {NotFound, "there is no file {0}", "check the path"},
	ErrFileWrite:     {Invalid, "cannot write {0}: {1}", "name another file, in a folder that is there and that you may write to"},
	ErrView:          {Invalid, "{0} is not a view that can be run: {1}", "correct it; docs/ref/fhir.md says what a view may hold"},
	ErrResource:      {Invalid, "{0}, line {1}: {2}", "correct the resource or export it again; if the view is at fault, docs/ref/fhir.md says what its paths mean"},
	ErrHost:          {Denied, "{0} is not an https address of a host that you allowed", "allow the host with --allow-host HOST, if it is yours"},
	ErrFetch:         {Unavailable, "{0} could not be fetched: {1}", "run the command again: what has arrived is kept, and it goes on from there"},
	ErrNoPerson:      {Invalid, "{0}, line {1}: column {2} must say whose row it is, and has {3}", "write who it is, or take the row out of the file"},
	ErrOtherHeader:   {Invalid, "{0} has other columns than {1}, or has them in another order", "the files of one dataset share one header: make them alike, or add them as two datasets"},
	ErrParquet:       {Invalid, "{0} is not a Parquet file that can be read: {1}", "write it again, or save it as CSV UTF-8"},
	ErrNotCount:      {Invalid, "{0}, column {1}: {2} is not a whole number, and the study counts it", "correct the value; for a measurement set family = \"linear\""},

	ErrOverflow:      {Invalid, "block {0}, number {1}: {2} does not fit below the bound of {3}", "the vector would exceed its approved bound and nothing was sent; check the data's units and the declared ranges"},
	ErrShape:         {Invalid, "{0} has {1} elements, expected {2}", "both sides must run the same plan: check their versions with croft version"},
	ErrProfile:       {Invalid, "no profile {0} for {1} seats", "use majority or strict with 3 to 9 seats"},
	ErrBox:           {Invalid, "seat {0}: the box cannot be opened", "the seat asks the others for its seeds by itself"},
	ErrCommitment:    {Invalid, "part {0}: the seed does not match its commitment", "the seat asks the others for its seeds by itself"},
	ErrTooFewShares:  {Unavailable, "{0} shares of the sum are here, {1} are needed", "wait for the seats that are away: croft study watch STUDY"},
	ErrShareMismatch: {Corrupt, "the shares of the sum do not lie on one polynomial: at least one seat lies", "wait for one more seat, then the liar is named; nothing is published until then"},
	ErrOneClass:      {Invalid, "the whole network has only one class of the label {0}", "check the label and its positive level in the study file, or ask sites that have both classes; then propose it anew"},
	ErrSeparation:    {Invalid, "column {0} separates the classes: its odds ratio has no finite estimate", "remove the column, set family = \"firth\", or set goal = \"prediction\""},
	ErrNoConvergence: {Invalid, "no convergence after {0} rounds", "raise max_rounds, or use fewer columns"},
	ErrConstant:      {Invalid, "column {0} has the same value in every row of the network", "remove the column from the study"},
	ErrEngine:        {Invalid, "the study needs plan engine {0}; this node has {1}", "upgrade this node, or decline the study"},
	ErrCollinear:     {Invalid, "column {0} follows from the other columns: it has no estimate of its own", "remove one of them from the study"},
	ErrNoContrast:    {Invalid, "every site has only one class of the label {0}: site intercepts alone explain it", "set intercepts = \"common\", or ask sites that have both classes"},
	ErrSum:           {Corrupt, "no honest reports have the sum of step {0}: {1}", "a site's report is wrong; nothing was computed from it: check that all sites run the same version"},
	ErrSealed:        {Invalid, "a sealed message cannot be opened: {0}", "the node asks its sender again by itself"},
	ErrReport:        {Invalid, "a report cannot be used: {0}", "the site sends it again by itself; until then it does not count"},
	ErrEntitled:      {Denied, "seat {0} may not hold part {1}", "nothing was sent; a seat asks only for parts that it was dealt"},
	ErrSumBound:      {Corrupt, "number {0} of the sum is {1}, more than {2} sites can add up to", "a site sent a vector outside its bound; nothing is published"},
	ErrProof:         {Invalid, "the proof of a report does not hold: {0}", "no sum is opened with this report, and its site is named; it must run the same version and keep to the approved bound"},
	ErrTotal:         {Invalid, "{0}: the values of all sites add up to more than {1}", "count or weigh in a larger unit, or ask fewer sites"},
	ErrUnbounded:     {Invalid, "column {0}: its coefficient grows for ever, for some of its values have no events", "remove the column, merge its rare levels, or set goal = \"prediction\""},
	ErrFewTell:       {Invalid, "only {0} of the sites have rows that differ in {1}: with an intercept of its own for each site, the sums would be theirs alone", "ask more sites that have both classes or events, or set intercepts = \"common\""},

	ErrTxSignature: {Denied, "the transaction's signature does not fit its key", "sign it again with the key that the ledger knows"},
	ErrTxScope:     {Denied, "the transaction is for another network or chain", "check --dir: this folder belongs to another network"},
	ErrTxTooLarge:  {Invalid, "the transaction has {0} bytes; at most {1} are allowed", "put the content in a blob and its hash on the ledger"},
	ErrTxRights:    {Denied, "{0} may not do this: {1}", "see who is a member: croft member ls; ask one who may"},
	ErrTxOrder:     {Conflict, "too late or too early: {0}", "see where the study stands: croft study show STUDY"},
	ErrTxStopped:   {Denied, "the network is stopped by vote", "members resume it by vote: croft network resume"},
	ErrTxUnknown:   {NotFound, "the ledger has no {0} {1}", "check the name: croft study ls"},
	ErrTxDuplicate: {Conflict, "{0} is on the ledger already, with other content", "the first one counts; nothing was changed"},
	ErrTxBudget:    {Exhausted, "the owner allowed {0} sums over these people, {1} are used", "the owner may raise the cap: croft data add FILE --unit COLUMN --releases N"},
	ErrTxCohort:    {Denied, "the set of sites differs from that of an earlier sum by {0}; 0 or at least {1} are allowed", "two sums that differ by one site show that site's numbers: start with the same sites"},
	ErrTxStudy:     {Invalid, "the study cannot be put on the ledger: {0}", "correct the study file; where members are too few, invite more: croft invite create"},
	ErrTxQuota:     {Exhausted, "{0} has {1} transactions waiting for the next block; no more are taken", "the node hands them in again by itself"},

	ErrInvite:    {Denied, "the invite cannot be used: {0}", "ask who invited you for a new code: croft invite create; what became of the old one croft invite ls says there"},
	ErrTxCredits: {Exhausted, "{0} has {1} {1|credit|credits} free, {2} are needed", "the members issue new ones by vote: croft wallet mint MEMBER --amount 100; or close a channel that is no longer used: croft wallet close; or take less"},
	ErrTxChannel: {Conflict, "the channel cannot do this: {0}", "look at the channel as the ledger has it; nothing was changed"},
	ErrTxService: {Invalid, "the service cannot be published: {0}", "correct its description and publish it again"},

	ErrFolder:       {Invalid, "cannot use the folder {0}: {1}", "choose a folder that you own and may write to: --dir"},
	ErrFolderUsed:   {Conflict, "{0} holds a node already", "use another folder with --dir; nothing was changed"},
	ErrKeyFile:      {Denied, "the key file {0} cannot be used: {1}", "it must be a regular file with mode 0600 in a folder with mode 0700"},
	ErrPortUsed:     {Unavailable, "port {0} is in use", "stop the other program, or choose another port: croft up --listen and --page"},
	ErrDiskFull:     {Unavailable, "less than {0} MB are free on the disk of {1}", "free some space, then run it again: a node that stopped goes on from where it was, and nothing is left half-written"},
	ErrNodeDown:     {Unavailable, "no node is running in {0}", "start it: croft up"},
	ErrNoQuorum:     {Unavailable, "the ledger does not move: {0}", "start the nodes that are away"},
	ErrPeer:         {Unavailable, "cannot reach {0}: {1}", "check that its node is up: croft status"},
	ErrBlob:         {Unavailable, "no reachable member has the blob {0}", "start a node that had it"},
	ErrRunning:      {Conflict, "a node is running in {0} already", "use it, or stop it: croft down"},
	ErrStoreCorrupt: {Corrupt, "{0} is damaged: {1}", "restore the folder from a backup, or join again with an empty one"},
	ErrTooLarge:     {Invalid, "{0} bytes are more than the {1} that one message, blob or document may have", "use fewer columns or a smaller model"},
	ErrNoNode:       {NotFound, "there is no node in {0}", "croft up --name \"Clinic A\" makes one and starts it; or name a node's folder with --dir"},
	ErrClock:        {Unavailable, "this machine's clock is behind: the network was founded at {0} UTC, and here it is {1} UTC", "set the clock, then start the node again; a service does so by itself"},
	ErrStuck:        {Internal, "a part of the node did not stop within {1}: {0}", "nothing is lost, the next start goes on from the last block; please report it with the lines before this one"},
	ErrInviteCode:   {Invalid, "this is not an invite code: {0}", "copy the whole code again, from croft1 to its last character"},
	ErrPassphrase:   {Denied, "this passphrase does not open it", "type it again; nobody can find it out, but an older backup may have the key with another one, or with none"},
	ErrNoPassphrase: {Denied, "{0} needs a passphrase, and there is no terminal to ask for it", "give a file that holds it: --passphrase-file, or $CROFT_PASSPHRASE_FILE; for croft backup now and croft key passphrase, one with the new passphrase: --new-passphrase-file"},
	ErrRecoveryKey:  {Invalid, "this is not the recovery key: {0}", "type the groups on the recovery page again; each backup opens with the page that was the latest when it was made"},
	ErrBackup:       {Corrupt, "{0} cannot be used as a backup: {1}", "take another one: croft backup ls, then croft backup test FILE"},
	ErrCopyRuns:     {Conflict, "{0} is connected to another copy of this node: two copies of one key would vote twice", "use that one, or stop it for good and start this one; if it lost its power just now, wait two minutes"},
	ErrRestored:     {Pending, "the keys in {0} came from a backup or were copied, and the folder has not caught up with the network yet", "start it with croft up: it fetches the ledger from the others first"},
	ErrNotAdmitted:  {Pending, "{0} is not admitted to the network yet: {1}", "ask the members to vote: croft member approve; to wait for them, run croft join with your code again"},
	ErrGenesis:      {Corrupt, "the genesis of the inviter's node is not that of the network in the code", "do not join: somebody else answers there; ask who invited you, by telephone, for a new code: croft invite create"},
	ErrUnwell:       {Invalid, "doctor found what has to be mended, in {0} of its checks", "do what stands after each arrow, then croft doctor again"},
	ErrRescue:       {Denied, "the network cannot be rescued like this: {0}", "{1}"},
	ErrChain:        {Conflict, "{0} is on the chain {1} and this node on {2}: the network was rescued, and one of the two has not changed over", "on the one that has not: croft network rescue CODE, with the code that croft network show prints on the other"},
	ErrAutostart:    {Unavailable, "the system did not take the service: {0}: {1}", "do that by hand and see why; or start the node at each login with croft up --detach"},
	ErrLied:         {Corrupt, "what {0}'s node says is not proved: {1}", "nothing of it was believed, and other members' nodes are asked first; tell {0}"},
	ErrLight:        {Denied, "this node is light: {0}", "{1}"},
	ErrSettings:     {Invalid, "{0} is not as croft up wrote it: {1}", "mend it, or forget all of it: croft settings unset all"},

	ErrInviter: {Unavailable, "cannot reach the node of who invited you: {0}", "ask who invited you to start it, or what croft doctor says there; then the same croft join again, or with a new code if its address has changed"},

	ErrNotApproved: {Pending, "{0} has not approved study {1}", "a person decides: croft study show STUDY, then croft study approve STUDY or croft study decline STUDY"},
	ErrDiffers:     {Denied, "the study differs from what was approved: {0}", "read it again: croft study show; approve it again if you agree"},
	ErrExpired:     {Denied, "the approval of {0} expired at {1}", "approve it again if you still agree"},
	ErrPolicy:      {Denied, "this site's policy refuses: {0}", "nothing was sent; the owner's rules for registered data stand in croft data card NAME"},
	ErrDataChanged: {Denied, "the file {0} changed since it was registered", "register the new version: croft data add; the study must be approved again"},
	ErrWithheld:    {Denied, "withheld: {0}", "the site has too few people for this study; nothing was sent"},
	ErrUse:         {Denied, "the study allows its result for {0}, not for {1}", "its sites would have to agree: {2}"},

	ErrStopped:   {Denied, "study {0} ended without a model: {1}", "croft study show says why; a new study may be proposed"},
	ErrNotSigned: {Pending, "nothing was signed", "the same command asks again"},
	ErrNotSite:   {Denied, "study {0} does not ask for your rows: you are not one of its sites", "see which sites it has: croft study show {1}"},
	ErrNoDataset: {NotFound, "you have no dataset with all columns of study {0} in which {1} tells people apart: {2}", "see what there is: croft data ls; add one: croft data add FILE.csv --unit {1}"},
	ErrKeyLost:   {Unavailable, "this site's key for study {0} is gone: the study had begun when the folder was lost, and no backup holds such keys", "propose the study anew"},
	ErrExport:    {Denied, "the study {0} does not allow its model to be saved as a file", "its sites would have to agree: propose a new study with export = true under [result]"},
	ErrDataGone:  {NotFound, "the file {0}, which is registered, is not there any more", "put it back; or register it where it is now: croft data add FILE.csv"},

	ErrAudit: {Corrupt, "audit: {0}", "keep this copy, and ask another member for theirs: croft audit export"},

	ErrVoucher:       {Invalid, "the voucher cannot be taken: {0}", "nothing was paid; ask for a quote and make a new voucher"},
	ErrCallNumber:    {Conflict, "call {0} of the channel cannot be made: {1}", "ask the provider where the channel stands, and number calls on from there"},
	ErrOwed:          {Exhausted, "the vouchers that arrived promise {0} {0|credit|credits}, {1} are needed with this call", "send the vouchers that are missing, or promise more"},
	ErrChannelEmpty:  {Exhausted, "the channel has {0} {0|credit|credits} left, the call may cost {1}", "put more into the channel, or open another"},
	ErrChannelClosed: {Denied, "the channel is closing: it takes no more calls", "open another channel"},
	ErrInFlight:      {Exhausted, "calls for {0} {0|credit|credits} are waiting for their receipts; with this one more than the {1} that you would lose at most", "wait for answers, give calls up, or raise the limit"},
	ErrReceipt:       {Invalid, "the receipt cannot be taken: {0}", "keep it; if the provider does not mend it, close the channel"},
	ErrTillBusy:      {Unavailable, "the provider is working on {0} calls of this channel", "wait for answers, then try again"},
	ErrNoChannel:     {Exhausted, "no channel to {0} can pay {1} {1|credit|credits} for a call of {2}", "put credits aside for it: croft wallet open {2} --deposit 10"},
	ErrBusy:          {Unavailable, "{0} has as many calls in hand as it takes", "try again in a moment; nothing was paid"},
	ErrEngineFailed:  {Unavailable, "the engine behind {0} failed: {1}", "nothing was paid; try again later, or ask its provider"},
	ErrRequest:       {Invalid, "the request cannot be used: {0}", "see what the service takes: croft service show"},
	ErrAnswered:      {Conflict, "call {0} was made before, and its answer is not kept", "make a new call"},
	ErrRemote:        {Denied, "this would send {0} to {1}", "{2}"},
	ErrAPIKey:        {Denied, "this API key cannot be used: {0}", "make one: croft apikey create NAME"},
	ErrSpendCap:      {Exhausted, "a call of {2} may cost {3} {3|credit|credits}; of the {0} that the API key may spend {1} are left", "make a key with a higher cap: croft apikey create NAME --cap 50"},
	ErrNotServed:     {Unavailable, "{0} is on the ledger and its provider's node does not serve it: {1}", "ask the provider: it starts it with croft service publish"},
	ErrUnproven:      {Invalid, "no answer of {0} holds: {1}", "see what each provider said; what was paid is not returned"},
	ErrQuote:         {Conflict, "the quote cannot be used: {0}", "ask again: the price may have changed; nothing was paid"},
	ErrDear:          {Exhausted, "a call of {0} may cost {1} {1|credit|credits}, and you would pay at most {2}", "agree to more, or ask another provider: croft service ls"},
}

// Next returns the advice of err's code, or "" if it has none.
func Next(err error) string {
	if e, ok := asError(err); ok {
		return e.Next()
	}
	return ""
}
