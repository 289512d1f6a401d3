// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"syscall"

	"einhyrningsins/internal/link"
)

// tell sends the master what is new, as long as its socket takes it.
func (k *keeper) tell() {
	m := &k.master
	if m.conn == nil || m.pid == 0 || m.quiesced || k.ending != nil {
		return
	}
	if !m.greeted {
		k.greet()
	}
	k.tellReloadFailed()
	k.tellListener()
	for len(k.table.news) > 0 && !m.conn.Pending() {
		c := k.table.news[0]
		k.table.news = k.table.news[1:]
		c.queue = false
		k.tellChild(c)
	}
	k.tellLook()
	if m.done > m.toldDone && !m.conn.Pending() {
		m.toldDone = m.done
		m.conn.Send(&link.Done{Through: m.done})
	}
	for sig, c := range k.caught {
		if c.count > c.told && !m.conn.Pending() {
			m.conn.Send(&link.Signalled{Signal: int(sig), Count: c.count - c.told})
			c.told = c.count
		}
	}
}

// tellReloadFailed answers Reload: first of all, for a master that stands still
// hears nothing else before. However often it has asked, it gets one answer.
func (k *keeper) tellReloadFailed() {
	if m := &k.master; m.cannotReload != nil && !m.conn.Pending() {
		m.conn.Send(m.cannotReload)
		m.cannotReload = nil
	}
}

// tellListener hands over the control socket when it was bound anew.
func (k *keeper) tellListener() {
	m := &k.master
	if m.bindings == k.bindings || m.conn.Pending() {
		return
	}
	listener, err := k.control.Dup()
	if err != nil {
		return // there may be a descriptor to be had next time
	}
	m.bindings = k.bindings
	m.conn.Send(&link.Listener{}, listener)
}

func (k *keeper) tellChild(c *child) {
	if c.PID != 0 && !c.told.spawned {
		c.told.spawned = true
		kinds, fds := k.channelsOf(c)
		for i, kind := range kinds {
			k.master.conn.Send(&link.Channel{Serial: c.Serial, Kind: kind}, fds[i])
		}
		k.master.conn.Send(&link.Spawned{Serial: c.Serial, PID: c.PID, At: c.StartedAt})
	}
	if f := c.refused(); c.running() && f != c.told.refused {
		c.told.refused = f
		f.Serial = c.Serial
		k.master.conn.Send(&f)
	}
	if c.probed != nil {
		k.master.conn.Send(c.probed)
		c.probed = nil
	}
	if c.ended() && !c.told.ended {
		c.told.ended = true
		if c.Failed != nil {
			k.master.conn.Send(c.Failed)
		} else {
			k.master.conn.Send(c.Exit)
		}
	}
}

// greet tells a new master everything.
func (k *keeper) greet() {
	m := &k.master
	m.greeted = true
	known, err := k.sayHello(m.conn, false)
	if err != nil {
		k.killMaster(err.Error())
		return
	}
	k.nowKnows(known)
}

// knowledge is what a master was told of.
type knowledge struct {
	children map[uint64]told
	signals  map[syscall.Signal]int
	bindings int
}

// sayHello tells a master everything there is to know, and returns what that
// was. more descriptors may go with it.
func (k *keeper) sayHello(conn *link.Conn, reload bool, more ...int) (knowledge, error) {
	m := &k.master
	listener, err := k.control.Dup()
	if err != nil {
		return knowledge{}, fmt.Errorf("cannot hand over the control socket: %w", err)
	}
	all := k.table.all()
	known := knowledge{map[uint64]told{}, map[syscall.Signal]int{}, k.bindings}
	h := k.hello
	h.NextSerial, h.Children, h.Masters, h.Reload = k.table.next, len(all), m.count, reload
	h.Saved, h.Settings, h.Launches, h.GaveUp = k.saved, k.settings, k.allLaunches(), k.worked.gaveUp
	var out leftOut
	if !reload {
		h.Masters-- // it was counted when it was started
		if out, h.Rebuild = k.leaveOut(); out == everythingIsOut {
			k.saved, k.settings, h.Saved, h.Settings = nil, nil, nil, nil
		}
	}
	h.Signals = map[int]int{}
	for sig, c := range k.caught {
		if c.count > 0 {
			h.Signals[int(sig)] = c.count
		}
		known.signals[sig] = c.count
	}
	conn.Send(&h, append([]int{listener}, more...)...)
	for _, c := range all {
		row := c.Child
		var fds []int
		row.Channels, fds = k.channelsOf(c)
		if out != nothingLeftOut {
			row.Saved = nil
		}
		conn.Send(&row, fds...)
		known.children[c.Serial] = told{spawned: c.PID != 0, ended: c.ended(), refused: c.refused()}
	}
	conn.Send(&link.Begin{})
	return known, nil
}

// nowKnows makes news of all that the master has not been told of.
func (k *keeper) nowKnows(known knowledge) {
	k.master.bindings = known.bindings
	k.table.news = nil
	for _, c := range k.table.all() {
		c.told, c.queue = known.children[c.Serial], false
		if c.PID != 0 && !c.told.spawned || c.ended() && !c.told.ended || c.probed != nil || c.refused() != c.told.refused {
			k.table.hasNews(c)
		}
	}
	for sig, c := range k.caught {
		c.told = known.signals[sig]
	}
}
