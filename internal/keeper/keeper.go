// SPDX-License-Identifier: GPL-3.0-or-later

// Package keeper is the process that everyone knows: it binds the sockets,
// starts, signals and reaps every process, and decides nothing. What decides
// is the master, a child of its own that it restarts when it dies.
//
// The way through: signals.go keeps signals from the first moment on, startup.go
// makes everything ready and hands over to the loop in this file, one goroutine that
// owns all state. children.go is the table of workers, tasks.go that of all other
// processes. masters.go starts masters, hello.go tells them what they must know,
// orders.go carries out what they ask for, reload.go replaces one that lives, owed.go
// knows when one hangs, bounds.go what none may ask for. looks.go keeps what
// generations are started from, spawner.go is the thread that forks, steps.go what
// lies between that and a worker's program, channel.go is about what a worker has to
// speak by, probe.go and nice.go about commands of the operator's, alone.go stops
// everything when no master can. system.go is the seam to the operating system.
//
// What the keeper has to tell is never a queue that can fill: it is a mark at
// a child or at itself, kept until the master says forget.
package keeper

import (
	"log/slog"
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/memory"
	"einhyrningsins/internal/platform"
)

// patience is how long the keeper waits for a master: to go live, and to do what
// it owes (owed.go).
const patience = 5 * time.Second

// keeper is the state of the loop. Nothing else touches it.
type keeper struct {
	cfg *config.Config
	sys system
	log *slog.Logger

	setLevel func(slog.Level) // of the log

	started  time.Time
	hello    link.Hello // what every hello has in common
	control  *claim.ControlSocket
	sockets  []*bind.Socket
	pidFile  *claim.PIDFile // nil: none is asked for
	serves   bool           // the sockets listen
	unserved error          // why they never did
	bindings int            // how often the control socket was bound anew
	devNull  *os.File
	worker   process // what every worker has in common

	contract  childenv.Contract
	probe     config.Probe
	arguments childenv.Template // of the program
	looks     looks

	table    table
	spawner  spawner
	steps    chan stepped
	opened   chan opened
	tasks    []*task
	master   master
	heir     *heir  // the next master, during a reload
	renewing bool   // the control socket is being bound anew
	opening  bool   // a binary is being opened for one
	binary   string // where our binary is on disk
	worked   worked // the binary before the present one, if that was taken by a reload
	saved    []byte // the pool, as the master last saved it
	settings []byte // what was changed while running, likewise
	caught   map[syscall.Signal]*caughtSignal
	stop     stop
	noSpawns bool
	enough   bool // no master will want another worker

	alone   *alone  // we stop everything ourselves
	ending  *ending // the last thing to do
	rest    memory.Rest
	child   chan os.Signal // CHLD: one look finds all
	signals *Signals
}

// caughtSignal is a signal that the master has to deal with.
type caughtSignal struct {
	count int           // not forgotten yet
	told  int           // of these, how many this master knows of
	since time.Duration // when the oldest was caught
}

// ending is how the whole ends.
type ending struct {
	code   int
	reason string
	by     time.Duration // when the master must have ended
}

// run is the loop. It returns the exit status and its reason.
func (k *keeper) run() (int, string) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	k.startMaster()
	for {
		if (k.enough || k.noSpawns) && !k.spawner.busy() && len(k.spawner.queue) == 0 {
			k.closeSockets() // nobody is to wait in them for workers that are asked to end
		}
		k.tell()
		if code, reason, over := k.over(); over {
			return code, reason
		}
		k.arm(timer)
		jobs, next := k.spawner.next()
		select {
		case <-k.child:
			k.reap()
		case sig := <-k.signals.stop:
			k.caughtSignal(sig.(syscall.Signal))
		case sig := <-k.signals.other:
			k.caughtSignal(sig.(syscall.Signal))
		case <-k.signals.ignored:
		case jobs <- next:
			k.spawner.handedOver()
		case a := <-k.spawner.answers:
			k.answered(a)
			k.reap()
		case o := <-k.opened:
			k.heirOpened(o)
		case s := <-k.steps:
			k.stepEnded(s)
			k.reap()
			k.aloneProgress()
		case in, open := <-k.master.in():
			if open {
				k.order(in)
			} else {
				k.masterClosed()
			}
		case in, open := <-k.heir.in():
			k.heirSays(in, open)
		case in, open := <-k.looks.now.In():
			k.lookSays(in, open)
		case last := <-k.looks.now.Said():
			k.lookSaid(last)
		case <-k.master.drained():
			k.master.waitedAt = k.sys.now() // it hears only now what it owes
		case <-timer.C:
			k.deadlines()
		}
		k.rest.Worked()
	}
}

