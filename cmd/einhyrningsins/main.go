// SPDX-License-Identifier: GPL-3.0-or-later

// Command einhyrningsins runs copies of a program on shared sockets and
// replaces them without dropping a connection. It is the keeper; the same
// binary is the master when the keeper starts it under the master's name, and
// reads einhorn's command line when it is called einhorn.
package main

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"einhyrningsins/internal/config"
	_ "einhyrningsins/internal/entry" // where it begins
	"einhyrningsins/internal/keeper"
	"einhyrningsins/internal/look"
	"einhyrningsins/internal/memory"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/ready"
)

// Exit statuses, as the manual has them.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

func main() {
	takeArgs()
	if os.Args[0] == keeper.MasterName {
		os.Exit(runMaster())
	}
	if os.Args[0] == ready.ProbeName {
		platform.SetComm(ready.ProbeName)
		os.Exit(ready.ProbeMain(os.Args[1:]))
	}
	if status, ok := look.Main(os.Args[1:]); ok {
		os.Exit(status)
	}
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run is the whole program but for the process's own exit. args begin with the
// name that we are called by, which says whose command line they are.
func run(args []string, stdout, stderr io.Writer) int {
	line := ownLine
	if len(args) > 0 && filepath.Base(args[0]) == einhornLine.name {
		line = einhornLine
	}
	signals := keeper.Clean(line.name == einhornLine.name)
	memory.Tune()
	var cfg *config.Config
	var source keeper.Source
	var asked error // for something else than to run a program; or what is wrong
	// Nothing is made yet that would be left behind.
	if stopped := signals.During(0, func(context.Context) error {
		cfg, source, asked = line.begin(args[min(1, len(args)):])
		return nil
	}); stopped != nil {
		return keeper.Stopped(newLog(&config.Config{}, "keeper"), stopped)
	}
	if asked != nil {
		return line.answer(asked, stdout, stderr)
	}
	log := newLog(cfg, "keeper")
	for _, warning := range cfg.Warnings {
		log.Logger().Warn(warning)
	}
	if cfg.CommandName != "" {
		showName(line.name + ": " + cfg.CommandName)
	}
	status, err := keeper.Run(cfg, source, log, signals)
	if err != nil {
		return line.complain(stderr, err)
	}
	return status
}
