// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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

// Comm is a process's name, as in ps -o comm; "" if unknown. It can be printed:
// a process chooses its name itself (prctl(2), PR_SET_NAME).
func Comm(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return printable(strings.TrimSuffix(string(b), "\n"))
}

func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
}

// lockedBy is the pid of who holds a lock of flock(2) on a file, proc_locks(5);
// 0: the system does not tell. Some file systems have other numbers there.
func lockedBy(f *os.File) int {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	// 1: FLOCK ADVISORY WRITE 1234 00:1a:5678 0 EOF
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)), st.Ino)
	for line := range strings.Lines(string(table)) {
		w := strings.Fields(line)
		if len(w) < 6 || w[1] != "FLOCK" || w[3] != "WRITE" || w[5] != file {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}

// ticks is how many of proc_pid_stat(5)'s clock ticks make a second. Linux tells
// it to programs as a constant.
const ticks = 100

// ageOf is for how long a process has run; false: there is none, or it has ended
// and waits for its parent.
func ageOf(pid int) (time.Duration, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// pid (comm) state …; the name may hold anything, and starttime is field 22.
	w := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(w) < 20 || w[0] == "Z" || w[0] == "X" {
		return 0, false
	}
	start, err := strconv.ParseUint(w[19], 10, 64)
	var now unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0, false
	}
	return time.Duration(now.Nano()) - time.Duration(start)*(time.Second/ticks), true
}
