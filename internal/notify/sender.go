// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxAncestors is how far up a process is looked for the worker.
const maxAncestors = 32

// accepts tells whether the sender of a datagram speaks for the worker: it is
// the worker, of its process group, or a descendant. One that is gone already,
// or that we cannot see, counts by its user.
func (r *reader) accepts(d datagram) bool {
	if d.pid == r.pid {
		return true
	}
	if d.pid <= 0 {
		return r.trusts(d.uid)
	}
	group, err := unix.Getpgid(d.pid)
	if err == nil && group == r.pid {
		return true
	}
	pid := d.pid
	for range maxAncestors {
		if err != nil {
			return r.trusts(d.uid) // it has gone meanwhile
		}
		switch pid {
		case r.pid:
			return true
		case 0, 1:
			return false
		}
		pid, err = parentOf(pid)
	}
	return false
}

// trusts tells whether a user may speak for the worker: root, we, and its own.
func (r *reader) trusts(uid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	info, err := os.Stat("/proc/" + strconv.Itoa(r.pid))
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && uid == int(stat.Uid)
}

// parentOf reads proc_pid_stat(5), of which the second field is a name in
// parentheses that may hold anything.
func parentOf(pid int) (int, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 2 {
		return 0, syscall.ESRCH
	}
	return strconv.Atoi(string(fields[1]))
}
