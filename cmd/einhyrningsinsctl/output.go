// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"einhyrningsins/client"

	"golang.org/x/sys/unix"
)

// output is all that a person sees. output_status.go has the table of status,
// output_upgrade.go the progress bar.
type output struct {
	out, err io.Writer
	escapes  bool // out is a terminal that understands escape sequences
	colour   bool // and wants colours
	now      func() time.Time
}

func newOutput(stdout, stderr io.Writer) *output {
	o := &output{out: stdout, err: stderr, now: time.Now}
	o.escapes = o.isTerminal() && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
	o.colour = o.escapes && os.Getenv("NO_COLOR") == "" // no-color.org
	return o
}

func (o *output) isTerminal() bool {
	f, ok := o.out.(*os.File)
	return ok && isTerminal(f)
}

// isTerminal asks for what only terminals have: a size (ioctl_tty(2)).
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// width is that of the terminal now, in columns.
func (o *output) width() int {
	if f, ok := o.out.(*os.File); ok {
		if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Col > 0 {
			return int(ws.Col)
		}
	}
	return 80
}

// The colours, by ECMA-48's "select graphic rendition".
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (o *output) paint(colour, text string) string {
	if !o.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// message shows a text of the master's. One without words is a silent success.
func (o *output) message(text string) {
	if text != "" {
		fmt.Fprintln(o.out, cleanLines(text))
	}
}

// note is news beside the answer.
func (o *output) note(text string) {
	fmt.Fprintln(o.err, clean(text))
}

// failure shows why a command failed. prefix is empty in the interactive
// shell, where everyone knows who is speaking.
func (o *output) failure(prefix string, err error) {
	who := strings.TrimSpace(prefix)
	if who == "" {
		who = o.paint(red, "error")
	}
	fmt.Fprintf(o.err, "%s: %s\n", who, cleanLines(err.Error()))
}

// greeting begins an interactive shell.
func (o *output) greeting(st *client.Status, path string) {
	fmt.Fprintf(o.out, "einhyrningsins %s, keeper %d, at %s: %s of %s\n",
		clean(st.Version), st.PID, clean(path), plural(st.Number, "worker"), programLine(st.Program))
	fmt.Fprintln(o.out, "'help' lists the commands, Ctrl-D leaves.")
}

// goesOn is said when the watching of an upgrade was interrupted.
func (o *output) goesOn(prefix string, generation int) {
	if generation == 0 {
		fmt.Fprintf(o.err, "no longer waiting; an upgrade may go on ('%sfollow' watches it)\n", prefix)
		return
	}
	fmt.Fprintf(o.err, "no longer watching; the upgrade to generation %d goes on ('%sfollow %d' watches it)\n", generation, prefix, generation)
}

// json writes v as one line.
func (o *output) json(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("cannot encode the answer: %w", err)
	}
	if _, err := o.out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	return nil
}

// answer is a reply for programs.
type answer struct {
	OK      bool          `json:"ok"`
	Message string        `json:"message,omitempty"`
	Err     *client.Error `json:"error,omitempty"`
}

// replyJSON writes a reply; an error that is not the master's is only told on
// stderr, as there was no reply.
func (o *output) replyJSON(message string, err error) {
	var e *client.Error
	if err == nil || errors.As(err, &e) {
		o.json(answer{OK: err == nil, Message: message, Err: e})
	}
}

// clean makes text from elsewhere harmless on a terminal: all that is not
// printable shows as an escape.
func clean(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += size
	}
	return b.String()
}

// cleanLines is clean for a text that may have several lines.
func cleanLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func programLine(program []string) string {
	words := make([]string, len(program))
	for i, w := range program {
		words[i] = clean(quoteWord(w))
	}
	return strings.Join(words, " ")
}
