// SPDX-License-Identifier: MIT

// Package childenv is the contract between the keeper and its workers: the
// names of the environment variables and the numbers of the file descriptors
// that a worker finds. Both sides import it, so they cannot drift apart.
package childenv

import (
	"strconv"
	"strings"
)

// FirstFD is the file descriptor of the first socket; the others follow it in
// the order of -b, so that one layout serves every dialect (sd_listen_fds(3)
// calls the same number SD_LISTEN_FDS_START).
const FirstFD = 3

// The variables that a worker finds, as einhorn defined them.
const (
	FDCount    = "EINHORN_FD_COUNT"    // number of sockets
	FDPrefix   = "EINHORN_FD_"         // EINHORN_FD_0 … hold one fd number each
	FDs        = "EINHORN_FDS"         // all the numbers, separated by spaces
	SockPath   = "EINHORN_SOCK_PATH"   // absolute path of the control socket
	SockFD     = "EINHORN_SOCK_FD"     // a connection to the master that is this worker's own; not always there
	MasterPID  = "EINHORN_MASTER_PID"  // the keeper's pid, which is the worker's getppid()
	ChildIndex = "EINHORN_CHILD_INDEX" // lowest number that no other live worker has
)

// foreign are the variables of the other dialects. One that is left over in
// our own environment speaks of us, not of a worker.
var foreign = []string{
	"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "NOTIFY_SOCKET",
	"SERVER_STARTER_PORT", "SERVER_STARTER_GENERATION",
}

// IsReserved tells whether name belongs to the contract, so that a value left
// over in our own environment must not reach a worker.
func IsReserved(name string) bool {
	for _, f := range foreign {
		if name == f {
			return true
		}
	}
	switch name {
	case FDCount, FDs, SockPath, SockFD, MasterPID, ChildIndex:
		return true
	}
	rest, ok := strings.CutPrefix(name, FDPrefix)
	return ok && rest != "" && strings.Trim(rest, "0123456789") == ""
}

// Contract is what every worker of one keeper has in common.
type Contract struct {
	Sockets   int    // number of sockets, at FirstFD and up
	SockPath  string // absolute path of the control socket
	MasterPID int
	SockFD    bool // each worker has a connection of its own, behind the sockets
}

// Base returns the environment that all workers share: environ (as from
// os.Environ) without the reserved names and without those in drop, and with
// the contract's variables but EINHORN_CHILD_INDEX.
func (c Contract) Base(environ, drop []string) []string {
	gone := make(map[string]bool, len(drop))
	for _, name := range drop {
		gone[name] = true
	}
	env := make([]string, 0, len(environ)+c.Sockets+5)
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if !gone[name] && !IsReserved(name) {
			env = append(env, kv)
		}
	}
	numbers := make([]string, c.Sockets)
	for i := range numbers {
		numbers[i] = strconv.Itoa(FirstFD + i)
		env = append(env, FDPrefix+strconv.Itoa(i)+"="+numbers[i])
	}
	if c.SockFD {
		env = append(env, SockFD+"="+strconv.Itoa(FirstFD+c.Sockets))
	}
	return append(env,
		FDCount+"="+strconv.Itoa(c.Sockets),
		FDs+"="+strings.Join(numbers, " "),
		SockPath+"="+c.SockPath,
		MasterPID+"="+strconv.Itoa(c.MasterPID))
}

// WithIndex returns base with the worker's own index added. base is not
// changed, so concurrent calls may share it.
func WithIndex(base []string, index int) []string {
	return append(base[:len(base):len(base)], ChildIndex+"="+strconv.Itoa(index))
}
