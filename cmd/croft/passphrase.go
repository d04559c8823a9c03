package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"croft"
	"croft/internal/keys"
)

// Passphrases come from the terminal, even where the input is something else, or
// from a file; never from an argument or the environment, which other users of the
// machine can read.

// passphraseFlag adds the flag that names the file.
func (c *cli) passphraseFlag(cmd *verb) {
	cmd.PersistentFlags().StringVar(&c.passphraseFile, "passphrase-file", os.Getenv("CROFT_PASSPHRASE_FILE"), say("flag.passphrase"))
}

// asker returns who is asked for the passphrase of a file.
func (c *cli) asker(ctx context.Context) keys.Ask {
	return func(path string) (keys.Passphrase, error) {
		if c.passphraseFile != "" {
			return firstLine(c.passphraseFile)
		}
		return c.hidden(ctx, path, say("passphrase.ask", path))
	}
}

// shortest is the least number of characters of a new passphrase.
const shortest = 10

// newPassphrase asks for a new passphrase, twice, or reads it from a file.
func (c *cli) newPassphrase(ctx context.Context, file, what string) (p keys.Passphrase, err error) {
	if file != "" {
		p, err = firstLine(file)
	} else if p, err = c.hidden(ctx, what, say("passphrase.new", what)); err == nil {
		again, trouble := c.hidden(ctx, what, say("passphrase.again"))
		if err = trouble; err == nil && !bytes.Equal(p, again) {
			err = croft.E(croft.ErrUsage, say("passphrase.differ"), say("passphrase.differ.fix"))
		}
	}
	if err == nil && utf8.RuneCount(p) < shortest {
		err = croft.E(croft.ErrUsage, say("passphrase.short", shortest), say("passphrase.short.fix"))
	}
	return p, err
}

// firstLine reads a file that holds a passphrase: its first line.
func firstLine(path string) (keys.Passphrase, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return keys.Passphrase(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// hidden asks a question on the terminal and does not show the answer.
func (c *cli) hidden(ctx context.Context, path, question string) (keys.Passphrase, error) {
	tty, show, err := openTerminal()
	if err != nil {
		return nil, croft.E(croft.ErrNoPassphrase, path)
	}
	defer tty.Close()
	fmt.Fprint(c.errs, question+" ")
	text, err := typed(ctx, func() ([]byte, error) { return readLine(tty) })
	show()
	fmt.Fprintln(c.errs)
	return text, err
}

// readLine reads up to the end of a line, a byte at a time: what follows belongs to
// the next question.
func readLine(in io.Reader) (text []byte, err error) {
	var b [1]byte
	for len(text) < 1<<10 {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return nil, err
		}
		if b[0] == '\n' {
			return bytes.TrimSuffix(text, []byte("\r")), nil
		}
		text = append(text, b[0])
	}
	return nil, errors.New("too long")
}
