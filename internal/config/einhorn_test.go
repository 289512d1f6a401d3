// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
)

// einhornDefaults is what einhorn makes of a command line of only a program.
func einhornDefaults(tmp string) Config {
	return Config{
		Program: []string{"prog"}, Number: 1, Backlog: 100,
		AckTime: time.Second, Retries: Forever, UpgradeRetries: 3,
		Seconds: time.Second, MaxUnacked: runtime.NumCPU(), MaxUpgradeAdditional: NoLimit,
		GracefulSignal: int(syscall.SIGUSR2), KillTimeout: MaxDuration,
		SocketPath: tmp + "/einhorn.sock", PidFile: tmp + "/einhorn.pid", LockFile: tmp + "/einhorn.lock",
		LogFormat: "text", Einhorn: true, DropUpgraded: true, Dialects: childenv.Dialects{Einhorn: true},
	}
}

// einhornAccepts says what each line changes. Warnings are looked at elsewhere.
var einhornAccepts = map[string]func(*Config){
	"":                              func(c *Config) {},
	"-b 127.0.0.1:80,R,n --bind :0": func(c *Config) { c.Binds = []bind.Spec{spec("127.0.0.1:80,r,n"), spec(":0")} },
	"-c web": func(c *Config) {
		dir := filepath.Dir(c.SocketPath)
		c.CommandName, c.SocketPath, c.PidFile, c.LockFile = "web", dir+"/einhorn-web.sock", dir+"/einhorn-web.pid", dir+"/einhorn-web.lock"
	},
	"--command-name x -d /s -e /p -f /l":       func(c *Config) { c.CommandName, c.SocketPath, c.PidFile, c.LockFile = "x", "/s", "/p", "/l" },
	"--socket-path s --pidfile p --lockfile l": func(c *Config) { c.SocketPath, c.PidFile, c.LockFile = here("s"), here("p"), here("l") },
	"-g":                                func(c *Config) { c.SockFD = true },
	"--command-socket-as-fd":            func(c *Config) { c.SockFD = true },
	"-k":                                func(c *Config) { c.KillChildren = true },
	"--kill-children-on-exit":           func(c *Config) { c.KillChildren = true },
	"-l 5":                              func(c *Config) { c.Backlog = 5 },
	"--backlog=7":                       func(c *Config) { c.Backlog = 7 },
	"-m manual":                         func(c *Config) { c.AckManual, c.AckTime = true, 0 },
	"--ack-mode manual":                 func(c *Config) { c.AckManual, c.AckTime = true, 0 },
	"-m manual -m 0.5":                  func(c *Config) { c.AckTime = 500 * time.Millisecond },
	"-m 2e-1":                           func(c *Config) { c.AckTime = 200 * time.Millisecond },
	"-m 0":                              func(c *Config) { c.AckTime = 0 },
	"-n 3":                              func(c *Config) { c.Number = 3 },
	"-n3 --number 4":                    func(c *Config) { c.Number = 4 },
	"-p ./app.rb":                       func(c *Config) {},
	"--preload x --gc-before-fork":      func(c *Config) {},
	"-q":                                func(c *Config) { c.Quiet = true },
	"-v":                                func(c *Config) { c.Verbose = true },
	"-v -q":                             func(c *Config) {},
	"--quiet --quiet --verbose":         func(c *Config) {},
	"-vv -q -q":                         func(c *Config) { c.Quiet = true },
	"-s 2":                              func(c *Config) { c.Seconds = 2 * time.Second },
	"--seconds 0.25":                    func(c *Config) { c.Seconds = 250 * time.Millisecond },
	"-s 0":                              func(c *Config) { c.Seconds = 100 * time.Millisecond },
	"-s 1_0":                            func(c *Config) { c.Seconds = 10 * time.Second },
	"--drop-env-var A --drop-env-var=B": func(c *Config) { c.DropEnvVars = []string{"A", "B"} },
	"--reexec-as=/w":                    func(c *Config) { c.ReexecAs = []string{"/w"} },
	"--nice 1:-2:/r":                    func(c *Config) { c.Nice = Nice{niceness1(1), niceness1(-2), "/r"} },
	"--max-unacked 2":                   func(c *Config) { c.MaxUnacked = 2 },
	"--max-upgrade-additional 0":        func(c *Config) { c.MaxUpgradeAdditional = 1 },
	"--max-upgrade-additional 5":        func(c *Config) { c.MaxUpgradeAdditional = 5 },
	"-t 20":                             func(c *Config) { c.SignalTimeout, c.KillTimeout = 20*time.Second, 20*time.Second },
	"--signal-timeout=0":                func(c *Config) {},
	"-gkvn2 -m 3": func(c *Config) {
		c.SockFD, c.KillChildren, c.Verbose, c.Number, c.AckTime = true, true, true, 2, 3*time.Second
	},
	"--num 3 --max-una 1 --BACK 9 --drop A --": func(c *Config) { c.Number, c.MaxUnacked, c.Backlog, c.DropEnvVars = 3, 1, 9, []string{"A"} },
	"--command-s --reexec /w --kill --pid /p --lock /l": func(c *Config) {
		c.SockFD, c.ReexecAs, c.KillChildren, c.PidFile, c.LockFile = true, []string{"/w"}, true, "/p", "/l"
	},
}

