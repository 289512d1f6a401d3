// SPDX-License-Identifier: GPL-3.0-or-later

package step

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/launch"
	"einhyrningsins/internal/platform"
)

// Supported: a process can be told apart from what it was before, and find the
// binary that runs.
const Supported = true

// newReport makes the socket. Only our end is for the poller: a goroutine that
// waits takes no thread.
func newReport() (*Report, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, err
	}
	return &Report{ours: os.NewFile(uintptr(fds[0]), "report")}, os.NewFile(uintptr(fds[1]), "report"), nil
}

// endOrders lets whoever reads them come to their end.
func endOrders(ours *os.File) error {
	raw, err := ours.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
}

// Main is this program as a process that takes the step. It returns only when it
// has not become the program.
func Main(args []string) (status int) {
	// What follows is done to one thread, which is the one that remains.
	runtime.LockOSThread()
	report, orders, err := hear(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "einhyrningsins: this name is for processes that are being started; nobody else calls it")
		return 1
	}
	var o Orders
	words := strings.Split(string(orders), end) // and nothing behind the last
	if json.Unmarshal([]byte(words[0]), &o) != nil || len(words) != 1+o.Argv+o.Env+1 {
		return 1 // they broke off: the keeper has gone, or could not write
	}
	for fd := o.Files; fd <= report; fd++ {
		unix.CloseOnExec(fd)
	}
	platform.DefaultSignals()
	f := o.become(words[1:1+o.Argv], words[1+o.Argv:len(words)-1], report)
	_, _ = unix.Write(report, f.text())
	return 1
}

// hear reads the orders to their end.
func hear(args []string) (report int, orders []byte, err error) {
	if len(args) < 2 {
		return 0, nil, syscall.EINVAL
	}
	if report, err = strconv.Atoi(args[1]); err != nil {
		return 0, nil, err
	}
	var buffer [16 << 10]byte
	for {
		n, _, err := unix.Recvfrom(report, buffer[:], 0)
		switch {
		case err == unix.EINTR:
		case err != nil || n == 0:
			return report, orders, err
		default:
			orders = append(orders, buffer[:n]...)
		}
	}
}

// become does everything in an order in which what takes a privilege comes before
// it is given up, and what comes with the program's right to it, after.
func (o *Orders) become(words, env []string, report int) *Failure {
	childenv.SetPID(env, os.Getpid())
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
	_, _ = unix.Write(report, []byte{executing})
	err := syscall.Exec(path, words, env)
	if err == syscall.E2BIG {
		return fail(err, "pass %s", tooLarge(words, env))
	}
	return fail(err, "")
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
