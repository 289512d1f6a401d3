// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package keeper

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// threadsAreNice: here niceness is the process's, so a worker has the keeper's
// until niceGroup, just after it was started; so may what it forks before.
const threadsAreNice = false

func niceThread(int) error { return errors.ErrUnsupported }

func niceProcess(nice int) error { return unix.Setpriority(unix.PRIO_PROCESS, 0, nice) }

// niceGroup sets the niceness of a worker and of what it may have started.
func niceGroup(pid, nice int) error { return unix.Setpriority(unix.PRIO_PGRP, pid, nice) }

// reniceAll is the operator's command for us.
func reniceAll(command string, nice int) string {
	return reniceOne(command, nice, strconv.Itoa(os.Getpid()))
}
