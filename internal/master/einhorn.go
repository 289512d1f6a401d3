// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"slices"
	"strconv"
	"syscall"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/einhorn"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/version"
	"einhyrningsins/internal/wire"
)

// einhornDone ends an upgrade in einhorn's dialect, word for word: its clients
// look for it.
const einhornDone = "Upgrade done"

// einhornQuit is the exit status after QUIT under einhorn's name.
const einhornQuit = 1

// maxEinhornNumber is how many workers set_workers takes in einhorn's dialect.
const maxEinhornNumber = 1000

// einhornVerbs are the commands that only einhorn's dialect has, or that mean
// something else there.
var einhornVerbs []verb

func init() {
	einhornVerbs = []verb{
		{wire.Ehlo, "", "greet the master", false, (*loop).einhornEhlo},
		{wire.SetWorkers, "N", "run N workers, 1 to 1000", false, (*loop).einhornSetWorkers},
		{wire.Upgrade, "", "replace all workers by a new generation, one by one", false, (*loop).einhornUpgrade},
		{"upgrade_fleet", "", "replace all workers by a new generation at once", false, func(l *loop, c *control.Call) *wire.Error { return l.beginUpgrade(c, true) }},
		{wire.Config, "[{KEY: VALUE…}]", "show the settings, or change some", false, (*loop).config},
		{"state", "", "dump the state as YAML", false, (*loop).einhornState},
	}
}

// verbsOf lists the commands of a dialect.
func verbsOf(d control.Dialect) []verb {
	if d != control.Einhorn {
		return verbs
	}
	list := slices.Clone(verbs)
	for _, v := range einhornVerbs {
		i := slices.IndexFunc(list, func(o verb) bool { return o.name == v.name })
		if i < 0 {
			list = append(list, v)
		} else {
			list[i] = v
		}
	}
	return list
}

func (l *loop) einhornEhlo(c *control.Call) *wire.Error {
	name := ""
	if c.User != "" {
		quoted := strconv.QuoteToGraphic(shorten(c.User))
		name = ", " + quoted[1:len(quoted)-1]
	}
	return l.ok(c, nil, "Welcome%s! This is einhyrningsins %s, keeper %d, %d workers wanted", name, version.Version, l.hello.KeeperPID, l.pool.State().Number)
}

func (l *loop) einhornSetWorkers(c *control.Call) *wire.Error {
	n, err := count(c, 0, maxEinhornNumber)
	if err != nil {
		return err
	}
	return l.setNumber(c, n)
}

// einhornUpgrade is smooth whatever the daemon's --upgrade says, as the name is
// in this dialect; our own words for it are understood, too.
func (l *loop) einhornUpgrade(c *control.Call) *wire.Error {
	if len(c.Args) > 0 {
		return l.upgrade(c)
	}
	return l.beginUpgrade(c, false)
}

func (l *loop) einhornState(c *control.Call) *wire.Error {
	st, at := l.pool.State(), wallClock()
	s := einhorn.Snapshot{
		Status: l.statusData(), Config: &l.cfg, Masters: l.hello.Masters, Fleet: st.Upgrade.Fleet, Signals: map[int]einhorn.Signals{},
	}
	for _, w := range l.pool.Workers() {
		if w.PID != 0 && w.SignalAt != 0 {
			s.Signals[w.PID] = einhorn.Signals{Sent: l.signaled(&w), Last: at(w.SignalAt)}
		}
	}
	return l.ok(c, nil, "%s", einhorn.State(s))
}

// signaled are the signals that a worker was asked to end with. Of those that an
// earlier master sent, the last is known by the worker's phase.
func (l *loop) signaled(w *pool.Worker) []syscall.Signal {
	if sent := l.told[w.Serial]; len(sent) > 0 {
		return sent
	}
	last := map[pool.Phase]syscall.Signal{
		pool.Draining: syscall.Signal(l.cfg.GracefulSignal), pool.Stopping: syscall.SIGTERM, pool.Killed: syscall.SIGKILL,
	}[w.Phase]
	if stop := l.pool.State().Stop.Signal; w.Phase == pool.Draining && stop != 0 {
		last = syscall.Signal(stop)
	}
	if last == 0 {
		return nil
	}
	return []syscall.Signal{last}
}
