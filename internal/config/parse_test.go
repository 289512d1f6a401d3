// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"encoding/json"
	"errors"
	"os"
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

// defaults is what a command line of only a program means.
func defaults() Config {
	return Config{
		Program: []string{"prog"},
		Number:  1,
		AckTime: time.Second, AckTimeout: 30 * time.Second,
		Retries: 10, UpgradeRetries: 3,
		Seconds: time.Second, MaxUnacked: runtime.NumCPU(), MaxUpgradeAdditional: NoLimit,
		GracefulSignal: int(syscall.SIGUSR2), KillTimeout: 10 * time.Second,
		Dialects:   childenv.Dialects{Einhorn: true, Systemd: true, ServerStarter: true},
		SocketPath: "/tmp/einhorn.sock", LogFormat: "text",
	}
}

func spec(s string) bind.Spec {
	spec, err := bind.ParseSpec(s)
	if err != nil {
		panic(err)
	}
	return spec
}

// accepted says what each line of options changes.
var accepted = map[string]func(*Config){
	"":                                    func(c *Config) {},
	"--":                                  func(c *Config) {},
	"-n 4":                                func(c *Config) { c.Number = 4 },
	"-n4":                                 func(c *Config) { c.Number = 4 },
	"-n=4":                                func(c *Config) { c.Number = 4 },
	"--number 10000":                      func(c *Config) { c.Number = 10000 },
	"--number=2":                          func(c *Config) { c.Number = 2 },
	"-n 2 -n 3":                           func(c *Config) { c.Number = 3 },
	"-b :80,r --bind [::1]:81":            func(c *Config) { c.Binds = []bind.Spec{spec(":80,r"), spec("[::1]:81")} },
	"-b unix:/run/../run/w.sock,mode=660": func(c *Config) { c.Binds = []bind.Spec{spec("unix:/run/w.sock,mode=0660")} },
	"-b systemd -b fd:3,name=a -b udp::0,name=b -4": func(c *Config) {
		c.Family, c.Binds = bind.IPv4Only, []bind.Spec{spec("systemd"), spec("fd:3,name=a"), spec("udp::0,name=b")}
	},
	"-b :0 -b :0":                     func(c *Config) { c.Binds = []bind.Spec{{}, {}} },
	"-4 -b 127.0.0.1:80":              func(c *Config) { c.Family = bind.IPv4Only; c.Binds = []bind.Spec{spec("127.0.0.1:80")} },
	"--ipv4-only":                     func(c *Config) { c.Family = bind.IPv4Only },
	"-6":                              func(c *Config) { c.Family = bind.IPv6Only },
	"--ipv6-only -b localhost:80":     func(c *Config) { c.Family = bind.IPv6Only; c.Binds = []bind.Spec{spec("localhost:80")} },
	"-v":                              func(c *Config) { c.Verbose = true },
	"--verbose":                       func(c *Config) { c.Verbose = true },
	"-v --verbose=false -q":           func(c *Config) { c.Quiet = true },
	"--quiet":                         func(c *Config) { c.Quiet = true },
	"--syslog":                        func(c *Config) { c.Syslog = true },
	"-m":                              func(c *Config) { c.AckManual, c.AckTime = true, 0 },
	"--manual":                        func(c *Config) { c.AckManual, c.AckTime = true, 0 },
	"--ack-mode manual":               func(c *Config) { c.AckManual, c.AckTime = true, 0 },
	"-m --ack-mode manual":            func(c *Config) { c.AckManual, c.AckTime = true, 0 },
	"--ack-mode manual --ack-mode 2":  func(c *Config) { c.AckTime = 2 * time.Second },
	"--ack-mode notify":               func(c *Config) { c.AckManual, c.AckTime, c.AckBy = true, 0, "notify" },
	"--ack-mode fd":                   func(c *Config) { c.AckManual, c.AckTime, c.AckBy = true, 0, "fd" },
	"--ack-mode notify --ack-mode 3":  func(c *Config) { c.AckTime = 3 * time.Second },
	"--ack-mode exec:p --ack-mode fd": func(c *Config) { c.AckManual, c.AckTime, c.AckBy = true, 0, "fd" },
	"--ack-mode exec:probe": func(c *Config) {
		c.AckManual, c.AckTime, c.AckBy, c.AckCommand = true, 0, "exec", []string{"probe"}
	},
	"--ack-mode fd --ack-mode manual":      func(c *Config) { c.AckManual, c.AckTime = true, 0 },
	"--ack-mode notify --watchdog 30s":     func(c *Config) { c.AckManual, c.AckTime, c.AckBy, c.Watchdog = true, 0, "notify", 30*time.Second },
	"--ack-mode 0":                         func(c *Config) { c.AckTime = 0 },
	"--ack-mode 300ms":                     func(c *Config) { c.AckTime = 300 * time.Millisecond },
	"--ack-timeout 2m":                     func(c *Config) { c.AckTimeout = 2 * time.Minute },
	"--drop-env-var A --drop-env-var B":    func(c *Config) { c.DropEnvVars = []string{"A", "B"} },
	"-d /run/x.sock":                       func(c *Config) { c.SocketPath = "/run/x.sock" },
	"--socket-path x.sock":                 func(c *Config) { c.SocketPath = here("x.sock") },
	"-d ../x.sock":                         func(c *Config) { c.SocketPath = here("../x.sock") },
	"-r 5":                                 func(c *Config) { c.Retries = 5 },
	"--retries 2":                          func(c *Config) { c.Retries, c.UpgradeRetries = 2, 2 },
	"-r forever":                           func(c *Config) { c.Retries = Forever },
	"--upgrade-retries 7":                  func(c *Config) { c.UpgradeRetries = 7 },
	"-r 2 --upgrade-retries 5":             func(c *Config) { c.Retries, c.UpgradeRetries = 2, 5 },
	"--upgrade-retries forever":            func(c *Config) { c.UpgradeRetries = 10 },
	"--seconds 0":                          func(c *Config) { c.Seconds = 0 },
	"--seconds 1.5":                        func(c *Config) { c.Seconds = 1500 * time.Millisecond },
	"--max-unacked 3":                      func(c *Config) { c.MaxUnacked = 3 },
	"--max-upgrade-additional 1":           func(c *Config) { c.MaxUpgradeAdditional = 1 },
	"--upgrade fleet":                      func(c *Config) { c.UpgradeFleet = true },
	"--upgrade smooth":                     func(c *Config) {},
	"--graceful-signal TERM":               func(c *Config) { c.GracefulSignal = int(syscall.SIGTERM) },
	"--graceful-signal sigint":             func(c *Config) { c.GracefulSignal = int(syscall.SIGINT) },
	"--graceful-signal 15":                 func(c *Config) { c.GracefulSignal = 15 },
	"--drain-timeout 30s":                  func(c *Config) { c.DrainTimeout = 30 * time.Second },
	"--drain-timeout 0":                    func(c *Config) {},
	"--kill-timeout .5":                    func(c *Config) { c.KillTimeout = 500 * time.Millisecond },
	"--backlog 128":                        func(c *Config) { c.Backlog = 128 },
	"--pidfile p.pid":                      func(c *Config) { c.PidFile = here("p.pid") },
	"--log-format json":                    func(c *Config) { c.LogFormat = "json" },
	"-c web":                               func(c *Config) { c.CommandName = "web" },
	"--command-name w.1":                   func(c *Config) { c.CommandName = "w.1" },
	"--env systemd":                        func(c *Config) { c.Dialects = childenv.Dialects{Systemd: true} },
	"--env server-starter,einhorn":         func(c *Config) { c.Dialects.Systemd = false },
	"--nice 5":                             func(c *Config) { c.Nice.Master = niceness1(5) },
	"--nice -20:19":                        func(c *Config) { c.Nice = Nice{niceness1(-20), niceness1(19), ""} },
	"--nice=:3":                            func(c *Config) { c.Nice.Worker = niceness1(3) },
	"--nice 1::/bin/renice:x":              func(c *Config) { c.Nice = Nice{niceness1(1), nil, "/bin/renice:x"} },
	"--chdir /srv/current/":                func(c *Config) { c.Dir = "/srv/current" },
	"--chdir .":                            func(c *Config) { c.Dir = here("") },
	"--chdir sub/../link":                  func(c *Config) { c.Dir = here("") + "/sub/../link" },
	"--envdir e --env-file /f":             func(c *Config) { c.Env = []EnvSource{{Path: here("e"), Dir: true}, {Path: "/f"}} },
	"--env-file -f/g --envdir /e/":         func(c *Config) { c.Env = []EnvSource{{Path: here("f/g"), Optional: true}, {Path: "/e", Dir: true}} },
	"--reexec-as /w":                       func(c *Config) { c.ReexecAs = []string{"/w"} },
	"--lockfile /run/l":                    func(c *Config) { c.LockFile = "/run/l" },
	"-g":                                   func(c *Config) { c.SockFD = true },
	"--command-socket-as-fd":               func(c *Config) { c.SockFD = true },
	"-k":                                   func(c *Config) { c.KillChildren = true },
	"--kill-children-on-exit":              func(c *Config) { c.KillChildren = true },
	"--signal-timeout 20":                  func(c *Config) { c.SignalTimeout = 20 * time.Second },
	"--signal-timeout 0 --kill-timeout 9s": func(c *Config) { c.KillTimeout = 9 * time.Second },
	"--upgrade-check":                      func(c *Config) {},
	"-vmn 3 -r4": func(c *Config) {
		c.Verbose, c.AckManual, c.AckTime, c.Number, c.Retries = true, true, 0, 3, 4
	},
}

