// SPDX-License-Identifier: GPL-3.0-or-later

// Package bind reads what -b says and makes sockets of it.
//
//   - spec.go parses and prints a [Spec], one -b; address.go does so with
//     ADDR:PORT, words.go with what comes behind the commas. All of it is pure.
//   - open.go turns specs into sockets, all of them or none, and listen.go puts
//     them to use, when nothing else can fail. They make raw
//     system calls, because net.Listen would set O_NONBLOCK, and that flag
//     belongs to the socket itself: every worker that shares it would see it.
//   - explain.go says what a person can do about an error.
//   - unix.go does so with a path, handed.go with what we were started with.
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

// Kind is where a socket comes from. The numbers are in what a keeper tells a
// master of another version: new ones come last.
type Kind int

// The kinds. The last two are sockets that we were started with.
const (
	TCP Kind = iota
	UDP
	Unix
	FD      // a descriptor
	Systemd // all that systemd has handed over, or those of one name
)

// prefixes begin the specs of each kind; TCP's begin with the address.
var prefixes = map[Kind]string{UDP: "udp:", Unix: "unix:", FD: "fd:", Systemd: "systemd"}

// String names the kind as a person would.
func (k Kind) String() string {
	return map[Kind]string{
		TCP: "a TCP socket", UDP: "a UDP socket", Unix: "a UNIX socket",
		FD: "a descriptor that is handed over", Systemd: "what systemd hands over",
	}[k]
}

// Spec is one -b, parsed. String prints it so that parsing gives it back. It is
// plain data and passes through JSON unchanged.
type Spec struct {
	Kind Kind `json:",omitempty"`

	Host string // TCP, UDP: address (IPv6 without brackets) or name; "" is the wildcard
	Port int    // TCP, UDP: 0: the system picks one
	Path string `json:",omitempty"` // Unix: @ begins an abstract name
	FD   int    `json:",omitempty"` // FD: its number
	From string `json:",omitempty"` // Systemd: the name in LISTEN_FDNAMES; "": whatever there is

	NonBlock  bool   // n, o_nonblock
	ReuseAddr bool   // r, so_reuseaddr
	ReusePort bool   `json:",omitempty"` // reuseport
	V6Only    bool   `json:",omitempty"` // v6only: as if -6 had been said for this one
	Backlog   int    `json:",omitempty"` // backlog: that of listen(2); 0: the one of all sockets
	Defer     int    `json:",omitempty"` // defer: seconds that a connection without a byte waits in the kernel; 0: none
	Mode      int    `json:",omitempty"` // mode: of a path; 0: as the umask has it
	User      string `json:",omitempty"` // user: of a path, name or number; "": ours
	Group     string `json:",omitempty"` // group: likewise
	Name      string `json:",omitempty"` // name: for LISTEN_FDNAMES and {fd:NAME}
}

// family is what the socket takes where the whole command line says f.
func (s Spec) family(f Family) Family {
	if s.V6Only {
		return IPv6Only
	}
	return f
}

// Abstract tells whether a UNIX socket has a name that is no path, unix(7).
func (s Spec) Abstract() bool { return s.Path != "" && s.Path[0] == '@' }

// HasPort tells whether Host and Port are what is asked for.
func (s Spec) HasPort() bool { return s.Kind == TCP || s.Kind == UDP }
