package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"croft"
	"croft/internal/api"
	"croft/internal/keys"
	"croft/internal/ledger"
	"croft/internal/node"
)

// cli is what every verb has: where it reads and writes, and the flags that all
// share. Results go to out, everything else to errs.
type cli struct {
	in        io.Reader
	out, errs io.Writer

	dir              string
	passphraseFile   string
	json, quiet, yes bool
	timeout          time.Duration

	client  *api.Client   // of the node in dir
	lines   *bufio.Reader // over in
	running bool          // a verb began: what fails before is the words of the command
}

func init() { cobra.EnableCommandSorting = false } // help lists verbs in the order in which people need them

// run parses a command line and runs its verb.
func (c *cli) run(ctx context.Context, args []string) error {
	root := c.root()
	root.SetArgs(args)
	for _, arg := range args { // also when the flags cannot be read: the failure is JSON then
		if arg == "--json" {
			c.json = true
		}
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !c.running && croft.CodeOf(err) == croft.ErrInternal {
		return misuse(cmd, err)
	}
	return err
}

// root is the whole tree of commands.
func (c *cli) root() *verb {
	root := c.noun("croft",
		c.demoVerb(), c.initVerb(), c.joinVerb(), c.upVerb(), c.downVerb(), c.pauseVerb(), c.resumeVerb(), c.statusVerb(), c.doctorVerb(), c.reportVerb(),
		c.noun("invite", c.inviteCreateVerb(), c.inviteLsVerb()),
		c.noun("member", c.memberLsVerb(), c.memberApproveVerb(), c.memberRevokeVerb()),
		c.noun("network", c.networkShowVerb(), c.networkStopVerb(), c.networkResumeVerb(), c.networkRescueVerb()),
		c.noun("net", c.netPeersVerb(), c.netTestVerb()),
		c.noun("data", c.dataAddVerb(), c.dataLsVerb(), c.dataCardVerb()),
		c.noun("study", c.studyNewVerb(), c.studyMockVerb(), c.studyPreflightVerb(), c.studyProposeVerb(), c.studyLsVerb(), c.studyShowVerb(), c.studyDiffVerb(), c.studyCloneVerb(), c.studyApproveVerb(),
			c.studyDeclineVerb(), c.studyWithdrawVerb(), c.studyWatchVerb(), c.studyResultVerb(), c.studyWorthVerb()),
		c.noun("model", c.modelShowVerb(), c.modelPredictVerb(), c.modelExportVerb(), c.modelServeVerb()),
		c.noun("service", c.servicePublishVerb(), c.serviceLsVerb(), c.serviceSearchVerb(), c.serviceShowVerb(), c.serviceCallVerb(), c.serviceCheckVerb(), c.serviceStopVerb()),
		c.noun("wallet", c.walletShowVerb(), c.walletOpenVerb(), c.walletAcceptVerb(), c.walletTopupVerb(), c.walletCloseVerb(), c.walletReceiptsVerb(), c.walletSendVerb(), c.walletWatchVerb(), c.walletMintVerb(), c.walletBurnVerb()),
		c.noun("apikey", c.apikeyCreateVerb(), c.apikeyLsVerb(), c.apikeyRevokeVerb()),
		c.noun("key", c.keyPassphraseVerb(), c.keyRecoveryVerb()),
		c.noun("settings", c.settingsShowVerb(), c.settingsUnsetVerb()),
		c.noun("backup", c.backupNowVerb(), c.backupLsVerb(), c.backupTestVerb(), c.backupRestoreVerb()),
		c.noun("audit", c.auditLogVerb(), c.auditVerifyVerb(), c.auditExportVerb()),
		c.noun("bench", c.benchCompareVerb(), c.benchHeartVerb(), c.benchMarketVerb(), c.benchPrivaggVerb()),
		c.completionVerb(), c.versionVerb(),
	)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Version = "see build()" // cobra's sign that there is a --version
	root.SetVersionTemplate(build().line() + "\n")
	root.CompletionOptions.DisableDefaultCmd = true // ours has words
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.errs)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misuse(cmd, err) })
	flags := root.PersistentFlags()
	flags.StringVar(&c.dir, "dir", defaultDir(), say("flag.dir"))
	flags.BoolVar(&c.json, "json", false, say("flag.json"))
	flags.BoolVarP(&c.quiet, "quiet", "q", false, say("flag.quiet"))
	flags.BoolVarP(&c.yes, "yes", "y", false, say("flag.yes"))
	flags.DurationVar(&c.timeout, "timeout", 0, say("flag.timeout"))
	c.passphraseFlag(root)
	return root
}

