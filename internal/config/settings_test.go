// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryOptionIsASetting finds options that config would not show.
func TestEveryOptionIsASetting(t *testing.T) {
	others := []string{"manual", "verbose", "quiet", "upgrade-check", "help", "version"} // ack-mode, verbosity; no settings
	position := -1
	for _, o := range Options() {
		if slices.Contains(others, o.Name) {
			continue
		}
		i := slices.IndexFunc(settings, func(s setting) bool { return s.name == o.Name })
		if i < 0 {
			t.Errorf("config does not show %s", o.Name)
			continue
		}
		if i < position {
			t.Errorf("%s comes too early for the order of the usage text", o.Name)
		}
		position = i
	}
	for _, s := range settings {
		if own.lookup(s.name).value == nil && s.name != "program" && s.name != "verbosity" {
			t.Errorf("%s is no option", s.name)
		}
	}
}

func example(t *testing.T, args ...string) *Config {
	t.Helper()
	c, err := parseArgs(append(args, "server", "-x"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSettingsAreWhatACommandLineSays reads every value back.
func TestSettingsAreWhatACommandLineSays(t *testing.T) {
	c := example(t, "-n", "3", "-b", ":80,r", "-b", "[::1]:81", "-m", "--max-upgrade-additional", "2", "--retries", "forever",
		"--nice", "1:2:sudo renice", "--env-file", "-/a", "--env-file", "/b", "--envdir", "/c", "-q", "--drain-timeout", "90",
		"--drop-env-var", "A", "--drop-env-var", "B", "--backlog", "7", "--upgrade", "fleet", "-6", "--graceful-signal", "term", "--syslog")
	got := map[string]string{}
	for _, s := range c.Settings() {
		got[s.Key] = s.Value
	}
	for key, want := range map[string]string{
		"program": "server -x", "number": "3", "bind": ":80,r [::1]:81", "ack_mode": "manual", "max_upgrade_additional": "2",
		"retries": "forever", "nice": "1:2:sudo renice", "env_file": "-/a /b", "envdir": "/c", "verbosity": "warn",
		"drain_timeout": "1m30s", "drop_env_var": "A B", "backlog": "7", "upgrade": "fleet", "ipv6_only": "true", "ipv4_only": "false",
		"graceful_signal": "TERM", "syslog": "true", "pidfile": "", "seconds": "1s", "log_format": "text", "upgrade_retries": "3",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	for _, s := range c.Settings() {
		if !s.Changeable {
			continue
		}
		if from, to, err := c.Set(s.Key, s.Value); err != nil || from != to || to != s.Value {
			t.Errorf("%s=%s does not read back: %q, %q, %v", s.Key, s.Value, from, to, err)
		}
	}
}

func TestSet(t *testing.T) {
	c := example(t)
	for _, try := range []struct{ key, value, from, to string }{
		{"number", "7", "1", "7"},
		{"seconds", "0.5", "1s", "500ms"},
		{"max_unacked", "2", c.Settings()[slices.IndexFunc(c.Settings(), func(s Setting) bool { return s.Key == "max_unacked" })].Value, "2"},
		{"max-upgrade-additional", "1", "none", "1"},
		{"max_upgrade_additional", "none", "1", "none"},
		{"ack_timeout", "2m", "30s", "2m0s"},
		{"drain_timeout", "30", "0s", "30s"},
		{"drain_timeout", "0", "30s", "0s"},
		{"drain_timeout", "7", "0s", "7s"},
		{"drain_timeout", "none", "7s", "0s"},
		{"kill_timeout", "1", "10s", "1s"},
		{"signal_timeout", "5", "0s", "5s"},
		{"signal_timeout", "none", "5s", "0s"},
		{"verbosity", "debug", "info", "debug"},
		{"verbosity", "warn", "debug", "warn"},
		{"verbosity", "0", "warn", "debug"},
		{"verbosity", "2", "debug", "warn"},
		{"verbosity", "info", "warn", "info"},
	} {
		from, to, err := c.Set(try.key, try.value)
		if err != nil || from != try.from || to != try.to {
			t.Errorf("%s=%s: %q instead of %q, %v; want %q instead of %q", try.key, try.value, to, from, err, try.to, try.from)
		}
	}
	if c.Number != 7 || c.KillTimeout.Seconds() != 1 || c.LogLevel() != slog.LevelInfo {
		t.Errorf("it has come to %+v", c)
	}
}

func TestSetRefuses(t *testing.T) {
	c := example(t, "--retries", "forever")
	before := *c
	for _, try := range []struct{ key, value, want string }{
		{"number", "0", "not a number from 1 to 10000, as in number=4"},
		{"number", "", "not a number from 1 to 10000, as in number=4"},
		{"seconds", "x", "not a duration (seconds, or a number with ms, s, m or h), as in seconds=0.5"},
		{"seconds", "0", "with retries=forever a broken program would be started without a pause, as in seconds=0.1"},
		{"kill_timeout", "0", "must be more than 0, as in kill_timeout=10s"},
		{"max_upgrade_additional", "0", "not a number from 1 to 1000000000, nor none, as in max_upgrade_additional=1"},
		{"verbosity", "3", "neither debug nor info nor warn, as in verbosity=debug"},
		{"verbosity", "loud", "neither debug nor info nor warn, as in verbosity=debug"},
		{"pidfile", "/x", "only a restart can change it"},
		{"program", "x", "only a restart can change it"},
		{"graceful-signal", "TERM", "only a restart can change it"},
		{"max_unackd", "1", "there is no such setting; did you mean max_unacked?"},
		{"verbose", "1", "there is no such setting; config lists them"},
		{"\x00", "1", "there is no such setting; config lists them"},
	} {
		_, _, err := c.Set(try.key, try.value)
		if err == nil || err.Error() != try.want {
			t.Errorf("%s=%s: %v; want %s", try.key, try.value, err, try.want)
		}
		if unknown := strings.HasPrefix(try.want, "there is no"); errors.Is(err, ErrUnknown) != unknown {
			t.Errorf("%s: unknown is %v", try.key, !unknown)
		}
	}
	if c.Number != before.Number || c.Seconds != before.Seconds || c.KillTimeout != before.KillTimeout {
		t.Errorf("something has changed: %+v", c)
	}
}

func TestEinhornsSettingsReadBack(t *testing.T) {
	c, err := ParseEinhorn([]string{"-m", "manual", "sleep", "1"}, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings() {
		if !s.Changeable {
			continue
		}
		if from, to, err := c.Set(s.Key, s.Value); err != nil || from != to || to != s.Value {
			t.Errorf("%s=%s does not read back: %q, %q, %v", s.Key, s.Value, from, to, err)
		}
	}
}

func TestEinhornsSignalTimeoutIsForEverySignal(t *testing.T) {
	c, err := ParseEinhorn([]string{"-t", "3", "sleep", "1"}, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		value string
		kill  time.Duration
	}{{"5", 5 * time.Second}, {"0", MaxDuration}} {
		if _, _, err := c.Set("signal_timeout", try.value); err != nil || c.KillTimeout != try.kill {
			t.Errorf("with signal_timeout=%s the kill timeout is %v (%v), want %v", try.value, c.KillTimeout, err, try.kill)
		}
	}
	c = example(t)
	if _, _, err := c.Set("signal_timeout", "5"); err != nil || c.KillTimeout != 10*time.Second {
		t.Errorf("the kill timeout is %v (%v)", c.KillTimeout, err)
	}
}

func TestQuieter(t *testing.T) {
	c := example(t, "-v")
	for _, want := range []string{"info", "warn", "warn"} {
		if _, to, err := c.Set("verbosity", c.Quieter(1)); err != nil || to != want {
			t.Errorf("quieter is %s (%v), want %s", to, err, want)
		}
	}
	for _, want := range []string{"info", "debug", "debug"} {
		if _, to, err := c.Set("verbosity", c.Quieter(-1)); err != nil || to != want {
			t.Errorf("louder is %s (%v), want %s", to, err, want)
		}
	}
}
