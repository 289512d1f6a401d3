// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package keeper

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownProgram is empty here: there is no name for the running binary that
// survives its replacement on disk, so masters start from its path.
const ownProgram = ""

// heldPath is the path on disk here: there is no executing of open files.
func heldPath(_ *os.File, path string) string { return path }

// reaped holds the children that wait has taken: there is no looking without
// reaping here, so what is left of such a child's group is signalled when its
// number is free already. Only the keeper's loop touches it.
var reaped = map[int]syscall.WaitStatus{}

func (realSystem) ended() int {
	for pid := range reaped {
		return pid
	}
	return wait(-1)
}

func (realSystem) hasEnded(pid int) bool {
	_, ok := reaped[pid]
	return ok || wait(pid) == pid
}

func (realSystem) reap(pid int) syscall.WaitStatus {
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

func setSignalMask([]syscall.Signal) (restore func()) { return func() {} }

func closeInherited(from int) {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	for fd := from; fd < int(min(limit.Cur, 65536)); fd++ {
		unix.CloseOnExec(fd)
	}
}

// adoptIgnored handles the usual suspects; there is no list of ignored signals
// to read here.
func adoptIgnored(to chan os.Signal) {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU} {
		if signal.Ignored(sig) {
			signal.Notify(to, sig)
		}
	}
}

// SetComm does nothing here: argv[0] has to do.
func SetComm(string) {}

// socketpair makes two ends of a connection that no child inherits.
func socketpair() ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds, err
}
