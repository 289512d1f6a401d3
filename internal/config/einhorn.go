// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/tmpdir"
)

// ErrNoProgram is what [ParseEinhorn] returns when there is no program: einhorn
// answers that with its usage text.
var ErrNoProgram = errors.New("there is no program")

// AskedToLook is what [ParseEinhorn] returns as an error when the command of
// --reexec-as has executed us: not to run anything, but to tell where it got to.
type AskedToLook struct {
	FD      int      // of --with-state-fd: where to tell it
	Program []string // and its arguments, as they arrived
}

func (a *AskedToLook) Error() string {
	return fmt.Sprintf("a look was asked for on descriptor %d", a.FD)
}

// einhorn is what we are by einhorn's name.
var einhorn = dialect{program: "einhorn", intro: einhornHead, outro: einhornTail, options: EinhornOptions, instead: ownWay}

// einhornWay is said under our own name about what only einhorn has.
func einhornWay(name string) string {
	for _, o := range EinhornOptions() {
		switch {
		case o.Name != name && o.Short != name:
		case o.Name == "preload", o.Name == "gc-before-fork":
			return "no Ruby code is loaded ahead of its workers here; leave it out, and let workers ACK when they have loaded (-m)"
		case o.Name == "with-state-fd":
			return "it belongs to einhorn's command line, which is read when we are called einhorn"
		case o.Short == name && has(Options(), o.Name):
			return "that is einhorn's; here it is --" + o.Name
		}
	}
	return ""
}

// ownWay is said under einhorn's name about what only we have.
func ownWay(name string) string {
	if fits := fitting(name); len(fits) > 1 {
		last := len(fits) - 1
		return "it could be cut short from " + strings.Join(fits[:last], ", ") + " or " + fits[last]
	}
	for _, o := range Options() {
		if (o.Name == name || o.Short == name) && !has(EinhornOptions(), o.Name) {
			return "einhorn has no such option; it can be used when we are called einhyrningsins"
		}
	}
	return ""
}

// fitting lists the long options that name, of more than a letter, is the
// beginning of.
func fitting(name string) (names []string) {
	for _, o := range EinhornOptions() {
		if len(name) > 1 && strings.HasPrefix(o.Name, strings.ToLower(name)) {
			names = append(names, "--"+o.Name)
		}
	}
	return names
}

func has(options []Option, name string) bool {
	return slices.ContainsFunc(options, func(o Option) bool { return o.Name == name })
}

// leastSeconds stands for the 0 of einhorn's -s: a program that does not start
// is started over and over, but not without a pause.
const leastSeconds = 100 * time.Millisecond

// ParseEinhorn reads einhorn's command line as [Parse] reads our own, with
// einhorn's meaning of each option and its defaults, and its temporary directory
// from environ. Long options can be cut short as long as they are unambiguous.
//
// It returns [ErrHelp], [ErrVersion], [ErrChecked] or [ErrNoProgram], or an
// [AskedToLook], and otherwise an error that matches [ErrUsage].
func ParseEinhorn(args, environ []string) (*Config, error) {
	d, err := readEinhorn(args, environ)
	if err != nil {
		return nil, err
	}
	if err := d.cfg.checkProgram(PathOf(environ)); err != nil {
		return nil, einhorn.hinted(err)
	}
	return d.config(), nil
}

// readEinhorn is all of ParseEinhorn that does not look at the program's file.
func readEinhorn(args, environ []string) (*draft, error) {
	if err := askedToLook(args); err != nil {
		return nil, err
	}
	d := new(draft)
	flags, err := einhorn.flags(d)
	if err != nil {
		return nil, err
	}
	flags.SetNormalizeFunc(abbreviated)
	err = flags.Parse(args)
	if d.asked != nil {
		return nil, d.asked
	}
	if err != nil {
		return nil, einhorn.hinted(einhorn.translate(err))
	}
	rest := flags.Args()
	if err := einhorn.refuseTestFlags(args[:len(args)-len(rest)]); err != nil {
		return nil, einhorn.hinted(err)
	}
	if len(rest) == 0 {
		return nil, ErrNoProgram
	}
	d.cfg.Program = append([]string(nil), rest...)
	if err := d.finishEinhorn(environ); err != nil {
		return nil, einhorn.hinted(err)
	}
	return d, nil
}

