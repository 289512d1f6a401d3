// SPDX-License-Identifier: GPL-3.0-or-later

package step

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
)

// resources are the limits of getrlimit(2).
var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
	"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
	"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// setLimits sets what belongs to the process, whoever it is.
func setLimits(l config.Limits) *Failure {
	if l.OOMScoreAdj != nil {
		err := os.WriteFile("/proc/self/oom_score_adj", strconv.AppendInt(nil, int64(*l.OOMScoreAdj), 10), 0)
		if err != nil {
			return fail(err, "set the oom_score_adj %d", *l.OOMScoreAdj)
		}
	}
	if l.Umask != nil {
		unix.Umask(*l.Umask)
	}
	for _, r := range l.Rlimits {
		// Not that of x/sys: the Go runtime has to know that the number of files is
		// not to be what it was before it began.
		err := syscall.Setrlimit(resources[r.Name], &syscall.Rlimit{Cur: r.Soft, Max: r.Hard})
		if err != nil {
			return fail(err, "set the limit %s", r)
		}
	}
	return nil
}

// runAs changes user and groups of this thread, and with the last of them gives
// up what root may do, capabilities(7). Go's own calls would do it to every
// thread, which takes all of them to be asked; execve(2) ends the others.
func runAs(as config.RunAs) *Failure {
	if os.Geteuid() != 0 && os.Getuid() == as.UID && os.Geteuid() == as.UID && os.Getgid() == as.GID {
		return nil // we are, and may not change groups
	}
	groups := make([]uint32, len(as.Groups))
	for i, g := range as.Groups {
		groups[i] = uint32(g)
	}
	if _, _, errno := unix.RawSyscall(sysSetgroups, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0); errno != 0 {
		return fail(errno, "have the groups of user %d", as.UID)
	}
	gid, uid := uintptr(as.GID), uintptr(as.UID)
	if _, _, errno := unix.RawSyscall(sysSetresgid, gid, gid, gid); errno != 0 {
		return fail(errno, "become group %d", as.GID)
	}
	if _, _, errno := unix.RawSyscall(sysSetresuid, uid, uid, uid); errno != 0 {
		return fail(errno, "become user %d", as.UID)
	}
	// Those that come along with execve(2) by themselves. Not every kernel has them.
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	return nil
}
