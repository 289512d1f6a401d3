// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !386 && !arm

package start

import "golang.org/x/sys/unix"

const (
	sysSetgroups = unix.SYS_SETGROUPS
	sysSetresgid = unix.SYS_SETRESGID
	sysSetresuid = unix.SYS_SETRESUID
)
