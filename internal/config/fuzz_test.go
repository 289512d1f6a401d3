// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"path/filepath"
	"slices"
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
		"--ack-mode manual --ack-timeout 0.1 p", "--no-such p", "-= p", "--= p", "-b [fe80::1%x]:1,n p", "-q -d x --pidfile y p",
		"-m=false p", "--max-unacked 1 --max-upgrade-additional 9 --upgrade fleet --backlog 1 --log-format json --syslog p",
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
	})
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
		"AckTimeout":           c.AckTimeout > 0 && c.AckTimeout <= MaxDuration,
		"Retries":              c.Retries >= 1 || c.Retries == Forever && c.Seconds > 0,
		"UpgradeRetries":       c.UpgradeRetries >= 1,
		"Seconds":              c.Seconds >= 0 && c.Seconds <= MaxDuration,
		"MaxUnacked":           c.MaxUnacked >= 1,
		"MaxUpgradeAdditional": c.MaxUpgradeAdditional >= 1 || c.MaxUpgradeAdditional == NoLimit,
		"GracefulSignal": c.GracefulSignal >= 1 && c.GracefulSignal <= maxSignal &&
			c.GracefulSignal != int(syscall.SIGKILL) && c.GracefulSignal != int(syscall.SIGSTOP),
		"DrainTimeout": c.DrainTimeout >= 0 && c.DrainTimeout <= MaxDuration,
		"KillTimeout":  c.KillTimeout > 0 && c.KillTimeout <= MaxDuration,
		"SocketPath":   filepath.IsAbs(c.SocketPath) && len(c.SocketPath) <= maxSocketPath,
		"PidFile":      c.PidFile == "" || filepath.IsAbs(c.PidFile) && c.PidFile != c.SocketPath,
		"Quiet":        !c.Quiet || !c.Verbose,
		"LogFormat":    c.LogFormat == "text" || c.LogFormat == "json",
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
