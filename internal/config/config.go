// SPDX-License-Identifier: GPL-3.0-or-later

// Package config turns the daemon's command line into one validated [Config].
// options.go holds the only list of options there is: usage text, man page and
// completion are made from it or checked against it.
package config

import (
	"time"

	"einhyrningsins/internal/bind"
)

// Forever as a number of retries means that spawning is never given up.
const Forever = 0

// NoLimit as MaxUpgradeAdditional means that an upgrade may start as many
// workers as it likes.
const NoLimit = 0

// Config is everything that the command line decides. It is plain data: the
// keeper hands it to each master as JSON.
type Config struct {
	Program []string // program and its arguments, as given; never empty

	Number  int // wanted workers, 1 … 10,000
	Binds   []bind.Spec
	Backlog int // listen(2); 0: the system's maximum

	AckManual  bool          // wait for worker:ack
	AckTime    time.Duration // timer mode: a worker that lived this long is ready
	AckTimeout time.Duration // manual mode: how long an ACK may take

	Retries        int // failed starts in a row until giving up; Forever
	UpgradeRetries int // the same for an upgrade; never Forever (it counts as 10)

	Seconds              time.Duration // least time between spawns in one place
	MaxUnacked           int           // of a smooth upgrade; at least 1
	MaxUpgradeAdditional int           // of a smooth upgrade; at least 1, or NoLimit
	UpgradeFleet         bool          // what HUP and a plain upgrade do: fleet, not smooth

	GracefulSignal int           // signal number
	DrainTimeout   time.Duration // from the graceful signal to TERM; 0: never
	KillTimeout    time.Duration // from TERM to KILL; more than 0

	SocketPath  string // absolute
	PidFile     string // absolute, or ""
	DropEnvVars []string

	Verbose   bool
	Quiet     bool
	LogFormat string // "text" or "json"
	Syslog    bool
}
