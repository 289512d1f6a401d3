// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/ready"
)

// Probe is the command that tells whether a worker is ready.
type Probe struct {
	Path  string // "": our own
	words childenv.Template
}

// FindProbe finds the program of the probe, if there is one. names are those of
// the sockets. An error matches [ErrUsage].
func (c *Config) FindProbe(names []string) (p Probe, err error) {
	if !c.Asks() {
		return p, nil
	}
	command := c.AckCommand
	if m := c.Mode(); m.Attempt != nil {
		command = append([]string{ready.ProbeName, m.Name}, command...)
	} else if p.Path, err = FindProgram(command[0], PathOf(os.Environ())); err != nil {
		return p, usageWrap(err, "cannot use --ack-mode %s: %v", show(c.AckMode()), err)
	}
	p.words, err = childenv.ParseTemplate(command, 1, names, 0)
	if wrong := (*childenv.SocketError)(nil); errors.As(err, &wrong) {
		err = usageWrap(err, "cannot use --ack-mode %s: %v; write {%s} for the word itself", show(c.AckMode()), err, wrong.Word)
	}
	return p, err
}

// For returns the arguments for one worker; {pid} stands for its.
func (p Probe) For(pid, index, generation int) []string {
	words := make([]string, 0, 8)
	for _, word := range p.words.For(index, generation) {
		words = append(words, strings.ReplaceAll(word, "{pid}", strconv.Itoa(pid)))
	}
	return words
}
