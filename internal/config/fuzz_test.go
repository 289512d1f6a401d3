// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"einhyrningsins/internal/bind"
)

// FuzzParse feeds whole command lines, one word a line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"-n 4 -b :80,r -- prog -x", "-vmn3 prog", "--number=0 p", "-h", "--version", "-4 -6 p", "-- --", "-test.v p",
		"--graceful-signal RTMIN+3 --drain-timeout 1.5 --kill-timeout 2m p", "-r forever --upgrade-retries forever p",
		"--ack-mode manual --ack-timeout 0.1 p", "--no-such p", "-= p", "--= p", "-b [fe80::1%x]:1,n p", "-b unix:a,mode=6 -b udp::1,name=b -b fd:3 -b systemd:c p", "-q -d x --pidfile y p",
		"-m=false p", "--chdir . --envdir e --env-file -f --reexec-as 'a\\'b\"c --lockfile l -c n -gk --nice 1::r --signal-timeout 3 p",
		"--upgrade-check p", "-s 1 p", "--max-unacked 1 --max-upgrade-additional 9 --upgrade fleet --backlog 1 --log-format json --syslog p",
		"--user u --group 7 --umask 7 --rlimit as=1 --rlimit core=1:infinity --no-new-privs --oom-score-adj -5 p", "--rlimit x --umask 9 p",
		"--env systemd,einhorn,systemd -b :1 p {fd:0}{index}", "--env= p", "-g --env server-starter p", "p {fd:0}", "{fd:0} {{fd:0}} {fd:}",
	} {
		f.Add(strings.ReplaceAll(s, " ", "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, "\n")
		cfg, err := parseArgs(args)
		if err != nil {
			if cfg != nil || !(err == ErrHelp || err == ErrVersion || errors.Is(err, ErrUsage)) {
				t.Fatalf("%q: %+v, %v", args, cfg, err)
			}
			return
		}
		checkInvariants(t, args, cfg)
		if cfg.Einhorn || cfg.DropUpgraded || cfg.AckTimeout == 0 || cfg.Warnings != nil {
			t.Errorf("%q: %+v is einhorn's", args, cfg)
		}
		again, err := parseArgs(ownLine(cfg))
		if err != nil || !reflect.DeepEqual(cfg, again) {
			t.Errorf("%q: written as %q, %+v became %+v, %v", args, ownLine(cfg), cfg, again, err)
		}
	})
}

// FuzzParseEinhorn does the same with einhorn's command line.
func FuzzParseEinhorn(f *testing.F) {
	for _, s := range []string{
		"-n 4 -b :80,R,n -c web -m manual -- prog -x", "-d s -e p -f l -gkv -q p", "--upgrade-check", "-h", "--version", "--", "-test.v p",
		"--num 3 --max-una 1 --max-upg 0 --back 9 p", "-s 1e-1 -t 1_0 -m 0x1p-2 p", "--with-state-fd 7 -n x -h p q", "-p x --gc-before-fork p",
		"--reexec-as 'a b' p", "--nice -1:2:r p", "--drop-env-var A p srv::1", "-s 0 p", "-m NaN p", "--command x", "--= p", "-c ../x p",
	} {
		f.Add(strings.ReplaceAll(s, " ", "\n"), "/tmp")
	}
	f.Add("prog", "/nowhere")
	f.Fuzz(func(t *testing.T, text, tmp string) {
		args, environ := strings.Split(text, "\n"), []string{"TMPDIR=" + tmp}
		d, err := readEinhorn(args, environ)
		if err != nil {
			look := new(AskedToLook)
			asked := err == ErrHelp || err == ErrVersion || err == ErrChecked || err == ErrNoProgram
			if errors.As(err, &look) {
				asked = look.FD >= 3 && len(look.Program) < len(args)
			}
			if d != nil || !asked && !errors.Is(err, ErrUsage) {
				t.Fatalf("%q: %+v, %v", args, d, err)
			}
			return
		}
		c := &d.cfg
		checkInvariants(t, args, c)
		if !c.Einhorn || !c.DropUpgraded || c.AckTimeout != 0 || c.Retries != Forever || c.UpgradeRetries != 3 || c.PidFile == "" || c.LockFile == "" || c.Backlog == 0 {
			t.Errorf("%q: %+v is not einhorn's", args, c)
		}
		line := einhornLine(c)
		again, err := readEinhorn(line, nil)
		if err != nil {
			t.Fatalf("%q: written as %q: %v", args, line, err)
		}
		c.Warnings, again.cfg.Warnings = nil, nil
		if !reflect.DeepEqual(*c, again.cfg) {
			t.Errorf("%q: written as %q, %+v became %+v", args, line, c, again.cfg)
		}
	})
}

