// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"einhyrningsins/internal/bind"
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
	only4, only6  bool
	manual        bool
	ackMode       string                 // as given, "" if not
	given         func(name string) bool // whether the option was given
}

// Parse reads the daemon's command line, without its name, and looks for the
// program in the PATH of environ (as from os.Environ). Options end at the first
// word that is none, or at "--"; what follows is the program's, untouched.
//
// It returns [ErrHelp], [ErrVersion] or [ErrChecked] when one of these was asked for, and
// otherwise an error that matches [ErrUsage]. It opens nothing and is safe for
// concurrent use.
func Parse(args, environ []string) (*Config, error) {
	d, err := read(args)
	if err != nil {
		return nil, err
	}
	if err := d.cfg.checkProgram(PathOf(environ)); err != nil {
		return nil, hinted(err)
	}
	if d.check {
		return nil, ErrChecked
	}
	return &d.cfg, nil
}

// checkProgram looks for the program where workers will run. What an --env-file
// or a wrapper makes of PATH shows only when they are read.
func (c *Config) checkProgram(path string) error {
	name := c.Program[0]
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
	flags, err := d.flags()
	if err != nil {
		return nil, err
	}
	err = flags.Parse(args)
	switch {
	case d.help:
		return nil, ErrHelp
	case err != nil:
		return nil, hinted(translate(err, flags))
	case d.version:
		return nil, ErrVersion
	}
	rest := flags.Args()
	if err := refuseTestFlags(args[:len(args)-len(rest)]); err != nil {
		return nil, hinted(err)
	}
	d.given = flags.Changed
	d.cfg.Program = append([]string(nil), rest...)
	if err := d.finish(); err != nil {
		return nil, hinted(err)
	}
	return d, nil
}

// flags makes the parser from the list of options, and sets the defaults.
func (d *draft) flags() (*pflag.FlagSet, error) {
	flags := pflag.NewFlagSet("einhyrningsins", pflag.ContinueOnError)
	flags.SetInterspersed(false)
	flags.Usage = func() {}
	d.unset()
	for _, o := range Options() {
		v := o.value(d)
		if o.Default != "" {
			if err := v.Set(o.Default); err != nil {
				return nil, usagef("cannot set default of --%s: %v", o.Name, err)
			}
		}
		f := flags.VarPF(v, o.Name, o.Short, o.Help)
		if v.bool {
			f.NoOptDefVal = "true"
		}
	}
	d.ackMode = ""
	return flags, nil
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
	case d.manual && d.ackMode != "" && !c.AckManual:
		return usagef("cannot use -m with --ack-mode %s: -m is --ack-mode manual; give one of them", d.ackMode)
	case c.spins():
		return usagef("cannot use --seconds 0 with --retries forever: a broken program would be started without a pause; try --seconds 0.1")
	case c.SignalTimeout > 0 && d.given("drain-timeout"), c.SignalTimeout > 0 && d.given("kill-timeout"):
		return usagef("cannot use --signal-timeout with --drain-timeout or --kill-timeout: it sends KILL with no TERM before; give either it or them")
	}
	if err := c.checkPaths(); err != nil {
		return err
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
	return nil
}

// translate says what pflag says in the way of this house.
func translate(err error, flags *pflag.FlagSet) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if word := unknown.GetSpecifiedShortnames(); word != "" {
			return unknownShort(word)
		}
		return unknownLong(unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		o := lookup(missing.GetFlag().Name)
		return usagef("cannot use %s: its %s is missing, as in %s", o.title(), o.Arg, o.example())
	case errors.As(err, &invalid):
		o := lookup(invalid.GetFlag().Name)
		if errors.Is(err, ErrUsage) { // shows an example itself
			return usageWrap(invalid.Unwrap(), "cannot use %s %q: %v", o.title(), invalid.GetValue(), invalid.Unwrap())
		}
		return usageWrap(invalid.Unwrap(), "cannot use %s %q: %v, as in %s", o.title(), invalid.GetValue(), invalid.Unwrap(), o.example())
	}
	return usageWrap(err, "cannot read options: %v", err)
}

func unknownLong(name string) error {
	if near, ok := nearest(name); ok {
		return usagef("cannot use --%s: no such option; did you mean --%s?", show(name), near)
	}
	return usagef("cannot use --%s: no such option; what belongs to the program comes after --, as in einhyrningsins -- server --%s", show(name), show(name))
}

// unknownShort is about the first character of word, which is what is left of a
// word such as -vx.
func unknownShort(word string) error {
	// A long option with one dash is the usual slip.
	name, _, _ := strings.Cut(word, "=")
	if near, ok := nearest(name); ok && len(name) > 1 {
		return usagef("cannot use -%s: no such option; did you mean --%s?", show(word), near)
	}
	char := word
	if word[0] < utf8.RuneSelf {
		char = word[:1]
	}
	return usagef("cannot use %s: no such option; what belongs to the program comes after --, as in einhyrningsins -- server %s", show("-"+char), show("-"+char))
}

// refuseTestFlags refuses words that pflag passes over in silence, because it
// takes them for the flags of go test. used are the words before the program.
func refuseTestFlags(used []string) error {
	for _, word := range used {
		head, _, found := strings.Cut(word, "test.")
		if found && strings.HasPrefix(head, "-") && !strings.HasPrefix(head, "--") && strings.Trim(head[1:], "mvqh46") == "" {
			return usagef("cannot use %s: no such option; try ./%s where it is a path", show(word), show(word))
		}
	}
	return nil
}

// lookup returns the option of that long name.
func lookup(name string) Option {
	for _, o := range Options() {
		if o.Name == name {
			return o
		}
	}
	return Option{Name: name}
}

// title names the option as a person knows it: "-n, --number".
func (o Option) title() string {
	if o.Short != "" {
		return "-" + o.Short + ", --" + o.Name
	}
	return "--" + o.Name
}

// example shows a right use.
func (o Option) example() string {
	use := "--" + o.Name
	if o.Short != "" {
		use = "-" + o.Short
	}
	if o.Example != "" {
		use += " " + o.Example
	}
	return use
}
