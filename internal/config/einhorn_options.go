// SPDX-License-Identifier: GPL-3.0-or-later

package config

import "einhyrningsins/internal/bind"

// EinhornOptions returns the options of einhorn's command line, in the order of
// its usage text: the one source for parser, usage, completion and manual, as
// [Options] is under our own name.
func EinhornOptions() []Option {
	var all []Option
	for _, group := range [][]Option{einhornFiles(), einhornWorkers(), einhornUpgrades(), einhornOthers()} {
		all = append(all, group...)
	}
	return all
}

// einhornGroup is the only heading that einhorn's usage text has.
const einhornGroup = "### Options"

func einhornFiles() []Option {
	g := einhornGroup
	return []Option{
		{
			Name: "bind", Short: "b", Arg: "ADDR:PORT[,OPT...]", Repeat: true, Group: g, Example: "127.0.0.1:8080,r",
			Help:  "Listen here (repeatable). OPT: r, so_reuseaddr: a restart can bind at once; n, o_nonblock: do not block",
			value: func(d *draft) value { return lowerOptsValue(bindValue(&d.cfg.Binds)) },
		},
		{
			Name: "command-name", Short: "c", Arg: "NAME", Group: g, Example: "web",
			Help:  "Show this name in ps, and have it in the default paths: TMP/einhorn-NAME.sock, .pid and .lock",
			value: func(d *draft) value { return nameValue(&d.cfg.CommandName) },
		},
		{
			Name: "socket-path", Short: "d", Arg: "PATH", Unset: "TMP/einhorn.sock", Group: g, Example: "/run/einhorn.sock", files: true,
			Help:  "Where to make the control socket",
			value: func(d *draft) value { return pathValue(&d.cfg.SocketPath, bind.MaxUnixPath) },
		},
		{
			Name: "pidfile", Short: "e", Arg: "PATH", Unset: "TMP/einhorn.pid", Group: g, Example: "/run/einhorn.pid", files: true,
			Help:  "Write our process id here",
			value: func(d *draft) value { return pathValue(&d.cfg.PidFile, 0) },
		},
		{
			Name: "lockfile", Short: "f", Arg: "PATH", Unset: "TMP/einhorn.lock", Group: g, Example: "/run/einhorn.lock", files: true,
			Help:  "The file that is locked while we run",
			value: func(d *draft) value { return pathValue(&d.cfg.LockFile, 0) },
		},
	}
}

func einhornWorkers() []Option {
	g := einhornGroup
	return []Option{
		{
			Name: "command-socket-as-fd", Short: "g", Group: g,
			Help:  "Give each worker an open connection to the control socket: EINHORN_SOCK_FD",
			value: func(d *draft) value { return flagValue(&d.cfg.SockFD) },
		},
		{
			Name: "help", Short: "h", Group: g,
			Help:  "Print this text and exit with status 1",
			value: func(d *draft) value { return d.askValue(ErrHelp) },
		},
		{
			Name: "kill-children-on-exit", Short: "k", Group: g,
			Help:  "Have the system send workers USR2 when the keeper dies",
			value: func(d *draft) value { return flagValue(&d.cfg.KillChildren) },
		},
		{
			Name: "backlog", Short: "l", Arg: "COUNT", Default: "100", Group: g, Example: "1024",
			Help:  "How many connections may wait to be accepted",
			value: func(d *draft) value { return numberValue(&d.cfg.Backlog, 1, 1<<31-1) },
		},
		{
			Name: "ack-mode", Short: "m", Arg: "manual|SECONDS", Default: "1", Group: g, Example: "manual",
			words: []string{"manual", "0", "1", "5"},
			Help:  "A worker is ready once it sends an ACK (manual), or has lived this long",
			value: func(d *draft) value { return floatValue(ackModeValue(d)) },
		},
		{
			Name: "number", Short: "n", Arg: "COUNT", Default: "1", Group: g, Example: "4",
			Help:  "How many workers to run",
			value: func(d *draft) value { return numberValue(&d.cfg.Number, 1, MaxNumber) },
		},
		{
			Name: "preload", Short: "p", Arg: "PATH", Group: g, Example: "./app.rb", files: true,
			Help:  "Accepted, and does nothing but warn: no Ruby code is loaded here",
			value: preloadValue,
		},
		{
			Name: "quiet", Short: "q", Group: g,
			Help:  "Log less; -v takes it back",
			value: func(d *draft) value { return d.levelValue(1) },
		},
		{
			Name: "seconds", Short: "s", Arg: "SECONDS", Default: "1", Group: g, Example: "0.5",
			Help:  "Least time between two starts in the same place; grows with each failure, to 30s at most",
			value: func(d *draft) value { return floatValue(durationValue(&d.cfg.Seconds, 0)) },
		},
		{
			Name: "verbose", Short: "v", Group: g,
			Help:  "Log more; -q takes it back",
			value: func(d *draft) value { return d.levelValue(-1) },
		},
	}
}

