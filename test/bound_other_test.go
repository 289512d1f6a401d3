// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package test

import (
	"os/exec"
	"syscall"
)

func startBound(cmd *exec.Cmd) error { return cmd.Start() }

func killIfMarked(pid int, prefix string) {
	if isMarked(pid, prefix) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
