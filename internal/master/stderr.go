// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"fmt"
	"os"
	"strings"
)

// A worker's stderr is the daemon's, and nobody of ours reads it
// (docs/decisions/last-words.md). All that can be done for who wants to know what
// a failed worker has written is to say where it went.

// whereWritten says where what a worker has written to stderr can be read; "": it
// never was a process. Nothing is asked of what is behind the descriptor, which
// may hang.
func whereWritten(pid int) string {
	if pid == 0 {
		return ""
	}
	target, _ := os.Readlink("/proc/self/fd/2") // our own, the keeper's and the workers'
	return written(pid, target, os.Getenv("JOURNAL_STREAM"))
}

// written takes what proc_pid_fd(5) says of stderr, and JOURNAL_STREAM, which has
// device and inode of it if that leads to the journal, systemd.exec(5).
func written(pid int, target, journal string) string {
	_, inode, _ := strings.Cut(journal, ":")
	switch {
	case inode != "" && target == "socket:["+inode+"]":
		return fmt.Sprintf("journalctl -b _PID=%d", pid)
	case target == "/dev/null":
		return "none: it is /dev/null"
	case strings.HasPrefix(target, "/dev/"):
		return "on " + target
	case strings.HasPrefix(target, "/"):
		return "in " + target
	case strings.HasPrefix(target, "pipe:"):
		return "where the daemon's own goes, a pipe"
	default:
		return "where the daemon's own goes"
	}
}
