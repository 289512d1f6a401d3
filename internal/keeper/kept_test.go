// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

// Whatever it consists of: as text for HTML it would be six times as long.
func TestWhatMayBeKeptFitsIntoAHello(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	most := bytes.ReplaceAll(text(maxKept), []byte("x"), []byte("<"))
	for g := 2; g <= maxLaunches; g++ {
		k.looks.launches[g] = &start.Launch{Launch: link.Launch{Generation: g, Program: strings.Repeat("/p", 2047), Directory: strings.Repeat("/d", 2047)}}
	}
	k.order(link.Received{Msg: &link.Save{Data: most}})
	k.order(link.Received{Msg: &link.Settings{Data: most}})
	k.masterDies()
	if hello, _ := k.runMaster(); !bytes.Equal(hello.Saved, most) || !bytes.Equal(hello.Settings, most) {
		t.Errorf("the next master is told %d bytes of state and %d of settings", len(hello.Saved), len(hello.Settings))
	}
}

func TestWhatIsKeptOfAllWorkersIsBounded(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.fillTable(maxKeptWorkers/maxKeptWorker + 1)
	for serial := range k.table.next - 2 {
		k.order(link.Received{Msg: &link.Save{Serial: serial + 1, Data: text(maxKeptWorker)}})
	}
	k.order(link.Received{Msg: &link.Save{Serial: 1, Data: text(maxKeptWorker)}}) // in place of what was
	if k.master.bad {
		t.Fatal("as much as may be is too much: " + k.master.lastWord)
	}
	k.order(link.Received{Msg: &link.Save{Serial: k.table.next - 1, Data: text(8)}})
	if !k.master.bad || k.table.kept != maxKeptWorkers {
		t.Errorf("%d bytes are kept", k.table.kept)
	}
}

// What was kept may be what turns masters: in the end one starts with nothing of it.
func TestMastersThatWhatWasKeptTurnsBadAreToldLess(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.spawnWorker()
	k.send(&link.Save{Data: []byte(`{"a":1}`)}, &link.Save{Serial: 1, Data: []byte(`{"w":1}`)}, &link.Settings{Data: []byte(`{"b":1}`)})
	for bad := 1; bad <= 2*triesWithState; bad++ {
		k.send(&link.Spawn{Serial: 99})
		k.masterDies()
		hello, children := k.runMaster()
		k.send(&link.Live{})
		k.told()
		saved, settings, worker := "", "", ""
		if bad < 2*triesWithState {
			saved, settings = `{"a":1}`, `{"b":1}`
		}
		if bad < triesWithState {
			worker = `{"w":1}`
		}
		if string(hello.Saved) != saved || string(hello.Settings) != settings || string(children[0].Saved) != worker {
			t.Errorf("after %d bad masters the next is told %s, %s, %s", bad, hello.Saved, hello.Settings, children[0].Saved)
		}
		if (hello.Rebuild != "") != (bad >= triesWithState) {
			t.Errorf("after %d bad masters the next is told to rebuild for %q", bad, hello.Rebuild)
		}
	}
	k.sys.clock += soon
	k.masterDies()
	if hello, _ := k.runMaster(); hello.Rebuild != "" {
		t.Errorf("after a good one the next is told to rebuild for %q", hello.Rebuild)
	}
}

// What was kept may be what masters die of, or hang for, when they are live already.
// One that somebody has killed says nothing about it.
func TestMastersThatFailOfWhatWasKeptAreToldLess(t *testing.T) {
	const kill, abort, panicked = syscall.WaitStatus(9), syscall.WaitStatus(6), syscall.WaitStatus(2 << 8)
	for name, ends := range map[string][]syscall.WaitStatus{
		"told less": {panicked, abort, kill, panicked},
		"told all":  {kill, kill, kill, kill, panicked, panicked},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTestKeeper(t)
			k.live()
			k.send(&link.Save{Data: []byte(`{"a":1}`)})
			var hello link.Hello
			for _, status := range ends {
				if hello.Rebuild != "" {
					t.Fatalf("before the last one it is told %q", hello.Rebuild)
				}
				k.masterEndsAs(status)
				hello, _ = k.runMaster()
				k.send(&link.Live{})
				k.told()
			}
			if (hello.Rebuild != "") != (name == "told less") {
				t.Errorf("the next master is told to rebuild for %q", hello.Rebuild)
			}
		})
	}
	t.Run("hung", func(t *testing.T) {
		k := newTestKeeper(t)
		k.live()
		k.caughtSignal(syscall.SIGINT)
		k.stop.at = 0 // so that it is not over soon
		var hello link.Hello
		for range triesWithState {
			k.sys.clock += patience
			k.deadlines()
			if !k.master.hung {
				t.Fatal("the master is not taken for hung")
			}
			k.masterEndsAs(kill)
			hello, _ = k.runMaster()
			k.send(&link.Live{})
		}
		if hello.Rebuild == "" {
			t.Error("the next master is told to go on where they hung")
		}
	})
}
