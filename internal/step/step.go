// SPDX-License-Identifier: GPL-3.0-or-later

// Package step is the last step to a process that is not our own binary: what only
// the process itself can do that becomes one, between fork(2) and execve(2). A
// worker learns its own pid there, for LISTEN_PID, and it puts on what would be ours
// otherwise: user and groups, resource limits, umask and the like.
//
// Whoever executes something from a disk may wait there, for as long as a dead file
// server takes. While Go executes a program it holds a processor, and the garbage
// collector waits for it: the keeper itself would stand still. So nothing is executed
// by the keeper but the binary that it runs.
//
// Go can do nothing between fork(2) and execve(2) but what it has prepared, so the
// step is this program, started anew from the binary that runs (the keeper's own,
// whatever the disk holds). step.go is the keeper's side: what is to be started instead of the
// program, and the socket on which it tells the orders and hears what became of it.
// main_linux.go is what that process does, limits_linux.go one part of it.
//
// The keeper does not wait for a step: it takes as long as a Go program takes to
// begin, and another may begin meanwhile. A worker counts as started when the
// program was executed.
package step

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/launch"
)

// Name is argv[0] of a process that takes the step. The descriptor follows where it
// hears its orders, and for ps what it is to become.
const Name = "einhyrn-step"

// Orders are what the process is told. It finds the descriptors that are not for
// the program behind those that are: the program's file, the directory, and the
// socket. A program that is named by its path has no file, and no directory.
//
// Arguments and environment follow, all with a zero byte behind them. So none of them can be too
// large for the step that is not for the program, and Go's runtime begins without
// the variables that are meant for another.
type Orders struct {
	Keeper int            `json:"keeper"`           // whose child it is
	Orphan syscall.Signal `json:"orphan,omitempty"` // what the worker gets when the keeper dies; 0: nothing
	Limits config.Limits  `json:"limits"`
	Held   *launch.Held   `json:"held,omitempty"`
	Path   []byte         `json:"path,omitempty"` // instead of Held
	Files  int            `json:"files"`          // descriptors for the program
	Argv   int            `json:"argv"`           // how many arguments follow
	Env    int            `json:"env"`            // and then variables
}

// Target is what a process becomes: a program at a place, or one that is held open,
// or one with a path.
type Target struct {
	Place *launch.Place
	File  *os.File
	Path  string
}

// tell puts the target into the orders, and returns the descriptors that it needs.
func (t Target) tell(o *Orders) (files []uintptr) {
	switch {
	case t.Place != nil:
		held, dir, file := t.Place.Held()
		o.Held = &held
		return []uintptr{file, dir}
	case t.File != nil:
		o.Path = []byte("/proc/self/fd/" + strconv.Itoa(o.Files))
		return []uintptr{t.File.Fd()}
	}
	o.Path = []byte(t.Path)
	return nil
}

const end = "\x00"

// ours is the environment of the step itself: a runtime that cannot have a thread is
// to say so in one line, and one processor is enough.
var ours = []string{"GOTRACEBACK=none", "GOMAXPROCS=1"}

// Process is what is started in place of a program.
type Process struct {
	Argv   []string
	Env    []string
	Files  []uintptr
	Report *Report
	theirs *os.File
}

// Take says what to start so that it becomes the target, with these arguments,
// environment and descriptors. The caller starts [platform.OwnProgram] and calls
// Started, or Report.Close if that fails.
func Take(o Orders, target Target, argv, env []string, files []uintptr) (*Process, error) {
	p := &Process{Env: ours}
	o.Files = len(files)
	p.Files = append(slices.Clone(files), target.tell(&o)...)
	o.Argv, o.Env = len(argv), len(env)
	orders, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	orders = append(orders, end...)
	for _, word := range slices.Concat(argv, env) {
		if strings.Contains(word, end) {
			return nil, syscall.EINVAL // as syscall.ForkExec has it
		}
		orders = append(append(orders, word...), end...)
	}
	if p.Report, p.theirs, err = newReport(); err != nil {
		return nil, err
	}
	p.Report.orders = orders
	p.Argv = append([]string{Name, strconv.Itoa(len(p.Files))}, argv[:min(1, len(argv))]...)
	p.Files = append(p.Files, p.theirs.Fd())
	return p, nil
}

