// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/start"
)

// order carries out one message of the master. One that makes no sense, or asks for
// too much (bounds.go), can only come from a master gone bad, which is replaced.
func (k *keeper) order(in link.Received) {
	closeSent(in.FDs)
	switch {
	case k.ending != nil || k.master.quiesced || k.master.refused():
	case len(in.FDs) > 0:
		k.refuse("it sent %d descriptors", len(in.FDs))
	default:
		k.obey(in.Msg)
	}
}

// closeSent closes descriptors, which no message of a master carries, and does not
// wait for it: close(2) may take as long as whoever is behind them likes.
func closeSent(fds []int) {
	if len(fds) > 0 {
		go link.CloseFDs(fds)
	}
}

func (k *keeper) obey(msg link.Message) {
	switch m := msg.(type) {
	case *link.Greet: // it was started from a binary that speaks our version
		k.master.pongs = k.master.pongs || m.Pongs // for good
	case *link.Pong:
		k.pong()
	case *link.Live:
		if k.serve() {
			k.wentLive()
		}
	case *link.Reload:
		k.startHeir()
	case *link.Quiesced:
		k.oldQuiesced(m)
	case *link.Spawn:
		if k.serve() {
			k.orderSpawn(m)
		}
	case *link.Signal:
		k.orderSignal(m)
	case *link.Probe:
		k.orderProbe(m)
	case *link.Forget:
		k.orderForget(m)
	case *link.Save:
		k.orderSave(m)
	case *link.Settings:
		if len(m.Data) > maxKept {
			k.refuse("it wants settings of %d bytes kept, at most %d are", len(m.Data), maxKept)
			return
		}
		k.settings = m.Data
		k.setLevel(min(max(slog.Level(m.LogLevel), slog.LevelDebug), slog.LevelError))
	case *link.Renew:
		if !k.renewing && k.control.Missing() {
			k.renewing = true
			k.spawner.want(job{renew: k.control})
		}
	case *link.Look:
		k.orderLook(m)
	case *link.Exit:
		k.orderExit(m)
	default:
		k.refuse("it sent %T", m)
	}
}

func (k *keeper) wentLive() {
	m := &k.master
	if m.liveAt == 0 {
		m.liveAt = k.sys.now()
		m.waitedAt = m.liveAt
		m.failures = 0
		m.everLive = true
		m.conn.Send(&link.Lead{})
		if k.stop.pingedAt != 0 && m.pongs {
			m.conn.Send(&link.Ping{}) // the last one did not answer
		} else {
			k.stop.pingedAt = 0
		}
	}
}

func (k *keeper) orderSpawn(m *link.Spawn) {
	if wrong := k.checkSpawn(m); wrong != "" {
		k.refuse("%s", wrong)
		return
	}
	c := &child{Child: link.Child{
		Serial: m.Serial, Generation: m.Generation, Index: m.Index, OrderedAt: k.sys.now(),
	}}
	k.table.add(c)
	switch {
	case k.noSpawns || k.enough:
		k.table.failed(c, k.spawnFailure(c.Serial, syscall.ECANCELED))
		return
	case len(k.table.byPID)+k.table.unanswered() > maxWorkers:
		k.table.failed(c, k.spawnFailure(c.Serial, syscall.EAGAIN)) // workers may drain for long: no fault of the master's
		return
	}
	p, l := k.worker, k.launchOf(m.Generation)
	p.program, p.env = l.Held, k.contract.WithIndex(l.Env, m.Index)
	p.argv = k.arguments.For(m.Index, m.Generation)
	k.spawner.want(job{serial: c.Serial, process: p, channels: k.channelKinds()})
}

func (k *keeper) spawnFailure(serial uint64, err error) *link.SpawnFailed {
	path := k.launchOf(k.table.bySerial[serial].Generation).Path()
	f := &link.SpawnFailed{Serial: serial, Path: path, At: k.sys.now()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.Errno, f.Shortage = int(errno), platform.IsShortage(errno)
	}
	if on := (*start.Failure)(nil); errors.As(err, &on) {
		f.Doing = on.Doing
	}
	return f
}

