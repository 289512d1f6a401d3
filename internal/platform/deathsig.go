// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux || freebsd

package platform

import "syscall"

// HasDeathSignal: the system signals a process when its parent dies,
// PR_SET_PDEATHSIG in prctl(2), PROC_PDEATHSIG_CTL in procctl(2). On Linux the
// parent is the thread that forked, which therefore never ends; a program that
// is set-user-ID or has capabilities is not signalled.
const HasDeathSignal = true

// SetDeathSignal has a child get sig when the thread that forks it ends.
func SetDeathSignal(a *syscall.SysProcAttr, sig syscall.Signal) { a.Pdeathsig = sig }
