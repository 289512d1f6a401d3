// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSignal is the greatest signal number: the last real-time signal, or the
// last plain one where there are none.
const maxSignal = max(rtMax, 31)

// aliases are the other names that signal(7) gives.
var aliases = map[string]string{"CLD": "CHLD", "IOT": "ABRT", "POLL": "IO"}

// ParseSignal reads a signal's name, with or without SIG and in any case, or its
// number. Real-time signals are RTMIN, RTMIN+3, RTMAX-1 … where the system has
// them. [SignalName] is its inverse.
func ParseSignal(s string) (syscall.Signal, error) {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil {
		if n < 1 || n > maxSignal {
			return 0, fmt.Errorf("signal %s is not a number from 1 to %d", s, maxSignal)
		}
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if to, ok := aliases[name]; ok {
		name = to
	}
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	if n, ok := realTime(name); ok {
		return syscall.Signal(n), nil
	}
	return 0, fmt.Errorf("%q is no signal; write it as in USR2, SIGTERM or 12", s)
}

// realTime reads RTMIN, RTMIN+N, RTMAX and RTMAX-N.
func realTime(name string) (int, bool) {
	if rtMax == 0 {
		return 0, false
	}
	base, sign, rest := rtMin, "+", ""
	if r, ok := strings.CutPrefix(name, "RTMIN"); ok {
		rest = r
	} else if r, ok := strings.CutPrefix(name, "RTMAX"); ok {
		base, sign, rest = rtMax, "-", r
	} else {
		return 0, false
	}
	if rest == "" {
		return base, true
	}
	digits, ok := strings.CutPrefix(rest, sign)
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil || int(n) > rtMax-rtMin {
		return 0, false
	}
	if sign == "-" {
		return base - int(n), true
	}
	return base + int(n), true
}

// SignalName returns a signal's name without SIG ("USR2", "RTMIN+3"), or its
// number where it has no name.
func SignalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	if rtMax == 0 || n < rtMin || n > rtMax {
		return strconv.Itoa(n)
	}
	if n == rtMin {
		return "RTMIN"
	}
	if n == rtMax {
		return "RTMAX"
	}
	return "RTMIN+" + strconv.Itoa(n-rtMin)
}

// The real-time signals that programs may use: C libraries keep 32 and 33 for
// themselves (signal(7), "Real-time signals").
const (
	rtMin = 34
	rtMax = 64
)
