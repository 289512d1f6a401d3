// SPDX-License-Identifier: MIT

// Package wire holds the messages of the control socket and their framing: one
// JSON value a line, in both directions.
//
// A request is an object with a "command". Without an "id" its answer is one
// JSON string, as the seed's client expects; with an "id" the answers are
// objects ([Reply]), and a command that takes long answers with several, all
// but the last with "wait": true. Requests on one connection may be
// interleaved. docs/protocol.md describes every command.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxLine is the longest request line in bytes, its newline included.
const MaxLine = 64 << 10

// MaxRequestID is the longest pinged_request_id in bytes.
const MaxRequestID = 256

// The commands. Server, client and ctl know each under the same name.
const (
	Ehlo       = "ehlo"
	Help       = "help"
	Version    = "version"
	StatusCmd  = "status"
	Inc        = "inc"
	Dec        = "dec"
	SetWorkers = "set_workers"
	Upgrade    = "upgrade"
	Follow     = "follow"
	EventsCmd  = "events"
	Signal     = "signal"
	Die        = "die"
	Reload     = "reload"
	Config     = "config"
	Quieter    = "quieter"
	Louder     = "louder"
	WorkerAck  = "worker:ack"
	WorkerPing = "worker:ping"
)

// Code says in one word why a request failed.
type Code string

// The codes of a failed request.
const (
	BadRequest     Code = "bad_request"     // not an object, a missing or ill-typed key, wrong arguments
	UnknownCommand Code = "unknown_command" // no such command
	Refused        Code = "refused"         // the peer may not, or the state does not allow it
	Aborted        Code = "aborted"         // the upgrade was given up; the old generation serves on
	Superseded     Code = "superseded"      // a newer upgrade took over
	Stopping       Code = "stopping"        // the master is on its way out
	SpawnFailed    Code = "spawn_failed"    // the upgrade was given up because its program could not be started
	LookFailed     Code = "look_failed"     // the upgrade was given up before anything was spawned: program, directory, environment or wrapper
	ReloadFailed   Code = "reload_failed"   // the new master cannot take over; the old one stays
)

// Error is the "error" of a failed reply.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an [*Error].
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Request is one request line. Keys match exactly; unknown keys are ignored.
type Request struct {
	Command   string          `json:"command"`
	Args      []string        `json:"args,omitempty"`
	ID        json.RawMessage `json:"id,omitempty"`         // any JSON string or number; nil: answer in strings
	PID       int             `json:"pid,omitempty"`        // worker:ack, worker:ping; 0: the sender's own
	RequestID string          `json:"request_id,omitempty"` // worker:ping
	User      string          `json:"user,omitempty"`       // ehlo, in einhorn's dialect only
}

