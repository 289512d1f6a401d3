// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// holderOf names who has a lock on a file, for an error message. What the file
// says may be a dead keeper's, or nothing where the disk was full, so the system's
// word comes first.
func holderOf(f *os.File) string {
	says := readPID(f)
	switch by := lockedBy(f); {
	case by > 0 && by == says:
		return fmt.Sprintf("keeper %d", by)
	case by > 0:
		return nameOf(by)
	case says > 0 && !errors.Is(syscall.Kill(says, 0), syscall.ESRCH):
		return fmt.Sprintf("keeper %d", says)
	}
	return "another keeper"
}

// nameOf names a process: "server (pid 1234)".
func nameOf(pid int) string {
	if name := Comm(pid); name != "" {
		return fmt.Sprintf("%s (pid %d)", name, pid)
	}
	return fmt.Sprintf("pid %d", pid)
}
