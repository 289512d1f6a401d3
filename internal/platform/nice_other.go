// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package platform

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ThreadsAreNice: here niceness is the process's, so a worker has the keeper's
// until NiceGroup, just after it was started; so may what it forks before.
const ThreadsAreNice = false

// NiceThread cannot be done here.
func NiceThread(int) error { return errors.ErrUnsupported }

// NiceSelf sets the niceness of this process.
func NiceSelf(nice int) error { return unix.Setpriority(unix.PRIO_PROCESS, 0, nice) }

// NiceGroup sets the niceness of a worker and of what it may have started.
func NiceGroup(pid, nice int) error { return unix.Setpriority(unix.PRIO_PGRP, pid, nice) }

// ReniceSelf is the operator's command for us.
func ReniceSelf(command string, nice int) string {
	return Renice(command, nice, strconv.Itoa(os.Getpid()))
}
