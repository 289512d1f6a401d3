// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package platform

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnProgram is empty here: there is no name for the running binary that
// survives its replacement on disk, so masters start from its path.
const OwnProgram = ""

// OpenBinary opens a file to be executed by its HeldPath.
func OpenBinary(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// HeldPath is the path on disk here: there is no executing of open files.
func HeldPath(_ *os.File, path string) string { return path }

// reaped holds the children that wait has taken: there is no looking without
// reaping here, so what is left of such a child's group is signalled when its
// number is free already. Only the keeper's loop touches it.
var reaped = map[int]syscall.WaitStatus{}

// Ended finds a child that has ended and leaves it unreaped where the system
// can do that; 0: none.
func Ended() int {
	for pid := range reaped {
		return pid
	}
	return wait(-1)
}

// HasEnded tells whether this child has ended, likewise.
func HasEnded(pid int) bool {
	_, ok := reaped[pid]
	return ok || wait(pid) == pid
}

// Reap takes the exit status of a child that has ended.
func Reap(pid int) syscall.WaitStatus {
	status := reaped[pid]
	delete(reaped, pid)
	return status
}

func wait(pid int) int {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || got <= 0 {
			return 0
		}
		reaped[got] = status
		return got
	}
}

// SetSignalMask does nothing here: what is blocked is inherited.
func SetSignalMask([]syscall.Signal) (restore func()) { return func() {} }

// CloseInherited marks whatever we were started with from this descriptor on
// close-on-exec, so that no child gets it.
func CloseInherited(from int) {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	for fd := from; fd < int(min(limit.Cur, 65536)); fd++ {
		unix.CloseOnExec(fd)
	}
}

// AdoptIgnored handles the usual suspects; there is no list of ignored signals
// to read here.
func AdoptIgnored(to chan os.Signal) {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU} {
		if signal.Ignored(sig) {
			signal.Notify(to, sig)
		}
	}
}

// SetComm does nothing here: argv[0] has to do.
func SetComm(string) {}
