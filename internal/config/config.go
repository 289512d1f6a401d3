// SPDX-License-Identifier: GPL-3.0-or-later

// Package config turns the daemon's command line into one validated [Config].
//
//   - options.go holds the only list of options there is. The parser, the usage
//     text and the completions are made from it; the man page is checked against
//     it. einhorn_options.go is the same for einhorn's command line, which counts
//     when we are called einhorn.
//   - dialect.go is what both command lines have in common, parse.go reads the one
//     and einhorn.go the other.
//   - values.go, values_world.go and einhorn_values.go read a single option's
//     value, and signals.go signal names.
//   - settings.go shows and changes what can be while running.
//   - program.go finds the program as a shell would.
//   - usage.go and einhorn_usage.go print the lists for people. Those for shells are
//     files, which completion_files_test.go writes.
//
// Every error that only another command line can cure matches [ErrUsage].
package config

import (
	"time"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
)

// Forever as a number of retries means that spawning is never given up.
const Forever = 0

// NoLimit as MaxUpgradeAdditional means that an upgrade may start as many
// workers as it likes.
const NoLimit = 0

// MaxNumber is how many workers may be wanted.
const MaxNumber = 10_000

// Config is everything that the command line decides. It is plain data: the
// keeper hands it to each master as JSON.
type Config struct {
	Program []string // program and its arguments, as given; never empty

	Number  int // wanted workers, 1 … 10,000
	Binds   []bind.Spec
	Family  bind.Family // -4, -6
	Backlog int         // listen(2); 0: the system's maximum

	AckManual  bool          // wait for worker:ack
	AckTime    time.Duration // timer mode: a worker that lived this long is ready; 0 in manual mode
	AckBy      string        // manual mode: the name of a [ready.Mode]; "": an ACK on the control socket alone
	AckCommand []string      // the words behind its colon
	Watchdog   time.Duration // AckBy notify: how long a ready worker may be silent; 0: for ever
	AckTimeout time.Duration // manual mode: how long an ACK may take; 0 (einhorn's): as long as it likes

	Retries        int // failed starts in a row until giving up; Forever
	UpgradeRetries int // the same for an upgrade; never Forever (it counts as 10)

	Seconds              time.Duration // least time between spawns in one place; 0: none
	MaxUnacked           int           // of a smooth upgrade; at least 1
	MaxUpgradeAdditional int           // of a smooth upgrade; at least 1, or NoLimit
	UpgradeFleet         bool          // what HUP and a plain upgrade do: fleet, not smooth

	GracefulSignal int           // signal number
	DrainTimeout   time.Duration // from the graceful signal to TERM; 0: never
	KillTimeout    time.Duration // from TERM to KILL; more than 0
	SignalTimeout  time.Duration // from the graceful signal to KILL, with no TERM between; 0: the two above hold

	SocketPath  string // absolute
	PidFile     string // absolute, or ""; never the same as SocketPath
	DropEnvVars []string
	LockFile    string // absolute, or "": SocketPath with .lock behind it

	Einhorn     bool     // called as einhorn: its command line, and what that implies
	Warnings    []string // to be logged at the start: what was accepted and does nothing
	CommandName string   // shows in ps; or ""

	Dialects childenv.Dialects // whose variables workers find

	// What each generation starts from is looked at anew.
	Dir          string      // absolute: where workers run; "": where we do
	Env          []EnvSource // variables to read, in order
	ReexecAs     []string    // the words of the command that looks are run through; or none
	DropUpgraded bool        // DropEnvVars act from the first upgrade on, not before

	SockFD       bool // EINHORN_SOCK_FD: give each worker an open connection
	KillChildren bool // workers get SIGUSR2 when the keeper dies
	Nice         Nice

	User, Group string // of workers, as given; "": ours
	Limits      Limits
	Login       []string // variables that follow from User; see Resolve

	Verbose   bool
	Quiet     bool
	LogFormat string // "text" or "json"
	Syslog    bool
}

// EnvSource is a directory with a file for each variable, or a file with a line
// for each.
type EnvSource struct {
	Path     string // absolute
	Dir      bool
	Optional bool // may be missing
}

// Nice are niceness values, setpriority(2); nil: left as they are.
type Nice struct {
	Master *int // of the keeper and its masters
	Worker *int
	Renice string // the command to set them with; "": the system call
}
