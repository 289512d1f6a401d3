// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/start"
)

// MasterName is argv[0] and comm of a master, so that pidof finds one keeper.
const MasterName = "einhyrn-master"

// MasterLinkFD is where a master finds its end of the link.
const MasterLinkFD = 3

// How masters are restarted: one that had been live for long enough at once,
// others after a delay that doubles; after some that never went live the next
// starts without the saved state, for that may be what kills them.
const (
	provenAfter    = 100 * time.Millisecond
	firstDelay     = 50 * time.Millisecond
	longestDelay   = 2 * time.Second
	triesWithState = 3
)

// master is the keeper's view of the master of the moment.
type master struct {
	task       *task
	pid        int        // 0: none runs, or it was not started yet
	starting   bool       // the spawner has the job
	conn       *link.Conn // nil when its end was read
	theirs     *os.File   // its end, until it was started
	startedAt  time.Duration
	liveAt     time.Duration // 0: not live
	greeted    bool          // hello was said
	killed     bool
	hung       bool          // which is why it was killed
	bad        bool          // it asked for what no master may (bounds.go)
	crashed    bool          // it failed by itself
	dropped    int           // messages of it that do not count for that
	unheard    bool          // it ended while the system let us tell it nothing
	pongs      bool          // it answers Ping
	quiesced   bool          // stands still for an heir
	waitedAt   time.Duration // since when it can be expected to deal with things
	binary     *os.File      // what it was started from; nil: our own binary
	software   string        // the version of that, as it says
	strikes    int           // masters in a row from that binary that hung, or died soon
	reloadedAt time.Duration // when a reload took that binary
	closedAt   time.Duration // when its link was read to the end, and it still was there
	done       uint64        // number of the last signal that was carried out
	toldDone   uint64
	bindings   int // of keeper.bindings, how many it was told of

	cannotReload *link.ReloadFailed // to be told; nil: nothing is

	abandonAt time.Duration // when its link is closed though its end was not read; 0: it has one
	restartAt time.Duration
	delay     time.Duration // before the next restart
	failures  int           // in a row that never went live
	badOnes   int           // in a row that went bad, hung or crashed
	count     int           // masters so far
	everLive  bool
	diedAt    time.Duration // when the last live one died
	lastWord  string
}

func (m *master) exists() bool { return m.pid != 0 || m.starting || m.conn != nil }

func (m *master) in() <-chan link.Received {
	if m.conn == nil {
		return nil
	}
	return m.conn.In()
}

func (m *master) drained() <-chan struct{} {
	if m.conn == nil {
		return nil
	}
	return m.conn.Drained()
}

// startMaster asks the spawner for a master.
func (k *keeper) startMaster() {
	m := &k.master
	m.greeted, m.killed, m.hung, m.unheard, m.pongs, m.quiesced = false, false, false, false, false, false
	m.liveAt, m.done, m.toldDone, m.bad, m.crashed, m.dropped, m.cannotReload = 0, 0, 0, false, false, 0, nil
	ours, theirs, err := link.Pair()
	if err != nil {
		k.cannotStartMaster(fmt.Errorf("cannot make the link to a master: %w", err))
		return
	}
	ours.Limit(maxOrder)
	k.watchLink(ours)
	m.conn, m.theirs, m.starting = ours, theirs, true
	m.task = &task{begun: k.masterStarted, ended: k.masterEnded}
	k.spawner.wantFirst(job{task: m.task, process: k.masterProcess(m.binary, theirs)})
}

// watchLink has the log say when the system refuses what masters are told. It
// says nothing about the master: it is tried again until it goes, or until a stop
// has no more time for it.
func (k *keeper) watchLink(conn *link.Conn) {
	conn.Watch(func(refused error) {
		if refused != nil {
			k.log.Error("cannot write to the master for now; trying again", "error", refused)
		} else {
			k.log.Info("the master can be written to again")
		}
	})
}

// masterProcess is a master that is started from a binary; nil: our own.
func (k *keeper) masterProcess(binary, theirs *os.File) process {
	p := process{
		program: &start.Program{Path: platform.OwnProgram},
		argv:    k.masterArgs(),
		env:     os.Environ(),
		files:   []uintptr{k.devNull.Fd(), 1, 2, theirs.Fd()},
		blocked: handled,
	}
	if binary == nil {
		return p
	}
	p.program = &start.Program{Path: k.binary, File: binary}
	return stepsTo(p)
}

