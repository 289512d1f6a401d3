// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"einhyrningsins/client"
	"einhyrningsins/internal/tmpdir"
	"einhyrningsins/internal/version"

	"github.com/spf13/pflag"
)

// einhornshName is the base name by which we are einhorn's shell. It differs
// from ours in its command line, its exit statuses and in what it prints: the
// messages as they are. What is typed is sent as it is, too, in einhorn's
// dialect, except upgrades: those take the way of our own upgrade, which
// outlives masters and knows how it ended. einhornsh_talk.go has both ways.
const einhornshName = "einhornsh"

// einhornshOptions is its command line.
type einhornshOptions struct {
	help    bool
	path    string // of the control socket
	execute *string
}

func einhornshFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet(einhornshName, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {}
	flags.StringP("command-name", "c", "", "speak to the einhorn of this `NAME`")
	flags.StringP("socket-path", "d", "", "the control socket's `PATH`")
	flags.StringP("execute", "e", "", "run these `CMDS`, separated by ;, and exit; the last -e counts")
	flags.BoolP("help", "h", false, "print this help, and exit with status 1")
	flags.SetNormalizeFunc(func(all *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(unabridged(all, name))
	})
	return flags
}

// unabridged returns the long option that begins with name, if there is just
// one: scripts made for einhorn may have shortened it.
func unabridged(flags *pflag.FlagSet, name string) string {
	full, found := name, 0
	name = strings.ToLower(name)
	for _, option := range []string{"command-name", "socket-path", "execute", "help"} {
		if name != "" && strings.HasPrefix(option, name) {
			full, found = option, found+1
		}
	}
	if found != 1 {
		return name // and it is refused as unknown
	}
	return full
}

func parseEinhornsh(args, environ []string) (einhornshOptions, error) {
	var o einhornshOptions
	flags := einhornshFlags()
	if err := flags.Parse(args); err != nil {
		return o, usagef("%v", err)
	}
	o.help, _ = flags.GetBool("help")
	name, _ := flags.GetString("command-name")
	switch {
	case flags.NArg() > 1:
		return o, usagef("cannot speak to both %q and %q: there is one NAME; commands go after -e, as in -e %q", flags.Arg(0), flags.Arg(1), "inc; state")
	case name == "":
		name = flags.Arg(0)
	}
	if flags.Changed("execute") {
		text, _ := flags.GetString("execute")
		o.execute = &text
	}
	var err error
	if o.path, _ = flags.GetString("socket-path"); o.path == "" && !o.help {
		o.path, err = einhornSocket(name, environ)
	}
	return o, err
}

// einhornSocket is where the einhorn called name has its control socket unless
// told otherwise.
func einhornSocket(name string, environ []string) (string, error) {
	dir, ok := tmpdir.Find(environ)
	if !ok {
		return "", usagef("cannot find a directory for temporary files, where the control socket would be; name the socket with -d")
	}
	if name == "" {
		return filepath.Join(dir, "einhorn.sock"), nil
	}
	return filepath.Join(dir, "einhorn-"+name+".sock"), nil
}

func einhornshUsage() string {
	return `Usage: einhornsh [-c NAME] [-d PATH] [-e CMDS] [NAME]

The shell of a running einhorn; this one is part of einhyrningsins ` + version.Version + `.
Without -d the control socket is einhorn-NAME.sock, or without NAME einhorn.sock,
in the directory $TMPDIR, or /tmp. A long option can be cut short while it is
unambiguous.

` + einhornshFlags().FlagUsages()
}

// runEinhornsh is the whole program under that name. It returns the exit
// status: 0 also after commands that were refused, as scripts made for einhorn
// expect; 1 when the command line is wrong, nobody listens, an answer is lost or
// an upgrade is given up; 130 when it was interrupted, except in a conversation.
func runEinhornsh(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := newSession(stdin, stdout, stderr)
	s.prefix = einhornshName + " "
	defer s.close()
	options, err := parseEinhornsh(args, os.Environ())
	if err != nil || options.help {
		if err != nil {
			s.out.failure(s.prefix, err)
		}
		fmt.Fprint(stderr, einhornshUsage())
		return exitFailed
	}
	s.path = options.path
	sh := &einhornsh{s: s}
	defer sh.hangUp()
	if in, ok := stdin.(*os.File); ok {
		s.interactive = isTerminal(in)
	}
	return sh.run(options.execute)
}

// run connects, and carries out text or what comes from stdin.
func (sh *einhornsh) run(text *string) int {
	if err := sh.interruptible(sh.connect); err != nil {
		code := sh.report(err)
		if errors.Is(err, client.ErrNoMaster) {
			fmt.Fprintln(sh.s.out.err, "Is an einhorn running? If so, give einhornsh the same -c or -d.")
		}
		return code
	}
	if text != nil {
		code, _ := sh.runSequence(*text)
		return code
	}
	sh.aside("'help' lists the commands; 'quit' or 'exit' leaves.")
	if sh.s.interactive && sh.s.out.isTerminal() && sh.s.stdin == io.Reader(os.Stdin) {
		return sh.converse()
	}
	return sh.readLines()
}
