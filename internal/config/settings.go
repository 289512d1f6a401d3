// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/ready"
)

// Setting is an option and its value. The key is its long name with _ for -,
// the value what a command line would say; lists are joined by spaces.
type Setting struct {
	Key        string
	Value      string
	Changeable bool // by Set
}

// setting is how an option is shown, and changed if it can be.
type setting struct {
	name string // of the option, but for "program" and "verbosity"
	get  func(*Config) string
	set  func(*draft) value // nil: only a restart can; what takes a value of the option
}

// settings are those of all options that say how to run, in the order of the
// usage text.
var settings = []setting{
	{"program", func(c *Config) string { return strings.Join(c.Program, " ") }, nil},
	{"number", func(c *Config) string { return strconv.Itoa(c.Number) }, byOption("number")},
	{"command-name", func(c *Config) string { return c.CommandName }, nil},
	{"env", func(c *Config) string { return c.Dialects.String() }, nil},
	{"nice", func(c *Config) string { return c.Nice.String() }, nil},
	{"user", func(c *Config) string { return c.User }, nil},
	{"group", func(c *Config) string { return c.Group }, nil},
	{"umask", func(c *Config) string { return optional(c.Limits.Umask, "%03o") }, nil},
	{"rlimit", func(c *Config) string { return joined(c.Limits.Rlimits) }, nil},
	{"no-new-privs", func(c *Config) string { return strconv.FormatBool(c.Limits.NoNewPrivs) }, nil},
	{"oom-score-adj", func(c *Config) string { return optional(c.Limits.OOMScoreAdj, "%d") }, nil},
	{"chdir", func(c *Config) string { return c.Dir }, nil},
	{"envdir", func(c *Config) string { return sources(c.Env, true) }, nil},
	{"env-file", func(c *Config) string { return sources(c.Env, false) }, nil},
	{"drop-env-var", func(c *Config) string { return strings.Join(c.DropEnvVars, " ") }, nil},
	{"reexec-as", func(c *Config) string { return strings.Join(c.ReexecAs, " ") }, nil},
	{"bind", func(c *Config) string { return specs(c.Binds) }, nil},
	{"ipv4-only", func(c *Config) string { return strconv.FormatBool(c.Family == bind.IPv4Only) }, nil},
	{"ipv6-only", func(c *Config) string { return strconv.FormatBool(c.Family == bind.IPv6Only) }, nil},
	{"backlog", func(c *Config) string { return unless(c.Backlog, 0, "") }, nil},
	{"ack-mode", (*Config).AckMode, nil},
	{"watchdog", func(c *Config) string { return c.Watchdog.String() }, nil},
	{"ack-timeout", func(c *Config) string { return c.AckTimeout.String() }, ackTimeoutValue},
	{"upgrade", func(c *Config) string { return map[bool]string{false: "smooth", true: "fleet"}[c.UpgradeFleet] }, nil},
	{"max-unacked", func(c *Config) string { return strconv.Itoa(c.MaxUnacked) }, byOption("max-unacked")},
	{"max-upgrade-additional", func(c *Config) string { return unless(c.MaxUpgradeAdditional, NoLimit, "none") }, additionalValue},
	{"upgrade-retries", func(c *Config) string { return strconv.Itoa(c.UpgradeRetries) }, nil},
	{"retries", func(c *Config) string { return unless(c.Retries, Forever, "forever") }, nil},
	{"seconds", func(c *Config) string { return c.Seconds.String() }, byOption("seconds")},
	{"graceful-signal", func(c *Config) string { return SignalName(c.GracefulSignal) }, nil},
	{"drain-timeout", func(c *Config) string { return c.DrainTimeout.String() }, orNone(byOption("drain-timeout"))},
	{"kill-timeout", func(c *Config) string { return c.KillTimeout.String() }, byOption("kill-timeout")},
	{"signal-timeout", func(c *Config) string { return c.SignalTimeout.String() }, orNone(signalTimeoutValue)},
	{"kill-children-on-exit", func(c *Config) string { return strconv.FormatBool(c.KillChildren) }, nil},
	{"socket-path", func(c *Config) string { return c.SocketPath }, nil},
	{"pidfile", func(c *Config) string { return c.PidFile }, nil},
	{"lockfile", func(c *Config) string { return c.LockFile }, nil},
	{"command-socket-as-fd", func(c *Config) string { return strconv.FormatBool(c.SockFD) }, nil},
	{"verbosity", (*Config).Verbosity, verbosityValue},
	{"log-format", func(c *Config) string { return c.LogFormat }, nil},
	{"syslog", func(c *Config) string { return strconv.FormatBool(c.Syslog) }, nil},
}

