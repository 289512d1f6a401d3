// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"einhyrningsins/client"

	"github.com/spf13/cobra"
)

// The exit statuses; the man page explains them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNoMaster    = 3
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// usageError is a mistake in what was typed.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// toldError carries the exit status of commands whose errors have been shown.
type toldError struct{ code int }

func (e *toldError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// errQuit ends a shell, or the commands of -e.
var errQuit = errors.New("quit")

// session is one run of the program: one socket, any number of commands.
type session struct {
	stdin io.Reader
	out   *output

	path       string // of the control socket
	alwaysJSON bool   // --json was given to the program, not to one command
	json       bool   // for the command under way
	prefix     string // how a person names a command here: nothing in the shell

	client      *client.Client
	interactive bool // Ctrl-C ends a line of commands, not all of them
}

func newSession(stdin io.Reader, stdout, stderr io.Writer) *session {
	return &session{stdin: stdin, out: newOutput(stdout, stderr), path: client.DefaultPath, prefix: "einhyrningsinsctl "}
}

func (s *session) close() {
	if s.client != nil {
		s.client.Close()
	}
}

// connect returns the client, connected. It says so when the master that we
// spoke to before is gone, because that is news.
func (s *session) connect(ctx context.Context) (*client.Client, error) {
	if s.client != nil && s.client.Connected() {
		return s.client, nil
	}
	c, err := client.Dial(ctx, s.path)
	if err != nil {
		return nil, err
	}
	c.OnSilence(silentAfter, s.out.tellSilence(s.path))
	if s.client != nil {
		s.client.Close()
		s.out.note("the connection to the master was lost; connected again")
	}
	s.client = c
	return c, nil
}

// execute runs one command line, shows its error, and returns its exit status.
// Ctrl-C ends the command, not the program.
func (s *session) execute(root *cobra.Command, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return s.report(s.try(ctx, root, args))
}

func (s *session) try(ctx context.Context, root *cobra.Command, args []string) error {
	if args == nil {
		args = []string{} // nil would mean os.Args to cobra
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// report shows err and returns the exit status that it stands for.
func (s *session) report(err error) int {
	var told *toldError
	switch {
	case err == nil || errors.Is(err, errQuit):
		return exitOK
	case errors.As(err, &told):
		return told.code
	}
	s.out.failure(s.prefix, err)
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, client.ErrNoMaster):
		return exitNoMaster
	}
	return exitFailed
}

// runText runs the commands of one text in turn. A failed one does not keep
// the next from running; the exit status is that of the last that failed. quit
// tells that nothing more shall be run: one of them was quit or exit, or it was
// interrupted.
func (s *session) runText(text string) (code int, quit bool) {
	commands, err := splitCommands(text)
	if err != nil {
		return s.report(err), false
	}
	for _, words := range commands {
		s.json = s.alwaysJSON
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		err := s.try(ctx, newShellRoot(s), words)
		stop()
		if errors.Is(err, errQuit) {
			return code, true
		}
		c := s.report(err)
		if c != exitOK {
			code = c
		}
		if c == exitInterrupted { // what follows was meant to come after it
			return code, !s.interactive
		}
	}
	return code, false
}

// say runs a call whose answer is one text.
func (s *session) say(ctx context.Context, call func(*client.Client) (string, error)) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	message, err := call(c)
	if s.json {
		s.out.replyJSON(message, err)
	} else if err == nil {
		s.out.message(message)
	}
	return err
}
