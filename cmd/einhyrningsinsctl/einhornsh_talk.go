// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"einhyrningsins/client"
	"einhyrningsins/internal/wire"

	"github.com/chzyer/readline"
)

// maxEinhornReply bounds one line of an answer: the state of 10,000 workers is
// a few megabytes, and a program's arguments may be as many.
const maxEinhornReply = 64 << 20

// einhornsh is one run under that name.
type einhornsh struct {
	s  *session
	nc net.Conn // nil: to be made anew
	in *bufio.Scanner
	id int
}

// aside is said to a person only.
func (sh *einhornsh) aside(text string) {
	if sh.s.interactive {
		fmt.Fprintln(sh.s.out.err, text)
	}
}

// interruptible runs one thing that Ctrl-C ends.
func (sh *einhornsh) interruptible(do func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return do(ctx)
}

// report shows err, and returns its exit status.
func (sh *einhornsh) report(err error) int {
	var told *toldError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &told):
		return told.code
	case errors.Is(err, context.Canceled):
		sh.aside("")
		return exitInterrupted
	}
	sh.s.out.failure(sh.s.prefix, err)
	return exitFailed
}

// runSequence runs the commands of text in turn, until one says quit or was
// interrupted. The status is that of the last that failed.
func (sh *einhornsh) runSequence(text string) (code int, quit bool) {
	commands, err := splitSequence(text)
	if err != nil {
		return sh.report(err), false
	}
	for _, words := range commands {
		if words[0] == "quit" || words[0] == "exit" {
			sh.aside("Goodbye!")
			return code, true
		}
		err := sh.interruptible(func(ctx context.Context) error { return sh.command(ctx, words) })
		if c := sh.report(err); c != exitOK {
			code = c
		}
		if code == exitInterrupted {
			return code, true
		}
	}
	return code, false
}

// readLines runs what comes line by line from whatever is no terminal.
func (sh *einhornsh) readLines() int {
	code := exitOK
	in := bufio.NewReaderSize(sh.s.stdin, wire.MaxLine)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return sh.report(fmt.Errorf("cannot read commands: %w", err))
		}
		c, quit := sh.runSequence(string(line))
		if c != exitOK {
			code = c
		}
		if quit || err == io.EOF {
			return code
		}
	}
}

// converse is the interactive shell. As einhorn's it has no history of earlier
// days and is left by Ctrl-C; and it ends with status 0 whatever failed, for the
// person has seen it.
func (sh *einhornsh) converse() int {
	ed, err := newEditor("> ", einhornCompleter{}, &history{})
	if err != nil {
		return sh.report(fmt.Errorf("cannot start the shell: %w", err))
	}
	defer ed.close()
	for {
		line, err := ed.rl.Readline()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			return exitOK
		case err != nil || ed.hungUp.Load():
			return sh.report(ed.ending())
		}
		if strings.TrimSpace(line) != "" {
			ed.rl.SaveHistory(line)
		}
		if _, quit := sh.runSequence(line); quit {
			return exitOK
		}
	}
}

// command carries out one command.
func (sh *einhornsh) command(ctx context.Context, words []string) error {
	switch words[0] {
	case "upgrade":
		if slices.Contains(words[1:], string(client.Fleet)) { // as our own shell has it
			return sh.upgrade(ctx, client.Fleet)
		}
		return sh.upgrade(ctx, client.Smooth)
	case "upgrade_fleet":
		return sh.upgrade(ctx, client.Fleet)
	}
	sh.id++
	err := sh.exchange(ctx, einhornRequest{command: words[0], args: words[1:], id: sh.id}, func(message string) {
		sh.message(sh.s.out.out, message)
	})
	if errors.Is(err, io.EOF) && (words[0] == wire.WorkerAck || words[0] == wire.WorkerPing) {
		return nil // einhorn answers these by hanging up
	}
	return err
}