func niceness1(n int) *int { return &n }

// here makes a path absolute.
func here(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return abs
}

func parseArgs(args []string) (*Config, error) {
	d, err := read(args)
	if err != nil {
		return nil, err
	}
	return &d.cfg, nil
}

func TestParseOptions(t *testing.T) {
	for line, change := range accepted {
		want := defaults()
		change(&want)
		got, err := parseArgs(append(strings.Fields(line), "prog"))
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%q:\n got %+v\nwant %+v", line, *got, want)
		}
	}
}

// TestEveryOptionIsTested fails when an option is added without a line above.
func TestEveryOptionIsTested(t *testing.T) {
	used := map[string]bool{"-h": true, "--help": true, "--version": true} // TestHelpAndVersion
	for line := range accepted {
		for _, word := range strings.Fields(line) {
			name, _, _ := strings.Cut(word, "=")
			used[name] = true
		}
	}
	for _, o := range Options() {
		for _, name := range o.dashed() {
			if !used[name] {
				t.Errorf("no line of options has %s", name)
			}
		}
	}
}

func TestProgramIsUntouched(t *testing.T) {
	for line, want := range map[string]string{
		"prog":                   "prog",
		"prog -n 3 --help":       "prog -n 3 --help",
		"-n 2 prog -- -v":        "prog -- -v",
		"-n 2 -- prog -- -v":     "prog -- -v",
		"-- -n":                  "-n",
		"-- -- x":                "-- x",
		"- -x":                   "- -x",
		"-v -- --version":        "--version",
		"-- prog -test.v -h":     "prog -test.v -h",
		"--drop-env-var -- prog": "prog",
	} {
		cfg, err := parseArgs(strings.Fields(line))
		if err != nil || !slices.Equal(cfg.Program, strings.Fields(want)) {
			t.Errorf("%q: %+v, %v; want program %q", line, cfg, err, want)
		}
	}
}