// finishEinhorn sets what einhorn has no option for, and its paths.
func (d *draft) finishEinhorn(environ []string) error {
	c := &d.cfg
	c.Einhorn, c.DropUpgraded = true, true
	c.Retries, c.UpgradeRetries = Forever, defaultUpgradeRetries
	c.AckTimeout = 0
	c.Dialects = childenv.Dialects{Einhorn: true}
	c.killAfterSignalTimeout()
	c.GracefulSignal = int(syscall.SIGUSR2)
	c.LogFormat = "text"
	c.Verbose, c.Quiet = d.level < 0, d.level > 0
	if c.Seconds == 0 {
		c.Seconds = leastSeconds
		d.warn("-s 0 counts as " + leastSeconds.String() + ": a program that does not start would be started without a pause")
	}
	for _, word := range c.Program[1:] {
		if strings.HasPrefix(word, "srv:") || strings.Contains(word, "=srv:") {
			d.warn("the word " + show(word) + " is passed to the program as it is: einhorn's old way to name a socket; use -b and EINHORN_FD_0")
		}
	}
	if err := c.einhornPaths(environ); err != nil {
		return err
	}
	return c.checkPaths()
}

// einhornPaths sets the paths that were not given.
func (c *Config) einhornPaths(environ []string) error {
	name := "einhorn"
	if c.CommandName != "" {
		name += "-" + c.CommandName
	}
	if c.SocketPath != "" && c.LockFile == "" && c.CommandName == "" {
		// einhorn holds its lock only while it starts, so that many may run that
		// were given nothing but a path each.
		c.LockFile = c.SocketPath + ".lock"
	}
	dir := ""
	for path, suffix := range map[*string]string{&c.SocketPath: ".sock", &c.PidFile: ".pid", &c.LockFile: ".lock"} {
		if *path != "" {
			continue
		}
		if dir == "" {
			var ok bool
			if dir, ok = tmpdir.Find(environ); !ok {
				return usagef("cannot find a directory for temporary files: neither TMPDIR nor /tmp can be written to; give paths with -d, -e and -f")
			}
		}
		*path = filepath.Join(dir, name+suffix)
	}
	if len(c.SocketPath) > bind.MaxUnixPath {
		return usagef("cannot use control socket %s: its path has %d bytes, more than the %d that the path of a socket can have; write a shorter one with -d",
			show(c.SocketPath), len(c.SocketPath), bind.MaxUnixPath)
	}
	return nil
}

// abbreviated makes the full name of a long option that was cut short, in any
// case, as Ruby does. A name that fits several stays, and is refused as unknown.
func abbreviated(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	short, full := strings.ToLower(name), ""
	for _, o := range EinhornOptions() {
		switch {
		case o.Name == short:
			return pflag.NormalizedName(short)
		case short == "" || !strings.HasPrefix(o.Name, short):
		case full != "":
			return pflag.NormalizedName(name)
		default:
			full = o.Name
		}
	}
	if full == "" {
		full = name
	}
	return pflag.NormalizedName(full)
}

// askedToLook returns an [AskedToLook] when there is a --with-state-fd. Then the
// other options are those that the keeper was started with, or what the wrapper
// added: nobody acts on them.
func askedToLook(args []string) error {
	d := new(draft)
	flags := pflag.NewFlagSet(einhorn.program, pflag.ContinueOnError)
	flags.SetInterspersed(false)
	flags.Usage = func() {}
	for _, o := range EinhornOptions() {
		v := o.value(d)
		if o.Name != "with-state-fd" {
			v.set = func(string) error { return nil }
		}
		f := flags.VarPF(v, o.Name, o.Short, o.Help)
		if v.bool {
			f.NoOptDefVal = "true"
		}
	}
	flags.SetNormalizeFunc(abbreviated)
	err := flags.Parse(args)
	switch {
	case !flags.Changed("with-state-fd"):
		return nil
	case err != nil:
		return einhorn.hinted(einhorn.translate(err))
	}
	return &AskedToLook{FD: d.stateFD, Program: append([]string(nil), flags.Args()...)}
}