func einhornUpgrades() []Option {
	g := einhornGroup
	return []Option{
		{
			Name: "drop-env-var", Arg: "VAR", Repeat: true, Group: g, Example: "SECRET",
			Help:  "Keep this variable from the workers of all upgrades (repeatable)",
			value: func(d *draft) value { return variablesValue(&d.cfg.DropEnvVars) },
		},
		{
			Name: "reexec-as", Arg: "CMDLINE", Group: g, Example: "/etc/web/wrapper",
			Help:  "Before an upgrade execute this in place of einhorn, to find out where it goes and with which environment",
			value: func(d *draft) value { return wordsValue(&d.cfg.ReexecAs) },
		},
		{
			Name: "gc-before-fork", Group: g,
			Help:  "Accepted, and does nothing but warn: it goes with --preload",
			value: gcValue,
		},
		{
			Name: "nice", Arg: "MASTER[:WORKER[:RENICE_CMD]]", Group: g, Example: "-5:0",
			Help:  "Our niceness, and that of workers; RENICE_CMD sets them instead of the system call",
			value: func(d *draft) value { return niceValue(&d.cfg.Nice) },
		},
		{
			Name: "max-unacked", Arg: "COUNT", Unset: "number of CPUs", Group: g, Example: "2",
			Help:  "How many workers a smooth upgrade starts before they are ready",
			value: func(d *draft) value { return numberValue(&d.cfg.MaxUnacked, 1, maxCount) },
		},
		{
			Name: "max-upgrade-additional", Arg: "COUNT", Unset: "no limit", Group: g, Example: "1",
			Help:  "How many processes more than --number a smooth upgrade may run; 0 counts as 1",
			value: func(d *draft) value { return atLeastOneValue(&d.cfg.MaxUpgradeAdditional) },
		},
		{
			Name: "signal-timeout", Short: "t", Arg: "SECONDS", Unset: "none", Group: g, Example: "30",
			Help:  "How long after the graceful signal, or TERM, a worker gets KILL",
			value: func(d *draft) value { return floatValue(durationValue(&d.cfg.SignalTimeout, 0)) },
		},
	}
}

func einhornOthers() []Option {
	g := einhornGroup
	return []Option{
		{
			Name: "with-state-fd", Arg: "FD", Group: g, Example: "5",
			Help:  "Given by ourselves to the command of --reexec-as, which passes it on",
			value: func(d *draft) value { return numberValue(&d.stateFD, 3, 1<<31-1) },
		},
		{
			Name: "upgrade-check", Group: g,
			Help:  "Exit with status 0",
			value: func(d *draft) value { return d.askValue(ErrChecked) },
		},
		{
			Name: "version", Group: g,
			Help:  "Print the version and exit",
			value: func(d *draft) value { return d.askValue(ErrVersion) },
		},
	}
}
