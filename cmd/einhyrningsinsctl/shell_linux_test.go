// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestShellRunsCommands(t *testing.T) {
	f := newFake(t)
	term := startTerminal(t, nil, "-d", f.path)
	term.expect("keeper 4711")
	term.prompt()
	term.press("inc 2; ehlo\r")
	term.expect("went from 2 to 4 workers")
	term.expect("fake ehlo")
	term.prompt()
	term.press("dec 9\r")
	term.expect("error")
	term.expect("cannot go below")
	term.prompt()
	term.press("frob\r")
	term.expect("unknown command \"frob\"")
	term.prompt()
	term.press("signal 'x\r")
	term.expect("left open")
	term.prompt()
	term.press("help inc\r")
	term.expect("Raise the number")
	term.prompt()
	term.press("exit\r")
	term.exit(exitOK) // whatever failed before: the person has seen it
}

func TestShellKeys(t *testing.T) {
	f := newFake(t)
	term := startTerminal(t, nil, "-d", f.path)
	term.prompt()
	term.press("die\x03") // Ctrl-C abandons the line
	term.expect("^C")
	term.prompt()
	term.press("eh\t\r")
	term.expect("fake ehlo")
	term.prompt()
	term.press("signal sigus\t1\r") // completes what is common to both
	term.expect("fake signal sigusr1")
	term.prompt()
	term.press("inc; upgrade sm\t\r")
	term.expect("upgraded to generation 2")
	term.prompt()
	term.press("upgrade --re\tfl\t\r")
	term.expect("reloaded: ")
	term.expect("upgraded to generation 3")
	term.prompt()
	term.press("config nu\t7\r")
	term.expect("number is 7 now")
	term.prompt()
	term.press("\x1b[A\x1b[A\x1b[A\x1b[A\r") // four up: the signal
	term.expect("fake signal sigusr1")
	term.prompt()
	term.press("\x04")
	term.exit(exitOK)
	for _, c := range f.seen() {
		if strings.HasPrefix(c, "die") {
			t.Error("the abandoned line was run")
		}
	}
	path := filepath.Join(term.home, ".local/state/einhyrningsins/history")
	data, err := os.ReadFile(path)
	if want := "ehlo\nsignal sigusr1\ninc; upgrade smooth\nupgrade --reload fleet\nconfig number=7\nsignal sigusr1\n"; err != nil || string(data) != want {
		t.Errorf("history is %q, %v; want %q", data, err, want)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("history has mode %v, %v; want 0600", fi.Mode(), err)
	}
}