// oneDash is what is said of the letters of a flag that lacks a dash.
var oneDash = regexp.MustCompile(`^unknown shorthand flag: .* in -([a-z-]{2,})$`)

// misuse says that the words of a command are off, and where its help is.
func misuse(cmd *verb, err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if m := oneDash.FindStringSubmatch(first); m != nil && cmd.Flag(m[1]) != nil {
		first = say("flag.onedash", m[1])
	} else if given, _, ok := strings.Cut(first, " flag: time: "); ok {
		first = say("flag.duration", given)
	}
	return croft.E(croft.ErrUsage, first, cmd.CommandPath()+" --help")
}

// noun is a command that only holds verbs. Its words are in the catalogue.
func (c *cli) noun(name string, verbs ...*verb) *verb {
	cmd := &cobra.Command{Use: name, Short: say(name + ".short"), Long: say(name + ".long"), Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			fix := cmd.CommandPath() + " --help"
			cmd.SuggestionsMinimumDistance = 2
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				fix = say("near", cmd.CommandPath()+" "+near[0])
			}
			return croft.E(croft.ErrUsage, say("nocommand", fmt.Sprintf("%.80q", cmd.CommandPath()+" "+args[0])), fix)
		}}
	cmd.AddCommand(verbs...)
	return cmd
}

// A verb is a command. This file alone knows whose library they are of.
type verb = cobra.Command

// run is what a verb does, with the arguments that it takes.
type run struct {
	args cobra.PositionalArgs
	do   func(ctx context.Context, args []string) error
}

func none(do func(ctx context.Context) error) run {
	return run{cobra.NoArgs, func(ctx context.Context, _ []string) error { return do(ctx) }}
}

func one(do func(ctx context.Context, arg string) error) run {
	return run{cobra.ExactArgs(1), func(ctx context.Context, args []string) error { return do(ctx, args[0]) }}
}

func some(least, most int, do func(ctx context.Context, args []string) error) run {
	return run{cobra.RangeArgs(least, most), do}
}

const many = math.MaxInt

// verb is a command that does something: use is its name and arguments. Its words are
// in the catalogue under key.
func (c *cli) verb(key, use string, r run) *verb {
	return &verb{Use: use, Short: say(key + ".short"), Long: say(key + ".long"), Example: say(key + ".example"), Args: inWords(use, r.args),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.running = true
			ctx := cmd.Context()
			if c.timeout > 0 {
				within, cancel := context.WithTimeoutCause(ctx, c.timeout, croft.E(croft.ErrTimeout, c.timeout))
				defer cancel()
				ctx = within
			}
			return r.do(ctx, args)
		}}
}

// inWords says what a command wants where its arguments are too few or too many.
func inWords(use string, args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if args(cmd, given) == nil {
			return nil
		}
		_, wants, _ := strings.Cut(use, " ")
		wants, _, _ = strings.Cut(wants, "--")
		if wants = strings.TrimSpace(wants); wants == "" {
			return errors.New(say("args.none", cmd.CommandPath(), fmt.Sprintf("%.80q", given[0])))
		}
		return errors.New(say("args.wants", cmd.CommandPath(), wants, len(given)))
	}
}

// defaultDir is where a node's folder is unless --dir says otherwise: $CROFT_DIR,
// or croft in the place where this system keeps a user's data.
func defaultDir() string {
	if dir := os.Getenv("CROFT_DIR"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "croft"
	}
	switch runtime.GOOS {
	case "windows":
		if local := os.Getenv("LocalAppData"); local != "" {
			return filepath.Join(local, "croft")
		}
		return filepath.Join(home, "AppData", "Local", "croft")
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "croft")
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "croft")
	}
	return filepath.Join(home, ".local", "share", "croft")
}

