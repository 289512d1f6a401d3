// SPDX-License-Identifier: MIT

package client

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"einhyrningsins/internal/wire"
)

// Error is what the master answered instead of doing what it was asked.
type Error = wire.Error

// Code says in one word why.
type Code = wire.Code

// The codes of an [Error].
const (
	BadRequest     = wire.BadRequest
	UnknownCommand = wire.UnknownCommand
	Refused        = wire.Refused
	Aborted        = wire.Aborted
	Superseded     = wire.Superseded
	Stopping       = wire.Stopping
	SpawnFailed    = wire.SpawnFailed
	LookFailed     = wire.LookFailed
	ReloadFailed   = wire.ReloadFailed
)

var (
	// ErrNoMaster is wrapped by errors that mean: nobody listens at the
	// control socket, or nobody has answered there for a long time.
	ErrNoMaster = errors.New("no master there")
	// ErrLost is wrapped when the connection broke before the answer came and
	// the command may or may not have been carried out.
	ErrLost = errors.New("connection to the master lost")
	// ErrClosed is wrapped by every call after [Client.Close].
	ErrClosed = errors.New("client is closed")
)

// PeerError says that the control socket is served by somebody whom we have no
// reason to trust: neither root nor our own user.
type PeerError struct {
	Path string
	PID  int // 0 when the system does not tell
	UID  uint32
}

func (e *PeerError) Error() string {
	who := "user " + strconv.FormatUint(uint64(e.UID), 10)
	if u, err := user.LookupId(strconv.FormatUint(uint64(e.UID), 10)); err == nil {
		who += " (" + u.Username + ")"
	}
	if e.PID > 0 {
		who = fmt.Sprintf("process %d of %s", e.PID, who)
	}
	return fmt.Sprintf("cannot trust %s: it is served by %s, neither root nor ourselves; if that is right, do this as that user, as in sudo -u '#%d' COMMAND", e.Path, who, e.UID)
}

// lostError is the [ErrLost] of one call.
type lostError struct {
	command string
	sent    bool // the request, or a part of it, has left us
	cause   error
}

func (e *lostError) Error() string {
	if !e.sent {
		return fmt.Sprintf("cannot send %s: %v: %v", e.command, ErrLost, e.cause)
	}
	return fmt.Sprintf("cannot tell how %s ended: %v before it answered (%v)", e.command, ErrLost, e.cause)
}

func (e *lostError) Unwrap() []error { return []error{ErrLost, e.cause} }

// unreadableError says what is wrong with an answer, which is lost for that reason.
// Another request would only meet the same again.
type unreadableError string

func (e unreadableError) Error() string        { return string(e) }
func (e unreadableError) Is(target error) bool { return target == ErrLost }

func notOurs(why string) error {
	return unreadableError(why + "; is this an einhyrningsins?")
}

// cannotConnect wraps what went wrong on the way to path. Only the two errors
// that a missing listener gives are ErrNoMaster (unix(7), connect(2)).
func cannotConnect(path string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fmt.Errorf("cannot connect to %s: %w", path, err)
	}
	if errno == syscall.ENOENT || errno == syscall.ECONNREFUSED {
		return fmt.Errorf("cannot connect to %s: %w: %w", path, ErrNoMaster, errno)
	}
	if errno == syscall.EAGAIN { // see dialUnix
		return fmt.Errorf("cannot connect to %s: nobody has accepted connections there for %v, and as many wait as can (%w)", path, fullWait, errno)
	}
	return fmt.Errorf("cannot connect to %s: %w", path, errno)
}
