// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"runtime"
	"strconv"
	"strings"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/ready"
)

// Option is one option of the daemon.
type Option struct {
	Name    string // long, without dashes
	Short   string // one character, or ""
	Arg     string // name of its argument; "" when it takes none
	Default string // what it is when not given; "" when that is no value
	Unset   string // Default in words, where it is no value
	Help    string // one sentence, without a full stop
	Group   string // heading in the usage text
	Example string // an argument that is right
	Repeat  bool   // each occurrence adds

	words []string // completion: what the argument can be
	files bool     // completion: the argument is a path
	value func(*draft) value
}

// The headings of the usage text, in order.
var groups = []string{
	"Workers", "What a generation starts from", "Sockets", "When a worker is ready",
	"Upgrades and failures", "Stopping a worker", "Control and log", "Help",
}

// DefaultText says what holds when the option is not given, "" when that goes
// without saying.
func (o Option) DefaultText() string {
	if o.Unset != "" {
		return o.Unset
	}
	return o.Default
}

// Options returns the options in the order of the usage text. It is the one
// source for parser, usage, completion and manual.
func Options() []Option {
	var all []Option
	for _, group := range [][]Option{
		workerOptions(), limitOptions(), worldOptions(), socketOptions(), readyOptions(), upgradeOptions(), stopOptions(), controlOptions(), helpOptions(),
	} {
		all = append(all, group...)
	}
	return all
}

func workerOptions() []Option {
	return []Option{
		{
			Name: "number", Short: "n", Arg: "COUNT", Default: "1", Group: groups[0], Example: "4",
			Help:  "How many workers to run, from 1 to 10000",
			value: func(d *draft) value { return numberValue(&d.cfg.Number, 1, MaxNumber) },
		},
		{
			Name: "command-name", Short: "c", Arg: "NAME", Group: groups[0], Example: "web",
			Help:  "Show this name in ps, for the keeper and its masters",
			value: func(d *draft) value { return nameValue(&d.cfg.CommandName) },
		},
		{
			Name: "env", Arg: "DIALECT[,DIALECT...]", Default: childenv.AllDialects, Group: groups[0], Example: "einhorn,systemd",
			words: []string{"einhorn", "systemd", "server-starter", childenv.AllDialects},
			Help:  "Whose variables workers find: EINHORN_FD_0, LISTEN_FDS, SERVER_STARTER_PORT and their like; where the program has {fd:...} the default is without systemd",
			value: func(d *draft) value { return dialectsValue(&d.cfg.Dialects) },
		},
		{
			Name: "nice", Arg: "MASTER[:WORKER[:RENICE_CMD]]", Group: groups[0], Example: "-5:0",
			Help:  "Niceness of keeper and masters, and of workers, from -20 to 19; RENICE_CMD sets them instead of the system call",
			value: func(d *draft) value { return niceValue(&d.cfg.Nice) },
		},
	}
}

// worldOptions are about what is looked at anew for each generation.
func worldOptions() []Option {
	g := groups[1]
	return []Option{
		{
			Name: "chdir", Arg: "DIR", Group: g, Example: "/srv/web/current", files: true,
			Help:  "Where workers run. Symbolic links are followed again for each generation",
			value: func(d *draft) value { return dirValue(&d.cfg.Dir) },
		},
		{
			Name: "envdir", Arg: "DIR", Repeat: true, Group: g, Example: "/etc/web/env", files: true,
			Help:  "Read variables from this directory, a file for each (repeatable)",
			value: func(d *draft) value { return envDirValue(&d.cfg.Env) },
		},
		{
			Name: "env-file", Arg: "[-]FILE", Repeat: true, Group: g, Example: "/etc/default/web", files: true,
			Help:  "Read variables from this file, a line for each; with -, it may be missing (repeatable)",
			value: func(d *draft) value { return envFileValue(&d.cfg.Env) },
		},
		{
			Name: "drop-env-var", Arg: "VAR", Repeat: true, Group: g, Example: "SECRET",
			Help:  "Keep this variable from the workers (repeatable)",
			value: func(d *draft) value { return variablesValue(&d.cfg.DropEnvVars) },
		},
		{
			Name: "reexec-as", Arg: "CMDLINE", Group: g, Example: "/etc/web/wrapper",
			Help:  "Look through this command, which ends by executing its arguments: the directory and environment that it leaves count for the new generation",
			value: func(d *draft) value { return wordsValue(&d.cfg.ReexecAs) },
		},
	}
}

