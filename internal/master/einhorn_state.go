// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"cmp"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/control"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
	"einhyrningsins/internal/yamlwire"
)

func (l *loop) einhornState(c *control.Call) *wire.Error {
	state := yamlwire.Map{{Key: yamlwire.Symbol("state"), Value: l.dumpableState()}}
	return l.ok(c, nil, "%s", yamlwire.Dump(state))
}

// entry is a pair whose key is a symbol, as all of einhorn's state.
func entry(key string, value any) yamlwire.Pair {
	return yamlwire.Pair{Key: yamlwire.Symbol(key), Value: value}
}

// dumpableState is what we know under the names that einhorn has for it.
func (l *loop) dumpableState() yamlwire.Map {
	st, at := l.pool.State(), wallClock()
	return yamlwire.Map{
		entry("children", l.einhornChildren(at)),
		entry("config", yamlwire.Map{
			entry("number", st.Number), entry("backlog", orNil(l.cfg.Backlog)), entry("seconds", l.cfg.Seconds.Seconds()),
			entry("max_unacked", l.cfg.MaxUnacked), entry("max_upgrade_additional", orNil(l.cfg.MaxUpgradeAdditional)),
		}),
		entry("version", st.Generation),
		entry("generation", l.hello.Masters),
		entry("upgrading", st.Upgrade.Phase == pool.Running),
		entry("smooth_upgrade", st.Upgrade.Phase == pool.Running && !st.Upgrade.Fleet),
		entry("respawn", !l.stopping()),
		entry("cmd", texts(l.cfg.Program)),
		entry("orig_cmd", texts(l.cfg.Program)),
		entry("cmd_name", orNil(l.cfg.CommandName)),
		entry("bind", l.einhornBinds()),
		entry("bind_fds", l.einhornFDs()),
		entry("bound_ports", l.einhornPorts()),
		entry("ack_mode", l.einhornAckMode()),
		entry("signal_timeout", orNil(l.cfg.SignalTimeout.Seconds())),
		entry("consecutive_deaths_before_ack", max(st.Failures.Count, runningFailures(&st))),
		entry("last_spinup", l.lastSpinup(at)),
		entry("last_upgraded", l.lastUpgraded()),
		entry("socket_path", l.cfg.SocketPath),
		entry("pidfile", orNil(l.cfg.PidFile)),
		entry("lockfile", cmp.Or(l.cfg.LockFile, l.cfg.SocketPath+".lock")),
		entry("command_socket_as_fd", l.cfg.SockFD),
		entry("kill_children_on_exit", l.cfg.KillChildren),
		entry("drop_environment_variables", texts(l.cfg.DropEnvVars)),
		entry("reexec_commandline", l.einhornReexec()),
		entry("path", nil), // no Ruby is preloaded
		entry("preloaded", false),
		entry("nice", yamlwire.Map{
			entry("master", fromPointer(l.cfg.Nice.Master)), entry("worker", fromPointer(l.cfg.Nice.Worker)),
			entry("renice_cmd", orNil(l.cfg.Nice.Renice)),
		}),
		entry("verbosity", einhornVerbosity(l.cfg.LogLevel())),
	}
}

func (l *loop) einhornChildren(at func(time.Duration) time.Time) yamlwire.Map {
	children := yamlwire.Map{}
	for _, w := range l.pool.Workers() {
		if w.PID == 0 {
			continue
		}
		child := yamlwire.Map{
			entry("type", yamlwire.Symbol("worker")),
			entry("version", w.Generation),
			entry("acked", w.ReadyAt != 0),
			entry("signaled", l.signaled(&w)),
			entry("last_signaled_at", orTime(w.SignalAt, at)),
			entry("index", w.Index),
			entry("spinup_time", orTime(w.StartedAt, at)),
		}
		p := l.pinged[w.Serial]
		child = append(child, entry("pinged_at", orTime(p.at, at)), entry("pinged_request_id", orNil(p.requestID)))
		children = append(children, yamlwire.Pair{Key: w.PID, Value: child})
	}
	return children
}

