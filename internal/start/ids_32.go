// SPDX-License-Identifier: GPL-3.0-or-later

//go:build 386 || arm

package start

import "golang.org/x/sys/unix"

// Those without 32 in their names know 16 bits only.
const (
	sysSetgroups = unix.SYS_SETGROUPS32
	sysSetresgid = unix.SYS_SETRESGID32
	sysSetresuid = unix.SYS_SETRESUID32
)
