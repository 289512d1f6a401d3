// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"slices"
	"strings"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
)

// foreverUpgrade is what "forever" means for an upgrade: an upgrade that is
// never given up would leave whoever waits for it hanging.
const foreverUpgrade = 10

// defaultUpgradeRetries holds unless --retries is smaller.
const defaultUpgradeRetries = 3

// draft is a Config while it is being read, with the options that are not part
// of it.
type draft struct {
	cfg           Config
	help, version bool
	check         bool
	asked         error // einhorn: ErrHelp, ErrVersion or ErrChecked, whichever came first
	level         int   // einhorn: -1 … 1, from verbose to quiet
	stateFD       int   // einhorn: --with-state-fd
	only4, only6  bool
	manual        bool
	ackMode       string                 // as given, "" if not
	given         func(name string) bool // whether the option was given
}

// Parse reads the daemon's command line, without its name, and looks for the
// program in the PATH of environ (as from os.Environ). Options end at the first
// word that is none, or at "--"; what follows is the program's, untouched.
//
// It returns [ErrHelp], [ErrVersion] or [ErrChecked] when one of these was asked for, the
// last with the options, for all that is to be checked beside them; and
// otherwise an error that matches [ErrUsage]. It opens nothing and is safe for
// concurrent use.
func Parse(args, environ []string) (*Config, error) {
	d, err := read(args)
	if err != nil {
		return nil, err
	}
	if err := d.cfg.checkProgram(PathOf(environ)); err != nil {
		return nil, own.hinted(err)
	}
	if d.check {
		return d.config(), ErrChecked
	}
	return d.config(), nil
}

// config is what was read, without the parser that d keeps alive.
func (d *draft) config() *Config {
	c := d.cfg
	return &c
}

// checkProgram looks for the program where workers will run. What an --env-file
// or a wrapper makes of PATH shows only when they are read.
func (c *Config) checkProgram(path string) error {
	name := c.Program[0]
	if !c.DropUpgraded && slices.Contains(c.DropEnvVars, "PATH") {
		path = defaultPath
	}
	switch {
	case strings.Contains(name, "/"):
		name = inDir(c.Dir, name)
	case len(c.Env) > 0 && name != "":
		return nil
	case c.Dir != "":
		dirs := strings.Split(path, ":")
		for i, dir := range dirs {
			dirs[i] = inDir(c.Dir, dir)
		}
		path = strings.Join(dirs, ":")
	}
	_, err := FindProgram(name, path)
	return err
}

// inDir is path as seen from dir; "" is where we are.
func inDir(dir, path string) string {
	if dir == "" || strings.HasPrefix(path, "/") {
		return path
	}
	return dir + "/" + path
}

// read is all of Parse that does not look at the program's file.
func read(args []string) (*draft, error) {
	d := new(draft)
	flags, err := own.flags(d)
	if err != nil {
		return nil, err
	}
	err = flags.Parse(args)
	switch {
	case d.help:
		return nil, ErrHelp
	case err != nil:
		return nil, own.hinted(own.translate(err))
	case d.version:
		return nil, ErrVersion
	}
	rest := flags.Args()
	if err := own.refuseTestFlags(args[:len(args)-len(rest)]); err != nil {
		return nil, own.hinted(err)
	}
	if err := refuseValueOfManual(args[:len(args)-len(rest)], rest); err != nil {
		return nil, own.hinted(err)
	}
	d.given = flags.Changed
	d.cfg.Program = append([]string(nil), rest...)
	if err := d.finish(); err != nil {
		return nil, own.hinted(err)
	}
	return d, nil
}

// refuseValueOfManual finds a way to ACK right behind -m, where it would be taken
// for the program. Einhorn's -m has a value.
func refuseValueOfManual(options, rest []string) error {
	if len(options) == 0 || len(rest) == 0 || ownAckModeValue(new(draft)).set(rest[0]) != nil {
		return nil
	}
	last := options[len(options)-1]
	if cluster := strings.HasPrefix(last, "-") && !strings.HasPrefix(last, "--") && strings.HasSuffix(last, "m"); !cluster && last != "--manual" {
		return nil
	}
	if rest[0] == "manual" {
		return usagef("cannot use %s with a value: it means --ack-mode manual by itself; leave manual out, or write -- before a program of that name", last)
	}
	return usagef("cannot use %s with a value: it means --ack-mode manual; write --ack-mode %s, or -- before a program of that name", last, show(rest[0]))
}

