package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"croft"
)

// say returns a sentence of the catalogue, filled in: {0}, {1} … are its
// arguments in order. They may come from other members, so nothing in them can
// leave its line or steer the terminal.
func say(key string, args ...any) string { return fill(sentence(key), args) }

// here says a sentence whose commands are for this node: each names its folder, unless
// that is the one where they look anyway.
func (c *cli) here(key string, args ...any) string {
	named := fmt.Sprintf("croft{%d} ", len(args))
	return fill(strings.ReplaceAll(sentence(key), "croft ", named), append(args, c.dirFlag()))
}

// tell writes a sentence on a line of its own.
func tell(w io.Writer, key string, args ...any) { fmt.Fprintln(w, say(key, args...)) }

// advise writes one whose commands are for this node.
func (c *cli) advise(w io.Writer, key string, args ...any) { fmt.Fprintln(w, c.here(key, args...)) }

// pointed does so for an advice that the node or the catalogue of failures gives. What
// somebody is asked or told to do, or does "there", is for another node.
func (c *cli) pointed(advice string) string {
	if c.dirFlag() == "" || strings.HasSuffix(advice, " --help") {
		return advice
	}
	var named []string
	for _, cmd := range new(cli).root().Commands() { // of its own: making one sets its flags
		named = append(named, "croft "+cmd.Name(), "croft"+c.dirFlag()+" "+cmd.Name())
	}
	clauses := strings.Split(advice, "; ")
	for i, clause := range clauses {
		if !elsewhere.MatchString(clause) {
			clauses[i] = strings.NewReplacer(named...).Replace(clause)
		}
	}
	return strings.Join(clauses, "; ")
}

var elsewhere = regexp.MustCompile(`\b(ask|tell|on the one)\b|\bthere(:|,| says|$)|--dir |croft (version|demo|bench)`)

func sentence(key string) string {
	s, ok := sentences[key]
	if !ok {
		panic("no sentence for " + key) // the test of this file finds it first
	}
	return s
}

func fill(sentence string, args []any) string {
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = strings.Map(printable, fmt.Sprint(a))
	}
	return croft.Fill(sentence, texts)
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

// sentences is all that the commands say, beside the failures (croft's catalogue): a
// chapter a file. A verb has its line in lists (.short), its page (.long), its examples
// (.example). Tabs part the columns of a list.
var sentences = together(sharedSentences, nodeSentences, networkSentences, dataSentences, studySentences, marketSentences, demoSentences)

func together(chapters ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, chapter := range chapters {
		for key, sentence := range chapter {
			if all[key] != "" {
				panic("two sentences for " + key)
			}
			all[key] = sentence
		}
	}
	return all
}

// sharedSentences are what all commands have.
var sharedSentences = map[string]string{
	"failure":       "croft: {0} ({1})",
	"failure.next":  "  → {0}",
	"dry":           "A dry run: nothing was sent and nothing changed.",
	"exists":        "{0} exists already",
	"exists.fix":    "nothing was overwritten: choose another file",
	"near":          "did you mean {0}?",
	"nocommand":     "there is no command {0}",
	"flag.onedash":  "a flag has two dashes: --{0}",
	"flag.duration": "{0}: a time is written in hours, minutes or seconds, such as 72h, 30m, 10s",
	"args.none":     "{0} takes no arguments; {1} is one too many",
	"args.wants":    "{0} wants {1}; {2} given",
	"noanswer":      "the input ended without an answer, so nothing was done",
	"noanswer.fix":  "answer the question with a line of its own, give the flag that answers it, or --yes",
	"stands":        "Waiting: the ledger {0}.",
	"fetching":      "Waiting: not all blocks of the ledger are here yet …",
	"sent.later":    "What you signed is kept: the node hands it in again by itself when the ledger moves.",
	"unproved":      "UNPROVED: reports carried no proof; a site could have sent numbers beyond its bound.",
	"unchecked":     "UNCHECKED: at least one sum was opened without a seat to check it; a lying seat would not have been seen.",
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
	"flag.comma": "numbers are written with a decimal comma, and perhaps points between thousands: 1.234,5",

	"flag.passphrase":    "the file whose first line is the member key's passphrase ($CROFT_PASSPHRASE_FILE; default: ask)",
	"flag.newpassphrase": "the file whose first line is the new passphrase (default: ask)",

	"completion.short": "make a shell complete commands with the Tab key",
	"completion.long": `Completion prints a script for a shell. For the shell that runs now:

  bash         source <(croft completion bash)
  zsh          source <(croft completion zsh)
  fish         croft completion fish | source
  powershell   croft completion powershell | Out-String | Invoke-Expression

The same line in the file that the shell reads when it starts makes it stay.`,
	"completion.example":   "  croft completion bash",
	"completion.shell":     "nothing is known of a shell {0}",
	"completion.shell.fix": "croft completion bash, zsh, fish or powershell",

	"version.short":   "say what this program was built from",
	"version.long":    "Version prints the program's version, its commit, the plan engine (two nodes compute\ntogether only with the same one), and what it was built with.",
	"version.example": "  croft version --json",
	"version":         "croft {0}, commit {1}, engine {2}, {3} {4}",
}
