// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
)

// StepName is what ps shows of a process until it has executed its program. Its
// command line is the keeper's until then.
const StepName = "einhyrn-step"

// Orders are what the process does to itself.
type Orders struct {
	Keeper int            // whose child it is
	Orphan syscall.Signal // what it gets when the keeper dies; 0: nothing
	Limits config.Limits
}

// Fork starts a process that becomes the program with these arguments, environment
// and descriptors, in a process group of its own. It does not wait for that: the
// caller calls Wait or Close of the report. The parent, of whose end Orphan speaks,
// is the calling thread, prctl(2), so that is to be locked and to live on.
func Fork(o Orders, t *Program, argv, env []string, files []uintptr) (pid int, r *Report, err error) {
	r, theirs, err := NewReport()
	if err != nil {
		return 0, nil, err
	}
	defer theirs.Close()
	p, err := newPlan(o, t, argv, env, files, theirs.Fd())
	if err == nil {
		r.doing = p.doing
		r.tooLarge = func() string { return tooLarge(argv, env, o.Limits.Rlimits) }
		pid, err = p.fork()
	}
	runtime.KeepAlive(t) // and its descriptors
	if err != nil {
		r.Close()
		return 0, nil, err
	}
	return pid, r, nil
}

// Report is the keeper's end of the pipe. The other end is closed by a successful
// execve(2), or by the end of the process.
//
// What comes are messages. One of all zeroes announces execve(2).
type Report struct {
	ours     *os.File
	doing    []string // by the first byte; 0 is to execute the program
	tooLarge func() string
}

// message is what could not be done, and the errno in two bytes: file systems may
// return larger ones than the kernel has.
type message [3]byte

// executing goes before the attempt, which ends the report if it succeeds.
var executing message

// NewReport makes a report, and the end for the process, of which the messages 1 and
// up say that it could not do that. Only our end is for the poller: a goroutine that
// waits takes no thread.
func NewReport(doing ...string) (r *Report, theirs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "report")
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		theirs.Close()
		return nil, nil, err
	}
	return &Report{ours: os.NewFile(uintptr(fds[0]), "report"), doing: append([]string{""}, doing...)}, theirs, nil
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

// How long a step may take: what hangs, as execve(2) does on a dead file server,
// or was stopped by somebody of the workers' user, would hold up an upgrade and
// the stop for ever. The second counts from the end of the first, for we may have
// been stopped together with the step.
const (
	patience  = 30 * time.Second
	lastLooks = time.Second
)

// Wait returns when the program was executed, or a [Failure]. A process that has
// ended before it came to that was killed by somebody: to try again later is right.
// One that hangs is the caller's to kill.
func (r *Report) Wait() error { return r.wait(patience, lastLooks) }

func (r *Report) wait(limits ...time.Duration) error {
	defer r.Close()
	var said []byte
	err := os.ErrDeadlineExceeded
	for i := 0; i < len(limits) && errors.Is(err, os.ErrDeadlineExceeded); i++ {
		_ = r.ours.SetReadDeadline(time.Now().Add(limits[i]))
		var more []byte
		more, err = io.ReadAll(io.LimitReader(r.ours, int64(2*len(executing)+1-len(said))))
		said = append(said, more...)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Failure{fmt.Sprintf("come as far as the program within %v", limits[0]), syscall.ETIMEDOUT}
	case err != nil:
		return &Failure{"hear what became of it", syscall.EIO}
	case len(said) == 0:
		return &Failure{"come as far as the program", syscall.EAGAIN}
	case string(said) == string(executing[:]):
		return nil
	}
	return r.failure(said)
}

// failure reads the last message.
func (r *Report) failure(said []byte) error {
	if len(said) == 2*len(executing) && message(said) == executing {
		said = said[len(executing):]
	}
	if len(said) != len(executing) || int(said[0]) >= len(r.doing) || said[1] == 0 && said[2] == 0 {
		return &Failure{"hear what became of it", syscall.EPROTO}
	}
	f := &Failure{r.doing[said[0]], syscall.Errno(said[1]) | syscall.Errno(said[2])<<8}
	if f.Doing == "" && f.Errno == syscall.E2BIG && r.tooLarge != nil {
		f.Doing = "pass " + r.tooLarge()
	}
	return f
}

// Close ends a report for which nobody waits.
func (r *Report) Close() { r.ours.Close() }
