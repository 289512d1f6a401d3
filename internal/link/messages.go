// SPDX-License-Identifier: GPL-3.0-or-later

// Package link is what keeper and master say to each other: versioned messages
// on a stream socketpair, with file descriptors beside them (SCM_RIGHTS).
//
// messages.go lists what keeper and master say, handover.go what a reload adds,
// look.go what a look at the world for a new generation does; kinds.go numbers
// them all. frame.go turns them into bytes and back, send.go and conn.go
// send and receive them without ever blocking a loop. What the sides owe each other, in which order,
// is in docs/design.md.
//
// All times are readings of CLOCK_MONOTONIC, so that they mean the same to
// every master of one keeper.
package link

import (
	"encoding/json"
	"time"
)

// Version is the version of the messages that this program speaks, and Oldest
// the oldest that it understands as a master: the keeper stays when a newer
// master comes, so a master speaks its keeper's version. A message or a key may
// be added without a new version, since both are passed over by who does not
// know them; a change of meaning needs one.
const (
	Version = 2
	Oldest  = 2
)

// Message is one of the message types below.
type Message interface{ kind() kind }

// Hello opens the link: the keeper tells a new master all that it knows. As
// many Child messages as Children says and one Begin follow. The control
// socket's listener comes with it as a file descriptor.
type Hello struct {
	Version    int             `json:"version"`
	Software   string          `json:"software"` // version of the keeper's program
	KeeperPID  int             `json:"keeper_pid"`
	StartedAt  time.Time       `json:"started_at"` // of the keeper, wall clock
	Config     json.RawMessage `json:"config"`     // config.Config
	Sockets    []Socket        `json:"sockets"`
	NextSerial uint64          `json:"next_serial"` // of the next Spawn
	Signals    map[int]int     `json:"signals"`     // caught and not yet forgotten: number → how often
	Children   int             `json:"children"`
	Saved      json.RawMessage `json:"saved,omitempty"`    // the pool as last saved; nil: none
	Rebuild    string          `json:"rebuild"`            // not "": why Saved must not be relied upon
	Masters    int             `json:"masters"`            // how many masters there were before this one
	Reload     bool            `json:"reload"`             // the master before this one lives and has handed over
	Settings   json.RawMessage `json:"settings,omitempty"` // changed while running, as last told; nil: none
	Launches   []Launch        `json:"launches"`           // by generation
	GaveUp     string          `json:"gave_up,omitempty"`  // not "": the binary of the last reload was given up for this one, and why
}

// Launch is what the workers of one generation are started from. Its arguments are
// those of our own command line, the only ones that a look may come to.
type Launch struct {
	Generation int       `json:"generation"`
	Program    string    `json:"program"` // path of the file, symbolic links followed
	Directory  string    `json:"directory"`
	Variables  int       `json:"variables"` // how many the environment has
	At         time.Time `json:"at"`        // wall clock
	Windows    bool      `json:"windows"`   // as in Saw
}

// Socket is one socket of the keeper.
type Socket struct {
	Spec    string `json:"spec"`
	Address string `json:"address"`
	FD      int    `json:"fd"`      // in a worker
	Name    string `json:"name"`    // "": it has none
	Network string `json:"network"` // as in wire.Socket
}

// Child is one row of the keeper's table: the truth about what exists.
type Child struct {
	Serial     uint64          `json:"serial"`
	Generation int             `json:"generation"`
	Index      int             `json:"index"`
	PID        int             `json:"pid"` // 0: ordered, and the answer is still to come or in Failed
	OrderedAt  time.Duration   `json:"ordered_at"`
	StartedAt  time.Duration   `json:"started_at"`
	ReadyAt    time.Duration   `json:"ready_at"`  // 0: not ready
	Level      Level           `json:"level"`     // the strongest it was sent
	SignalAt   time.Duration   `json:"signal_at"` // when Level was reached
	Saved      json.RawMessage `json:"saved,omitempty"`
	Exit       *Exited         `json:"exit"`
	Failed     *SpawnFailed    `json:"failed"`
	Refused    *SignalFailed   `json:"refused,omitempty"` // why it could not be signalled the last time; nil: it could
	Channels   []ChannelKind   `json:"channels"`          // our ends of these come along as descriptors, in this order
}

// Level orders what a worker was told by signals.
type Level int

// The levels. LevelNone is a signal that changes no state.
const (
	LevelNone Level = iota
	LevelRetire
	LevelTerm
	LevelKill
)

// Begin ends the opening: from here on, news.
type Begin struct{}

// Spawned answers a Spawn: the worker runs.
type Spawned struct {
	Serial uint64        `json:"serial"`
	PID    int           `json:"pid"`
	At     time.Duration `json:"at"`
}