func socketOptions() []Option {
	return []Option{
		{
			Name: "bind", Short: "b", Arg: "WHERE[,OPT...]", Repeat: true, Group: groups[2], Example: "127.0.0.1:8080,r",
			Help:  "A socket for the workers (repeatable). WHERE: ADDR:PORT, udp:ADDR:PORT, unix:PATH, unix:@NAME, fd:N (was left open for us), systemd[:NAME] (its sockets). ADDR: address, [IPv6 address], name, or nothing for all. PORT 0: any free one. OPT: r, so_reuseaddr: a restart can bind at once; n, o_nonblock: do not block; reuseport; v6only; backlog=N; defer[=SECONDS]: accept only what has sent something; name=NAME; and of a path mode=0660, user=USER, group=GROUP",
			value: func(d *draft) value { return bindValue(&d.cfg.Binds) },
		},
		{
			Name: "ipv4-only", Short: "4", Group: groups[2],
			Help:  "Accept IPv4 connections only",
			value: func(d *draft) value { return flagValue(&d.only4) },
		},
		{
			Name: "ipv6-only", Short: "6", Group: groups[2],
			Help:  "Accept IPv6 connections only",
			value: func(d *draft) value { return flagValue(&d.only6) },
		},
		{
			Name: "backlog", Arg: "COUNT", Unset: "the system's maximum", Group: groups[2], Example: "1024",
			Help:  "How many connections may wait to be accepted",
			value: func(d *draft) value { return numberValue(&d.cfg.Backlog, 1, 1<<31-1) },
		},
	}
}

func readyOptions() []Option {
	return []Option{
		{
			Name: "manual", Short: "m", Group: groups[3],
			Help:  "The same as --ack-mode manual",
			value: func(d *draft) value { return manualValue(&d.manual) },
		},
		{
			Name: "ack-mode", Arg: strings.Join(ready.Spellings(), "|") + "|SECONDS", Default: "1", Group: groups[3], Example: "manual",
			words: append(ready.Words(), "0", "1", "5"),
			Help:  ready.Help(),
			value: ownAckModeValue,
		},
		{
			Name: "watchdog", Arg: "DURATION", Default: "0", Unset: "0, never", Group: groups[3], Example: "30s",
			Help:  "Replace a ready worker that says nothing for this long; with --ack-mode notify",
			value: func(d *draft) value { return durationValue(&d.cfg.Watchdog, 0) },
		},
		{
			Name: "ack-timeout", Arg: "DURATION", Default: "30s", Group: groups[3], Example: "30s",
			Help:  "How long an ACK may take in manual mode",
			value: func(d *draft) value { return durationValue(&d.cfg.AckTimeout, 1) },
		},
	}
}

func upgradeOptions() []Option {
	g := groups[4]
	return []Option{
		{
			Name: "upgrade", Arg: "smooth|fleet", Default: "smooth", Group: g, Example: "fleet",
			words: []string{"smooth", "fleet"},
			Help:  "Replace workers bit by bit, or all at once when all new ones are ready",
			value: func(d *draft) value { return choiceValue(&d.cfg.UpgradeFleet, "smooth", "fleet") },
		},
		{
			Name: "max-unacked", Arg: "COUNT", Unset: "number of CPUs", Group: g, Example: "2",
			Help:  "How many workers a smooth upgrade starts before they are ready",
			value: func(d *draft) value { return numberValue(&d.cfg.MaxUnacked, 1, maxCount) },
		},
		{
			Name: "max-upgrade-additional", Arg: "COUNT", Unset: "no limit", Group: g, Example: "1",
			Help:  "How many processes more than --number a smooth upgrade may run, draining ones included",
			value: func(d *draft) value { return numberValue(&d.cfg.MaxUpgradeAdditional, 1, maxCount) },
		},
		{
			Name: "upgrade-retries", Arg: "COUNT|forever", Unset: "the smaller of 3 and --retries", Group: g, Example: "3",
			words: []string{"1", "3", "forever"},
			Help:  "After how many failed starts an upgrade is given up; forever counts as " + strconv.Itoa(foreverUpgrade),
			value: func(d *draft) value { return retriesValue(&d.cfg.UpgradeRetries, foreverUpgrade) },
		},
		{
			Name: "retries", Short: "r", Arg: "COUNT|forever", Default: "10", Group: g, Example: "10",
			words: []string{"1", "10", "forever"},
			Help:  "How many starts may fail in a row before giving up",
			value: func(d *draft) value { return retriesValue(&d.cfg.Retries, Forever) },
		},
		{
			Name: "seconds", Arg: "DURATION", Default: "1", Group: g, Example: "0.5",
			Help:  "Least time between two starts in the same place; grows with each failure, to 30s at most",
			value: func(d *draft) value { return durationValue(&d.cfg.Seconds, 0) },
		},
	}
}