// ownLine writes a command line that means c.
func ownLine(c *Config) []string {
	line := append(commonLine(c), "--seconds="+c.Seconds.String(), "--backlog="+strconv.Itoa(c.Backlog),
		"--ack-timeout="+c.AckTimeout.String(), "--upgrade-retries="+strconv.Itoa(c.UpgradeRetries),
		"--graceful-signal="+strconv.Itoa(c.GracefulSignal), "--log-format="+c.LogFormat, "--syslog="+strconv.FormatBool(c.Syslog),
		"--env="+c.Dialects.String(), "--chdir="+c.Dir, "--pidfile="+c.PidFile, "--lockfile="+c.LockFile,
		"--retries="+map[bool]string{true: "forever", false: strconv.Itoa(c.Retries)}[c.Retries == Forever],
		"--upgrade="+map[bool]string{true: "fleet", false: "smooth"}[c.UpgradeFleet],
		"--ipv4-only="+strconv.FormatBool(c.Family == bind.IPv4Only), "--ipv6-only="+strconv.FormatBool(c.Family == bind.IPv6Only))
	line = append(line, limitsLine(c)...)
	if c.SignalTimeout == 0 {
		line = append(line, "--drain-timeout="+c.DrainTimeout.String(), "--kill-timeout="+c.KillTimeout.String())
	}
	for _, source := range c.Env {
		dash := ""
		if source.Optional {
			dash = "-"
		}
		line = append(line, map[bool]string{true: "--envdir=", false: "--env-file="}[source.Dir]+dash+source.Path)
	}
	return finishLine(c, line)
}

func limitsLine(c *Config) []string {
	line := []string{"--no-new-privs=" + strconv.FormatBool(c.Limits.NoNewPrivs)}
	for name, text := range map[string]string{
		"user": c.User, "group": c.Group, "umask": optional(c.Limits.Umask, "%o"), "oom-score-adj": optional(c.Limits.OOMScoreAdj, "%d"),
	} {
		if text != "" {
			line = append(line, "--"+name+"="+text)
		}
	}
	for _, r := range c.Limits.Rlimits {
		line = append(line, "--rlimit="+r.String())
	}
	return line
}

func einhornLine(c *Config) []string {
	return finishLine(c, append(commonLine(c), "-s", c.Seconds.String(), "-l", strconv.Itoa(c.Backlog), "-e", c.PidFile, "-f", c.LockFile))
}

// commonLine has what both dialects say in the same way.
func commonLine(c *Config) []string {
	line := []string{
		"-n", strconv.Itoa(c.Number), "-d", c.SocketPath, "--max-unacked=" + strconv.Itoa(c.MaxUnacked),
		"--signal-timeout=" + c.SignalTimeout.String(), "--verbose=" + strconv.FormatBool(c.Verbose), "--quiet=" + strconv.FormatBool(c.Quiet),
		"--command-socket-as-fd=" + strconv.FormatBool(c.SockFD), "--kill-children-on-exit=" + strconv.FormatBool(c.KillChildren),
		"--max-upgrade-additional=" + strconv.Itoa(c.MaxUpgradeAdditional), "--command-name=" + c.CommandName,
		"--ack-mode=" + map[bool]string{true: "manual", false: c.AckTime.String()}[c.AckManual],
	}
	for _, s := range c.Binds {
		line = append(line, "-b", s.String())
	}
	for _, name := range c.DropEnvVars {
		line = append(line, "--drop-env-var", name)
	}
	if c.Nice != (Nice{}) {
		line = append(line, "--nice", c.Nice.String())
	}
	if len(c.ReexecAs) > 0 {
		text := ""
		for _, word := range c.ReexecAs {
			text += " '" + strings.ReplaceAll(word, "'", `'"'"'`) + "'"
		}
		line = append(line, "--reexec-as", text)
	}
	return line
}

// finishLine leaves out what cannot be given, because it stands for nothing.
func finishLine(c *Config, line []string) []string {
	line = slices.DeleteFunc(line, func(word string) bool {
		return slices.Contains([]string{
			"--backlog=0", "--max-upgrade-additional=0", "--command-name=", "--chdir=", "--pidfile=", "--lockfile=",
		}, word)
	})
	return append(append(line, "--"), c.Program...)
}

