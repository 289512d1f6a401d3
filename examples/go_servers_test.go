// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"einhyrningsins/bench/load"
)

// built is one of the Go programs here, and what makes it answer with its
// generation.
func built(t *testing.T, dir string) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), dir)
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./"+dir).CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", dir, err, out)
	}
	return []string{program, "-build", "{generation}"}
}

// TestGoSystemd is about a program that knows systemd's sockets, and nothing
// else.
func TestGoSystemd(t *testing.T) {
	program := built(t, "go-systemd")
	options := []string{"--env", "systemd", "--ack-mode", "notify", "--graceful-signal", "TERM"}
	t.Run("as it is", func(t *testing.T) {
		survivesUpgrades(t, server{
			options: options, program: program, newest: "build=21",
			bind: "127.0.0.1:0,r,defer", traffic: hesitantTraffic, tolerates: whatGoCloses,
		})
	})
	t.Run("mended", func(t *testing.T) {
		survivesUpgrades(t, server{options: options, program: append(program, "-mend"), newest: "build=21", traffic: hesitantTraffic})
	})
}

// TestGoji is about a program that knows einhorn's ways, and compares pids. It
// finds those of the others beside them.
func TestGoji(t *testing.T) {
	survivesUpgrades(t, server{
		options: []string{"-m"},
		program: built(t, "go-goji"), newest: "build=21",
		bind: "127.0.0.1:0,r,defer", traffic: hesitantTraffic, tolerates: whatGoCloses,
	})
}

// whatGoCloses tolerates connections that were accepted, and closed before their
// first request was read: http.Server.Shutdown does that, and goji's graceful as
// well. The READMEs say how it comes to be. With defer there is hardly a moment
// for that, but there is one.
func whatGoCloses(got tally) error {
	closed := got.kinds[load.Closed] + got.kinds[load.Reset]
	if got.lost != closed || got.lost > got.sent/100 {
		return fmt.Errorf("%d of %d requests were lost, %d of them on connections that were closed", got.lost, got.sent, closed)
	}
	return nil
}

// TestGoWorkerInOtherDialects is about package worker, without einhorn's
// variables.
func TestGoWorkerInOtherDialects(t *testing.T) {
	for _, dialect := range []string{"systemd", "server-starter"} {
		t.Run(dialect, func(t *testing.T) {
			got := survivesUpgrades(t, server{
				options: []string{"--env", dialect, "--ack-mode", "notify"},
				program: built(t, "go-http"), newest: "build=21",
			})
			if got.lost != 0 {
				t.Errorf("%d requests lost", got.lost)
			}
		})
	}
}
