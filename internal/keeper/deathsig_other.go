// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux && !freebsd

package keeper

import "syscall"

// hasDeathSignal: nobody here signals a process when its parent dies.
const hasDeathSignal = false

func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