// SpawnFailed answers a Spawn that could not be carried out. It is repeated in
// each hello until it is forgotten.
type SpawnFailed struct {
	Serial   uint64        `json:"serial"`
	Errno    int           `json:"errno"`
	Path     string        `json:"path"`     // of the program
	Doing    string        `json:"doing"`    // what could not be done; "": execute it
	Shortage bool          `json:"shortage"` // of processes, memory or files, or the program is being written: may pass by itself
	At       time.Duration `json:"at"`
}

// Exited says that a child ended and was reaped. It is repeated in each hello
// until it is forgotten.
type Exited struct {
	Serial uint64        `json:"serial"`
	PID    int           `json:"pid"`
	Code   int           `json:"code"`   // exit status, if Signal is 0
	Signal int           `json:"signal"` // that ended it, or 0
	Core   bool          `json:"core"`   // it left a core dump
	At     time.Duration `json:"at"`
}

// Signalled says that the keeper caught a signal, Count times since it last
// said so. Each hello repeats what was not forgotten.
type Signalled struct {
	Signal int `json:"signal"`
	Count  int `json:"count"`
}

// SignalFailed says that kill(2) refused a signal to a child: it comes before the
// Done of that signal. With Errno 0 the last one was sent, after one that was not. It is
// repeated in each hello as long as it holds.
type SignalFailed struct {
	Serial uint64 `json:"serial"`
	Errno  int    `json:"errno"`
	Signal int    `json:"signal"`
	Level  Level  `json:"level"`
}

// Done says that every Signal up to this number was carried out.
type Done struct {
	Through uint64 `json:"through"`
}

// Listener hands over the control socket's listener, bound anew.
type Listener struct{}

// Channel hands over our end of something that a worker can speak to us by,
// before the worker's Spawned. Nobody but that worker was given the other end.
type Channel struct {
	Serial uint64      `json:"serial"`
	Kind   ChannelKind `json:"kind"`
}

// ChannelKind says what a worker has.
type ChannelKind string

// What a worker can have.
const (
	ChannelControl ChannelKind = "control" // EINHORN_SOCK_FD: a stream, as to the control socket
	ChannelNotify  ChannelKind = "notify"  // NOTIFY_SOCKET: a datagram socket
	ChannelReady   ChannelKind = "ready"   // READY_FD: a pipe
)

// Greet is the first that a master says, before it is told anything: which
// versions of the link it speaks.
type Greet struct {
	Oldest   int    `json:"oldest"`
	Version  int    `json:"version"`
	Software string `json:"software"`
	Pongs    bool   `json:"pongs,omitempty"` // it answers Ping
}

// Live says that the master is ready to take over. What it said before counts
// from now on.
type Live struct{}

// Ping asks a master that is to stop everything for a sign of life.
type Ping struct{}

// Pong answers Ping.
type Pong struct{}

// Lead answers Live: from here on the master deals with clients.
type Lead struct{}

// Spawn asks for one more worker. Serial must be the next number.
type Spawn struct {
	Serial     uint64 `json:"serial"`
	Generation int    `json:"generation"`
	Index      int    `json:"index"`
}

// Signal asks for a signal to one child, or to its whole process group.
// Number grows by one with each Signal on this link.
type Signal struct {
	Number uint64 `json:"number"`
	Serial uint64 `json:"serial"`
	Signal int    `json:"signal"`
	Group  bool   `json:"group"`
	Level  Level  `json:"level"`
}

// Forget says that a child's end was dealt with (Serial), or that a caught
// signal was (Signal, Count times).
type Forget struct {
	Serial uint64 `json:"serial,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Count  int    `json:"count,omitempty"`
}

// Save keeps what the next master needs: the pool (Serial 0) or one worker.
// Data is opaque to the keeper, ReadyAt is not. Signals are forgotten with it
// (number → how often), so that none is acted upon twice.
type Save struct {
	Serial  uint64          `json:"serial,omitempty"`
	ReadyAt time.Duration   `json:"ready_at,omitempty"`
	Data    json.RawMessage `json:"data"`
	Signals map[int]int     `json:"signals,omitempty"`
	// Generations of which workers may still be spawned, with the pool's state;
	// nil: all. What others were started from may be forgotten.
	Generations []int `json:"generations,omitempty"`
	// No worker is spawned any more, so that the sockets can be closed.
	Last bool `json:"last,omitempty"`
}

// Settings keeps what was changed while running. Data is opaque to the keeper;
// LogLevel (slog's numbers) is for its own log.
type Settings struct {
	Data     json.RawMessage `json:"data"`
	LogLevel int             `json:"log_level"`
}

// Probe asks the keeper to run the operator's probe of a worker (--ack-mode exec).
// It is answered by Probed, unless the worker ends or one runs already.
type Probe struct {
	Serial uint64 `json:"serial"`
}

// Probed says what came of a probe. It may come to another master than asked for
// it.
type Probed struct {
	Serial uint64 `json:"serial"`
	Ready  bool   `json:"ready"` // it ended with status 0
}

// Renew asks the keeper to bind the control socket anew if its path is gone.
type Renew struct{}

// Exit asks the keeper to end, with this exit status and last word.
type Exit struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}
