package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"

	"croft"
	"croft/internal/store"
)

// What croft up was told about how a node runs is kept in the node's folder, so that a
// plain croft up runs it as before, and the system's service too. A key of the file is
// a flag of croft up, without its dashes. A flag that is given counts instead, and is
// kept once the node has started with it: what does not work is not kept.

// settings are flags of croft up and what they are given: text, true or false, whole
// numbers (int64), lists of text.
type settings map[string]any

// keptFlags are those that say how a node runs each time.
var keptFlags = []string{"api", "bandwidth", "lan", "listen", "page", "quiet-hours", "relay", "relay-circuits", "relay-daily", "relay-each"}

const (
	settingsName = "settings.toml"
	maxSettings  = 16 << 10 // bytes
)

// recall gives the flags that were not given the values that the folder keeps.
func (o *upOptions) recall(dir string) error {
	kept, err := readSettings(dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		f := o.said.Lookup(name)
		if f == nil || !slices.Contains(keptFlags, name) {
			return croft.E(croft.ErrSettings, filepath.Join(dir, settingsName), say("settings.unknown", fmt.Sprintf("%.40q", name)))
		}
		if f.Changed {
			continue
		}
		if err := give(f, kept[name]); err != nil {
			return croft.E(croft.ErrSettings, filepath.Join(dir, settingsName), say("settings.bad", name, err))
		}
	}
	return nil
}

// keep adds the flags that were given to what the folder keeps, and returns all of it.
// One that was given its usual value is forgotten; so is a place to listen at any free
// port, since the node itself remembers which it got.
func (o *upOptions) keep(dir string) (settings, error) {
	kept, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	before := maps.Clone(kept)
	o.said.Visit(func(f *pflag.Flag) {
		if !slices.Contains(keptFlags, f.Name) {
			return
		}
		if kept[f.Name] = valueOf(f); f.Value.String() == f.DefValue || f.Name == "listen" && slices.ContainsFunc(o.listen, anyPort) {
			delete(kept, f.Name)
		}
	})
	if fmt.Sprint(kept) == fmt.Sprint(before) {
		return kept, nil
	}
	return kept, kept.write(dir)
}

// anyPort says whether an address leaves the port to the system.
func anyPort(where string) bool {
	return strings.HasSuffix(where, ":0") || strings.Contains(where+"/", "/tcp/0/") || strings.Contains(where+"/", "/udp/0/")
}

// again is the command that runs the node of a folder with the flags that were given.
func (o *upOptions) again(dir string) []string {
	args := upAt(dir)
	o.said.Visit(func(f *pflag.Flag) {
		if slices.Contains(keptFlags, f.Name) {
			args = append(args, spelled(f.Name, valueOf(f))...)
		}
	})
	return args
}

// spelled writes a flag as on a command line.
func spelled(name string, value any) (args []string) {
	list, is := value.([]string)
	if value == true {
		return []string{"--" + name}
	} else if !is {
		list = []string{fmt.Sprint(value)}
	}
	for _, v := range list {
		args = append(args, "--"+name+"="+v)
	}
	if len(list) == 0 {
		return []string{"--" + name + "="}
	}
	return args
}

// words writes all of them so, in order.
func (s settings) words() (args []string) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		args = append(args, spelled(name, s[name])...)
	}
	return args
}

// valueOf is the value of a flag as it is kept.
func valueOf(f *pflag.Flag) any {
	if list, is := f.Value.(pflag.SliceValue); is {
		return list.GetSlice()
	}
	text := f.Value.String()
	switch f.Value.Type() {
	case "bool":
		return text == "true"
	case "int":
		n, _ := strconv.ParseInt(text, 10, 64) // as the flag wrote it
		return n
	}
	return text
}

// give gives a flag a value that was kept. It leaves the flag as one that nobody gave.
func give(f *pflag.Flag, value any) error {
	if list, is := f.Value.(pflag.SliceValue); is {
		texts, ok := value.([]string)
		if !ok {
			return errors.New(say("settings.type." + f.Value.Type()))
		}
		return list.Replace(texts)
	}
	if fmt.Sprintf("%T", value) != fmt.Sprintf("%T", valueOf(f)) {
		return errors.New(say("settings.type." + f.Value.Type()))
	}
	return f.Value.Set(fmt.Sprint(value))
}

// readSettings reads what a folder keeps: nothing, where there is no such file. It fails
// with croft.ErrSettings.
func readSettings(dir string) (settings, error) {
	path := filepath.Join(dir, settingsName)
	bad := func(why any) (settings, error) { return nil, croft.E(croft.ErrSettings, path, why) }
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return settings{}, nil
	} else if err != nil {
		return bad(reason(err))
	}
	if info.Size() > maxSettings {
		return bad(say("settings.long.file", info.Size(), maxSettings))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return bad(reason(err))
	}
	kept := settings{}
	if err := toml.Unmarshal(text, &kept); err != nil {
		why := strings.TrimPrefix(err.Error(), "toml: ")
		if at, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ := at.Position()
			why = say("settings.line", line, why)
		}
		return bad(fmt.Sprintf("%.200s", why))
	}
	for name, value := range kept {
		list, is := value.([]any)
		if !is {
			continue
		}
		texts := []string{}
		for _, v := range list {
			text, ok := v.(string)
			if !ok {
				return bad(say("settings.bad", name, say("settings.type.stringSlice")))
			}
			texts = append(texts, text)
		}
		kept[name] = texts
	}
	return kept, nil
}

// write replaces the file: a reader sees the old one or the new.
func (s settings) write(dir string) error {
	path := filepath.Join(dir, settingsName)
	text, err := toml.Marshal(map[string]any(s))
	if err != nil {
		return err
	}
	if err := store.Replace(path, text, 0o600); err != nil {
		return croft.E(croft.ErrFileWrite, path, reason(err))
	}
	return nil
}
