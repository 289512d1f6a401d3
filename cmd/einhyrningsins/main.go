// SPDX-License-Identifier: GPL-3.0-or-later

// Command einhyrningsins runs copies of a program on shared sockets and
// replaces them without dropping a connection. It is the keeper; the same
// binary is the master when the keeper starts it under the master's name, and
// reads einhorn's command line when it is called einhorn.
package main

import (
	"io"
	"os"
	"path/filepath"

	"einhyrningsins/internal/keeper"
	"einhyrningsins/internal/look"
	"einhyrningsins/internal/memory"
	"einhyrningsins/internal/step"
)

// Exit statuses, as the manual has them.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

func main() {
	if os.Args[0] == step.Name {
		os.Exit(step.Main(os.Args))
	}
	takeArgs()
	if os.Args[0] == keeper.MasterName {
		os.Exit(runMaster())
	}
	if status, ok := look.Main(os.Args[1:]); ok {
		os.Exit(status)
	}
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run is the whole program but for the process's own exit. args begin with the
// name that we are called by, which says whose command line they are.
func run(args []string, stdout, stderr io.Writer) int {
	ignored := keeper.Clean()
	memory.Tune()
	line := ownLine
	if len(args) > 0 && filepath.Base(args[0]) == einhornLine.name {
		line = einhornLine
	}
	cfg, err := line.parse(args[min(1, len(args)):], os.Environ())
	if cfg == nil {
		return line.answer(err, stdout, stderr)
	}
	if wrong := cfg.Resolve(); wrong != nil {
		return line.complain(stderr, wrong)
	}
	first, wrong := look.First(cfg)
	if wrong != nil {
		return line.complain(stderr, wrong)
	}
	if err != nil { // only a check was asked for
		return line.answer(err, stdout, stderr)
	}
	log := newLog(cfg, "keeper")
	for _, warning := range cfg.Warnings {
		log.Logger().Warn(warning)
	}
	if cfg.CommandName != "" {
		showName(line.name + ": " + cfg.CommandName)
	}
	status, err := keeper.Run(cfg, keeper.World{First: first, At: look.At(cfg, false)}, log, ignored)
	if err != nil {
		return line.complain(stderr, err)
	}
	return status
}
