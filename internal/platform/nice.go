// SPDX-License-Identifier: GPL-3.0-or-later

package platform

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// NiceThread sets the niceness of the calling thread, which must be locked.
// Niceness is a thread's own, and a child inherits that of the thread that forks
// it, setpriority(2), sched(7). So workers come from a thread with their niceness:
// none of them ever runs, or forks, with another, and nothing has to be lowered
// again, which takes a privilege.
func NiceThread(nice int) error {
	return whyNice(unix.Setpriority(unix.PRIO_PROCESS, 0, nice), nice)
}

// NiceSelf sets the niceness of every thread of this process. A thread has
// that of the one that made it, so none is missed once a look at all of them
// finds no new one. PRIO_PGRP would reach all threads at once, and also whoever
// else is in our process group.
func NiceSelf(nice int) error {
	known := map[string]bool{}
	for again := true; again; {
		again = false
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("cannot list our threads: %w", err)
		}
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || known[e.Name()] {
				continue
			}
			known[e.Name()], again = true, true
			if err := unix.Setpriority(unix.PRIO_PROCESS, tid, nice); err != nil && err != unix.ESRCH {
				return whyNice(err, nice)
			}
		}
	}
	return nil
}

// whyNice says what is missing.
func whyNice(err error, nice int) error {
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: less than now takes root, CAP_SYS_NICE or RLIMIT_NICE (ulimit -e %d)", err, 20-nice)
	}
	return err
}

// ReniceSelf is the operator's command for every thread of ours, found as in
// NiceSelf.
func ReniceSelf(command string, nice int) string {
	return fmt.Sprintf(`known=" "; again=1
while [ $again ]; do
	again=
	for t in /proc/%[1]d/task/*; do
		t=${t##*/}
		case $known in *" $t "*) continue;; esac
		known="$known$t " again=1
		%[2]s || [ ! -e /proc/%[1]d/task/$t ] || exit 1
	done
done`, os.Getpid(), Renice(command, nice, "$t"))
}