func checkInvariants(t *testing.T, args []string, c *Config) {
	t.Helper()
	if n := len(c.Program); n == 0 || n > len(args) || !slices.Equal(c.Program, args[len(args)-n:]) {
		t.Errorf("%q: program %q is not how the line ends", args, c.Program)
	}
	for what, ok := range map[string]bool{
		"Number":               c.Number >= 1 && c.Number <= 10000,
		"Backlog":              c.Backlog >= 0,
		"AckTime":              c.AckTime >= 0 && c.AckTime <= MaxDuration && (!c.AckManual || c.AckTime == 0),
		"AckTimeout":           (c.AckTimeout > 0 || c.Einhorn) && c.AckTimeout >= 0 && c.AckTimeout <= MaxDuration,
		"Retries":              c.Retries >= 1 || c.Retries == Forever && c.Seconds > 0,
		"UpgradeRetries":       c.UpgradeRetries >= 1,
		"Seconds":              c.Seconds >= 0 && c.Seconds <= MaxDuration,
		"MaxUnacked":           c.MaxUnacked >= 1,
		"MaxUpgradeAdditional": c.MaxUpgradeAdditional >= 1 || c.MaxUpgradeAdditional == NoLimit,
		"GracefulSignal": c.GracefulSignal >= 1 && c.GracefulSignal <= maxSignal &&
			c.GracefulSignal != int(syscall.SIGKILL) && c.GracefulSignal != int(syscall.SIGSTOP),
		"DrainTimeout":  c.DrainTimeout >= 0 && c.DrainTimeout <= MaxDuration,
		"KillTimeout":   c.KillTimeout > 0 && c.KillTimeout <= MaxDuration,
		"SocketPath":    filepath.IsAbs(c.SocketPath) && len(c.SocketPath) <= bind.MaxUnixPath,
		"PidFile":       c.PidFile == "" || filepath.IsAbs(c.PidFile) && c.PidFile != c.SocketPath,
		"LockFile":      c.LockFile == "" || filepath.IsAbs(c.LockFile) && c.LockFile != c.SocketPath && c.LockFile != c.PidFile,
		"SignalTimeout": c.SignalTimeout >= 0 && c.SignalTimeout <= MaxDuration && (c.SignalTimeout == 0 || c.DrainTimeout == 0),
		"Dir":           c.Dir == "" || filepath.IsAbs(c.Dir),
		"Env":           !slices.ContainsFunc(c.Env, func(s EnvSource) bool { return !filepath.IsAbs(s.Path) || s.Dir && s.Optional }),
		"ReexecAs":      c.ReexecAs == nil || len(c.ReexecAs) > 0 && c.ReexecAs[0] != "",
		"Quiet":         !c.Quiet || !c.Verbose,
		"LogFormat":     c.LogFormat == "text" || c.LogFormat == "json",
	} {
		if !ok {
			t.Errorf("%q: %s is out of bounds: %+v", args, what, c)
		}
	}
	for _, s := range c.Binds {
		if back, err := bind.ParseSpec(s.String()); err != nil || back != s || s.CheckFamily(c.Family) != nil {
			t.Errorf("%q: bind %+v became %+v, %v", args, s, back, err)
		}
	}
}

// FuzzSet changes settings while running. What is refused changes nothing; what
// is taken is plain data that a next master takes, too.
func FuzzSet(f *testing.F) {
	for _, s := range settings {
		f.Add(s.key(), "1", false)
		f.Add(s.name, "none", true)
	}
	f.Add("seconds", "0", false)
	f.Add("ack-timeout", "0s", true)
	f.Add("verbosity", "warn", false)
	f.Fuzz(func(t *testing.T, key, value string, einhorn bool) {
		c, err := parseArgs([]string{"-n", "2", "--retries", "forever", "p"})
		if err != nil {
			t.Fatal(err)
		}
		c.Einhorn = einhorn
		before := *c
		_, to, err := c.Set(key, value)
		if err != nil {
			if !reflect.DeepEqual(*c, before) {
				t.Errorf("%s=%q was refused and made %+v of %+v", key, value, c, before)
			}
			return
		}
		for _, next := range []*Config{c, &before} {
			if _, again, err := next.Set(key, to); err != nil || again != to {
				t.Errorf("%s=%q became %q, which reads back as %q, %v", key, value, to, again, err)
			}
		}
		if !reflect.DeepEqual(*c, before) {
			t.Errorf("%s=%q made %+v, and what it says now %+v", key, value, c, before)
		}
		if c.Number < 1 || c.Number > 10000 || c.MaxUnacked < 1 || c.MaxUpgradeAdditional < 0 || c.spins() || c.KillTimeout <= 0 ||
			c.AckTimeout < 0 || c.AckTimeout == 0 && !einhorn || c.DrainTimeout < 0 || c.SignalTimeout < 0 || c.Verbose && c.Quiet {
			t.Errorf("%s=%q made %+v", key, value, c)
		}
	})
}
