// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"einhyrningsins/internal/childenv"
)

// ErrNotOurMaster says that this process was not started by the manager that
// its environment speaks of: the variables were inherited through another
// program, or the manager is gone. An ACK would be for somebody else.
var ErrNotOurMaster = errors.New("the manager is not the parent of this process")

const (
	// DefaultAckTimeout is how long Ack and Ping try when their context has no
	// deadline.
	DefaultAckTimeout = 5 * time.Second

	// MaxRequestID is the longest id that Ping sends, in bytes.
	MaxRequestID = 256

	maxReplyWait = 2 * time.Second // a manager may owe no reply
	maxReply     = 64 << 10
	firstPause   = 5 * time.Millisecond
	longestPause = 100 * time.Millisecond
)

// message is what a worker writes to the control socket, one JSON line.
type message struct {
	Command   string `json:"command"`
	PID       int    `json:"pid"`
	RequestID string `json:"request_id,omitempty"`
	ID        int    `json:"id,omitempty"` // keeps the connection open
}

// Ack tells the manager that this worker is ready. Call it once the worker
// accepts connections; under manual acknowledgement nothing counts before. A
// second Ack changes nothing.
//
// The control socket may be away for a moment, while the manager's master is
// being replaced: Ack tries again until ctx ends, for [DefaultAckTimeout] when it
// has no deadline. It returns nil as soon as the manager has answered or has
// had time to; the answer itself does not matter. Where the control socket
// cannot be reached at all, the connection that a worker has from its start
// under -g serves instead.
//
// Where NOTIFY_SOCKET is set, systemd's READY=1 goes there, too, unless the
// other variables are not ours; that it was taken there suffices. The error wraps
// [ErrNotManaged] or [ErrNotOurMaster] when there is nobody to tell.
func Ack(ctx context.Context) error {
	var notified bool
	var notifyErr error
	_, err := controlSocket()
	if err == nil || errors.Is(err, ErrNotManaged) {
		notified, notifyErr = notify(ctx, notifyReady)
	}
	if err == nil {
		err = send(ctx, message{Command: "worker:ack", PID: os.Getpid()}, true)
	} else if notifyErr != nil {
		err = notifyErr
	}
	if err != nil && !notified {
		return fmt.Errorf("cannot acknowledge: %w", err)
	}
	return nil
}

// Ping gives the manager a sign of life; its status shows the time and the id,
// that of the request this worker is at, for example. An id of more than
// [MaxRequestID] bytes is an error. Otherwise Ping is like [Ack], and does not
// wait for an answer.
func Ping(ctx context.Context, requestID string) error {
	if len(requestID) > MaxRequestID {
		return fmt.Errorf("cannot ping: the request id has %d bytes, at most %d are allowed", len(requestID), MaxRequestID)
	}
	if err := send(ctx, message{Command: "worker:ping", PID: os.Getpid(), RequestID: requestID}, false); err != nil {
		return fmt.Errorf("cannot ping: %w", err)
	}
	return nil
}

func send(ctx context.Context, m message, wantReply bool) error {
	path, err := controlSocket()
	if err != nil {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultAckTimeout)
		defer cancel()
	}
	closed := false
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := deliver(ctx, path, m, wantReply)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, io.EOF):
			// Closed without a word: einhorn does that, and so does a master
			// that dies after it has read the line. Once more can do no harm.
			if closed {
				return nil
			}
			closed = true
		case !isPassing(err):
			return err
		}
		select {
		case <-ctx.Done():
			if closed {
				return nil // it was read at least once
			}
			return fmt.Errorf("%w (gave up: %w)", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// controlSocket returns the path of the control socket of our own manager.
func controlSocket() (string, error) {
	path, master := os.Getenv(childenv.SockPath), os.Getenv(childenv.MasterPID)
	if path == "" || master == "" {
		return "", fmt.Errorf("%s and %s are not both set: %w", childenv.SockPath, childenv.MasterPID, ErrNotManaged)
	}
	pid, err := strconv.Atoi(master)
	if err != nil {
		return "", fmt.Errorf("%s=%q is not a process id", childenv.MasterPID, master)
	}
	if parent := os.Getppid(); parent != pid {
		return "", fmt.Errorf("%s=%d, but the parent is %d: %w", childenv.MasterPID, pid, parent, ErrNotOurMaster)
	}
	return path, nil
}

// deliver writes m, one line, on a new connection or the worker's own. With wantReply it returns nil after
// one line of any kind, or when none came in time, and io.EOF when the
// connection was closed without one.
func deliver(ctx context.Context, path string, m message, wantReply bool) error {
	nc, own, err := connect(ctx, path)
	if err != nil {
		return err
	}
	defer nc.Close()
	if own && wantReply {
		m.ID = 1 // pings are to follow
	}
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(maxReplyWait)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	if err := nc.SetDeadline(deadline); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })()
	if _, err := nc.Write(append(line, '\n')); err != nil {
		return err
	}
	if !wantReply {
		return nil
	}
	_, err = bufio.NewReader(io.LimitReader(nc, maxReply)).ReadSlice('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, bufio.ErrBufferFull) {
		return nil
	}
	return err
}

// isPassing tells whether err is what a control socket gives while the master
// behind it is being replaced, or has more connections waiting than its queue
// holds (EAGAIN, unix(7)).
func isPassing(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.ENOENT, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EAGAIN, syscall.EINTR, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
