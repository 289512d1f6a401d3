// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"einhyrningsins/internal/wire"

	"github.com/chzyer/readline"
)

// executeTexts runs the texts of -e until one of them says quit.
func (s *session) executeTexts(texts []string) error {
	code := exitOK
	for _, text := range texts {
		c, quit := s.runText(text)
		if c != exitOK {
			code = c
		}
		if quit {
			break
		}
	}
	return told(code)
}

func told(code int) error {
	if code == exitOK {
		return nil
	}
	return &toldError{code}
}

// serveStdin is the shell: for a person when both ends are a terminal, else
// for whatever writes one command a line.
func (s *session) serveStdin() error {
	in, ok := s.stdin.(*os.File)
	if ok && in == os.Stdin && isTerminal(in) && s.out.isTerminal() {
		return s.converse()
	}
	return s.readLines()
}

// readLines runs what comes line by line. It goes on after a command that
// failed, and ends with the status of the last one that did.
func (s *session) readLines() error {
	code := exitOK
	in := bufio.NewReaderSize(s.stdin, wire.MaxLine)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return usagef("cannot read command: the line is longer than %d bytes", wire.MaxLine)
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("cannot read commands: %w", err)
		}
		c, quit := s.runText(string(line))
		if c != exitOK {
			code = c
		}
		if quit || err == io.EOF {
			return told(code)
		}
	}
}

// converse is the interactive shell. Only its beginning can fail; whatever
// goes wrong later is shown, and the shell goes on.
func (s *session) converse() error {
	s.prefix, s.interactive = "", true
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := s.greet(ctx)
	stop()
	if err != nil {
		s.prefix = programName + " "
		return err
	}
	history, err := openHistory(os.Getenv)
	if err != nil {
		s.out.note(err.Error())
	}
	ed, err := newEditor(programName+"> ", shellCompleter{s}, history)
	if err != nil {
		return fmt.Errorf("cannot start the shell: %w", err)
	}
	defer ed.close()
	for {
		line, err := ed.read()
		if err != nil {
			return ed.ending()
		}
		if history.add(line) {
			ed.rl.SaveHistory(line)
		}
		if _, quit := s.runText(line); quit {
			return nil
		}
	}
}

// greet connects, and introduces both sides.
func (s *session) greet(ctx context.Context) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	s.out.greeting(st, s.path)
	return nil
}

// editor reads lines from the terminal.
type editor struct {
	rl      *readline.Instance
	signals chan os.Signal
	done    chan struct{}
	caught  atomic.Int32 // the signal that asks us to end
	hungUp  atomic.Bool  // the terminal has ended; what it left is no command
}

func newEditor(prompt string, completer readline.AutoCompleter, history *history) (*editor, error) {
	ed := &editor{signals: make(chan os.Signal, 1), done: make(chan struct{})}
	rl, err := readline.NewEx(&readline.Config{
		Prompt:                 prompt,
		AutoComplete:           completer,
		DisableAutoSaveHistory: true, // ours keeps the file's mode
		HistoryLimit:           historyLimit,
		HistorySearchFold:      true,
		InterruptPrompt:        "^C",
		EOFPrompt:              "exit",
		FuncFilterInputRune:    ed.filter,
	})
	if err != nil {
		return nil, err
	}
	ed.rl = rl
	for _, line := range history.lines {
		rl.SaveHistory(line)
	}
	signal.Notify(ed.signals, syscall.SIGTERM, syscall.SIGHUP)
	go ed.await()
	return ed, nil
}

// await gives the terminal back when a signal ends us.
func (ed *editor) await() {
	select {
	case sig := <-ed.signals:
		if n, ok := sig.(syscall.Signal); ok {
			ed.caught.Store(int32(n))
		}
		ed.rl.Close()
		// A command may be under way, which knows nothing of this.
		signal.Reset(syscall.SIGTERM, syscall.SIGHUP)
		syscall.Kill(os.Getpid(), syscall.Signal(ed.caught.Load()))
	case <-ed.done:
	}
}

// filter sees each key before the editor does.
func (ed *editor) filter(r rune) (rune, bool) {
	switch r {
	case 0: // the end of input; what stands in the line was never entered
		ed.hungUp.Store(true)
	case readline.CharCtrlZ:
		// The editor's own answer to it stops our parent as well.
		ed.rl.Terminal.ExitRawMode()
		syscall.Kill(0, syscall.SIGTSTP)
		ed.rl.Terminal.EnterRawMode()
		return r, false
	}
	return r, true
}

// read returns the next line; Ctrl-C abandons the one being typed.
func (ed *editor) read() (string, error) {
	for {
		line, err := ed.rl.Readline()
		if ed.hungUp.Load() {
			return "", io.EOF
		}
		if !errors.Is(err, readline.ErrInterrupt) {
			return line, err
		}
	}
}

// ending is the outcome of a shell whose input has ended.
func (ed *editor) ending() error {
	if n := ed.caught.Load(); n != 0 {
		return &toldError{128 + int(n)}
	}
	return nil
}

func (ed *editor) close() {
	signal.Stop(ed.signals)
	close(ed.done)
	ed.rl.Close()
}