func TestParseEinhornOptions(t *testing.T) {
	tmp := t.TempDir()
	env := []string{"TMPDIR=" + tmp}
	for line, change := range einhornAccepts {
		want := einhornDefaults(tmp)
		change(&want)
		d, err := readEinhorn(append(strings.Fields(line), "prog"), env)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		d.cfg.Warnings = nil
		if !reflect.DeepEqual(d.cfg, want) {
			t.Errorf("%q:\n got %+v\nwant %+v", line, d.cfg, want)
		}
	}
	used := strings.Join(slices.Collect(func(yield func(string) bool) {
		for line := range einhornAccepts {
			if !yield(" " + line + " ") {
				return
			}
		}
	}), "")
	for _, o := range EinhornOptions() {
		if slices.Contains([]string{"help", "version", "upgrade-check", "with-state-fd"}, o.Name) {
			continue // TestEinhornAsks, TestAskedToLook
		}
		for _, name := range o.dashed() {
			if !strings.Contains(used, " "+name+" ") && !strings.Contains(used, " "+name+"=") {
				t.Errorf("no line of options has %s", name)
			}
		}
	}
}

func TestEinhornWarns(t *testing.T) {
	for line, want := range map[string][]string{
		"prog -p x":                   nil,
		"-p ./app.rb prog":            {"--preload ./app.rb does nothing here"},
		"--preload a --gc-before p":   {"--preload a does nothing", "--gc-before-fork does nothing"},
		"-s 0 prog":                   {"-s 0 counts as 100ms"},
		"prog srv:127.0.0.1:80,r a":   {"the word srv:127.0.0.1:80,r is passed"},
		"prog --listen=srv:0.0.0.0:1": {"the word --listen=srv:0.0.0.0:1 is passed"},
	} {
		d, err := readEinhorn(strings.Fields(line), nil)
		if err != nil || len(d.cfg.Warnings) != len(want) {
			t.Errorf("%q: %+v, %v; want %q", line, d, err, want)
			continue
		}
		for i, text := range want {
			if !strings.HasPrefix(d.cfg.Warnings[i], text) || !strings.Contains(d.cfg.Warnings[i], ";") && i == 0 && strings.Contains(text, "preload") {
				t.Errorf("%q: warning %q, want %q", line, d.cfg.Warnings[i], text)
			}
		}
	}
}

func TestParseEinhornRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"--nonsense prog":                       "cannot use --nonsense: no such option; what belongs to the program comes after --, as in einhorn -- server",
		"--SOCK 1 --sig 2 --max 2 prog":         "cannot use --max: it could be cut short from --max-unacked or --max-upgrade-additional",
		"-z prog":                               "cannot use -z: no such option",
		"-r 3 prog":                             "cannot use -r: einhorn has no such option; it can be used when we are called einhyrningsins",
		"--drain-timeout 3 prog":                "cannot use --drain-timeout: einhorn has no such option",
		"--command x prog":                      "cannot use --command: it could be cut short from --command-name or --command-socket-as-fd",
		"-n 0 prog":                             `-n, --number "0": not a number from 1 to 10000, as in -n 4`,
		"-n x prog":                             `-n, --number "x"`,
		"-n":                                    "its COUNT is missing, as in -n 4",
		"-m auto prog":                          `-m, --ack-mode "auto": neither manual nor a duration`,
		"-m -1 prog":                            `-m, --ack-mode "-1"`,
		"-m NaN prog":                           `-m, --ack-mode "NaN"`,
		"-s inf prog":                           `-s, --seconds "inf"`,
		"-s 1e300 prog":                         `longer than 8760h`,
		"-t 1h1 prog":                           `-t, --signal-timeout "1h1"`,
		"-b 80 prog":                            `-b, --bind "80"`,
		"--reexec-as= prog":                     "there is no command in it",
		"--preload= prog":                       `-p, --preload "": not a path`,
		"--max-upgrade-additional -1 p":         `--max-upgrade-additional "-1": not a number from 0`,
		"--nice a p":                            `--nice "a": niceness is a number`,
		"-e /s -d /s p":                         "it is the path of the control socket, too",
		"-e /s -f /s p":                         "it is the path of the lock file, too",
		"-q=x p":                                `-q, --quiet "x"`,
		"-c " + strings.Repeat("x", 120) + " p": "more than the 107 that the path of a socket can have; write a shorter one with -d",
	} {
		d, err := readEinhorn(strings.Fields(line), nil)
		if d != nil || !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want a usage error with %q", line, d, err, want)
			continue
		}
		if msg := err.Error(); !strings.HasPrefix(msg, "cannot ") || !strings.HasSuffix(msg, "; see einhorn --help") {
			t.Errorf("%q: the error does not go from what failed to where help is: %q", line, msg)
		}
	}
}

// TestEinhornAsks: what was asked for first counts, before anything after it is
// looked at.
func TestEinhornAsks(t *testing.T) {
	for line, want := range map[string]error{
		"-h": ErrHelp, "--help": ErrHelp, "-n 3 -h prog": ErrHelp, "-h --nonsense": ErrHelp, "--he": ErrHelp,
		"--version": ErrVersion, "--version -h": ErrVersion, "-h --version": ErrHelp, "--version --nonsense": ErrVersion,
		"--upgrade-check": ErrChecked, "--upgrade-check -n 0 prog": ErrChecked, "--upgrade-check --version": ErrChecked,
		"": ErrNoProgram, "-n 3": ErrNoProgram, "-n 3 --": ErrNoProgram, "-b :80 -m manual": ErrNoProgram,
		"--nonsense -h": ErrUsage, "no-such-program-here": ErrUsage, "-h=false": ErrNoProgram,
	} {
		if cfg, err := ParseEinhorn(strings.Fields(line), nil); !errors.Is(err, want) || cfg != nil {
			t.Errorf("%q: %v, %v; want %v", line, cfg, err, want)
		}
	}
}

func TestEinhornStopsAtProgram(t *testing.T) {
	for line, want := range map[string]string{
		"prog -n 3 --help":     "prog -n 3 --help",
		"-n 2 prog -- -v":      "prog -- -v",
		"-n 2 -- prog -- -v":   "prog -- -v",
		"-- -n":                "-n",
		"- -n 3":               "- -n 3",
		"-k prog --version":    "prog --version",
		"-m manual prog x":     "prog x",
		"prog --with-state-fd": "prog --with-state-fd",
	} {
		d, err := readEinhorn(strings.Fields(line), nil)
		if err != nil || !slices.Equal(d.cfg.Program, strings.Fields(want)) {
			t.Errorf("%q: %+v, %v; want program %q", line, d, err, want)
		}
	}
}

// TestAskedToLook: a wrapper passes our own words on, and may add some.
func TestAskedToLook(t *testing.T) {
	for line, want := range map[string]AskedToLook{
		"--with-state-fd 7 -n 2 prog -x":            {7, []string{"prog", "-x"}},
		"--with-state-fd=3":                         {3, nil},
		"-n 0 -v --with-state-fd 9 -- prog":         {9, []string{"prog"}},
		"--with-state 5 -n nonsense --preload= p q": {5, []string{"p", "q"}},
		"--with-state-fd 7 -h --version -s x p":     {7, []string{"p"}},
	} {
		_, err := ParseEinhorn(strings.Fields(line), nil)
		got := new(AskedToLook)
		if !errors.As(err, &got) || got.FD != want.FD || !slices.Equal(got.Program, want.Program) {
			t.Errorf("%q: %+v, %v; want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"--with-state-fd 2 p", "--with-state-fd x p", "--with-state-fd", "--with-state-fd 4 --nonsense p"} {
		if _, err := ParseEinhorn(strings.Fields(line), nil); !errors.Is(err, ErrUsage) {
			t.Errorf("%q: %v; want a usage error", line, err)
		}
	}
}