// answered takes what became of a job, or with a process that has not reached its
// program what has become of it so far.
func (k *keeper) answered(a answer) {
	k.spawner.inFlight--
	if a.report != nil {
		k.stepBegun(a)
	} else {
		k.jobDone(a)
	}
	k.aloneProgress() // it may have waited for just this answer
}

// jobDone takes what became of a job.
func (k *keeper) jobDone(a answer) {
	switch {
	case a.job.renew != nil:
		k.renewed(a)
	case a.job.task != nil:
		k.taskBegun(a)
	case a.err != nil:
		c := k.table.bySerial[a.job.serial]
		k.table.failed(c, k.spawnFailure(c.Serial, a.err))
	default:
		c := k.table.bySerial[a.job.serial]
		c.channels = a.channels
		k.begins(c, a.pid, a.at)
	}
}

// stopSpawning is for good: what was ordered and not begun is answered as
// failed, what is under way is killed, at the latest when it answers.
func (k *keeper) stopSpawning() {
	k.noSpawns = true
	k.killSteps()
	for _, j := range k.spawner.dropWorkers() {
		k.table.failed(k.table.bySerial[j.serial], k.spawnFailure(j.serial, syscall.ECANCELED))
	}
}

func (k *keeper) renewed(a answer) {
	k.renewing = false
	if a.err != nil {
		k.log.Error("the control socket is gone", "error", a.err)
		return
	}
	if a.bound.None() {
		return
	}
	k.control.Replace(a.bound)
	k.bindings++
	k.log.Warn("the control socket was gone; bound it anew", "path", k.cfg.SocketPath)
}

func (k *keeper) orderSignal(m *link.Signal) {
	c := k.table.bySerial[m.Serial]
	wrong := checkSignal(m, k.master.done)
	if wrong == "" && c == nil {
		wrong = fmt.Sprintf("it wants to signal worker %d, which does not exist", m.Serial)
	}
	if wrong != "" {
		k.refuse("%s", wrong)
		return
	}
	k.signal(c, syscall.Signal(m.Signal), m.Group, m.Level)
	k.master.done = m.Number
}

func (k *keeper) orderForget(m *link.Forget) {
	k.stop.frozen = 0
	if m.Serial != 0 {
		c := k.table.bySerial[m.Serial]
		if c == nil || !c.ended() {
			k.refuse("it wants worker %d forgotten, which has not ended", m.Serial)
			return
		}
		k.table.forget(c)
		k.dropLaunches()
		return
	}
	if wrong := k.checkForget(map[int]int{m.Signal: m.Count}); wrong != "" {
		k.refuse("%s", wrong)
		return
	}
	k.forgetSignal(m.Signal, m.Count)
}

func (k *keeper) forgetSignal(sig, count int) {
	if c := k.caught[syscall.Signal(sig)]; c != nil {
		c.count = max(c.count-count, 0)
		c.told = max(c.told-count, 0)
		c.since = k.sys.now()
	}
}

// orderExit ends the keeper. After QUIT no worker is left that was not sent it last.
func (k *keeper) orderExit(m *link.Exit) {
	if wrong := k.checkExit(m); wrong != "" {
		k.refuse("%s", wrong)
		return
	}
	k.log.Debug("the master asks to end", "code", m.Code)
	for _, c := range k.table.all() {
		if c.running() && c.lastSignal != syscall.SIGQUIT {
			k.signal(c, syscall.SIGQUIT, false, link.LevelRetire)
		}
		if c.running() && c.Refused != nil {
			k.log.Error("a worker cannot be signalled; it is left behind", "pid", c.PID, "error", syscall.Errno(c.Refused.Errno))
		}
	}
	k.abandonReload("the old master ends")
	k.ending = &ending{code: m.Code, reason: short(m.Reason), by: k.sys.now() + patience}
}

func (k *keeper) orderSave(m *link.Save) {
	if wrong := k.checkSave(m); wrong != "" {
		k.refuse("%s", wrong)
		return
	}
	for sig, count := range m.Signals {
		k.forgetSignal(sig, count)
	}
	if m.Serial == 0 {
		k.saved = m.Data
		k.keepGenerations(m.Generations)
		k.enough = k.enough || m.Last
		return
	}
	if c := k.table.bySerial[m.Serial]; c != nil {
		k.table.keep(c, m.Data)
		c.ReadyAt = m.ReadyAt
	}
}