// refused says what the error of each line contains.
var refused = map[string]string{
	"":                                       "cannot start without a program",
	"-n 4":                                   "cannot start without a program",
	"-n 4 --":                                "cannot start without a program",
	"-n":                                     "-n, --number: its COUNT is missing, as in -n 4",
	"--ack-timeout":                          "--ack-timeout: its DURATION is missing, as in --ack-timeout 30s",
	"-n 0 p":                                 `-n, --number "0": not a number from 1 to 10000, as in -n 4`,
	"-n 10001 p":                             `-n, --number "10001"`,
	"-n -1 p":                                `-n, --number "-1"`,
	"-n +1 p":                                `-n, --number "+1"`,
	"-n 1.5 p":                               `-n, --number "1.5"`,
	"-n four p":                              `-n, --number "four"`,
	"--number= p":                            `-n, --number ""`,
	"-b 80 p":                                `-b, --bind "80"`,
	"-b x:80,q p":                            `option "q"`,
	"-b :80 -b *:80,r p":                     ":80 is given twice",
	"-4 -6 p":                                "cannot use -4 with -6",
	"-4 -b [::1]:80 p":                       "[::1]:80 is an IPv6 address",
	"-b 127.0.0.1:80 -6 p":                   "127.0.0.1:80 is an IPv4 address",
	"-4=maybe p":                             `-4, --ipv4-only "maybe"`,
	"-q -v p":                                "cannot use -q with -v",
	"-m --ack-mode 2 p":                      "cannot use -m with --ack-mode 2",
	"--ack-mode 1 -m p":                      "cannot use -m with --ack-mode 1",
	"--ack-mode auto p":                      `--ack-mode "auto": neither manual, notify, fd, exec:CMD`,
	"--ack-mode -1 p":                        `--ack-mode "-1"`,
	"--ack-mode NaN p":                       `--ack-mode "NaN"`,
	"--ack-timeout 0 p":                      `--ack-timeout "0": must be more than 0`,
	"--ack-timeout -1s p":                    `--ack-timeout "-1s": must not be negative`,
	"--seconds NaN p":                        `--seconds "NaN": not a duration`,
	"--seconds inf p":                        `--seconds "inf": not a duration`,
	"--seconds 1e3 p":                        `--seconds "1e3": not a duration`,
	"--seconds 9999999999 p":                 `--seconds "9999999999": longer than 8760h`,
	"--seconds 1 -r0 p":                      `-r, --retries "0"`,
	"--seconds 0 -r forever p":               "cannot use --seconds 0 with --retries forever",
	"-r never p":                             `-r, --retries "never": not a number from 1 to 1000000000, nor forever`,
	"--upgrade-retries 0 p":                  `--upgrade-retries "0"`,
	"--max-unacked 0 p":                      `--max-unacked "0"`,
	"--max-upgrade-additional 0":             `--max-upgrade-additional "0"`,
	"--env= p":                               `--env "": "" is none of einhorn, systemd, server-starter, as in --env einhorn,systemd`,
	"--env einhorn,upstart p":                `--env "einhorn,upstart": "upstart" is none of`,
	"-g --env systemd p":                     "cannot use -g with --env systemd: EINHORN_SOCK_FD is one of einhorn's variables; try --env einhorn,systemd",
	"-m --env systemd p":                     "cannot use --ack-mode manual with --env systemd: workers would not find where to ACK, EINHORN_SOCK_PATH; try --env einhorn,systemd, or --ack-mode notify",
	"p {fd:0}":                               "cannot use the program's argument {fd:0}: there is no socket {fd:0}, for there is none at all; write {{fd:0}} for the word itself",
	"-b :80 -b :81 p a fd://{fd:2}/":         "cannot use the program's argument fd://{fd:2}/: there is no socket {fd:2}, but {fd:0}, {fd:1}; write {{fd:2}} for the word itself",
	"-b :80,name=web p {fd:wob}":             "there is no socket {fd:wob}, but {fd:web}",
	"--upgrade quick p":                      `--upgrade "quick": neither smooth nor fleet, as in --upgrade fleet`,
	"--graceful-signal KILL p":               "no program can catch KILL",
	"--graceful-signal 9 p":                  "no program can catch KILL",
	"--graceful-signal stop p":               "no program can catch STOP",
	"--graceful-signal 0 p":                  `--graceful-signal "0"`,
	"--graceful-signal NONE p":               `"NONE" is no signal; write it as in USR2`,
	"--drain-timeout soon p":                 `--drain-timeout "soon": not a duration`,
	"--kill-timeout 0 p":                     `--kill-timeout "0": must be more than 0, as in --kill-timeout 10s`,
	"--kill-timeout 0s p":                    `--kill-timeout "0s": must be more than 0`,
	"--backlog 0 p":                          `--backlog "0": not a number from 1 to 2147483647`,
	"--backlog 2147483648 p":                 `--backlog "2147483648"`,
	"-d /tmp/ p":                             `-d, --socket-path "/tmp/": a directory`,
	"--socket-path= p":                       `-d, --socket-path "": not a path`,
	"-d /" + strings.Repeat("x", 107) + " p": "has 108 bytes, more than the 107",
	"--pidfile= p":                           `--pidfile "": not a path`,
	"--pidfile /a -d /a p":                   "it is the path of the control socket, too",
	"--drop-env-var A=1 p":                   `--drop-env-var "A=1": not the name of a variable, as in --drop-env-var SECRET`,
	"--drop-env-var= p":                      `--drop-env-var "": not the name`,
	"--chdir= p":                             `--chdir "": not a path, as in --chdir /srv/web/current`,
	"--envdir= p":                            `--envdir "": not a path`,
	"--env-file - p":                         `--env-file "-": not a path`,
	"--env-file /e/ p":                       `--env-file "/e/": a directory, not a file; --envdir reads one`,
	"--reexec-as= p":                         `--reexec-as "": there is no command in it, as in --reexec-as /etc/web/wrapper`,
	"--reexec-as #x p":                       `there is no command in it`,
	"--reexec-as 'x p":                       `a quotation mark or a backslash has no counterpart`,
	"--reexec-as '' p":                       `there is no command in it`,
	"--command-name= p":                      `-c, --command-name "": not a name`,
	"-c a\u0007 p":                           `not a name that ps can show, as in -c web`,
	"--nice 20 p":                            `--nice "20": niceness is a number from -20 to 19, as in --nice -5:0`,
	"--nice 1:-21 p":                         `niceness is a number from -20 to 19`,
	"--nice 1.5 p":                           `niceness is a number`,
	"--nice : p":                             `there is no niceness in it`,
	"--nice 1:2: p":                          `there is no command after the second colon`,
	"-b unix:/s -d /s p":                     "cannot use -b unix:/s: it is the path of the control socket, too; try -b unix:/s.bound",
	"-b unix:/s.lock -d /s p":                "it is the path of the lock file, too",
	"--pidfile /p -b unix:/p p":              "it is the path of the pid file, too",
	"-b fd:0 p":                              `-b, --bind "fd:0": descriptor 0 is standard input, output or error; write it as in fd:3`,
	"-b :80,v6only -4 p":                     "has v6only, but only IPv4 is asked for",
	"-b :0,name=a -b unix:/s,name=a p":       "have the same name",
	"--lockfile /tmp/einhorn.sock p":         "cannot use --lockfile /tmp/einhorn.sock: it is the path of the control socket, too",
	"--lockfile /a --pidfile /a p":           "cannot use --pidfile /a: it is the path of the lock file, too",
	"--pidfile /tmp/einhorn.sock.lock p":     "it is the path of the lock file, too",
	"--signal-timeout 1 --kill-timeout 9 p":  "cannot use --signal-timeout with --drain-timeout or --kill-timeout",
	"--drain-timeout 1 --signal-timeout 3 p": "cannot use --signal-timeout with --drain-timeout or --kill-timeout",
	"--signal-timeout -1 p":                  `--signal-timeout "-1": must not be negative`,
	"-s 1 p":                                 "cannot use -s: that is einhorn's; here it is --seconds",
	"-e /p p":                                "cannot use -e: that is einhorn's; here it is --pidfile",
	"-vl 9 p":                                "cannot use -l: that is einhorn's; here it is --backlog",
	"--preload x p":                          "cannot use --preload: no Ruby code is loaded ahead of its workers here; leave it out",
	"--gc-before-fork p":                     "cannot use --gc-before-fork: no Ruby code",
	"-p x p":                                 "cannot use -p: no Ruby code",
	"--with-state-fd 3 p":                    "cannot use --with-state-fd: it belongs to einhorn's command line",
	"--log-format xml p":                     `--log-format "xml": neither text nor json`,
	"--syslog=x p":                           `--syslog "x": takes no value`,
	"--numbre 4 p":                           "--numbre: no such option; did you mean --number?",
	"--soket-path x p":                       "did you mean --socket-path?",
	"--max 3 p":                              "did you mean --max-unacked?",
	"--kill-timeuot 3 p":                     "did you mean --kill-timeout?",
	"--frobnicate p":                         "--frobnicate: no such option; what belongs to the program comes after --",
	"-x p":                                   "cannot use -x: no such option",
	"-vx p":                                  "cannot use -x: no such option",
	"-quite p":                               "cannot use -uite: no such option; did you mean --quiet?",
	"-test.v p":                              "cannot use -test.v: no such option",
	"-vtest.v p":                             "cannot use -vtest.v: no such option",
	"--watchdog 1s p":                        "cannot use --watchdog without --ack-mode notify",
	"--watchdog 1s -m p":                     "cannot use --watchdog without --ack-mode notify",
	"-m --ack-mode notify p":                 "-m is --ack-mode manual; give one of them",
	"---x p":                                 "cannot read options",
	"-é p":                                   "cannot use -é: no such option",
}