// finish checks what options say together.
func (d *draft) finish() error {
	c := &d.cfg
	switch {
	case len(c.Program) == 0:
		return usagef("cannot start without a program; write it as in einhyrningsins -n 2 -b 127.0.0.1:8080 -- server")
	case d.only4 && d.only6:
		return usagef("cannot use -4 with -6: they leave no address; give one of them, or neither for both families")
	case c.Quiet && c.Verbose:
		return usagef("cannot use -q with -v: they contradict each other; give one of them")
	case d.manual && d.ackMode != "" && (!c.AckManual || c.AckBy != ""):
		return usagef("cannot use -m with --ack-mode %s: -m is --ack-mode manual; give one of them", d.ackMode)
	case c.SockFD && !c.Dialects.Einhorn:
		return usagef("cannot use -g with --env %s: EINHORN_SOCK_FD is one of einhorn's variables; try --env einhorn,%[1]s", c.Dialects)
	case (d.manual || c.AckManual) && c.AckBy == "" && !c.Dialects.Einhorn:
		return usagef("cannot use --ack-mode manual with --env %s: workers would not find where to ACK, EINHORN_SOCK_PATH; try --env einhorn,%[1]s, or --ack-mode notify", c.Dialects)
	case c.Watchdog > 0 && !c.Notifies():
		return usagef("cannot use --watchdog without --ack-mode notify: a worker says over NOTIFY_SOCKET that it is alive; give both")
	case c.spins():
		return usagef("cannot use --seconds 0 with --retries forever: a broken program would be started without a pause; try --seconds 0.1")
	case c.SignalTimeout > 0 && d.given("drain-timeout"), c.SignalTimeout > 0 && d.given("kill-timeout"):
		return usagef("cannot use --signal-timeout with --drain-timeout or --kill-timeout: it sends KILL with no TERM before; give either it or them")
	}
	if err := c.checkPaths(); err != nil {
		return err
	}
	if err := c.checkWords(); err != nil {
		return err
	}
	if !d.given("env") && childenv.NamesSocket(c.Program[1:]) {
		c.Dialects.Systemd = false // gunicorn and uWSGI would take the socket twice
	}
	if !d.given("graceful-signal") {
		c.GracefulSignal = drainsAt(c.Program)
	}
	if d.manual {
		c.AckManual, c.AckTime = true, 0
	}
	if !d.given("upgrade-retries") {
		c.UpgradeRetries = defaultUpgradeRetries
		if c.Retries != Forever && c.Retries < c.UpgradeRetries {
			c.UpgradeRetries = c.Retries
		}
	}
	switch {
	case d.only4:
		c.Family = bind.IPv4Only
	case d.only6:
		c.Family = bind.IPv6Only
	}
	for _, spec := range c.Binds {
		if err := spec.CheckFamily(c.Family); err != nil {
			return usageWrap(err, "cannot use -b: %v", err)
		}
	}
	return nil
}

// checkPaths makes sure that no two files are one.
func (c *Config) checkPaths() error {
	lock := c.LockFile
	if lock == "" {
		lock = c.SocketPath + ".lock"
	}
	switch {
	case c.PidFile == c.SocketPath:
		return usagef("cannot use --pidfile %s: it is the path of the control socket, too; try --pidfile %s.pid", show(c.PidFile), show(c.PidFile))
	case c.PidFile == lock:
		return usagef("cannot use --pidfile %s: it is the path of the lock file, too; try --pidfile %s.pid", show(c.PidFile), show(c.PidFile))
	case lock == c.SocketPath:
		return usagef("cannot use --lockfile %s: it is the path of the control socket, too; try --lockfile %s.lock", show(lock), show(lock))
	}
	for _, spec := range c.Binds {
		for path, what := range map[string]string{c.SocketPath: "control socket", lock: "lock file", c.PidFile: "pid file"} {
			if spec.Kind == bind.Unix && spec.Path == path {
				return usagef("cannot use -b %s: it is the path of the %s, too; try -b unix:%s.bound", spec, what, path)
			}
		}
	}
	return nil
}