// Started closes what belongs to the process.
func (p *Process) Started() { p.theirs.Close() }

// Report is the keeper's end of the socket. The other end is closed by a
// successful execve(2), or by the end of the process.
type Report struct {
	ours   *os.File
	orders []byte // that the process has not heard
}

// Failure is why there is no worker.
type Failure struct {
	Doing string // what could not be done; "": execute the program
	Errno syscall.Errno
}

func (f *Failure) Error() string {
	return fmt.Sprintf("cannot %s: %v", f.Doing, f.Errno)
}

// Unwrap returns the errno.
func (f *Failure) Unwrap() error { return f.Errno }

const (
	executing  = 'x' // goes before the attempt, which ends the report if it succeeds
	mostReport = 512
)

// How long a step may take: what hangs, as execve(2) does on a dead file server,
// or was stopped by somebody of the workers' user, would hold up an upgrade and
// the stop for ever. The second counts from the end of the first, for we may have
// been stopped together with the step.
const (
	patience  = 30 * time.Second
	lastLooks = time.Second
)

// Wait tells the orders, and returns when the program was executed, or a [Failure]. A
// process that has ended before it came to that had too little of something, or was
// killed by somebody: to try again later is right. One that hangs is the caller's to
// kill.
func (r *Report) Wait() error { return r.wait(patience, lastLooks) }

func (r *Report) wait(limits ...time.Duration) error {
	var text []byte
	err := os.ErrDeadlineExceeded
	for i := 0; i < len(limits) && errors.Is(err, os.ErrDeadlineExceeded); i++ {
		_ = r.ours.SetDeadline(time.Now().Add(limits[i]))
		if err = r.tell(); err != nil {
			continue
		}
		var more []byte
		more, err = io.ReadAll(io.LimitReader(r.ours, int64(mostReport-len(text))))
		text = append(text, more...)
		if errors.Is(err, syscall.ECONNRESET) { // it ended before it had heard all
			err = nil
		}
	}
	r.Close()
	rest, tried := strings.CutPrefix(string(text), string(executing))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Failure{Doing: fmt.Sprintf("come as far as the program within %v", limits[0]), Errno: syscall.ETIMEDOUT}
	case err != nil:
		return &Failure{Doing: "hear what became of it", Errno: errnoOf(err)}
	case rest == "" && tried:
		return nil
	case rest == "":
		return &Failure{Doing: "come as far as the program", Errno: syscall.EAGAIN}
	}
	number, doing, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	if err != nil || n <= 0 {
		n = int(syscall.EPROTO)
	}
	return &Failure{Doing: doing, Errno: syscall.Errno(n)}
}

// tell writes what is left of the orders, and their end. Who does not want to hear
// them may still have something to say.
func (r *Report) tell() error {
	if len(r.orders) == 0 {
		return nil
	}
	n, err := r.ours.Write(r.orders)
	r.orders = r.orders[n:]
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	r.orders = nil
	return endOrders(r.ours)
}

// Close ends a report for which nobody waits.
func (r *Report) Close() { r.ours.Close() }

// text is what Wait reads.
func (f *Failure) text() []byte {
	text := fmt.Appendf(nil, "%d %s", int(f.Errno), f.Doing)
	return text[:min(len(text), mostReport-1)]
}

// fail is a Failure; nil when there is no error.
func fail(err error, doing string, args ...any) *Failure {
	if err == nil {
		return nil
	}
	return &Failure{Doing: fmt.Sprintf(doing, args...), Errno: errnoOf(err)}
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno == 0 {
		return syscall.EIO
	}
	return errno
}
