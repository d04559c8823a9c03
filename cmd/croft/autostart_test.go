package main

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"croft"
)

// What each system is given, for a folder whose name is as awkward as it may be.
func TestAutostartTexts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths are joined in another way there")
	}
	for goos, run := range map[string]command{
		"linux": {"croft-harbour", "/usr/local/bin/croft", upAt(`/srv/The "best" 100% $HOME/harbour`),
			`/srv/The "best" 100% $HOME/harbour`},
		"darwin": {"croft-harbour", "/usr/local/bin/croft", upAt(`/Users/ann/a & <b>/harbour`), `/Users/ann/a & <b>/harbour`},
		"windows": {"croft-harbour", `C:\Program Files\croft.exe`, upAt(`C:\Users\Ann & Bo\harbour\`),
			`C:\Users\Ann & Bo\harbour\`},
	} {
		t.Run(goos, func(t *testing.T) {
			s, err := autostartFor(goos, "/home/ann", "/home/ann/.config", 501, run)
			if err != nil {
				t.Fatal(err)
			}
			got := "file " + filepath.ToSlash(s.path) + "\nto start " + shown(s.enable) + "\nto remove " + shown(s.remove) + "\n\n" + s.text
			path := filepath.Join("testdata", "autostart", goos+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("not %s (go test -update writes it anew):\n%s", path, got)
			}
			if back := decodeUTF16(s.encoded()); back != s.text {
				t.Errorf("the file reads back as\n%s", back)
			}
			if goos == "linux" {
				return
			}
			// Well-formed, but for the name of the encoding that Windows wants.
			text := strings.Replace(s.text, "UTF-16", "UTF-8", 1)
			if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil || !utf8.ValidString(text) {
				t.Error(err)
			}
		})
	}
	if _, err := autostartFor("plan9", "/", "/", 0, command{}); err == nil {
		t.Error("a service on a system without any")
	}
}

// systemd itself reads the unit, if it is here: nothing is started.
func TestSystemdTakesTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd to ask")
	}
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := command{"croft-a", exe, upAt(dir + `/with "50%" $HOME`), dir}
	s, err := autostartFor("linux", dir, dir, 0, run)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, s.name)
	if err := os.WriteFile(path, s.encoded(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), analyze, "--user", "verify", path)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), s.name) {
		t.Errorf("%v: %s", err, out)
	}
}

// What ends by itself does not keep systemd from starting the node again: a machine
// without a battery for its clock starts long ago, until the network tells it the time.
func TestServiceStartsAgain(t *testing.T) {
	s, err := autostartFor("linux", "/home/ann", "/home/ann/.config", 501, command{"croft-a", "/usr/bin/croft", upAt("/srv/a"), "/srv/a"})
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(s.text, "RestartPreventExitStatus=")
	line, _, _ := strings.Cut(after, "\n")
	never := strings.Fields(line)
	for _, code := range []croft.Code{croft.ErrClock, croft.ErrDiskFull, croft.ErrPortUsed, croft.ErrNoQuorum} {
		if len(never) == 0 || slices.Contains(never, strconv.Itoa(code.Kind().Exit())) {
			t.Errorf("not again after %v (%d): %q", code, code.Kind().Exit(), line)
		}
	}
}

func TestAutostartNames(t *testing.T) {
	for dir, want := range map[string]string{"/home/ann/.local/share/croft": "croft", "/srv/harbour": "croft-harbour", "/srv/Clinic A": "croft-clinic-a", "/": "croft", "/srv/Übung 1": "croft-bung-1"} {
		if got := autostartName(dir); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}

// Windows programs cut their command line by these rules
// (learn.microsoft.com, "Parsing C command-line arguments").
func TestWindowsWords(t *testing.T) {
	for word, want := range map[string]string{
		"up": "up", "": `""`, `C:\a\b`: `C:\a\b`, `C:\a b`: `"C:\a b"`, `C:\a b\`: `"C:\a b\\"`, `a"b`: `"a\"b"`, `a\"b`: `"a\\\"b"`, `a\\b c`: `"a\\b c"`,
	} {
		if got := windowsText(word); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
}
