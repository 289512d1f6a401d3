// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// pythonApp is gunicorn's worker. Like ours it takes 100 ms to boot and then
// makes a file.
const pythonApp = `import os, time

time.sleep(0.1)
open(os.path.join(os.environ["` + readyVar + `"], str(os.getpid())), "w").close()
ANSWER = b"pid=%d\n" % os.getpid()


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(ANSWER)))])
    return [ANSWER]
`

// peers measures others who do the same work beside ours.
func peers(ctx context.Context, e *env, r *row) error {
	if err := os.WriteFile(filepath.Join(e.dir, "benchapp.py"), []byte(pythonApp), 0o600); err != nil {
		return err
	}
	n := e.scaled(20, 2)
	for _, p := range []struct {
		rival
		binary, debian string
	}{
		{rival: ours(e)},
		{gunicorn(e), "gunicorn", "gunicorn"},
		{serverStarter(), "start_server", "libserver-starter-perl"},
	} {
		if p.binary != "" {
			if err := install(ctx, e, p.binary, p.debian); err != nil {
				r.how("%s: not installed (%v)", p.name, err)
				continue
			}
		}
		c, err := p.fight(ctx, e, n)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := e.endAll(); err != nil {
			return err
		}
		c.report(r, p.name)
	}
	r.how("n=%d upgrades at rest and n=%d under 1,000 requests/s (open loop, 8 clients, 30 %% new connections). All upgrade by", n, n)
	r.how("HUP. Time: from the signal until 4 new workers have booted, and until no old one exists, watched every ms from outside.")
	r.how("Workers: 4, boot 100 ms. gunicorn %s: its own, gthread, 4 threads. Ours and Server::Starter: the same Go program,", versionOf(ctx, "gunicorn"))
	r.how("under the latter started by a small parent that hands on USR2 (--signal-on-hup=USR2; --interval at its default, 1).")
	r.how("gunicorn asks its old workers to end before the new have booted: requests wait meanwhile. Server::Starter waits")
	r.how("for the interval before it asks the old ones, whatever the boot takes.")
	r.how("Memory: keeper and master; gunicorn's arbiter; start_server. Its workers and parents apart.")
	return nil
}

func (c *compared) report(r *row, name string) {
	for _, kind := range []struct {
		label string
		of    func(lap) time.Duration
	}{
		{"new workers ready", func(l lap) time.Duration { return l.ready }},
		{"and the old gone", func(l lap) time.Duration { return l.over }},
	} {
		var rest, busy []time.Duration
		for _, l := range c.rest {
			rest = append(rest, kind.of(l))
		}
		for _, l := range c.busy {
			busy = append(busy, kind.of(l))
		}
		r.info(name+": upgrade, "+kind.label, ms(median(rest)), "ms median", fmt.Sprintf("max %s ms; under load median %s, max %s ms",
			number(ms(quantile(rest, 1))), number(ms(median(busy))), number(ms(quantile(busy, 1)))))
	}
	note := fmt.Sprintf("of %d; %d retried; p99 %s, longest %s ms", c.load.Requests, c.load.Retried,
		number(ms(c.load.P99())), number(ms(c.load.Max())))
	r.info(name+": lost", float64(c.load.Lost), "requests", note)
	r.info(name+": memory of the manager", mb(c.pss), "MB PSS", "RSS "+number(mb(c.rss)))
	r.info(name+": wake-ups of the manager in 10 s", float64(c.wakeUps), "", "")
}

func ours(e *env) rival {
	return rival{
		name:    "einhyrningsins",
		environ: []string{playVar + "=" + playManaged},
		command: func(addr string) []string {
			return []string{e.bin(daemonBin), "-d", filepath.Join(e.dir, "peers.sock"), "-n", "4", "-m", "-b", addr + ",r", "--", self()}
		},
		managers: func(pid int) ([]int, error) {
			master, err := masterPID(filepath.Join(e.dir, "peers.sock"))
			return []int{pid, master}, err
		},
	}
}

func gunicorn(e *env) rival {
	return rival{
		name: "gunicorn",
		command: func(addr string) []string {
			return []string{
				"gunicorn", "--workers", "4", "--worker-class", "gthread", "--threads", "4",
				"--bind", addr, "--chdir", e.dir, "benchapp:app",
			}
		},
		managers: onlyItself,
	}
}

func serverStarter() rival {
	return rival{
		name:    "Server::Starter",
		environ: []string{playVar + "=" + playPrefork},
		command: func(addr string) []string {
			return []string{
				"start_server", "--port", addr, "--interval", "1",
				"--signal-on-hup", "USR2", "--signal-on-term", "USR2", "--", self(),
			}
		},
		managers: onlyItself,
	}
}

func onlyItself(pid int) ([]int, error) { return []int{pid}, nil }

// self is the path of this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// install sees to it that a program is there. It installs the Debian package
// when we are root on a system that has apt-get.
func install(ctx context.Context, e *env, binary, debian string) error {
	if _, err := exec.LookPath(binary); err == nil {
		return nil
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("no %s in PATH, and not root; try apt-get install %s", binary, debian)
	}
	fmt.Fprintf(e.stderr, "bench: installing %s …\n", debian)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	apt := exec.CommandContext(ctx, "apt-get", "install", "-y", "--no-install-recommends", debian)
	apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := apt.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot install %s: %w: %s", debian, err, out[max(0, len(out)-200):])
	}
	_, err := exec.LookPath(binary)
	return err
}

// versionOf is the last word of what a program prints about its version.
func versionOf(ctx context.Context, binary string) string {
	out, err := exec.CommandContext(ctx, binary, "--version").Output()
	if err != nil {
		return "(version unknown)"
	}
	return lastField(string(out))
}
