// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "1": time.Second, "1.5": 1500 * time.Millisecond, ".25": 250 * time.Millisecond, "2.": 2 * time.Second,
		"300ms": 300 * time.Millisecond, "2m": 2 * time.Minute, "1h30m": 90 * time.Minute, "0s": 0, "007": 7 * time.Second,
		"8760h": MaxDuration, "31536000": MaxDuration, "1us": time.Microsecond,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"": "not a duration", ".": "not a duration", "1.2.3": "not a duration", "s": "not a duration", " 1": "not a duration",
		"1 ": "not a duration", "1d": "not a duration", "+1": "not a duration", "+1s": "not a duration", "0x10": "not a duration",
		"1e3": "not a duration", "NaN": "not a duration", "Inf": "not a duration", "infs": "not a duration", "1,5": "not a duration",
		"-1": "must not be negative", "-0": "must not be negative", "-1m": "must not be negative", "-inf": "must not be negative",
		"8760h1ns": "longer than 8760h", "31536001": "longer than 8760h", "99999999999999999999": "longer than 8760h",
		"99999999999999999999s": "longer than 8760h",
	} {
		if got, err := ParseDuration(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseDuration(%q) = %v, %v; want %q", in, got, err, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1.5", "300ms", "2m", "-1", "NaN", "1e300", ".", "1h1m1s1ms1us1ns", "99999999999999999999", "+0", "1µs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, err := ParseDuration(in)
		if err != nil {
			if d != 0 {
				t.Fatalf("ParseDuration(%q) = %v beside an error", in, d)
			}
			return
		}
		if d < 0 || d > MaxDuration {
			t.Fatalf("ParseDuration(%q) = %v, out of range", in, d)
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d {
			t.Fatalf("%q → %v → %v, %v", in, d, again, err)
		}
	})
}

func TestParseSignal(t *testing.T) {
	for in, want := range map[string]syscall.Signal{
		"USR2": syscall.SIGUSR2, "usr2": syscall.SIGUSR2, "SIGUSR2": syscall.SIGUSR2, "sigUsr2": syscall.SIGUSR2,
		"15": syscall.SIGTERM, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "stop": syscall.SIGSTOP,
		"IOT": syscall.SIGABRT, "CLD": syscall.SIGCHLD, "1": syscall.SIGHUP,
	} {
		if got, err := ParseSignal(in); err != nil || got != want {
			t.Errorf("ParseSignal(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "0", "-1", "+9", "99999", "SIG", "SIGSIGUSR2", "USR3", " USR2", "TERM ", "1.5",
		"RTMIN+", "RTMIN-1", "RTMAX+1", "RTMIN+31", "RTMAX-99", "RTMIN+-1", "RTMIN++1",
	} {
		if got, err := ParseSignal(in); err == nil || !strings.Contains(err.Error(), "signal") {
			t.Errorf("ParseSignal(%q) = %v, %v; want an error", in, got, err)
		}
	}
	if rtMax == 0 {
		return
	}
	for in, want := range map[string]int{"RTMIN": rtMin, "SIGRTMIN+3": rtMin + 3, "rtmax": rtMax, "RTMAX-1": rtMax - 1, "RTMIN+0": rtMin} {
		if got, err := ParseSignal(in); err != nil || int(got) != want {
			t.Errorf("ParseSignal(%q) = %v, %v; want %d", in, int(got), err, want)
		}
	}
}

func TestSignalName(t *testing.T) {
	for n := 1; n <= maxSignal; n++ {
		name := SignalName(n)
		for _, form := range []string{name, "SIG" + name, strings.ToLower(name), strconv.Itoa(n)} {
			if name == strconv.Itoa(n) && form != name {
				continue // has no name
			}
			if got, err := ParseSignal(form); err != nil || int(got) != n {
				t.Errorf("signal %d is called %s, but %q is %d, %v", n, name, form, int(got), err)
			}
		}
	}
	for n, want := range map[int]string{2: "INT", 9: "KILL", 15: "TERM", 0: "0", -1: "-1", 999: "999"} {
		if got := SignalName(n); got != want {
			t.Errorf("SignalName(%d) = %q, want %q", n, got, want)
		}
	}
}
