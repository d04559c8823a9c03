package main

import (
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf16"

	"croft"
	"croft/internal/api"
	"croft/internal/store"
)

// An autostart is what starts a node with the machine, and again when it has failed:
// a systemd user unit, a launchd agent, a task of Windows. It belongs to the person
// who makes it and runs as them; only Windows asks for an administrator.
type autostart struct {
	name   string
	path   string     // of its file
	text   string     // what is in the file
	enable [][]string // commands that start it now and with the machine
	remove [][]string // commands that undo that
	wants  string     // folder in which they note it; none where the system sees to that
	hint   string     // what is still to be done by hand
}

//go:embed autostart.tmpl
var autostartTexts string

var autostartText = template.Must(template.New("autostart").Funcs(template.FuncMap{"xml": xmlText, "unit": unitText, "windows": windowsText}).Parse(autostartTexts))

// command is the line that a service runs: it is this program in the foreground.
type command struct {
	Name string
	Exe  string
	Args []string
	Dir  string
}

// autostartFor describes the service of a node's folder on a system. home is the
// person's home folder, config that of their programs' settings.
func autostartFor(goos, home, config string, uid int, run command) (s autostart, err error) {
	switch goos {
	case "windows":
		s = autostart{name: `\` + run.Name, path: filepath.Join(run.Dir, "service.xml"), hint: say("autostart.hint.windows")}
		s.enable = [][]string{{"schtasks", "/Create", "/F", "/TN", s.name, "/XML", s.path}, {"schtasks", "/Run", "/TN", s.name}}
		s.remove = [][]string{{"schtasks", "/Delete", "/F", "/TN", s.name}}
	case "darwin":
		s = autostart{name: run.Name, path: filepath.Join(home, "Library", "LaunchAgents", run.Name+".plist"), hint: say("autostart.hint.darwin")}
		domain := "gui/" + strconv.Itoa(uid)
		s.enable = [][]string{{"launchctl", "bootstrap", domain, s.path}}
		s.remove = [][]string{{"launchctl", "bootout", domain + "/" + s.name}}
	case "linux":
		s = autostart{name: run.Name + ".service", path: filepath.Join(config, "systemd", "user", run.Name+".service"), hint: say("autostart.hint.linux")}
		s.enable = [][]string{{"systemctl", "--user", "daemon-reload"}, {"systemctl", "--user", "enable", "--now", s.name}}
		s.remove = [][]string{{"systemctl", "--user", "disable", "--now", s.name}}
		s.wants = filepath.Join(filepath.Dir(s.path), "default.target.wants")
	default:
		return s, croft.E(croft.ErrUsage, say("autostart.none", goos), say("autostart.none.fix"))
	}
	var text strings.Builder
	err = autostartText.ExecuteTemplate(&text, goos, run)
	s.text = text.String()
	return s, err
}

// upAt is the command that runs the node of a folder, with the flags that it keeps.
func upAt(dir string) []string { return []string{"up", "--dir", dir} }

// autostart describes the service of this node's folder on this machine.
func (c *cli) autostart() (s autostart, err error) {
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return s, croft.E(croft.ErrFolder, c.dir, reason(err))
	}
	exe, err := os.Executable()
	if err != nil {
		return s, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return s, croft.E(croft.ErrFolder, "~", reason(err))
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return s, croft.E(croft.ErrFolder, "~", reason(err))
	}
	return autostartFor(runtime.GOOS, home, config, os.Getuid(), command{autostartName(dir), exe, upAt(dir), dir})
}

// autostartName is croft and the folder's own name: croft-harbour.
func autostartName(dir string) string {
	name := slug(filepath.Base(dir))
	if name == "" || name == "croft" {
		return "croft"
	}
	return "croft-" + name
}

type autostartResult struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Text    string `json:"text,omitempty"`
	Enabled bool   `json:"enabled"`
}

// showAutostart prints the service and changes nothing.
func (c *cli) showAutostart(s autostart) error {
	return c.result(autostartResult{Name: s.name, Path: s.path, Text: s.text}, func(w io.Writer) {
		tell(w, "autostart.path", s.path)
		io.WriteString(w, s.text)
	})
}

// writeAutostart writes the service and, if asked to, starts it.
func (c *cli) writeAutostart(ctx context.Context, s autostart, o *upOptions) error {
	if _, err := s.ours(); err != nil {
		return err
	}
	if o.enable {
		if _, err := api.Dial(c.dir); err == nil { // its process would only be refused
			return croft.E(croft.ErrRunning, c.dir)
		}
	}
	if _, err := o.keep(c.dir); err != nil { // the service runs croft up as it was told
		return err
	}
	err := os.MkdirAll(filepath.Dir(s.path), 0o755)
	if err == nil {
		err = store.Replace(s.path, s.encoded(), 0o644) // systemd never starts an empty unit, which a power cut would leave
	}
	if err != nil {
		return croft.E(croft.ErrFileWrite, s.path, reason(err))
	}
	if o.enable {
		if err := perform(ctx, s.enable); err != nil {
			return err
		}
		if s.wants != "" {
			_ = store.SyncDir(s.wants) // systemctl leaves that to the next half minute; it may have noted it elsewhere
		}
	}
	return c.result(autostartResult{Name: s.name, Path: s.path, Enabled: o.enable}, func(w io.Writer) {
		tell(w, "autostart.written", s.path)
		if o.enable {
			tell(w, "autostart.enabled", s.name)
		} else {
			tell(w, "autostart.next", shown(s.enable))
		}
		fmt.Fprintln(w, s.hint)
	})
}

// removeAutostart stops the node, if the service runs it, and removes the service. A system
// that knows nothing of it does not keep its file.
func (c *cli) removeAutostart(ctx context.Context, s autostart) error {
	there, err := s.ours()
	if err != nil {
		return err
	}
	if !there {
		return croft.E(croft.ErrNotFound, say("autostart.kind"), s.path, "croft up --service")
	}
	trouble := perform(ctx, s.remove)
	if err := os.Remove(s.path); err != nil {
		return croft.E(croft.ErrFileWrite, s.path, reason(err))
	}
	return c.result(autostartResult{Name: s.name, Path: s.path}, func(w io.Writer) {
		tell(w, "autostart.removed", s.path)
		if trouble != nil {
			tell(w, "autostart.unknown", trouble)
		}
	})
}

// ours says whether the service's file is there. It fails with croft.ErrConflict if
// it is that of another folder, or was not made by this program.
func (s autostart) ours() (there bool, err error) {
	found, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, unread(s.path, err)
	}
	mark := func(text string) string { // the line that names the folder
		for line := range strings.Lines(text) {
			if strings.Contains(line, autostartMark) {
				return line
			}
		}
		return ""
	}
	if is := mark(decodeUTF16(found)); is == "" || is != mark(s.text) {
		return false, croft.E(croft.ErrConflict, say("autostart.other", s.path), say("autostart.other.fix"))
	}
	return true, nil
}

// autostartMark begins what a service's file says of where it comes from.
const autostartMark = "made by croft up --service for "

// perform runs commands one after the other.
func perform(ctx context.Context, commands [][]string) error {
	for _, line := range commands {
		out, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			why := strings.TrimSpace(string(out))
			if why == "" {
				why = err.Error()
			}
			return croft.E(croft.ErrAutostart, strings.Join(line, " "), why)
		}
	}
	return nil
}

// shown writes commands as a person types them.
func shown(commands [][]string) string {
	var lines []string
	for _, line := range commands {
		var words []string
		for _, word := range line {
			words = append(words, api.Quote(word))
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "; ")
}

// encoded is the file's content. Windows reads a task in UTF-16 only.
func (s autostart) encoded() []byte {
	if !strings.HasPrefix(s.text, `<?xml version="1.0" encoding="UTF-16"?>`) {
		return []byte(s.text)
	}
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(strings.ReplaceAll(s.text, "\n", "\r\n"))) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

// decodeUTF16 reads what encoded wrote.
func decodeUTF16(data []byte) string {
	if len(data) < 2 || data[0] != 0xff || data[1] != 0xfe {
		return string(data)
	}
	var units []uint16
	for rest := data[2:]; len(rest) >= 2; rest = rest[2:] {
		units = append(units, binary.LittleEndian.Uint16(rest))
	}
	return strings.ReplaceAll(string(utf16.Decode(units)), "\r\n", "\n")
}

func xmlText(text string) (string, error) {
	var out strings.Builder
	err := xml.EscapeText(&out, []byte(text))
	return out.String(), err
}

// unitText writes a word of a command line as systemd reads it back: in C's quotes,
// with its own specifiers (%) and variables ($) doubled (systemd.service(5),
// "Command lines").
func unitText(word string) string {
	plain := func(r rune) bool {
		return !strings.ContainsRune("/._-:,+@", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if word != "" && !strings.ContainsFunc(word, plain) {
		return word
	}
	return strings.NewReplacer("%", "%%", "$", "$$").Replace(strconv.Quote(word))
}

// windowsText writes a word of a command line as Windows programs read it back: a
// backslash counts as one unless a quote follows the row of them.
func windowsText(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"") {
		return word
	}
	var out strings.Builder
	slashes := 0
	for _, r := range word {
		switch r {
		case '\\':
			slashes++
		case '"':
			out.WriteString(strings.Repeat(`\`, slashes+1)) // those before it once more, and one for itself
			slashes = 0
		default:
			slashes = 0
		}
		out.WriteRune(r)
	}
	return `"` + out.String() + strings.Repeat(`\`, slashes) + `"`
}
