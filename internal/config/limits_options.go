// SPDX-License-Identifier: GPL-3.0-or-later

package config

// limitOptions are about what workers may do, and as whom.
func limitOptions() []Option {
	g := groups[0]
	return []Option{
		{
			Name: "user", Arg: "USER", Unset: "the manager's", Group: g, Example: "www-data",
			Help:  "Run workers as this user (name or number), with its groups; the sockets are bound before",
			value: func(d *draft) value { return accountValue(&d.cfg.User) },
		},
		{
			Name: "group", Arg: "GROUP", Unset: "the user's", Group: g, Example: "www-data",
			Help:  "Run workers as this group (name or number)",
			value: func(d *draft) value { return accountValue(&d.cfg.Group) },
		},
		{
			Name: "umask", Arg: "MASK", Unset: "the manager's", Group: g, Example: "027",
			Help:  "Permission bits removed from files that workers create, in octal digits",
			value: func(d *draft) value { return umaskValue(&d.cfg.Limits.Umask) },
		},
		{
			Name: "rlimit", Arg: "NAME=SOFT[:HARD]", Repeat: true, Group: g, Example: "nofile=65536",
			Help:  "Set one of the limits of workers, as prlimit names them; infinity is none (repeatable)",
			value: func(d *draft) value { return rlimitValue(&d.cfg.Limits.Rlimits) },
		},
		{
			Name: "no-new-privs", Group: g,
			Help:  "Let no program that workers execute gain privileges, set-user-ID ones included",
			value: func(d *draft) value { return flagValue(&d.cfg.Limits.NoNewPrivs) },
		},
		{
			Name: "oom-score-adj", Arg: "NUMBER", Unset: "the manager's", Group: g, Example: "500",
			Help:  "How readily the kernel ends workers when memory is short, from -1000 to 1000",
			value: func(d *draft) value { return oomValue(&d.cfg.Limits.OOMScoreAdj) },
		},
	}
}