func TestParseRefuses(t *testing.T) {
	for line, want := range refused {
		cfg, err := parseArgs(strings.Fields(line))
		if cfg != nil || !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want a usage error with %q", line, cfg, err, want)
			continue
		}
		if msg := err.Error(); !strings.HasPrefix(msg, "cannot ") || !strings.HasSuffix(msg, "; see einhyrningsins --help") || strings.Contains(msg, "\n") {
			t.Errorf("%q: the error is not one line from what failed to where help is: %q", line, msg)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for line, want := range map[string]error{
		"-h": ErrHelp, "--help": ErrHelp, "-n 4 -h prog": ErrHelp, "-vh": ErrHelp, "--version --help": ErrHelp,
		"-h --no-such-option": ErrHelp, "-h -n nonsense": ErrHelp,
		"--version": ErrVersion, "-v --version prog": ErrVersion, "-4 -6 --version": ErrVersion,
	} {
		if cfg, err := Parse(strings.Fields(line), nil); err != want || cfg != nil {
			t.Errorf("%q: %v, %v; want %v", line, cfg, err, want)
		}
	}
}

func TestParseLooksForProgram(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prog"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"HOME=/", "PATH=" + dir, "PATH=/nowhere"}
	for line, want := range map[string]error{
		"--upgrade-check prog": ErrChecked, "--upgrade-check gorp": ErrUsage, "--upgrade-check": ErrUsage,
		"--chdir " + dir + " ./prog": nil, "--chdir / ./prog": ErrUsage, "--chdir " + dir + " --env-file /f gorp": nil,
		"--drop-env-var PATH prog": ErrUsage, "--drop-env-var PATH sh": nil, "--env-file /f ./gorp": ErrUsage, "--env-file /f --": ErrUsage,
	} {
		if _, err := Parse(strings.Fields(line), env); !errors.Is(err, want) {
			t.Errorf("%q: %v; want %v", line, err, want)
		}
	}
	if _, err := Parse([]string{"--chdir", filepath.Dir(dir), "prog"}, []string{"PATH=x:" + filepath.Base(dir)}); err != nil {
		t.Errorf("a relative PATH as seen from --chdir: %v", err)
	}
	cfg, err := Parse([]string{"prog", "x"}, env)
	if err != nil || !slices.Equal(cfg.Program, []string{"prog", "x"}) {
		t.Errorf("Parse = %+v, %v", cfg, err)
	}
	_, err = Parse([]string{"gorp"}, env)
	if !errors.Is(err, ErrUsage) || !errors.Is(err, syscall.ENOENT) || !strings.HasSuffix(err.Error(), "see einhyrningsins --help") {
		t.Errorf("unknown program: %v", err)
	}
	if got := PathOf(nil); got != defaultPath {
		t.Errorf("PathOf(nil) = %q", got)
	}
	if got := PathOf([]string{"PATH="}); got != "" {
		t.Errorf("an empty PATH is %q", got)
	}
}

func TestConfigIsPlainData(t *testing.T) {
	cfg, err := parseArgs(strings.Fields("-n 3 -6 -b [::1]:80,r -m --drop-env-var X --pidfile /p prog --x"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(*cfg, back) {
		t.Errorf("through JSON %+v became %+v, %v", *cfg, back, err)
	}
}