// masterArgs are the command line of a master, for ps.
func (k *keeper) masterArgs() []string {
	if k.cfg.CommandName == "" {
		return []string{MasterName}
	}
	return []string{MasterName, k.cfg.CommandName}
}

func (k *keeper) masterStarted(a answer) {
	m := &k.master
	m.starting = false
	m.theirs.Close()
	if a.err != nil {
		m.conn.Close()
		m.conn = nil
		k.cannotStartMaster(fmt.Errorf("cannot start a master from %s: %w", a.job.process.program.Path, execError(a.err)))
		return
	}
	m.pid, m.startedAt = a.pid, a.at
	m.count++
	switch {
	case m.bad: // it has spoken before it was known
		k.killMaster(m.lastWord)
	case k.alone != nil || k.ending != nil:
		k.killMaster("it is not needed any more")
	}
}

// cannotStartMaster tries again later. It says nothing about the saved state,
// so it does not count among the masters that never went live.
func (k *keeper) cannotStartMaster(err error) {
	m := &k.master
	m.lastWord = err.Error()
	k.log.Error(err.Error())
	if !m.everLive {
		m.failures++
	}
	k.scheduleMaster()
}

// masterClosed means that its link was read to the end.
func (k *keeper) masterClosed() {
	if err := k.master.conn.Err(); !link.OtherGone(err) {
		k.log.Error("the link to the master failed; another one follows", "pid", k.master.pid, "error", err)
		k.master.bad = k.master.bad || k.master.conn.Broken() == nil // it was the master's fault
	}
	k.master.conn.Close()
	k.master.conn, k.master.abandonAt = nil, 0
	k.master.closedAt = k.sys.now()
	k.masterGone()
}

// masterEnded means that it was reaped.
func (k *keeper) masterEnded(status syscall.WaitStatus) {
	m := &k.master
	m.pid = 0
	if m.conn != nil {
		m.unheard = m.conn.Refused() != nil
		m.abandonAt = k.sys.now() + time.Second
	}
	if !m.killed {
		m.lastWord = platform.HowEnded(status)
		m.crashed = status.ExitStatus() > 0 || status.Signaled() && status.Signal() != syscall.SIGKILL // or else somebody killed it
	}
	k.masterGone()
}

// abandonLink gives up a link whose master was reaped and whose end does not
// come: all that it said was read long ago.
func (k *keeper) abandonLink() {
	k.log.Error("the link of a dead master does not end; closing it")
	k.masterClosed()
}

// masterGone goes on to the next master once nothing of the last is left: it
// was reaped, and every whole message of its own was carried out.
func (k *keeper) masterGone() {
	m := &k.master
	if m.exists() {
		return
	}
	if k.heir != nil {
		k.oldDied()
		return
	}
	k.judgeMaster()
	switch {
	case m.liveAt > 0:
		m.diedAt = k.sys.now()
	case !m.unheard:
		m.failures++
	}
	if k.ending != nil {
		return
	}
	if !m.unheard {
		k.judgeBinary()
	}
	k.log.Warn("the master died; starting another", "how", m.lastWord, "live_for", k.liveFor().String())
	k.scheduleMaster()
}

func (k *keeper) liveFor() time.Duration {
	if k.master.liveAt == 0 {
		return 0
	}
	return k.sys.now() - k.master.liveAt
}

func (k *keeper) scheduleMaster() {
	m := &k.master
	switch {
	case k.alone != nil || k.ending != nil:
	case !m.everLive && m.failures >= triesWithState:
		k.ending = &ending{code: 1, reason: "no master ever went live: " + m.lastWord}
	case m.liveAt > 0 && k.liveFor() >= provenAfter:
		m.delay = 0
		m.restartAt = k.sys.now()
	default:
		m.delay = min(max(2*m.delay, firstDelay), longestDelay)
		m.restartAt = k.sys.now() + m.delay
	}
}

func (k *keeper) killMaster(why string) {
	m := &k.master
	if m.pid == 0 || m.killed {
		return
	}
	m.killed = true
	m.lastWord = why
	k.log.Warn("killing the master", "pid", m.pid, "reason", why)
	_ = k.sys.kill(m.pid, syscall.SIGKILL, false)
}