// result writes what a verb found: as one JSON value, or as text for people.
func (c *cli) result(value any, text func(w io.Writer)) error {
	if c.json {
		line, err := json.Marshal(value)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s\n", line)
		return err
	}
	return columns(c.out, text)
}

// verbatim writes a file's text to standard output, to the byte; or, as JSON, value.
func (c *cli) verbatim(value any, text []byte) error {
	if c.json {
		return c.result(value, nil)
	}
	_, err := c.out.Write(text)
	return err
}

// write puts a text where a person wants it: into a new file, of which done tells, or,
// for "-", on standard output. result is either as JSON.
func (c *cli) write(to string, text []byte, result func(file, text string) any, done func(w io.Writer)) error {
	if to == "-" {
		return c.verbatim(result("", string(text)), text)
	}
	if err := writeNew(to, text); err != nil {
		return err
	}
	return c.result(result(to, ""), done)
}

// columns writes text in which tabs part columns.
func columns(out io.Writer, text func(w io.Writer)) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// progress tells a person what is going on.
func (c *cli) progress(key string, args ...any) {
	if !c.quiet {
		c.advise(c.errs, key, args...)
	}
}

// confirm asks a yes-or-no question. It fails with croft.ErrNotSigned at anything but
// a yes.
func (c *cli) confirm(ctx context.Context, key string, args ...any) error {
	if c.yes {
		return nil
	}
	answer, err := c.ask(ctx, key, args...)
	if err == nil && answer != "y" && answer != "yes" {
		err = croft.E(croft.ErrNotSigned)
	}
	return err
}

// ask asks a question and returns the answer in lower case. The end of the input
// is no answer: a line that was cut off must not sign anything.
func (c *cli) ask(ctx context.Context, key string, args ...any) (string, error) {
	fmt.Fprint(c.errs, say(key, args...)+" ")
	if c.lines == nil {
		c.lines = bufio.NewReader(io.LimitReader(c.in, 64<<10))
	}
	line, err := typed(ctx, func() (string, error) { return c.lines.ReadString('\n') })
	if err != nil {
		fmt.Fprintln(c.errs)
	}
	return strings.ToLower(strings.TrimSpace(line)), err
}

// typed waits for what a person types. Reading a terminal cannot be interrupted: when ctx
// ends, the process ends without it.
func typed[Text any](ctx context.Context, read func() (Text, error)) (Text, error) {
	var text, nothing Text
	var cut error // before its end
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		text, cut = read()
	}()
	select {
	case <-ctx.Done():
		return nothing, context.Cause(ctx)
	case <-ended:
		if cut != nil {
			return nothing, croft.E(croft.ErrUsage, say("noanswer"), say("noanswer.fix"))
		}
		return text, nil
	}
}

// person is a member at the keyboard: the node to talk to, and the key to sign
// with, which the node does not have.
type person struct {
	*api.Client
	self    croft.MemberID
	scope   croft.Scope
	genesis croft.NetworkID // its hash: what invites name
	keys    *keys.Keys
}

// node is the node of the folder; each call says whether it runs.
func (c *cli) node() *api.Client {
	if c.client == nil {
		c.client = api.At(c.dir)
	}
	return c.client
}

// sign loads the member key. What is signed is for the network
// whose genesis is in the folder, whatever the node says.
func (c *cli) sign(ctx context.Context) (*person, error) {
	g, err := c.genesis()
	if err != nil {
		return nil, err
	}
	k, err := keys.LoadMember(c.dir, c.asker(ctx))
	if err != nil {
		return nil, err
	}
	return &person{c.node(), croft.IDOf(k.Public(croft.RoleMember)), g.Scope(), croft.NetworkID(g.Hash()), k}, nil
}

// voter is sign, with what this member may vote on.
func (c *cli) voter(ctx context.Context) (p *person, council api.Council, err error) {
	if p, err = c.sign(ctx); err == nil {
		council, err = p.Council(ctx)
	}
	return p, council, err
}

