// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/link"
)

// looker is the process that looks, in the hands of the test.
type looker struct {
	*link.Conn
	t      *testing.T
	stderr *os.File
	job    job
	pid    int
}

// beginLook hands over the job of a look, whose process exists from now on.
func (k *testKeeper) beginLook() *looker {
	k.t.Helper()
	j, pid := k.begin()
	if j.task == nil || j.task != k.looks.task {
		k.t.Fatalf("the next job is %+v, not a look", j)
	}
	l := &looker{t: k.t, job: j, pid: pid}
	var ends [2]*os.File
	for i, fd := range k.looks.now.Files() {
		dup, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			k.t.Fatal(err)
		}
		ends[i] = os.NewFile(uintptr(dup), "look")
	}
	l.stderr = ends[0]
	conn, err := link.New(ends[1])
	if err != nil {
		k.t.Fatal(err)
	}
	l.Conn = conn
	k.t.Cleanup(func() {
		conn.Close()
		l.stderr.Close()
	})
	return l
}

// startLook is a look whose process runs.
func (k *testKeeper) startLook() *looker {
	k.t.Helper()
	l := k.beginLook()
	k.finishJob(l.job, l.pid, nil)
	return l
}

// saw answers well, with a directory and a program that are there.
func (l *looker) saw() {
	l.t.Helper()
	dir, prog := l.t.TempDir(), "prog"
	if err := os.WriteFile(filepath.Join(dir, prog), nil, 0o755); err != nil {
		l.t.Fatal(err)
	}
	var fds []int
	for _, path := range []string{dir, filepath.Join(dir, prog)} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			l.t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	l.Send(&link.Saw{
		Program: [][]byte{[]byte("p")}, Env: [][]byte{[]byte("A=1")},
		Path: []byte(prog), Resolved: []byte(filepath.Join(dir, prog)), Directory: []byte(dir),
	}, fds...)
}

// ends lets the process end, and what it has closed be seen.
func (k *testKeeper) ends(l *looker, code int) {
	k.t.Helper()
	l.Close()
	l.stderr.Close()
	k.sys.end(l.pid, code)
	k.reap()
	k.untilLooked()
}

// untilLooked lets the loop take what comes from the look, until it is over.
func (k *testKeeper) untilLooked() {
	k.t.Helper()
	timeout := time.After(20 * time.Second)
	for k.looks.now != nil {
		select {
		case in, open := <-k.looks.now.In():
			k.lookSays(in, open)
		case last := <-k.looks.now.Said():
			k.lookSaid(last)
		case <-timeout:
			k.t.Fatal("the look is not over")
		}
	}
}

// wantOne expects that the master is told one thing now, with this in it.
func wantOne(t *testing.T, k *testKeeper, want string) {
	t.Helper()
	if got := k.told(); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("the master is told %q, want only %q", got, want)
	}
}

func TestALookIsAnsweredOnceAndThenFromMemory(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Look{Generation: 2}, &link.Look{Generation: 2})
	l := k.startLook()
	wantTold(t, k)
	l.saw()
	wantTold(t, k) // it may answer once more
	k.ends(l, 0)
	wantOne(t, k, `Looked {"launch":{"generation":2,`)
	wantTold(t, k)
	k.send(&link.Look{Generation: 2})
	wantOne(t, k, `Looked {"launch":{"generation":2,`)
	if jobs, _ := k.spawner.next(); jobs != nil {
		t.Error("a look that was answered is taken again")
	}
	k.send(&link.Spawn{Serial: 1, Generation: 2, Index: 0})
	j, _ := k.begin()
	if !slices.Contains(j.process.env, "A=1") || !slices.Contains(j.process.env, "EINHORN_CHILD_INDEX=0") {
		t.Errorf("the worker's environment is %q", j.process.env)
	}
	if j.process.program != k.looks.launches[2].Held {
		t.Error("the worker starts from elsewhere")
	}
}

func TestAMasterThatDiesDuringALookHearsOfItAgain(t *testing.T) {
	for _, code := range []int{0, 3} {
		k := newTestKeeper(t)
		k.live()
		k.send(&link.Save{Data: []byte(`{}`), Generations: []int{1, 2}}, &link.Look{Generation: 2})
		l := k.startLook()
		k.sys.clock += time.Second
		k.masterDies()
		if code == 0 {
			l.saw()
		}
		k.ends(l, code)
		hello, _ := k.runMaster()
		k.send(&link.Live{}, &link.Save{Data: []byte(`{}`), Generations: []int{1, 2}}, &link.Look{Generation: 2})
		told := strings.Join(k.told(), "\n")
		if code == 0 && (len(hello.Launches) != 2 || !strings.Contains(told, "Looked ")) {
			t.Errorf("launches %+v; told %s", hello.Launches, told)
		}
		if code != 0 && (len(hello.Launches) != 1 || !strings.Contains(told, "ended without success: exit status 3")) {
			t.Errorf("launches %+v; told %s", hello.Launches, told)
		}
		if jobs, _ := k.spawner.next(); jobs != nil {
			t.Error("the look is taken again")
		}
	}
}

func TestANewerLookEndsTheLast(t *testing.T) {
	for _, queued := range []bool{true, false} {
		k := newTestKeeper(t)
		k.live()
		k.send(&link.Look{Generation: 2})
		old := k.looks.task
		if queued {
			k.send(&link.Look{Generation: 3})
		} else {
			l := k.startLook()
			k.send(&link.Look{Generation: 3})
			wantDid(t, k, "kill group 102 9")
			l.saw() // too late
			k.sys.end(l.pid, 0)
			k.reap()
			wantDid(t, k, "kill group 102 9", "reap 102") // whatever it has left behind
		}
		l := k.startLook()
		if l.job.task == old {
			t.Fatal("the look that was given up is taken all the same")
		}
		l.saw()
		k.ends(l, 0)
		if told := strings.Join(k.told(), "\n"); !strings.Contains(told, `"generation":3`) || strings.Contains(told, `"generation":2`) {
			t.Errorf("told %s", told)
		}
	}
}