func stopOptions() []Option {
	return []Option{
		{
			Name: "graceful-signal", Arg: "SIGNAL", Default: "USR2", Unset: "USR2, known servers have theirs", Group: groups[5], Example: "TERM",
			words: []string{"USR2", "TERM", "QUIT", "INT", "HUP", "USR1", "WINCH"},
			Help:  "What asks a worker to finish its connections and end",
			value: func(d *draft) value { return signalValue(&d.cfg.GracefulSignal) },
		},
		{
			Name: "drain-timeout", Arg: "DURATION", Default: "0", Unset: "0, no limit", Group: groups[5], Example: "30s",
			Help:  "How long it may take for that before it gets TERM",
			value: func(d *draft) value { return durationValue(&d.cfg.DrainTimeout, 0) },
		},
		{
			Name: "kill-timeout", Arg: "DURATION", Default: "10s", Group: groups[5], Example: "10s",
			Help:  "How long after TERM it gets KILL; more than 0",
			value: func(d *draft) value { return durationValue(&d.cfg.KillTimeout, 1) },
		},
		{
			Name: "signal-timeout", Arg: "DURATION", Default: "0", Unset: "0, the two above hold", Group: groups[5], Example: "30s",
			Help:  "How long after the graceful signal it gets KILL, with no TERM between",
			value: func(d *draft) value { return durationValue(&d.cfg.SignalTimeout, 0) },
		},
		{
			Name: "kill-children-on-exit", Short: "k", Group: groups[5],
			Help:  "Have the system send workers USR2 when the keeper dies",
			value: func(d *draft) value { return flagValue(&d.cfg.KillChildren) },
		},
	}
}

func controlOptions() []Option {
	g := groups[6]
	return []Option{
		{
			Name: "socket-path", Short: "d", Arg: "PATH", Default: "/tmp/einhorn.sock", Group: g, Example: "/run/einhorn.sock", files: true,
			Help:  "Where to make the control socket",
			value: func(d *draft) value { return pathValue(&d.cfg.SocketPath, bind.MaxUnixPath) },
		},
		{
			Name: "pidfile", Arg: "PATH", Unset: "none", Group: g, Example: "/run/einhyrningsins.pid", files: true,
			Help:  "Write our process id here",
			value: func(d *draft) value { return pathValue(&d.cfg.PidFile, 0) },
		},
		{
			Name: "lockfile", Arg: "PATH", Unset: "the control socket's with .lock added", Group: g, Example: "/run/einhyrningsins.lock", files: true,
			Help:  "The file that is locked while we run",
			value: func(d *draft) value { return pathValue(&d.cfg.LockFile, 0) },
		},
		{
			Name: "command-socket-as-fd", Short: "g", Group: g,
			Help:  "Give each worker an open connection to the control socket: EINHORN_SOCK_FD",
			value: func(d *draft) value { return flagValue(&d.cfg.SockFD) },
		},
		{
			Name: "verbose", Short: "v", Group: g,
			Help:  "Log more",
			value: func(d *draft) value { return flagValue(&d.cfg.Verbose) },
		},
		{
			Name: "quiet", Short: "q", Group: g,
			Help:  "Log warnings and errors only",
			value: func(d *draft) value { return flagValue(&d.cfg.Quiet) },
		},
		{
			Name: "log-format", Arg: "text|json", Default: "text", Group: g, Example: "json", words: []string{"text", "json"},
			Help:  "The form of the log on standard error",
			value: func(d *draft) value { return formatValue(&d.cfg.LogFormat) },
		},
		{
			Name: "syslog", Group: g,
			Help:  "Log warnings and errors to syslog, too",
			value: func(d *draft) value { return flagValue(&d.cfg.Syslog) },
		},
	}
}

func helpOptions() []Option {
	h := groups[7]
	return []Option{
		{
			Name: "upgrade-check", Group: h,
			Help:  "Check the command line and exit",
			value: func(d *draft) value { return flagValue(&d.check) },
		},
		{
			Name: "help", Short: "h", Group: h,
			Help:  "Print this text and exit",
			value: func(d *draft) value { return flagValue(&d.help) },
		},
		{
			Name: "version", Group: h,
			Help:  "Print the version and exit",
			value: func(d *draft) value { return flagValue(&d.version) },
		},
	}
}

// unset returns what holds where no option has spoken and Default is no value.
func (d *draft) unset() {
	d.cfg.MaxUnacked = runtime.NumCPU()
	d.cfg.MaxUpgradeAdditional = NoLimit
}