// seal signs a transaction. The nonce tells apart what a person says twice: an
// approval after a refusal is not the approval before it.
func (p *person) seal(nonce uint64, body any) []byte {
	return ledger.Seal(p.scope, p.self, nonce, body, p.keys.Sign)
}

// submit signs what a person says and hands it in.
func (c *cli) submit(ctx context.Context, p *person, nonce uint64, body any) (api.Submitted, error) {
	tx := p.seal(nonce, body)
	return c.hand(ctx, p, func() (api.Submitted, error) { return p.Submit(ctx, tx) })
}

func now() uint64 { return uint64(time.Now().UnixNano()) }

// slow is how long a transaction may take before a person is told why.
const slow = 5 * time.Second

// hand gives a signed transaction to the node and waits for its block. A person
// who waits long is told if the ledger cannot move; one that did not get into a
// block is not lost: the node has it and goes on.
func (c *cli) hand(ctx context.Context, p *person, send func() (api.Submitted, error)) (done api.Submitted, err error) {
	if err := c.caughtUp(ctx, p); err != nil {
		return done, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		done, err = send()
	}()
	select {
	case <-ended:
	case <-time.After(slow):
		if s, trouble := p.Status(ctx); trouble == nil && !s.Moves {
			c.progress("stands", stands(s))
		}
		<-ended
	}
	if later(err) {
		c.progress("sent.later")
	}
	return done, err
}

// later says whether a transaction was handed in and will be again.
func later(err error) bool {
	return errors.Is(err, croft.ErrTimeout) || errors.Is(err, croft.ErrInterrupted) || errors.Is(err, croft.ErrNoQuorum) || errors.Is(err, croft.ErrTxStopped)
}

// caughtUp waits while the node of one that has just joined fetches the blocks up to
// the one that let it in: until then its ledger takes nothing from it.
func (c *cli) caughtUp(ctx context.Context, p *person) error {
	for said := false; ; said = true {
		members, err := p.Members(ctx)
		if err != nil || slices.ContainsFunc(members, func(m api.Member) bool { return m.Self }) {
			return err
		}
		council, err := p.Council(ctx)
		if err != nil || slices.ContainsFunc(council.Guests, func(g api.Guest) bool { return g.ID == p.self }) {
			return err
		}
		if s, err := p.Status(ctx); err != nil || s.Left { // the ledger says what becomes of it
			return err
		}
		if !said {
			c.progress("fetching")
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// sleep waits before another look at the node: it is another process, and nothing wakes
// this one.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// stands says why the ledger does not move.
func stands(s api.Status) string {
	return say("status.stands", s.Needed, len(s.Orderers), len(s.Orderers)-len(s.Away), names(s.Away))
}

// genesis reads the genesis of the folder's network, as node.Genesis does.
func (c *cli) genesis() (croft.Genesis, error) { return node.Genesis(c.dir) }

// absolute makes the path of a file that is there one that the node understands,
// whatever its own working folder is.
func absolute(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", croft.E(croft.ErrFileOpen, path, err)
	}
	if _, err := os.Stat(full); errors.Is(err, fs.ErrNotExist) {
		return "", croft.E(croft.ErrFileMissing, path)
	}
	return full, nil
}

// unread says why a file that a person named cannot be read.
func unread(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return croft.E(croft.ErrFileMissing, path)
	}
	return croft.E(croft.ErrFileOpen, path, reason(err))
}

// count says how many there are of a thing.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// staying returns the members who have not left.
func staying(members []api.Member) (stay []api.Party) {
	for _, m := range members {
		if !m.Revoked {
			stay = append(stay, m.Party)
		}
	}
	return stay
}

// names joins members' names, sorted.
func names(parties []api.Party) string { return cmp.Or(strings.Join(nameList(parties), ", "), "–") }

func nameList(parties []api.Party) []string {
	out := []string{}
	for _, p := range parties {
		out = append(out, p.Name)
	}
	slices.Sort(out)
	return out
}

// day writes a time as people read it.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