func TestALookThatIsGivenUpWhileItIsStartedIsKilled(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Save{Data: []byte(`{}`), Generations: []int{1, 2}}, &link.Look{Generation: 2})
	l := k.beginLook()
	k.send(&link.Save{Data: []byte(`{}`), Generations: []int{1}})
	if k.looks.now != nil {
		t.Fatal("nobody waits for this look any more, and it goes on")
	}
	k.finishJob(l.job, l.pid, nil)
	wantDid(t, k, "kill group 102 9")
	k.sys.end(l.pid, 0)
	k.reap()
	wantDid(t, k, "kill group 102 9", "reap 102")
	wantTold(t, k)
}

func TestALookThatHangsIsKilled(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Look{Generation: 2})
	l := k.startLook()
	if _, err := l.stderr.WriteString("noise\nwaiting\x1b\n"); err != nil {
		t.Fatal(err)
	}
	if at, ok := k.nextDeadline(); !ok || at != k.sys.clock+lookLimit {
		t.Fatalf("the next deadline is %v", at)
	}
	k.sys.clock += lookLimit
	k.deadlines()
	wantDid(t, k, "kill group 102 9")
	k.ends(l, 9)
	wantOne(t, k, `took longer than 10s; its last words: noise\nwaiting\u001b"`)
	k.send(&link.Look{Generation: 2}) // the same master asks again: it is told again
	wantOne(t, k, "took longer")
	k.send(&link.Look{Generation: 3})
	k.startLook()
	k.dropLook()
}

func TestALookThatCannotEvenBeKilledIsGivenUp(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Look{Generation: 2})
	k.startLook()
	k.sys.clock += lookLimit
	k.deadlines()
	k.sys.clock = k.looks.now.By
	k.deadlines()
	k.untilLooked()
	wantOne(t, k, "LookFailed")
	if _, ok := k.nextDeadline(); ok {
		t.Error("something is still waited for")
	}
}

func TestALookIsNotLateThatHasAnsweredWhileWeWereStopped(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.send(&link.Look{Generation: 2})
	l := k.startLook()
	l.saw()
	l.Close()
	l.stderr.Close()
	k.sys.end(l.pid, 0)
	k.sys.clock += time.Hour
	k.deadlines()
	k.untilLooked()
	wantOne(t, k, "Looked ")
}

func TestStrangeAnswers(t *testing.T) {
	for _, c := range []struct {
		name, want string
		do         func(l *looker)
	}{
		{"none", "ended without an answer", func(*looker) {}},
		{"blind", `"reason":"no eyes"`, func(l *looker) { l.Send(&link.Blind{Reason: "no eyes"}) }},
		{"twice", "answered twice", func(l *looker) { l.saw(); l.saw() }},
		{"another message", "answered with *link.Spawn", func(l *looker) { l.Send(&link.Spawn{}) }},
		{"other words", "it has the arguments", func(l *looker) { l.Send(&link.Saw{}) }},
		{"no descriptors", "0 descriptors came", func(l *looker) { l.Send(&link.Saw{Program: [][]byte{[]byte("p")}}) }},
		{"odd descriptors", "descriptor 1 is not a directory", func(l *looker) {
			var fds [2]int
			if err := unix.Pipe(fds[:]); err != nil {
				l.t.Fatal(err)
			}
			l.Send(&link.Saw{Program: [][]byte{[]byte("p")}}, fds[:]...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTestKeeper(t)
			k.live()
			k.send(&link.Look{Generation: 2})
			l := k.startLook()
			c.do(l)
			k.ends(l, 0)
			wantOne(t, k, c.want)
			if len(k.looks.launches) != 1 {
				t.Errorf("there are %d launches", len(k.looks.launches))
			}
		})
	}
}

func TestLaunchesAreClosedWhenNobodyNeedsThem(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	looked := func(g int) {
		k.send(&link.Look{Generation: g})
		l := k.startLook()
		l.saw()
		k.ends(l, 0)
		k.told()
	}
	have := func(want ...int) {
		t.Helper()
		var got []int
		for _, l := range k.allLaunches() {
			got = append(got, l.Generation)
		}
		if !slices.Equal(got, want) {
			t.Errorf("launches of the generations %v are held, want %v", got, want)
		}
	}
	_, first := k.spawnWorker()
	looked(2)
	k.send(&link.Save{Data: []byte(`{}`), Generations: []int{2}})
	have(1, 2) // the first has a worker
	k.sys.end(first, 0)
	k.reap()
	k.send(&link.Forget{Serial: 1})
	have(2)
	k.send(&link.Save{Data: []byte(`{}`), Generations: []int{7}})
	have(2) // a master that speaks of none that there is takes nothing from us
	looked(3)
	k.send(&link.Save{Data: []byte(`{}`)})
	have(2, 3)
	k.send(&link.Save{Data: []byte(`{}`), Generations: []int{3}})
	have(3)
	if k.launchOf(99).Generation != 3 {
		t.Error("a generation that is not known has nothing to start from")
	}
}

func TestNoLookOnceNothingIsSpawned(t *testing.T) {
	k := newTestKeeper(t)
	k.live()
	k.stopSpawning()
	k.send(&link.Look{Generation: 2})
	wantOne(t, k, "no more workers are spawned")
	if k.looks.now != nil {
		t.Error("it looks")
	}
}
