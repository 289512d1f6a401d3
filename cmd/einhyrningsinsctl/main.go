// SPDX-License-Identifier: GPL-3.0-or-later

// Einhyrningsinsctl is the shell of a running einhyrningsins: it sends commands
// to the control socket and shows the answers to people, or to programs with
// --json.
//
// Each verb has a file under its own name (status.go, upgrade.go …) with its
// cobra command, so that the same words work as arguments, after -e, line by
// line from stdin and in the interactive shell. root.go puts them together;
// session.go runs them and turns what went wrong into an exit status; words.go
// splits lines; shell.go is the interactive part, with history.go and
// complete.go. All that a person sees is made in output*.go.
//
// Called as einhornsh it is the shell of einhorn: einhornsh*.go.
package main

import (
	"io"
	"os"
	"path/filepath"
)

func main() {
	if filepath.Base(os.Args[0]) == einhornshName {
		os.Exit(runEinhornsh(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program under its own name; it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := newSession(stdin, stdout, stderr)
	defer s.close()
	return s.execute(newRoot(s), args)
}
