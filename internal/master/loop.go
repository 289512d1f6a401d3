// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/memory"
	"einhyrningsins/internal/notify"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/version"
	"einhyrningsins/internal/wire"
)

// loop owns all that the master knows. Only its goroutine touches it.
type loop struct {
	cfg     config.Config
	hello   link.Hello
	pool    *pool.Pool
	link    *link.Conn
	control *control.Server
	log     *slog.Logger
	flush   func(time.Duration) bool

	setLevel func(slog.Level)
	changes  changes // of settings, while running

	byPID     map[int]uint64 // running workers
	pinged    map[uint64]ping
	told      map[uint64][]syscall.Signal // which signals workers were asked to end with
	unhandled bool                        // it was said that workers do not handle the graceful signal
	refused   map[uint64]string           // why workers cannot be signalled
	ordered   uint64                      // number of the last signal that was asked for
	done      uint64                      // number of the last one that was carried out
	held      []heldAnswer
	waiters   []*waiter
	pruneAt   int // how many waiters there may be before those that are gone are looked for
	ring      ring
	nextEvent []*control.Call // that wait for something to happen
	parked    []parkedAck
	caught    map[int]int // signals to be forgotten with the next save
	end       *pool.End

	launches []link.Launch // what generations are started from, the newest last
	kept     []int         // generations of which workers may still be spawned
	probes   []*probing
	heard    *notify.Set          // what workers say of themselves
	channels map[uint64][]channel // what those may speak to us by that are not known yet
	reloads  []*control.Call      // clients that wait for a reload
	quiesce  int                  // the stream to hand over on, once nothing is under way; or -1
	handover *link.Conn           // the stream to the next master; not nil: we stand still for it
	later    []link.Received      // what the keeper said meanwhile
	rest     memory.Rest
}

// ping is a worker's last sign of life.
type ping struct {
	at        time.Duration
	requestID string
}

func newLoop(o *opening, conn *link.Conn, log Log) *loop {
	l := &loop{
		cfg: o.cfg, hello: o.hello, link: conn,
		log: log.Logger(), flush: log.Flush, setLevel: log.SetLevel,
		byPID: map[int]uint64{}, pinged: map[uint64]ping{}, told: map[uint64][]syscall.Signal{}, refused: map[uint64]string{}, caught: map[int]int{},
		quiesce: -1, heard: notify.New(), channels: map[uint64][]channel{},
	}
	maps.Copy(l.told, o.handed.state.Told)
	for _, p := range o.handed.state.Pings {
		l.pinged[p.Serial] = ping{p.At, p.RequestID}
	}
	return l
}

// goOn makes the pool, tells it in one step all that has happened while no
// master ran, and goes live. It fails where an old master can go on better.
func (l *loop) goOn(o *opening) error {
	p, lost := poolOf(o)
	if lost != "" && o.hello.Reload {
		return fmt.Errorf("cannot take over from the old master: %s", lost)
	}
	l.pool = p
	l.ring.takeOver(o.handed.state.Events, o.handed.state.LastEvent, o.hello.Masters)
	for _, launch := range o.hello.Launches {
		l.know(launch)
	}
	switch {
	case o.hello.Reload:
		l.happened(slog.LevelInfo, wire.Event{Kind: eventTookOver, Text: "taking over", PID: os.Getpid()}, slog.String("version", version.Version),
			slog.Int("workers", len(o.children)), slog.Int("clients", len(o.handed.clients)))
	case o.hello.Masters > 0:
		l.happened(slog.LevelWarn, wire.Event{Kind: eventNewMaster, Text: "a new master goes on", PID: os.Getpid()}, slog.Int("workers", len(o.children)))
	default:
		l.warnOfBars()
	}
	if lost != "" {
		l.happened(slog.LevelError, wire.Event{Kind: eventStateLost, Text: "what was under way is given up; going on from the workers that exist", Reason: lost})
	}
	var events []pool.Event
	for _, c := range o.children {
		l.noteRefused(c.Serial, c.Refused)
		switch {
		case c.Failed != nil:
			events = append(events, l.spawnFailed(c.Failed))
		case c.Exit != nil:
			events = append(events, append(l.forgetWorker(c.Serial), exited(c.Exit))...)
		case c.PID != 0:
			l.byPID[c.PID] = c.Serial
		}
	}
	for sig, count := range o.hello.Signals {
		events = append(events, l.caughtSignal(sig, count)...)
	}
	// Live comes last: a saved state that kills masters must not count as one
	// that works.
	l.step(append([]pool.Event{pool.Begun{}}, events...)...)
	for _, w := range l.pool.Workers() {
		if w.PID != 0 {
			l.listenTo(w.Serial)
			l.probe(w.Serial, 0)
		}
	}
	l.link.Send(&link.Live{})
	return nil
}

