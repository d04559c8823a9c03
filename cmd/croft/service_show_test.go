package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"croft"
	"croft/internal/api"
	"croft/internal/market"
	"croft/internal/serve"
)

// A provider chooses its service's name, and people paste what service show prints:
// nothing of the name runs, in any of the shells' ways.
func TestSnippetsRunNothing(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell here")
	}
	const evil = "a'$(echo ran)`echo ran`;&echo ran\"\\"
	for _, task := range []string{serve.Chat, serve.Embed, serve.Predict} {
		l := market.Listing{Service: croft.Service{Name: evil, Task: task}, ProviderName: "Ada"}
		lines := snippets(l, programName(api.Offered{Services: []market.Listing{l}}, l), "http://127.0.0.1:1")
		for _, program := range []string{"curl", "grpcurl"} {
			line := lines[program]
			if line == "" && task != serve.Predict {
				continue
			}
			out, err := exec.CommandContext(t.Context(), sh, "-c", program+"() { printf '%s\\n' \"$@\"; }; "+line).CombinedOutput()
			if err != nil || strings.Contains("\n"+string(out), "\nran") || !strings.Contains(string(out), "echo") {
				t.Errorf("%s: %v\n%s\n%s", task, err, line, out)
			}
		}
	}
	one, two := market.Listing{Service: croft.Service{Name: "echo"}, ProviderName: "Ada"}, market.Listing{Service: croft.Service{Name: "echo"}, ProviderName: "Ben", ID: croft.ServiceID{1}}
	if got := programName(api.Offered{Services: []market.Listing{one, two}}, two); got != "Ben/echo" {
		t.Error(got)
	}
}

// An answer is a stranger's text: what is printed of it is the same JSON, and no terminal
// obeys it.
func TestAnswersAreEscaped(t *testing.T) {
	const evil = "p\x1b]0;title\x07\u009b2J\u202e\U000e0001 ok, ä 院"
	text := escaped(evil)
	var back string
	if err := json.Unmarshal([]byte(`"`+text+`"`), &back); err != nil || back != evil {
		t.Errorf("%q: %q, %v", text, back, err)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !strings.HasSuffix(text, " ok, ä 院") {
		t.Errorf("%q", text)
	}
}
