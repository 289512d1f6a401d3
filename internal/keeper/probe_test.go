// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"einhyrningsins/internal/link"
)

// TestProbe: one at a time, bounded, told to whichever master is there, and gone
// with its worker.
func TestProbe(t *testing.T) {
	k := newTestKeeper(t)
	k.cfg.AckManual, k.cfg.AckBy = true, "exec"
	k.live()
	k.send(&link.Spawn{Serial: 1, Generation: 1})
	worker := k.answerJob(nil)
	k.told()
	k.send(&link.Probe{Serial: 1}, &link.Probe{Serial: 1}, &link.Probe{Serial: 7})
	j, pid := k.begin()
	if j.task == nil || j.task != k.table.bySerial[1].probe || len(k.spawner.queue) > 0 {
		t.Fatalf("%+v was begun, and %d are to follow", j, len(k.spawner.queue))
	}
	k.finishJob(j, pid, nil)
	if at, ok := k.nextDeadline(); !ok || at != k.sys.clock+probeTimeout {
		t.Errorf("the probe may run until %v", at)
	}
	k.sys.end(pid, 1)
	k.sys.did = nil
	k.reap()
	if did := fmt.Sprintf("kill group %d 9, reap %d", pid, pid); strings.Join(k.sys.did, ", ") != did {
		t.Errorf("did %q, so that something may be left of the probe; want %q", k.sys.did, did)
	}
	c := k.table.bySerial[1]
	if c.probed == nil || c.probed.Ready || c.probe != nil || k.commands() {
		t.Errorf("the worker is %+v", c)
	}

	// The next ends well while no master is there.
	k.send(&link.Probe{Serial: 1})
	j, pid = k.begin()
	k.finishJob(j, pid, nil)
	k.masterDies()
	k.sys.end(pid, 0)
	k.reap()
	k.runMaster()
	k.tell()
	if m, ok := k.receive().Msg.(*link.Probed); !ok || !m.Ready || m.Serial != 1 {
		t.Errorf("the next master is told %+v", m)
	}
	k.send(&link.Live{})

	// One that runs ends with its worker, and so does one that was just begun.
	k.send(&link.Probe{Serial: 1})
	j, pid = k.begin()
	k.finishJob(j, pid, nil)
	k.sys.did = nil
	k.sys.end(worker, 0)
	k.reap()
	if kill := fmt.Sprintf("kill group %d 9", pid); !slices.Contains(k.sys.did, kill) {
		t.Errorf("the probe %d is not killed: %q", pid, k.sys.did)
	}
	k.sys.end(pid, 9)
	k.reap()
	if c.probed != nil || k.commands() {
		t.Errorf("something is left: %+v", c.probed)
	}
}
