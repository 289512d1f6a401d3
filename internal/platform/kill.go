// SPDX-License-Identifier: GPL-3.0-or-later

package platform

import (
	"fmt"
	"os"
	"syscall"
)

// Kill sends sig to a process, or to its whole group; to the process also when it
// has left the group that was made for it.
func Kill(pid int, sig syscall.Signal, group bool) error {
	var err error = syscall.ESRCH
	if group {
		err = syscall.Kill(-pid, sig)
	}
	if err == syscall.ESRCH {
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
