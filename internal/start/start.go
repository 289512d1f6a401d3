// SPDX-License-Identifier: GPL-3.0-or-later

// Package start is what the keeper starts processes from, and how.
//
// What: a Launch is what the workers of one generation are started from, as a
// process has found it that looked (internal/look): an environment, and a directory
// and a program that are held open, so that they stay what they were (launch.go).
// looking.go is that look, as seen from outside: a process of which nothing is
// expected, because the operator's command runs in it; stderr.go listens to what it
// says.
//
// How: every process that is not our own binary is forked here, and then does what
// only itself can do. It learns its own pid, for LISTEN_PID, puts on user, groups and
// limits, and finds the program. Whoever executes something from a disk may wait
// there, for as long as a dead file server takes. While os/exec starts a program it
// holds a processor until that was executed, and the garbage collector waits for it:
// the keeper itself would stand still. So this fork waits for nothing (fork.go). It
// returns at once, and what became of the child comes over a pipe: a worker counts as
// started when its program was executed.
//
// Between fork(2) and execve(2) a child of a Go program can do nothing but make
// system calls. So all is prepared before: plan.go makes the list of calls from
// what the process is to become, child.go makes the calls. large.go names what
// execve(2) found too large, limit.go knows how many files a program may have open.
//
// Nothing in here waits, signals or reaps. That is the keeper's.
package start