// over tells whether there is nothing left to do but to end.
func (k *keeper) over() (code int, reason string, over bool) {
	if k.ending != nil && !k.master.exists() {
		return k.ending.code, k.ending.reason, true
	}
	return 0, "", false
}

// arm sets the timer to the next deadline. While nothing waits none is set, so
// that an idle keeper never wakes up.
func (k *keeper) arm(timer *time.Timer) {
	timer.Stop()
	if next, ok := k.nextDeadline(); ok {
		timer.Reset(max(next-k.sys.now(), 0))
	}
}

func (k *keeper) nextDeadline() (time.Duration, bool) {
	var next time.Duration
	earlier := func(t time.Duration) {
		if t > 0 && (next == 0 || t < next) {
			next = t
		}
	}
	earlier(k.master.abandonAt)
	for _, t := range k.tasks {
		earlier(t.by)
	}
	earlier(k.stepsBy())
	switch {
	case k.ending != nil:
		earlier(k.ending.by)
	case k.alone != nil:
		earlier(k.alone.killAt)
		earlier(k.alone.endAt)
	default:
		earlier(k.master.restartAt)
		earlier(k.hungAt())
		earlier(k.pingAt())
		earlier(k.aloneAt())
	}
	return next, next > 0
}

// deadlines does what has become due.
func (k *keeper) deadlines() {
	k.catchUp()
	now := k.sys.now()
	due := func(t time.Duration) bool { return t > 0 && t <= now }
	if due(k.stepsBy()) {
		k.leaveSteps(due)
	}
	if k.lateTasks(due) {
		return // what else is due is looked at again
	}
	switch {
	case due(k.master.abandonAt):
		k.abandonLink()
	case k.ending != nil:
		if due(k.ending.by) {
			k.killMaster("it did not end")
			k.ending.by = 0
		}
	case k.alone != nil:
		k.aloneDue(due)
	case k.thawed():
	case due(k.aloneAt()):
		k.stopAlone()
	case due(k.hungAt()):
		k.master.hung = true
		k.killMaster(k.hungHow())
	case due(k.pingAt()):
		k.ping()
	case due(k.master.restartAt):
		k.master.restartAt = 0
		k.startMaster()
	}
}

// catchUp deals with all that has happened before a deadline is acted upon: we
// may have been stopped together with a master that is as healthy as we are.
func (k *keeper) catchUp() {
	select {
	case a := <-k.spawner.answers:
		k.answered(a)
	default:
	}
	k.reap()
	hear(func() *link.Conn { return k.master.conn }, func(in link.Received, open bool) {
		if open {
			k.order(in)
		} else {
			k.masterClosed()
		}
	})
	hear(func() *link.Conn { return k.heir.audible() }, k.heirSays)
	hear(func() *link.Conn { return k.looks.now.Conn() }, k.lookSays)
}

// maxArrived is how many messages are heard before a deadline is acted upon. A socket
// holds fewer; somebody may never stop.
const maxArrived = 1 << 14

// hear takes what has arrived on a link, as long as there is one.
func hear(from func() *link.Conn, says func(link.Received, bool)) {
	for range maxArrived {
		conn := from()
		if conn == nil || conn.Idle() {
			return
		}
		select {
		case in, open := <-conn.In():
			says(in, open)
		case <-conn.Parked():
		}
	}
}

// caughtSignal takes note of a signal, for the master to deal with.
func (k *keeper) caughtSignal(sig syscall.Signal) {
	if sig == syscall.SIGALRM { // what deploy scripts of einhorn's early days send; einhorn takes it still
		k.log.Warn("ALRM is taken for HUP, as einhorn does; send HUP instead")
		sig = syscall.SIGHUP
	}
	c := k.caught[sig]
	if c == nil {
		c = &caughtSignal{}
		k.caught[sig] = c
	}
	if c.count == 0 {
		c.since = k.sys.now()
	}
	c.count = min(c.count+1, 3) // a third one says all that there is to say
	if !platform.IsStop(sig) {
		return
	}
	k.stop.caught(sig, k.sys.now())
	k.abandonReload("we are stopping")
	if sig == syscall.SIGINT && k.stop.ints == 3 {
		k.log.Warn("a third SIGINT: killing all workers")
		k.stopSpawning()
		k.signalAll(syscall.SIGKILL, link.LevelKill)
	}
}
