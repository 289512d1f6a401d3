// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// files are two limits of open files, RLIMIT_NOFILE.
type files struct {
	ours     unix.Rlimit // which Go's runtime has raised for itself
	programs unix.Rlimit // which we were started with
}

// LearnFileLimit finds out with which limit of open files we were started. It lowers
// ours for a moment, so it is to be called before many files are open, and nothing
// else happens.
//
// Go's runtime raises the limit before anything of ours runs, keeps to itself what it
// was, and puts that back in the programs that os/exec starts. It does so, too,
// before an execve(2) that fails.
var LearnFileLimit = sync.OnceValue(func() (f files) {
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &f.ours)
	_ = syscall.Exec("", []string{""}, nil)
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &f.programs)
	if f.programs != f.ours {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &f.ours)
	}
	return f
})

// filesOfPrograms is the limit to set in a program, unless somebody has changed ours
// since, which is then meant for programs as well, prlimit(1).
func filesOfPrograms() (limit unix.Rlimit, set bool) {
	known := LearnFileLimit()
	var now unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &now) != nil || now != known.ours {
		return limit, false
	}
	return known.programs, known.programs != known.ours
}
