// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"einhyrningsins/client"
)

// A keeper that is stopped makes an upgrade wait though its master answers.
func TestSilenceOfStoppedKeeper(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	pid := cmd.Process.Pid
	becomes := func(signal unix.Signal, options int) {
		t.Helper()
		if err := unix.Kill(pid, signal); err != nil {
			t.Fatal(err)
		}
		if err := unix.Waitid(unix.P_PID, pid, nil, options|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	tell := newOutput(&said, &said).tellSilence("/run/x.sock")
	answers := client.Silence{PID: pid, Answers: true}
	stopped := fmt.Sprintf("no progress for 5s; still waiting: keeper %d is stopped; SIGCONT lets it go on\n", pid)

	tell(answers)
	becomes(unix.SIGSTOP, unix.WSTOPPED)
	tell(answers)
	tell(answers)
	becomes(unix.SIGCONT, unix.WCONTINUED)
	tell(answers)
	becomes(unix.SIGSTOP, unix.WSTOPPED)
	tell(answers)
	if want := stopped + stopped; said.String() != want {
		t.Errorf("said %q, want %q", said.String(), want)
	}

	said.Reset()
	tell(client.Silence{PID: pid})
	tell(client.Silence{PID: os.Getpid()})
	tell(client.Silence{})
	for i, want := range []string{
		fmt.Sprintf("still waiting: process %d (cat) listens there and is stopped", pid),
		fmt.Sprintf("still waiting: keeper %d is ", os.Getpid()), // by its name, which begins as ours
		"no answer for 5s on /run/x.sock; still waiting\n",
	} {
		if lines := strings.SplitAfter(said.String(), "\n"); len(lines) != 4 || !strings.Contains(lines[i], want) {
			t.Errorf("said %q, want %q in line %d", said.String(), want, i)
		}
	}
}