// upgrade takes the way of our own shell's, and prints plain lines.
func (sh *einhornsh) upgrade(ctx context.Context, mode client.Mode) error {
	c, err := sh.s.connect(ctx)
	if err != nil {
		return err
	}
	last, err := c.Upgrade(ctx, mode, func(p client.Progress) {
		sh.message(sh.s.out.out, stepText(p))
	})
	switch {
	case errors.Is(err, context.Canceled):
		if last.Generation != 0 {
			sh.aside("")
			sh.s.out.note(fmt.Sprintf("no longer watching; the upgrade to generation %d goes on", last.Generation))
			return &toldError{exitInterrupted}
		}
	case err == nil:
		sh.message(sh.s.out.out, "Upgrade done") // scripts wait for just this
	}
	return err
}

// message prints a message as it is, except what a terminal would act upon.
func (sh *einhornsh) message(w io.Writer, text string) {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		text = cleanLines(text)
	}
	fmt.Fprintln(w, strings.TrimSuffix(text, "\n"))
}

// connect connects, and lets the master greet a person.
func (sh *einhornsh) connect(ctx context.Context) error {
	nc, err := client.DialRaw(ctx, sh.s.path)
	if err != nil {
		return err
	}
	sh.nc, sh.in = nc, bufio.NewScanner(nc)
	sh.in.Buffer(nil, maxEinhornReply)
	if !sh.s.interactive {
		return nil
	}
	request := einhornRequest{command: wire.Ehlo, user: os.Getenv("USER")}
	return sh.once(ctx, request, func(message string) { sh.message(sh.s.out.err, message) })
}

func (sh *einhornsh) hangUp() {
	if sh.nc != nil {
		sh.nc.Close()
		sh.nc = nil
	}
}

// exchange sends r and hands each message of its answer to each. A master that
// has gone since the last command is no reason to fail.
func (sh *einhornsh) exchange(ctx context.Context, r einhornRequest, each func(string)) error {
	if sh.nc != nil {
		err := sh.once(ctx, r, each)
		if !errors.Is(err, syscall.EPIPE) {
			return err
		}
		sh.aside("einhornsh: the connection was lost; connecting again")
	}
	if err := sh.connect(ctx); err != nil {
		return err
	}
	return sh.once(ctx, r, each)
}

// once does so on the connection that stands. An EPIPE says that nothing was
// sent: the other end was gone before.
func (sh *einhornsh) once(ctx context.Context, r einhornRequest, each func(string)) (err error) {
	defer func() {
		if err != nil {
			sh.hangUp()
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	nc := sh.nc
	defer context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })()
	if n, err := io.WriteString(nc, r.line()); err != nil {
		if n > 0 {
			return fmt.Errorf("cannot send all of %s: %v", r.command, err)
		}
		return fmt.Errorf("cannot send %s: %w", r.command, err)
	}
	silent := time.AfterFunc(silentAfter, func() { sh.s.out.note(whoIsSilent(sh.s.path, client.ServerPID(nc))) })
	defer silent.Stop()
	for sh.in.Scan() {
		silent.Stop()
		reply, err := parseEinhornReply(sh.in.Bytes())
		if err != nil {
			return err
		}
		each(reply.message)
		if !reply.wait {
			return nil
		}
	}
	switch err = sh.in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("cannot read the answer to %s: it is longer than %d MiB", r.command, maxEinhornReply>>20)
	case err == nil:
		err = io.EOF
	}
	return fmt.Errorf("cannot tell how %s ended: the connection was lost before it was answered: %w", r.command, err)
}

// einhornCompleter completes the names of einhorn's commands.
type einhornCompleter struct{}

var einhornCommands = []string{
	"config", "dec", "die", "ehlo", "events", "exit", "follow", "help", "inc", "louder", "quieter", "quit", "reload",
	"set_workers", "signal", "state", "status", "upgrade", "upgrade_fleet", "version", "worker:ack", "worker:ping",
}

// Do returns what may follow the word that ends at pos, and that word's length.
func (einhornCompleter) Do(line []rune, pos int) ([][]rune, int) {
	text := string(line[:pos])
	word := strings.TrimLeft(text[strings.LastIndex(text, ";")+1:], " \t")
	var fit [][]rune
	for _, w := range beginningWith(einhornCommands, word) {
		fit = append(fit, []rune(w[len(word):]+" "))
	}
	return fit, len([]rune(word))
}
