// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux && !freebsd

package platform

import "syscall"

// HasDeathSignal: nobody here signals a process when its parent dies.
const HasDeathSignal = false

// SetDeathSignal does nothing here.
func SetDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