func (s *setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// Settings returns every setting as it is.
func (c *Config) Settings() []Setting {
	list := make([]Setting, 0, len(settings))
	for _, s := range settings {
		list = append(list, Setting{s.key(), s.get(c), s.set != nil})
	}
	return list
}

// einhornNames are what einhorn calls those settings whose options it calls
// otherwise.
var einhornNames = map[string]string{
	"cmd": "program", "orig-cmd": "program", "cmd-name": "command-name",
	"reexec-commandline": "reexec-as", "drop-environment-variables": "drop-env-var",
}

// ErrUnknown is matched by the error of a key that this version does not know.
var ErrUnknown = errors.New("there is no such setting")

// Set gives a setting another value, as the command line would, and returns
// what it was before and what it is now. The key may have - for _. After an
// error, which says what is wrong with the value, nothing has changed.
func (c *Config) Set(key, value string) (from, to string, err error) {
	name := strings.ReplaceAll(key, "_", "-")
	name = cmp.Or(einhornNames[name], name)
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	switch {
	case i < 0:
		return "", "", unknownSetting(name)
	case settings[i].set == nil:
		return "", "", errors.New("only a restart can change it")
	}
	s := settings[i]
	d := &draft{cfg: *c}
	if err := s.set(d).Set(value); err != nil {
		example := own.lookup(s.name).Example
		if s.name == "verbosity" {
			example = verbosities[0]
		}
		return "", "", fmt.Errorf("%w, as in %s=%s", err, s.key(), example)
	}
	if d.cfg.spins() && !c.spins() {
		return "", "", errors.New("with retries=forever a broken program would be started without a pause, as in seconds=0.1")
	}
	from = s.get(c)
	*c = d.cfg
	return from, s.get(c), nil
}

func unknownSetting(name string) error {
	if near, ok := own.nearest(name); ok {
		if i := slices.IndexFunc(settings, func(s setting) bool { return s.name == near }); i >= 0 {
			return fmt.Errorf("%w; did you mean %s?", ErrUnknown, settings[i].key())
		}
	}
	return fmt.Errorf("%w; config lists them", ErrUnknown)
}

// spins tells whether a broken program would keep a processor busy.
func (c *Config) spins() bool { return c.Retries == Forever && c.Seconds == 0 }

// byOption takes what the option takes.
func byOption(name string) func(*draft) value {
	return func(d *draft) value { return own.lookup(name).value(d) }
}

// orNone takes none, too, for a time that 0 switches off.
func orNone(inner func(*draft) value) func(*draft) value {
	return func(d *draft) value {
		v := inner(d)
		return value{set: func(s string) error {
			if s == "none" {
				s = "0"
			}
			return v.set(s)
		}}
	}
}

// ackTimeoutValue takes 0, too, where einhorn's command line was read: there is
// none then.
func ackTimeoutValue(d *draft) value {
	if d.cfg.Einhorn {
		return durationValue(&d.cfg.AckTimeout, 0)
	}
	return byOption("ack-timeout")(d)
}

// signalTimeoutValue changes the kill timeout, too, where einhorn's command line
// was read: there it is for every signal.
func signalTimeoutValue(d *draft) value {
	option := byOption("signal-timeout")(d)
	return value{set: func(s string) error {
		err := option.set(s)
		if err == nil && d.cfg.Einhorn {
			d.cfg.killAfterSignalTimeout()
		}
		return err
	}}
}

// killAfterSignalTimeout is einhorn's way: nobody who was sent a signal is sent
// a stronger one, unless -t says when.
func (c *Config) killAfterSignalTimeout() {
	c.KillTimeout = MaxDuration
	if c.SignalTimeout > 0 {
		c.KillTimeout = c.SignalTimeout
	}
}

// additionalValue takes none, too: while running there is no leaving it out.
func additionalValue(d *draft) value {
	number := byOption("max-upgrade-additional")(d)
	return value{set: func(s string) error {
		if s == "none" {
			d.cfg.MaxUpgradeAdditional = NoLimit
			return nil
		}
		if err := number.set(s); err != nil {
			return fmt.Errorf("%w, nor none", err)
		}
		return nil
	}}
}

// verbosities are what can be logged at least, the loudest first. Their places
// are einhorn's numbers for them.
var verbosities = []string{"debug", "info", "warn"}

func verbosityValue(d *draft) value {
	return value{set: func(s string) error {
		if i, err := strconv.Atoi(s); err == nil && i >= 0 && i < len(verbosities) {
			s = verbosities[i]
		}
		if !slices.Contains(verbosities, s) {
			return errors.New("neither debug nor info nor warn")
		}
		d.cfg.Verbose, d.cfg.Quiet = s == "debug", s == "warn"
		return nil
	}}
}

// Verbosity is the least that is logged: debug, info or warn.
func (c *Config) Verbosity() string {
	switch {
	case c.Verbose:
		return "debug"
	case c.Quiet:
		return "warn"
	}
	return "info"
}

// Quieter is Verbosity that many steps on, or its end; less than 0 is louder.
func (c *Config) Quieter(steps int) string {
	i := slices.Index(verbosities, c.Verbosity()) + steps
	return verbosities[min(max(i, 0), len(verbosities)-1)]
}

// LogLevel is Verbosity as the log has it.
func (c *Config) LogLevel() slog.Level {
	return map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn}[c.Verbosity()]
}

