// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// historyLimit is how many lines are remembered. The file may grow to twice as
// many before it is cut, so that it isn't written anew at each start.
const historyLimit = 1000

// history is the file of lines typed into the interactive shell. It is only
// for its owner to read: a line may hold what is nobody else's business.
// Several shells may append to one file.
type history struct {
	path  string // "" when nothing is kept
	lines []string
}

// historyPath follows the XDG Base Directory Specification: a relative
// XDG_STATE_HOME counts as none.
func historyPath(getenv func(string) string) (string, error) {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", errors.New("cannot keep a history: neither XDG_STATE_HOME nor HOME says where")
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "einhyrningsins", "history"), nil
}

// openHistory reads what earlier shells left. With an error there is still a
// history, which lasts only as long as this shell.
func openHistory(getenv func(string) string) (*history, error) {
	h := &history{}
	path, err := historyPath(getenv)
	if err != nil {
		return h, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return h, fmt.Errorf("cannot keep a history: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, fmt.Errorf("cannot read the history: %w", err)
	}
	h.path = path
	for line := range bytes.Lines(data) {
		if line := strings.TrimSpace(string(line)); line != "" {
			h.lines = append(h.lines, line)
		}
	}
	if len(h.lines) > 2*historyLimit {
		h.lines = h.lines[len(h.lines)-historyLimit:]
		return h, h.rewrite()
	}
	return h, nil
}

// add remembers line unless it is empty or the last one again, and tells
// whether it did.
func (h *history) add(line string) bool {
	line = strings.TrimSpace(line)
	if line == "" || strings.ContainsRune(line, '\n') {
		return false
	}
	if n := len(h.lines); n > 0 && h.lines[n-1] == line {
		return false
	}
	h.lines = append(h.lines, line)
	if h.path == "" {
		return true
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		h.path = "" // a history that can't be written is no reason to nag
		return true
	}
	defer f.Close()
	f.Chmod(0o600) // it may have been made with another mode
	f.WriteString(line + "\n")
	return true
}

// rewrite puts lines in place of the whole file, at once.
func (h *history) rewrite() error {
	f, err := os.CreateTemp(filepath.Dir(h.path), "history-*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("cannot shorten the history: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(strings.Join(h.lines, "\n") + "\n")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), h.path)
	}
	if err != nil {
		return fmt.Errorf("cannot shorten the history: %w", err)
	}
	return nil
}
