// SPDX-License-Identifier: GPL-3.0-or-later

package einhorn

import (
	"cmp"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/wire"
)

// Snapshot is what einhorn's state is made of: our status, and what that has no
// place for.
type Snapshot struct {
	*wire.Status
	Config  *config.Config
	Masters int  // so many until now
	Fleet   bool // the upgrade is one
	Signals map[int]Signals
}

// Signals are what a worker was asked to end with, by its pid.
type Signals struct {
	Sent []syscall.Signal
	Last time.Time
}

// State is a snapshot as einhorn dumps it: YAML, with its names for everything.
func State(s Snapshot) string {
	return Dump(Map{{Key: Symbol("state"), Value: s.state()}})
}

// entry is a pair whose key is a symbol, as all of einhorn's state.
func entry(key string, value any) Pair { return Pair{Key: Symbol(key), Value: value} }

func (s Snapshot) state() Map {
	c, upgrading := s.Config, s.Upgrade.State == "running"
	return Map{
		entry("children", s.children()),
		entry("config", Map{
			entry("number", s.Number), entry("backlog", orNil(c.Backlog)), entry("seconds", c.Seconds.Seconds()),
			entry("max_unacked", c.MaxUnacked), entry("max_upgrade_additional", orNil(c.MaxUpgradeAdditional)),
		}),
		entry("version", s.Generation),
		entry("generation", s.Masters),
		entry("upgrading", upgrading),
		entry("smooth_upgrade", upgrading && !s.Fleet),
		entry("respawn", !s.Stopping),
		entry("cmd", list(c.Program)),
		entry("orig_cmd", list(c.Program)),
		entry("cmd_name", orNil(c.CommandName)),
		entry("bind", binds(c)),
		entry("bind_fds", s.fds()),
		entry("bound_ports", s.ports()),
		entry("ack_mode", ackMode(c)),
		entry("signal_timeout", orNil(c.SignalTimeout.Seconds())),
		entry("consecutive_deaths_before_ack", s.FailedStarts),
		entry("last_spinup", s.lastSpinup()),
		entry("last_upgraded", s.lastUpgraded()),
		entry("socket_path", c.SocketPath),
		entry("pidfile", orNil(c.PidFile)),
		entry("lockfile", cmp.Or(c.LockFile, c.SocketPath+".lock")),
		entry("command_socket_as_fd", c.SockFD),
		entry("kill_children_on_exit", c.KillChildren),
		entry("drop_environment_variables", list(c.DropEnvVars)),
		entry("reexec_commandline", orNone(c.ReexecAs)),
		entry("path", nil), // no Ruby is preloaded
		entry("preloaded", false),
		entry("nice", Map{
			entry("master", fromPointer(c.Nice.Master)), entry("worker", fromPointer(c.Nice.Worker)),
			entry("renice_cmd", orNil(c.Nice.Renice)),
		}),
		entry("verbosity", verbosity(c.LogLevel())),
	}
}

func (s Snapshot) children() Map {
	children := Map{}
	for _, w := range s.Workers {
		signals := s.Signals[w.PID]
		set := Set{}
		for _, sig := range signals.Sent {
			set = append(set, strings.TrimPrefix(config.SignalName(int(sig)), "SIG"))
		}
		children = append(children, Pair{Key: w.PID, Value: Map{
			entry("type", Symbol("worker")),
			entry("version", w.Generation),
			entry("acked", w.ReadyAt != nil),
			entry("signaled", set),
			entry("last_signaled_at", orNil(signals.Last)),
			entry("index", w.Index),
			entry("spinup_time", orNil(w.StartedAt)),
			entry("pinged_at", fromPointer(w.PingedAt)),
			entry("pinged_request_id", orNil(w.PingedRequestID)),
		}})
	}
	return children
}

// binds are what was given with -b, taken apart as einhorn does: address, port and
// flags. What has no port is not einhorn's, and stays whole.
func binds(c *config.Config) []any {
	all := []any{}
	for _, b := range c.Binds {
		flags := []any{}
		if b.ReuseAddr {
			flags = append(flags, "r")
		}
		if b.NonBlock {
			flags = append(flags, "n")
		}
		if b.HasPort() {
			all = append(all, []any{b.Host, b.Port, flags})
		} else {
			all = append(all, []any{b.String(), nil, flags})
		}
	}
	return all
}

// ports are those that were bound in the end.
func (s Snapshot) ports() []any {
	all := []any{}
	for _, k := range s.Sockets {
		port, err := strconv.Atoi(k.Address[strings.LastIndexByte(k.Address, ':')+1:])
		if err != nil || strings.HasPrefix(k.Network, "unix") {
			all = append(all, nil)
		} else {
			all = append(all, port)
		}
	}
	return all
}

func (s Snapshot) fds() []any {
	all := []any{}
	for _, k := range s.Sockets {
		all = append(all, k.FD)
	}
	return all
}

func ackMode(c *config.Config) Map {
	if c.AckManual {
		return Map{entry("type", Symbol("manual")), entry("timeout", orNil(c.AckTimeout.Seconds()))}
	}
	return Map{entry("type", Symbol("timer")), entry("timeout", c.AckTime.Seconds())}
}

// lastUpgraded is when the newest generation was looked at; nil: there was no
// upgrade.
func (s Snapshot) lastUpgraded() any {
	for _, g := range slices.Backward(s.Generations) {
		if g.Generation > 1 {
			return g.LookedAt
		}
	}
	return nil
}

func (s Snapshot) lastSpinup() any {
	var last time.Time
	for _, w := range s.Workers {
		if w.StartedAt.After(last) {
			last = w.StartedAt
		}
	}
	return orNil(last)
}

// verbosity is a log level in einhorn's numbers: the lower, the more.
func verbosity(level slog.Level) int {
	switch {
	case level < slog.LevelInfo:
		return 0
	case level < slog.LevelWarn:
		return 1
	}
	return 2
}

func list(words []string) []any {
	all := []any{}
	for _, w := range words {
		all = append(all, w)
	}
	return all
}

// orNone is nil for no words.
func orNone(words []string) any {
	if len(words) == 0 {
		return nil
	}
	return list(words)
}

// orNil is nil for what was not given.
func orNil[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}

func fromPointer[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
