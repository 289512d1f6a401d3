// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"einhyrningsins/bench/load"
)

func TestNginx(t *testing.T) {
	dir := t.TempDir()
	// nginx writes its title over its environment, and with it our mark.
	left := func() []string {
		files, _ := filepath.Glob(filepath.Join(dir, "*", "nginx.pid"))
		return files
	}
	t.Cleanup(func() {
		for _, file := range left() {
			text, _ := os.ReadFile(file)
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				syscall.Kill(-pid, syscall.SIGKILL)
			}
		}
	})
	survivesUpgrades(t, server{
		needs:   []string{"nginx"},
		dir:     "nginx",
		bind:    "127.0.0.1:0,r,n",
		options: []string{"--ack-mode", "exec:grep -qx {pid} " + dir + "/{index}/nginx.pid", "--graceful-signal", "QUIT"},
		program: []string{"./run.sh", dir},
	})
	if files := left(); len(files) != 0 {
		t.Errorf("the daemon has ended, and left %q", files)
	}
}

func TestShell(t *testing.T) {
	t.Run("systemd-socket-activate", func(t *testing.T) {
		survivesUpgrades(t, server{
			needs:   []string{"systemd-socket-activate"},
			dir:     "shell",
			options: []string{"--ack-mode", "0.2", "--graceful-signal", "TERM"},
			program: []string{
				"systemd-socket-activate", "--accept", "--inetd", "-E", "SERVER_STARTER_GENERATION", "./answer.sh",
			},
			tolerates: func(got tally) error {
				cut := got.kinds[load.Closed] + got.kinds[load.Reset]
				if got.lost != cut || got.lost > got.sent/10 {
					return fmt.Errorf("%d of %d requests were lost, %d of them as they were cut", got.lost, got.sent, cut)
				}
				return nil
			},
		})
	})
	t.Run("accept.pl", func(t *testing.T) {
		survivesUpgrades(t, server{
			needs:   []string{"perl"},
			dir:     "shell",
			options: []string{"-m"},
			program: []string{"./accept.pl", "./answer.sh"},
		})
	})
}

func TestC(t *testing.T) {
	survivesUpgrades(t, server{
		options: []string{"-m"},
		program: compiled(t, "gcc", "-Wall", "-Wextra", "-Werror", "c-http/worker.c", "-o"),
	})
}

func TestRust(t *testing.T) {
	survivesUpgrades(t, server{
		options: []string{"-m"},
		program: compiled(t, "rustc", "-D", "warnings", "rust-http/worker.rs", "-o"),
	})
}

// compiled is what a compiler makes of an example; its path is the last argument.
func compiled(t *testing.T, compiler string, args ...string) []string {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("%s is not installed; make test installs it, as root on Debian", compiler)
	}
	program := filepath.Join(t.TempDir(), "worker")
	if out, err := exec.Command(compiler, append(args, program)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", compiler, err, out)
	}
	return []string{program}
}
