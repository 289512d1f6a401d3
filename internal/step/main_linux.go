// SPDX-License-Identifier: GPL-3.0-or-later

package step

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/launch"
	"einhyrningsins/internal/platform"
)

// Supported: a process can be told apart from what it was before, and find the
// binary that runs.
const Supported = true

// newReport makes the pipe. Only our end is for the poller: a goroutine that
// waits takes no thread.
func newReport() (*Report, *os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, err
	}
	return &Report{os.NewFile(uintptr(fds[0]), "report")}, os.NewFile(uintptr(fds[1]), "report"), nil
}

// Main is this program as a process that takes the step. It returns only when it
// has not become the program.
func Main(args []string) (status int) {
	// What follows is done to one thread, which is the one that remains.
	runtime.LockOSThread()
	var o Orders
	if len(args) < 3 || json.Unmarshal([]byte(args[1]), &o) != nil || o.Files < 3 {
		fmt.Fprintln(os.Stderr, "einhyrningsins: this name is for workers that are being started; nobody else calls it")
		return 1
	}
	for fd := o.Files; fd <= o.Report; fd++ {
		unix.CloseOnExec(fd)
	}
	platform.DefaultSignals()
	f := o.become(args[2:])
	_, _ = unix.Write(o.Report, f.text())
	return 1
}

// become does everything in an order in which what takes a privilege comes before
// it is given up, and what comes with the program's right to it, after.
func (o *Orders) become(words []string) *Failure {
	env := o.environ()
	var place *launch.Place
	if o.Held != nil {
		place = o.Held.Place(uintptr(o.Files+1), uintptr(o.Files))
		if dir, _ := place.Where(); dir != "" {
			if err := unix.Chdir(dir); err != nil {
				return fail(err, "go to the directory %s", o.Held.Directory)
			}
		}
	}
	if f := setLimits(o.Limits); f != nil {
		return f
	}
	path := o.find(place)
	if as := o.Limits.RunAs; as != nil {
		if f := runAs(*as); f != nil {
			return f
		}
	}
	if o.Limits.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fail(err, "renounce new privileges")
		}
	}
	if o.Orphan != 0 { // another user would have lost it, prctl(2)
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(o.Orphan), 0, 0, 0); err != nil {
			return fail(err, "ask for a signal at the keeper's death")
		}
	}
	if os.Getppid() != o.Keeper {
		return &Failure{Doing: "begin without a keeper", Errno: syscall.ESRCH}
	}
	_, _ = unix.Write(o.Report, []byte{executing})
	return fail(syscall.Exec(path, words, env), "")
}

// find is by which path the program is executed.
func (o *Orders) find(place *launch.Place) string {
	if place == nil {
		return string(o.Path)
	}
	_, path := place.Where()
	if path == "" {
		through, script := place.Through()
		if script {
			_, _ = unix.FcntlInt(uintptr(o.Files), unix.F_SETFD, 0) // for the interpreter
		}
		path = through
	}
	return path
}

// environ is the program's.
func (o *Orders) environ() []string {
	env := slices.DeleteFunc(os.Environ(), isRuntimes)
	for _, kv := range o.Env {
		env = append(env, string(kv))
	}
	childenv.SetPID(env, os.Getpid())
	return env
}
