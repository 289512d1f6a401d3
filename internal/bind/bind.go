// SPDX-License-Identifier: GPL-3.0-or-later

// Package bind reads what -b says and makes listening sockets of it.
//
//   - spec.go parses and prints a [Spec], one -b. It is pure.
//   - open.go turns specs into sockets, all of them or none. It makes raw
//     system calls, because net.Listen would set O_NONBLOCK, and that flag
//     belongs to the socket itself: every worker that shares it would see it.
//   - resolve.go finds the one address that a spec stands for.
//   - holders_linux.go finds out who holds an address that is in use.
//
// Errors that only another command line can cure match [ErrUsage]; all others
// (an address in use, a port that needs privileges) are failures of the moment
// and wrap the system's errno.
package bind

import (
	"errors"
	"fmt"
)

// ErrUsage is matched (errors.Is) by every error that lies in the command line
// itself: a spec that cannot be read, an address of the wrong family.
var ErrUsage = errors.New("usage error")

// usageError is an error that matches ErrUsage without showing its text.
type usageError string

func (e usageError) Error() string        { return string(e) }
func (e usageError) Is(target error) bool { return target == ErrUsage }

func usagef(format string, args ...any) error {
	return usageError(fmt.Sprintf(format, args...))
}

// Family restricts the addresses that a socket takes.
type Family int

// The families: any, or only one (-4, -6).
const (
	AnyFamily Family = iota
	IPv4Only
	IPv6Only
)

// String names the family as a person would.
func (f Family) String() string {
	switch f {
	case IPv4Only:
		return "IPv4"
	case IPv6Only:
		return "IPv6"
	}
	return "IPv4 or IPv6"
}

// Spec is one -b, parsed. String prints it so that parsing gives it back. It is
// plain data and passes through JSON unchanged.
type Spec struct {
	Host      string // address (IPv6 without brackets) or name; "" is the wildcard
	Port      int    // 0: the system picks one
	NonBlock  bool   // n, o_nonblock
	ReuseAddr bool   // r, so_reuseaddr
}