// run waits for what happens until all is over.
func (l *loop) run() {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for !l.over() {
		if l.quiesce >= 0 && len(l.held) == 0 && !l.link.Pending() {
			l.standStill()
		}
		l.arm(timer)
		calls, said := l.control.Calls(), l.heard.Events()
		if l.link.Pending() || l.quiesce >= 0 || l.handover != nil {
			calls, said = nil, nil // the keeper is behind, or another master comes: clients have to wait
		}
		select {
		case in, open := <-l.link.In():
			if !open {
				l.dismissed()
				return
			}
			l.news(in)
		case c := <-calls:
			l.call(c)
		case e := <-said:
			l.said(e)
		case <-l.link.Drained():
			l.release()
		case <-timer.C:
			l.catchUp()
			l.step(append(l.unheard(), pool.Tick{})...)
			l.runProbes()
		}
		l.rest.Worked()
	}
	l.finish()
}

// dismissed is the end that we did not ask for.
func (l *loop) dismissed() {
	workers := "serve on without it"
	if l.cfg.KillChildren {
		workers = "were sent USR2 by the system"
	}
	switch err := l.link.Err(); {
	case l.handover != nil:
		l.control.Close(0) // whom the next master lets go shall see it at once
	case !link.OtherGone(err):
		l.log.Error("the link to the keeper failed; another master goes on", "error", err)
	default:
		l.log.Error("the keeper is gone; its workers "+workers, "reason", err)
	}
	l.flush(time.Second)
}

// arm sets the timer to the pool's deadline; without one nothing wakes us.
func (l *loop) arm(timer *time.Timer) {
	timer.Stop()
	at, ok := l.pool.Deadline()
	if probe, due := l.probeAt(); due && (!ok || probe < at) {
		at, ok = probe, true
	}
	if ok && l.end == nil && l.quiesce < 0 && l.handover == nil {
		timer.Reset(max(at-link.Now(), 0))
	}
}

// catchUp handles all that has arrived before a deadline is acted upon: the
// keeper's news first, exits among them, then what clients and workers have sent.
func (l *loop) catchUp() {
	l.catchUpLink()
	arrived := l.control.Arrived()
	for arrived != nil {
		select {
		case in, open := <-l.link.In():
			if !open {
				return
			}
			l.news(in)
		case c := <-l.control.Calls():
			l.call(c)
		case <-arrived:
			arrived = nil
		}
	}
	l.catchUpSaid()
	l.catchUpLink()
}

func (l *loop) catchUpLink() {
	for !l.link.Idle() {
		select {
		case in, open := <-l.link.In():
			if !open {
				return
			}
			l.news(in)
		case <-l.link.Parked():
		}
	}
}

// over tells whether all is done that has to be done before the end.
func (l *loop) over() bool {
	return l.end != nil && l.done >= l.ordered && !l.link.Pending()
}

// finish says goodbye: to clients, to the log, and last to the keeper, which
// writes the last line.
func (l *loop) finish() {
	l.release()
	l.control.Close(time.Second)
	l.flush(time.Second)
	l.link.Send(&link.Exit{Code: l.end.Status, Reason: l.end.Reason})
	for l.link.Pending() {
		select {
		case _, open := <-l.link.In():
			if !open {
				return
			}
		case <-l.link.Drained():
		}
	}
}

// stopping tells whether we are on the way out.
func (l *loop) stopping() bool { return l.pool.State().Stop.Level > 0 || l.end != nil }

// caughtSignal turns a signal that the keeper caught into events. It is
// forgotten with the state that follows from it.
func (l *loop) caughtSignal(number, count int) (events []pool.Event) {
	sig := syscall.Signal(number)
	l.happened(slog.LevelInfo, wire.Event{Kind: eventSignal, Text: "caught a signal"}, slog.String("signal", config.SignalName(number)))
	l.caught[number] += count
	switch sig {
	case syscall.SIGHUP:
		if l.stopping() {
			l.log.Warn("no upgrade any more: the master is stopping")
		}
		return []pool.Event{pool.StartUpgrade{Fleet: l.cfg.UpgradeFleet, ByHUP: true}}
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR2, syscall.SIGQUIT:
		stop := map[syscall.Signal]pool.StopSignal{
			syscall.SIGINT: pool.StopINT, syscall.SIGTERM: pool.StopTERM,
			syscall.SIGUSR2: pool.StopUSR2, syscall.SIGQUIT: pool.StopQUIT,
		}[sig]
		for range count {
			events = append(events, pool.StopFor{Signal: stop})
		}
	default:
		l.signalWorkers(sig)
	}
	return events
}
