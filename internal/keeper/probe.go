// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"
	"syscall"
	"time"

	"einhyrningsins/internal/launch"
	"einhyrningsins/internal/link"
)

// probeTimeout is how long a probe may take.
const probeTimeout = 5 * time.Second

// orderProbe runs the operator's probe of a worker, beside the renice commands,
// unless one runs already.
func (k *keeper) orderProbe(m *link.Probe) {
	if wrong := k.checkProbe(); wrong != "" {
		k.refuse("%s", wrong)
		return
	}
	c := k.table.bySerial[m.Serial]
	if c == nil || !c.running() || c.probing {
		return
	}
	c.probing, c.probed = true, nil
	p := process{path: k.probe.Path, argv: k.probe.For(c.PID, c.Index, c.Generation), env: os.Environ()}
	words, _ := launch.Hear(k.log.With("worker", c.PID), "the probe said", launch.FewLines)
	p.files = []uintptr{k.devNull.Fd(), k.devNull.Fd(), words.Stderr()}
	k.spawner.want(job{renice: c, probe: true, process: stepsTo(p), words: words})
}

// probed keeps what came of it, if it was one, for the master.
func (k *keeper) probed(c *child, ready bool) {
	if c.probing && c.running() {
		c.probed = &link.Probed{Serial: c.Serial, Ready: ready}
		k.table.hasNews(c)
	}
	c.probing = false
}

// killProbes ends those of a worker; nil: all.
func (k *keeper) killProbes(c *child) {
	for pid, r := range k.renicing {
		if r.probe && (c == nil || r.worker == c) {
			r.by = 0
			_ = k.sys.kill(pid, syscall.SIGKILL, true)
		}
	}
}
