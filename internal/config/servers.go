// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"cmp"
	"path/filepath"
	"strings"
	"syscall"
)

// servers are programs that do something else than drain when they get USR2 (start a
// second of themselves, or end at once), with the signal at which they drain.
// docs/servers.md has what each was seen to do.
var servers = map[string]syscall.Signal{
	"gunicorn":  syscall.SIGTERM,
	"hypercorn": syscall.SIGTERM,
	"uvicorn":   syscall.SIGTERM,
	"puma":      syscall.SIGTERM,
	"unicorn":   syscall.SIGQUIT,
	"Starlet":   syscall.SIGTERM,
	"starman":   syscall.SIGQUIT,
	"nginx":     syscall.SIGQUIT,
	"uwsgi":     syscall.SIGTERM, // by a hook of its own
}

// launchers run the program that is named behind this option of theirs.
var launchers = map[string]string{
	"bundle": "exec", "plackup": "-s", "python": "-m", "python3": "-m",
}

// serverOf is the server that a command line runs, as far as it shows.
func serverOf(program []string) string {
	name := filepath.Base(program[0])
	rest := program[1:]
	if name == "env" {
		for len(rest) > 0 && strings.Contains(rest[0], "=") {
			rest = rest[1:]
		}
		if len(rest) > 0 {
			return serverOf(rest)
		}
	}
	if option, ok := launchers[name]; ok && len(rest) > 1 && rest[0] == option {
		return rest[1]
	}
	return name
}

// DrainsAt is the signal at which a server drains that is known by its name; 0: it is
// not known.
func DrainsAt(server string) int { return int(servers[server]) }

// drainsAt is the graceful signal of a program when none was given.
func drainsAt(program []string) int {
	return cmp.Or(DrainsAt(serverOf(program)), int(syscall.SIGUSR2))
}