func TestShellRemembersEarlierShells(t *testing.T) {
	f := newFake(t)
	state := t.TempDir()
	if err := os.MkdirAll(filepath.Join(state, "einhyrningsins"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "einhyrningsins", "history"), []byte("signal usr1\nehlo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	term := startTerminal(t, []string{"XDG_STATE_HOME=" + state}, "-d", f.path)
	term.prompt()
	term.press("\x1b[A\x1b[A\r")
	term.expect("fake signal usr1")
	term.prompt()
	term.press("quit\r")
	term.exit(exitOK)
}

func TestShellSurvivesItsMaster(t *testing.T) {
	f := newFake(t)
	term := startTerminal(t, nil, "-d", f.path)
	term.prompt()
	f.hangUp()
	term.press("ehlo\r")
	term.expect("fake ehlo")
	term.prompt()
	f.stop()
	term.press("ehlo\r")
	term.expect("no master there")
	term.prompt()
	f.listen(t)
	term.press("ehlo\r")
	term.expect("connected again")
	term.expect("fake ehlo")
	term.prompt()
	term.press("\x04")
	term.exit(exitOK)
}

func TestShellWithoutMaster(t *testing.T) {
	f := newFake(t)
	f.stop()
	term := startTerminal(t, nil, "-d", f.path)
	term.expect("einhyrningsinsctl: cannot connect to " + f.path + ": no master there")
	term.exit(exitNoMaster)
}

func TestShellGivesTheTerminalBack(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		f := newFake(t)
		term := startTerminal(t, nil, "-d", f.path)
		term.prompt()
		term.press("die") // typed, not entered
		term.expect("die")
		if err := syscall.Kill(term.pid, sig); err != nil {
			t.Fatal(err)
		}
		if ws := term.wait(); !(ws.Signaled() && ws.Signal() == sig) && ws.ExitStatus() != 128+int(sig) {
			t.Errorf("%v: ended with wait status %#x", sig, int(ws))
		}
		term.exitedCooked()
		for _, c := range f.seen() {
			if c == "die" {
				t.Errorf("%v: the line that was not entered was run", sig)
			}
		}
	}
}

func TestUpgradeBar(t *testing.T) {
	f := newFake(t)
	f.set(func() { f.holdAfter = 3 })
	term := startTerminal(t, nil, "-d", f.path, "upgrade")
	<-f.held
	seen := term.expect("\rgeneration 2 [===========>            ] 1/2 ready  worker 101 is ready\x1b[K")
	if strings.Contains(seen, "\n") {
		t.Errorf("the bar took more than its line: %q", seen)
	}
	f.release()
	term.expect("\r\x1b[K\x1b[33mworker 102 failed\x1b[0m\r\n") // a failure stays to be read
	term.expect("2/2 ready")
	term.expect("\r\x1b[K\x1b[32mupgraded to generation 2\x1b[0m\r\n")
	term.exit(exitOK)
}

func TestUpgradeFailsOnATerminal(t *testing.T) {
	f := newFake(t)
	f.set(func() { f.abort = true })
	term := startTerminal(t, nil, "-d", f.path, "upgrade")
	term.expect("2/2 ready")
	term.expect("\r\x1b[Keinhyrningsinsctl: upgrade to generation 2 aborted")
	term.exit(exitFailed)
}

func TestInterruptStopsWatching(t *testing.T) {
	f := newFake(t)
	f.set(func() { f.holdAfter = 3 })
	term := startTerminal(t, nil, "-d", f.path, "-e", "upgrade; inc")
	<-f.held
	term.expect("1/2 ready")
	term.press("\x03")
	term.expect("the upgrade to generation 2 goes on ('einhyrningsinsctl follow 2' watches it)")
	term.exit(exitInterrupted)
	for _, c := range f.seen() {
		if c == "inc 1" {
			t.Error("what followed the interrupted command was run")
		}
	}
}

func TestInterruptInTheShell(t *testing.T) {
	f := newFake(t)
	f.set(func() { f.holdAfter = 3 })
	term := startTerminal(t, nil, "-d", f.path)
	term.prompt()
	term.press("upgrade\r")
	<-f.held
	term.expect("1/2 ready")
	term.press("\x03")
	term.expect("goes on ('follow 2' watches it)")
	term.prompt()
	f.release()
	term.press("follow 2\r")
	term.expect("upgraded to generation 2")
	term.prompt()
	term.press("\x04")
	term.exit(exitOK)
}

func TestColours(t *testing.T) {
	f := newFake(t)
	for _, tt := range []struct {
		env    []string
		colour bool
		bar    bool
	}{
		{nil, true, true},
		{[]string{"NO_COLOR=1"}, false, true},
		{[]string{"TERM=dumb"}, false, false},
	} {
		term := startTerminal(t, tt.env, "-d", f.path, "-e", "status; upgrade")
		term.exit(exitOK)
		term.expect("upgraded to generation")
		seen := term.all()
		if got := strings.Contains(seen, "\x1b[1m"); got != tt.colour {
			t.Errorf("%v: colours %v, want %v: %q", tt.env, got, tt.colour, seen)
		}
		if got := strings.Contains(seen, "\x1b[K"); got != tt.bar {
			t.Errorf("%v: bar %v, want %v: %q", tt.env, got, tt.bar, seen)
		}
	}
}
