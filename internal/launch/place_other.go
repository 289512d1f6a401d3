// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package launch

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// firstHeld is nothing special here.
const firstHeld = 3

// Enter has only paths to go by here: as the program was found, if that still
// leads to the same file, and otherwise its own, whatever is there now.
func (p *Place) Enter(attr *syscall.ProcAttr) (path string) {
	attr.Dir = p.directory
	var st unix.Stat_t
	err := unix.Fstatat(int(p.dir.Fd()), p.path, &st, 0)
	if err == nil && uint64(st.Dev) == p.dev && uint64(st.Ino) == p.ino {
		return p.path
	}
	return p.resolved
}

// pipe has to hold the lock that keeps a fork from inheriting it.
func pipe(fds *[2]int) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(fds[:]); err != nil {
		return err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return nil
}
