// SPDX-License-Identifier: GPL-3.0-or-later

// Package bind reads what -b says (spec.go) and makes listening sockets of it
// (open.go).
package bind

// Family restricts the addresses that a socket takes.
type Family int

// The families: any, or only one (-4, -6).
const (
	AnyFamily Family = iota
	IPv4Only
	IPv6Only
)

// Spec is one -b, parsed. String prints it so that parsing gives it back.
type Spec struct {
	Host      string // address or name; "" is the wildcard
	Port      int    // 0: the system picks one
	NonBlock  bool   // n, o_nonblock
	ReuseAddr bool   // r, so_reuseaddr
}