// Reply is one answer to a request that had an id.
type Reply struct {
	RequestID json.RawMessage `json:"request_id"`
	OK        bool            `json:"ok"`
	Message   string          `json:"message,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Wait      bool            `json:"wait,omitempty"` // more lines follow for this id
	Err       *Error          `json:"error,omitempty"`
}

// ParseRequest decodes one request line (with or without its newline). The
// error is a [*Error] with code bad_request that says what was wrong and shows
// what would be right. When the line was an object with a usable id, the
// returned Request carries it even beside an error, so that the answer can
// take the form that the sender understands.
func ParseRequest(line []byte) (Request, error) {
	var r Request
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(line, &keys); err != nil || keys == nil {
		return r, Errorf(BadRequest, `cannot read request: not a JSON object; try {"command":"help"}`)
	}
	if id, ok := keys["id"]; ok && string(id) != "null" {
		if !isScalar(id) {
			return r, Errorf(BadRequest, `cannot read request: "id" must be a string or a number`)
		}
		r.ID = id
	}
	if raw, ok := keys["command"]; !ok || json.Unmarshal(raw, &r.Command) != nil || r.Command == "" {
		r.Command = ""
		return r, Errorf(BadRequest, `cannot read request: "command" must be a non-empty string, as in {"command":"help"}`)
	}
	if raw, ok := keys["args"]; ok && json.Unmarshal(raw, &r.Args) != nil {
		r.Args = nil
		return r, Errorf(BadRequest, `cannot read request: "args" must be a list of strings, as in {"command":"inc","args":["2"]}`)
	}
	if raw, ok := keys["pid"]; ok && (json.Unmarshal(raw, &r.PID) != nil || r.PID <= 0 || r.PID > 1<<30) {
		r.PID = 0
		return r, Errorf(BadRequest, `cannot read request: "pid" must be a process id, as in {"command":"worker:ack","pid":4711}`)
	}
	if raw, ok := keys["request_id"]; ok && string(raw) != "null" {
		if json.Unmarshal(raw, &r.RequestID) != nil || len(r.RequestID) > MaxRequestID {
			r.RequestID = ""
			return r, Errorf(BadRequest, `cannot read request: "request_id" must be a string of at most %d bytes`, MaxRequestID)
		}
	}
	return r, nil
}

func isScalar(raw json.RawMessage) bool {
	return len(raw) > 0 && raw[0] != '{' && raw[0] != '[' && raw[0] != 't' && raw[0] != 'f'
}

// Encode returns v as one line, its newline included. It fails only for values
// that JSON cannot hold, which no type of this package is.
func Encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal("cannot encode reply: " + err.Error())
	}
	return append(b, '\n')
}

// ErrNotReply is returned by [ParseReply] for a line that is no reply object.
var ErrNotReply = errors.New("not a reply object")

// ParseReply decodes one answer line.
func ParseReply(line []byte) (Reply, error) {
	var r Reply
	if len(line) == 0 || line[0] != '{' {
		return r, ErrNotReply
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("cannot read reply: %w", err)
	}
	return r, nil
}

// Status is the "data" of status. Times are RFC 3339 in UTC.
type Status struct {
	PID            int           `json:"pid"`            // the keeper's: the one that everyone knows
	MasterPID      int           `json:"master_pid"`     // the process that answers
	Version        string        `json:"version"`        // of the master
	KeeperVersion  string        `json:"keeper_version"` // only a restart changes it
	ReloadUndone   string        `json:"reload_undone"`  // not "": the binary of the last reload was given up, and why
	Program        []string      `json:"program"`
	StartedAt      time.Time     `json:"started_at"`
	Generation     int           `json:"generation"`      // the newest
	GoodGeneration int           `json:"good_generation"` // the last whose upgrade was done
	Number         int           `json:"number"`          // wanted workers
	AckMode        string        `json:"ack_mode"`        // "manual", "notify", "fd", "exec:" and the command, or seconds as "1s"
	Sockets        []Socket      `json:"sockets"`
	Upgrade        UpgradeStatus `json:"upgrade"`
	Workers        []Worker      `json:"workers"`         // live processes only, by index
	Missing        int           `json:"missing"`         // places without a starting or ready worker
	NextSpawnAt    *time.Time    `json:"next_spawn_at"`   // when the next one is due, if it has to wait
	FailedStarts   int           `json:"failed_starts"`   // in a row
	LastFailure    string        `json:"last_failure"`    // what the last failed start was; "" if none since the last upgrade that was done
	LastFailureAt  *time.Time    `json:"last_failure_at"` // when; null if none
	// Where that worker's stderr went, for people: "in /var/log/app.log",
	// "journalctl -b _PID=4711"; "" if it never was a process.
	LastFailureStderr string       `json:"last_failure_stderr"`
	Stopping          bool         `json:"stopping"`
	Generations       []Generation `json:"generations"` // of which workers live or may be started, the newest last
}

// Generation is what the workers of one generation were started from.
type Generation struct {
	Generation int       `json:"generation"`
	Program    string    `json:"program"`   // path of its file, symbolic links followed
	Directory  string    `json:"directory"` // symbolic links followed
	Variables  int       `json:"variables"` // how many the environment has
	LookedAt   time.Time `json:"looked_at"`
}

// Reloaded is the "data" of reload.
type Reloaded struct {
	PID        int    `json:"pid"`     // of the new master
	Version    string `json:"version"` // of the new master
	WasPID     int    `json:"was_pid"`
	WasVersion string `json:"was_version"`
}

// Socket is one socket, which listens unless it is for datagrams.
type Socket struct {
	Spec    string `json:"spec"`           // as given to -b
	Address string `json:"address"`        // as bound: port 0 is resolved
	FD      int    `json:"fd"`             // in a worker
	Name    string `json:"name,omitempty"` // as in LISTEN_FDNAMES; "": it has none
	Network string `json:"network"`        // tcp, udp, unix, unixgram or unixpacket
}

// The states of an upgrade.
const (
	UpgradeIdle       = "idle" // there was none yet
	UpgradeRunning    = "running"
	UpgradeDone       = "done"
	UpgradeAborted    = "aborted"
	UpgradeSuperseded = "superseded"
)

// UpgradeStatus describes the newest upgrade.
type UpgradeStatus struct {
	State      string `json:"state"`
	Generation int    `json:"generation"`
	Ready      int    `json:"ready"`  // ready workers of Generation
	Number     int    `json:"number"` // how many it needs
	Reason     string `json:"reason"` // why it was aborted or superseded
	From       string `json:"from"`   // what its workers were started from: a directory (--chdir) or the program's file; "" if unknown
}

// The states of a worker.
const (
	StateStarting = "starting"
	StateReady    = "ready"
	StateDraining = "draining"
	StateStopping = "stopping"
	StateKilled   = "killed"
)

// Worker is one live worker process.
type Worker struct {
	PID             int        `json:"pid"`
	Index           int        `json:"index"`
	Generation      int        `json:"generation"`
	State           string     `json:"state"`
	StartedAt       time.Time  `json:"started_at"`
	ReadyAt         *time.Time `json:"ready_at"`
	PingedAt        *time.Time `json:"pinged_at"`
	PingedRequestID string     `json:"pinged_request_id"`
	Status          string     `json:"status"`                  // what it said of itself last (STATUS=), control characters escaped
	Silent          bool       `json:"silent"`                  // it is ready, but was silent for too long: it stays until another is ready
	CannotSignal    string     `json:"cannot_signal,omitempty"` // why kill(2) refused the last signal to it; "": it did not
}

// Progress is the "data" of the lines that upgrade and follow stream, and of
// their last one. Event is empty in the first line and in the last.
type Progress struct {
	Generation int    `json:"generation"`
	State      string `json:"state"` // of the upgrade: UpgradeRunning … UpgradeSuperseded
	Ready      int    `json:"ready"`
	Number     int    `json:"number"`
	// CannotSignal has, in the last line, the old workers that could not be asked to end.
	CannotSignal []int  `json:"cannot_signal,omitempty"`
	From         string `json:"from,omitempty"`   // as in UpgradeStatus
	Event        string `json:"event,omitempty"`  // spawned, ready, retired, failed, waiting
	PID          int    `json:"pid,omitempty"`    // the worker that Event, or the reason of an abort, is about; 0: none
	Index        int    `json:"index"`            // its index, with an Event
	Stderr       string `json:"stderr,omitempty"` // where the stderr of the worker went that the reason is about, for people
}
