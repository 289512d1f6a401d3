// SPDX-License-Identifier: GPL-3.0-or-later

// Package platform is what each operating system does in its own way about
// processes: looking at children without reaping them, signal masks, niceness,
// the signal at a parent's death, what was inherited at the start. The keeper
// uses it; nothing here remembers anything of it.
package platform

import (
	"strconv"
	"strings"
	"syscall"
)

// IsStop tells the signals that end everything.
func IsStop(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR2:
		return true
	}
	return false
}

// Renice is the command for one process, called as einhorn calls it: the
// operator's words are the shell's to split.
func Renice(command string, nice int, pid string) string {
	return strings.Join([]string{command, strconv.Itoa(nice), "-p", pid}, " ")
}
