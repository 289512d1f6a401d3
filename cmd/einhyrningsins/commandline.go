// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/keeper"
	"einhyrningsins/internal/look"
	"einhyrningsins/internal/version"
)

// commandLine is a name by which we can be called, and how we answer to it.
type commandLine struct {
	name       string
	parse      func(args, environ []string) (*config.Config, error)
	usage      func() string
	help       int // exit status after the usage text
	usageError int
}

var (
	ownLine = commandLine{
		name: "einhyrningsins", parse: config.Parse, usage: config.Usage,
		help: statusOK, usageError: statusUsage,
	}
	// einhorn's scripts expect a 1 whatever was wrong, and after help, too.
	einhornLine = commandLine{
		name: "einhorn", parse: config.ParseEinhorn, usage: config.EinhornUsage,
		help: statusFailed, usageError: statusFailed,
	}
)

// begin reads a command line, and looks at what there is to start. The error is
// for answer.
func (l commandLine) begin(args []string) (*config.Config, keeper.Source, error) {
	cfg, asked := l.parse(args, os.Environ())
	if cfg == nil {
		return nil, keeper.Source{}, asked
	}
	if err := cfg.Resolve(); err != nil {
		return nil, keeper.Source{}, err
	}
	first, err := look.First(cfg)
	if err != nil {
		return nil, keeper.Source{}, err
	}
	return cfg, keeper.Source{First: first, At: look.At(cfg, false)}, asked
}

// answer does what a command line asks for that runs no program, and returns
// the exit status.
func (l commandLine) answer(err error, stdout, stderr io.Writer) int {
	var asked *config.AskedToLook
	switch {
	case errors.Is(err, config.ErrHelp), errors.Is(err, config.ErrNoProgram):
		fmt.Fprint(stdout, l.usage())
		return l.help
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintln(stdout, "einhyrningsins", version.Version)
		return statusOK
	case errors.Is(err, config.ErrChecked):
		return statusOK
	case errors.As(err, &asked):
		return look.Arrived(asked.FD, asked.Program)
	}
	return l.complain(stderr, err)
}

// complain tells what was wrong and returns the exit status for it.
func (l commandLine) complain(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "%s: %v\n", l.name, err)
	if errors.Is(err, config.ErrUsage) {
		return l.usageError
	}
	return statusFailed
}
