// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"
	"testing"
)

// startEinhornsh is the program at a terminal under its other name.
func startEinhornsh(t *testing.T, args ...string) *terminal {
	t.Helper()
	return startTerminal(t, []string{calledAs + "=" + einhornshName, "USER=gretel"}, args...)
}

func TestEinhornshAtATerminal(t *testing.T) {
	f := newFake(t)
	term := startEinhornsh(t, "-d", f.path)
	term.expect("Welcome gretel!")
	term.expect("'quit' or 'exit' leaves")
	term.expect("> ")
	term.press("inc 2; state\r")
	term.expect("did inc 2")
	term.expect(`:escape: \x1b[2J`) // a terminal would clear its screen
	term.expect("> ")
	term.press("signal 'x\r")
	term.expect("left open")
	term.expect("> ")
	term.press("\r")
	term.expect("> ")
	term.press("inc; upgrade_\t\r")
	term.expect("did inc\r\n")
	if seen := term.expect("Upgrade done\r\n"); strings.Contains(seen, "\x1b[K") || strings.Contains(seen, "\x1b[3") || !strings.Contains(seen, "\nworker 101 is ready\r\n") {
		t.Errorf("an upgrade has a bar or colours: %q", seen)
	}
	term.expect("> ")
	f.hangUp()
	term.press("louder\r")
	term.expect("connecting again")
	term.expect("Welcome gretel!")
	term.expect("did louder")
	term.expect("> ")
	f.stop()
	term.press("louder\r")
	term.expect("no master there")
	term.expect("> ")
	f.listen(t)
	term.press("\x1b[A\r") // one up: the same
	term.expect("did louder")
	term.expect("> ")
	term.press("quit\r")
	term.expect("Goodbye!")
	term.exit(exitOK)
	if seen := strings.Join(f.seen(), "; "); !strings.Contains(seen, "upgrade fleet") {
		t.Errorf("no fleet upgrade among %s", seen)
	}
}

func TestEinhornshIsLeftByKeys(t *testing.T) {
	for name, key := range map[string]string{"Ctrl-C": "\x03", "Ctrl-D": "\x04"} {
		f := newFake(t)
		term := startEinhornsh(t, "-d", f.path)
		term.expect("> ")
		term.press(key)
		term.exit(exitOK)
		if got := f.seen(); len(got) != 1 {
			t.Errorf("%s: the master saw %q", name, got)
		}
	}
}

func TestEinhornshInterrupted(t *testing.T) {
	for _, tt := range []struct {
		command, shows, leaves string
		args                   []string
		status                 int
	}{
		{"", "first 50%", "", []string{"-e", "slow; inc"}, exitInterrupted},
		{"", "worker 101 is ready", "the upgrade to generation 2 goes on", []string{"-e", "upgrade; inc"}, exitInterrupted},
		{"slow; inc", "first 50%", "", nil, exitOK},
		{"upgrade; inc", "worker 101 is ready", "the upgrade to generation 2 goes on", nil, exitOK},
	} {
		f := newFake(t)
		f.set(func() { f.holdAfter = 3 })
		term := startEinhornsh(t, append([]string{"-d", f.path}, tt.args...)...)
		if tt.command != "" {
			term.expect("> ")
			term.press(tt.command + "\r")
		}
		<-f.held
		term.expect(tt.shows)
		term.press("\x03")
		term.expect(tt.leaves)
		term.exit(tt.status)
		for _, c := range f.seen() {
			if strings.Contains(c, "inc") {
				t.Errorf("%q %q: what followed the interrupted command was run", tt.command, tt.args)
			}
		}
	}
}

func TestEinhornshWithoutMaster(t *testing.T) {
	f := newFake(t)
	f.stop()
	term := startEinhornsh(t, "-d", f.path)
	term.expect("einhornsh: cannot connect to " + f.path + ": no master there")
	term.expect("-c or -d")
	term.exit(exitFailed)
}
