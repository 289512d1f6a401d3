// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"
	"syscall"
	"testing"

	"einhyrningsins/internal/link"
	"einhyrningsins/internal/start"
)

// Looks whose process cannot be started.

// The binary on disk cannot be executed, so that the one which runs looks, in the
// same time.
func TestALookWithTheHeldBinaryCanBeLate(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Look{Generation: 2})
	l := k.beginLook()
	l.Close()
	l.stderr.Close()
	k.finishJob(l.job, 0, &start.Failure{Errno: syscall.ETXTBSY})
	if at, ok := k.nextDeadline(); !ok || at != k.sys.clock+lookLimit {
		t.Fatalf("the next deadline is %v, %v", at, ok)
	}
	k.startLook()
	k.sys.clock += lookLimit
	k.deadlines()
	wantDid(t, k, "kill group 103 9")
	k.dropLook()
}

// A look is given up while its process is being started, which then fails.
func TestALookThatIsGivenUpAndCannotBeStarted(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Save{Data: []byte(`{}`), Generations: []int{1, 2}}, &link.Look{Generation: 2})
	l := k.beginLook()
	l.Close()
	l.stderr.Close()
	k.send(&link.Save{Data: []byte(`{}`), Generations: []int{1}})
	k.finishJob(l.job, 0, &start.Failure{Errno: syscall.ETXTBSY})
	if jobs, _ := k.spawner.next(); jobs != nil || k.looks.now != nil {
		t.Error("it is tried again, and nobody waits for it")
	}
	if at, ok := k.nextDeadline(); ok {
		t.Errorf("something is waited for until %v", at)
	}
}

func TestALookThatCannotBeStarted(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Look{Generation: 2})
	l := k.beginLook()
	l.Close()
	l.stderr.Close()
	k.finishJob(l.job, 0, &os.PathError{Op: "fork/exec", Err: syscall.EMFILE})
	k.untilLooked()
	wantOne(t, k, "cannot execute /usr/bin/einhyrningsins: too many open files")
}
