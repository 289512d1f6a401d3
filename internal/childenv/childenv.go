// SPDX-License-Identifier: MIT

// Package childenv is the contract between the keeper and its workers: the
// names of the environment variables and the numbers of the file descriptors
// that a worker finds. Both sides import it, so they cannot drift apart.
//
// dialects.go says which of the customs a worker finds that others have made,
// and template.go what stands for a socket in its arguments.
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

// Those of the other dialects, sd_listen_fds(3) and start_server(1).
const (
	ListenFDs         = "LISTEN_FDS"     // number of sockets
	ListenNames       = "LISTEN_FDNAMES" // a name for each, separated by colons
	ListenPID         = "LISTEN_PID"     // the worker's own pid, or it is to ignore the two others
	StarterPort       = "SERVER_STARTER_PORT"
	StarterGeneration = "SERVER_STARTER_GENERATION"
)

// The variables by which a worker finds the way to say that it is ready, and
// more, beside the control socket.
const (
	NotifySocket = "NOTIFY_SOCKET" // this worker's own, sd_notify(3); with --ack-mode notify
	WatchdogUsec = "WATCHDOG_USEC" // how often it has to be heard there, sd_watchdog_enabled(3); with --watchdog
	WatchdogPID  = "WATCHDOG_PID"  // who has to be heard: the worker
	ReadyFD      = "READY_FD"      // a pipe that a newline is to be written to; with --ack-mode fd
)

// foreign are the variables of the other dialects. One that is left over in
// our own environment speaks of us, not of a worker.
var foreign = []string{
	ListenFDs, ListenPID, ListenNames, "LISTEN_PIDFDID", NotifySocket, WatchdogUsec, WatchdogPID, ReadyFD, StarterPort, StarterGeneration,
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
	Dialects  Dialects
	Sockets   []Socket // at FirstFD and up
	SockPath  string   // absolute path of the control socket
	MasterPID int
	SockFD    bool // each worker has a connection of its own, behind the sockets
	ReadyFD   bool // each worker has a pipe to say that it is ready, behind these

	WatchdogUsec int64 // 0: there is no watchdog
}

// ReadyNumber is the descriptor of that pipe.
func (c Contract) ReadyNumber() int {
	if c.SockFD {
		return FirstFD + len(c.Sockets) + 1
	}
	return FirstFD + len(c.Sockets)
}

// Base returns the environment that the workers of a generation share: environ
// (as from os.Environ) without the reserved names, and with the contract's
// variables but EINHORN_CHILD_INDEX. Those for a pid are empty, see [WantsPID].
func (c Contract) Base(environ []string, generation int) []string {
	env := make([]string, 0, len(environ)+2*len(c.Sockets)+10)
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if !IsReserved(name) {
			env = append(env, kv)
		}
	}
	if c.Dialects.Einhorn {
		env = c.einhorn(env)
	}
	if c.Dialects.Systemd && len(c.Sockets) > 0 {
		env = append(env,
			ListenFDs+"="+strconv.Itoa(len(c.Sockets)),
			ListenNames+"="+listenNames(c.Sockets),
			ListenPID+"=")
	}
	if c.Dialects.ServerStarter {
		// Without sockets, too: server_ports() of Server::Starter dies where it is missing.
		env = append(env, StarterPort+"="+starterPorts(c.Sockets), StarterGeneration+"="+strconv.Itoa(generation))
	}
	if c.ReadyFD {
		env = append(env, ReadyFD+"="+strconv.Itoa(c.ReadyNumber()))
	}
	if c.WatchdogUsec > 0 {
		env = append(env, WatchdogUsec+"="+strconv.FormatInt(c.WatchdogUsec, 10), WatchdogPID+"=")
	}
	return env
}

func (c Contract) einhorn(env []string) []string {
	numbers := make([]string, len(c.Sockets))
	for i := range numbers {
		numbers[i] = strconv.Itoa(FirstFD + i)
		env = append(env, FDPrefix+strconv.Itoa(i)+"="+numbers[i])
	}
	if c.SockFD {
		env = append(env, SockFD+"="+strconv.Itoa(FirstFD+len(c.Sockets)))
	}
	return append(env,
		FDCount+"="+strconv.Itoa(len(c.Sockets)),
		FDs+"="+strings.Join(numbers, " "),
		SockPath+"="+c.SockPath,
		MasterPID+"="+strconv.Itoa(c.MasterPID))
}

// WithIndex returns base with the worker's own index added, if that is in the
// contract. base is not changed, so concurrent calls may share it.
func (c Contract) WithIndex(base []string, index int) []string {
	if !c.Dialects.Einhorn {
		return base
	}
	return append(base[:len(base):len(base)], ChildIndex+"="+strconv.Itoa(index))
}

// WantsPID tells whether the worker's own pid belongs behind this variable, where
// [Contract.Base] has left it out. It is known only in the process that becomes one.
func WantsPID(kv string) bool { return kv == ListenPID+"=" || kv == WatchdogPID+"=" }
