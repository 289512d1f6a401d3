// SPDX-License-Identifier: GPL-3.0-or-later

package platform

import (
	"fmt"
	"os"
	"syscall"
)

// Kill sends sig to a process, or to its whole group; to the process also when it
// has left the group that was made for it. It fails when the process itself could not
// be signalled: for a group it is enough for kill(2) that one of them could.
func Kill(pid int, sig syscall.Signal, group bool) error {
	var err error = syscall.ESRCH
	if group {
		err = syscall.Kill(-pid, sig)
	}
	switch err {
	case nil:
		err = syscall.Kill(pid, 0)
	case syscall.ESRCH:
		err = syscall.Kill(pid, sig)
	}
	return os.NewSyscallError("kill", err)
}

// HowEnded says how a process has ended.
func HowEnded(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