// signaled is the set of signals that a worker was asked to end with. Of those
// that an earlier master sent, the last is known by the worker's phase.
func (l *loop) signaled(w *pool.Worker) yamlwire.Set {
	last := map[pool.Phase]syscall.Signal{
		pool.Draining: syscall.Signal(l.cfg.GracefulSignal), pool.Stopping: syscall.SIGTERM, pool.Killed: syscall.SIGKILL,
	}[w.Phase]
	if stop := l.pool.State().Stop.Signal; w.Phase == pool.Draining && stop != 0 {
		last = syscall.Signal(stop)
	}
	sent := l.told[w.Serial]
	if len(sent) == 0 && last != 0 && w.SignalAt != 0 {
		sent = []syscall.Signal{last}
	}
	set := yamlwire.Set{}
	for _, sig := range sent {
		set = append(set, signalWord(sig))
	}
	return set
}

// signalWord is a signal as einhorn writes it: without SIG.
func signalWord(sig syscall.Signal) string {
	name := config.SignalName(int(sig))
	if len(name) > 3 && name[:3] == "SIG" {
		return name[3:]
	}
	return name
}

// einhornBinds are what was given with -b, taken apart as einhorn does: address,
// port and flags. What has no port is not einhorn's, and stays whole.
func (l *loop) einhornBinds() []any {
	list := []any{}
	for _, s := range l.cfg.Binds {
		flags := []any{}
		if s.ReuseAddr {
			flags = append(flags, "r")
		}
		if s.NonBlock {
			flags = append(flags, "n")
		}
		if !s.HasPort() {
			list = append(list, []any{s.String(), nil, flags})
			continue
		}
		list = append(list, []any{s.Host, s.Port, flags})
	}
	return list
}

// einhornPorts are the ports that were bound in the end.
func (l *loop) einhornPorts() []any {
	list := []any{}
	for _, s := range l.hello.Sockets {
		port, err := strconv.Atoi(s.Address[strings.LastIndexByte(s.Address, ':')+1:])
		if err != nil || strings.HasPrefix(s.Network, "unix") {
			list = append(list, nil)
			continue
		}
		list = append(list, port)
	}
	return list
}

func (l *loop) einhornFDs() []any {
	list := []any{}
	for _, s := range l.hello.Sockets {
		list = append(list, s.FD)
	}
	return list
}

func (l *loop) einhornAckMode() yamlwire.Map {
	if l.cfg.AckManual {
		return yamlwire.Map{entry("type", yamlwire.Symbol("manual")), entry("timeout", orNil(l.cfg.AckTimeout.Seconds()))}
	}
	return yamlwire.Map{entry("type", yamlwire.Symbol("timer")), entry("timeout", l.cfg.AckTime.Seconds())}
}

func runningFailures(st *pool.State) int {
	if st.Upgrade.Phase != pool.Running {
		return 0
	}
	return st.Upgrade.Failures.Count
}

// lastUpgraded is when the newest generation was looked at; nil: there was no
// upgrade.
func (l *loop) lastUpgraded() any {
	for _, o := range slices.Backward(l.launches) {
		if o.Generation > 1 {
			return o.At
		}
	}
	return nil
}

func (l *loop) einhornReexec() any {
	if len(l.cfg.ReexecAs) == 0 {
		return nil
	}
	return texts(l.cfg.ReexecAs)
}

func (l *loop) lastSpinup(at func(time.Duration) time.Time) any {
	var last time.Duration
	for _, w := range l.pool.Workers() {
		last = max(last, w.StartedAt)
	}
	return orTime(last, at)
}

// einhornVerbosity is a log level in einhorn's numbers: the lower, the more.
func einhornVerbosity(level slog.Level) int {
	switch {
	case level < slog.LevelInfo:
		return 0
	case level < slog.LevelWarn:
		return 1
	}
	return 2
}

func texts(words []string) []any {
	list := []any{}
	for _, w := range words {
		list = append(list, w)
	}
	return list
}

// orNil is nil for what was not given.
func orNil[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}

func orTime(t time.Duration, at func(time.Duration) time.Time) any {
	if t == 0 {
		return nil
	}
	return at(t)
}

func fromPointer(p *int) any {
	if p == nil {
		return nil
	}
	return *p
}
