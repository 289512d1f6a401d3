// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"cmp"
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/start"
)

// probeTimeout is how long a probe may take.
const probeTimeout = 5 * time.Second

// orderProbe runs the operator's probe of a worker, unless one runs already.
func (k *keeper) orderProbe(m *link.Probe) {
	if wrong := k.checkProbe(); wrong != "" {
		k.refuse("%s", wrong)
		return
	}
	c := k.table.bySerial[m.Serial]
	if c == nil || !c.running() || c.probe != nil {
		return
	}
	c.probed = nil
	p := process{program: &start.Program{Path: cmp.Or(k.probe.Path, platform.OwnProgram)}, argv: k.probe.For(c.PID, c.Index, c.Generation), env: os.Environ()}
	stderr, _ := start.Hear(k.log.With("worker", c.PID), "the probe said", start.FewLines)
	p.files = []uintptr{k.devNull.Fd(), k.devNull.Fd(), stderr.FD()}
	if k.probe.Path != "" {
		p = stepsTo(p)
	}
	t := &task{group: true, stderr: stderr}
	t.begun = func(a answer) {
		switch {
		case a.err != nil:
			k.cannotRun(c, a)
			k.probed(c, false)
		case !c.running():
			k.kill(t) // nobody waits for it any more
		default:
			t.by = k.sys.now() + probeTimeout
		}
	}
	t.ended = func(status syscall.WaitStatus) { k.probed(c, status == 0) }
	c.probe = t
	k.spawner.want(job{task: t, process: p})
}

// probed keeps what came of it for the master.
func (k *keeper) probed(c *child, ready bool) {
	if c.running() {
		c.probed = &link.Probed{Serial: c.Serial, Ready: ready}
		k.table.hasNews(c)
	}
	c.probe = nil
}

// killProbe ends the one of a worker, if there is one.
func (k *keeper) killProbe(c *child) {
	if c.probe != nil {
		k.kill(c.probe)
	}
}
