// SPDX-License-Identifier: GPL-3.0-or-later

// Command einhyrningsins runs copies of a program on shared sockets and
// replaces them without dropping a connection. It is the keeper; the same
// binary is the master when the keeper starts it under the master's name.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/keeper"
	"einhyrningsins/internal/version"
)

// Exit statuses, as the manual has them.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

func main() {
	if os.Args[0] == keeper.MasterName {
		os.Exit(runMaster())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for the process's own exit.
func run(args []string, stdout, stderr io.Writer) int {
	ignored := keeper.Clean()
	tune()
	cfg, err := config.Parse(args, os.Environ())
	switch {
	case errors.Is(err, config.ErrHelp):
		fmt.Fprint(stdout, config.Usage())
		return statusOK
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintln(stdout, "einhyrningsins", version.Version)
		return statusOK
	case errors.Is(err, config.ErrChecked):
		return statusOK
	case err != nil:
		return complain(stderr, err)
	}
	path, err := config.FindProgram(cfg.Program[0], config.PathOf(os.Environ()))
	if err != nil {
		return complain(stderr, err)
	}
	status, err := keeper.Run(cfg, path, newLog(cfg, "keeper"), ignored)
	if err != nil {
		return complain(stderr, err)
	}
	return status
}

// complain tells what was wrong and returns the exit status for it.
func complain(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "einhyrningsins: %v\n", err)
	if errors.Is(err, config.ErrUsage) {
		return statusUsage
	}
	return statusFailed
}