// AckMode says what makes a worker ready, as --ack-mode would.
func (c *Config) AckMode() string {
	m := c.Mode()
	switch {
	case m == nil:
		return time.Duration.String(c.AckTime)
	case m.Asks():
		return m.Name + ":" + strings.Join(c.AckCommand, " ")
	}
	return m.Name
}

// Mode is how workers become ready; nil: by living long enough.
func (c *Config) Mode() *ready.Mode {
	if !c.AckManual {
		return nil
	}
	name := cmp.Or(c.AckBy, ready.Manual)
	i := slices.IndexFunc(ready.Modes, func(m ready.Mode) bool { return m.Name == name })
	if i < 0 {
		i = 0 // of another version; worker:ack is an ACK everywhere
	}
	return &ready.Modes[i]
}

// Gives is what each worker gets to say with that it is ready.
func (c *Config) Gives() ready.Gift {
	if m := c.Mode(); m != nil {
		return m.Gives
	}
	return ready.Nothing
}

// Notifies tells whether each worker has a NOTIFY_SOCKET.
func (c *Config) Notifies() bool { return c.Gives() == ready.Socket }

// Asks tells whether a process asks each worker.
func (c *Config) Asks() bool {
	m := c.Mode()
	return m != nil && m.Asks()
}

// unless is n in digits, unless it means something else.
func unless(n, special int, word string) string {
	if n == special {
		return word
	}
	return strconv.Itoa(n)
}

func specs(list []bind.Spec) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = s.String()
	}
	return strings.Join(words, " ")
}

// sources are those of one of the two options.
func sources(list []EnvSource, dir bool) string {
	var words []string
	for _, s := range list {
		switch {
		case s.Dir != dir:
		case s.Optional:
			words = append(words, "-"+s.Path)
		default:
			words = append(words, s.Path)
		}
	}
	return strings.Join(words, " ")
}

// String is what a command line would say.
func (n Nice) String() string {
	number := func(p *int) string {
		if p == nil {
			return ""
		}
		return strconv.Itoa(*p)
	}
	text := number(n.Master)
	if n.Worker != nil || n.Renice != "" {
		text += ":" + number(n.Worker)
	}
	if n.Renice != "" {
		text += ":" + n.Renice
	}
	return text
}
