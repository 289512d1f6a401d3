// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"syscall"
	"time"

	"einhyrningsins/internal/link"
)

// Grace is how long a look that was killed may take to end.
const Grace = time.Second

// Looking is a look that is under way: a process, its answer, and its end. It
// is over when all is known that has to be: how it failed, or its one answer
// and that nobody is left who could give another.
type Looking struct {
	Generation int
	By         time.Duration // when Late is to be called
	PID        int           // 0: not started yet

	at     *link.LookAt
	theirs *os.File   // its end of the socket, until it was started
	binary *os.File   // what it is started from, likewise; nil: the binary on disk
	conn   *link.Conn // nil when its end was read
	ended  bool       // it was reaped
	status string     // how it ended; "": well
	saw    *link.Saw  // its answer, with two descriptors
	fds    []int
	reason string // why it has failed
	stderr *Stderr
	last   string // the last that it said on stderr
	silent bool   // nothing more of that comes
}

// Look makes all that a process needs that is to look: what it is told is
// waiting for it.
func Look(generation int, at *link.LookAt, by time.Duration, log *slog.Logger) (*Looking, error) {
	conn, theirs, err := link.Pair()
	if err != nil {
		return nil, fmt.Errorf("cannot make a socket: %w", err)
	}
	stderr, err := Hear(log.With("generation", generation), "said while looking", ManyLines)
	if err != nil {
		conn.Close()
		theirs.Close()
		return nil, err
	}
	conn.Send(at)
	return &Looking{
		Generation: generation, By: by,
		at: at, theirs: theirs, conn: conn, stderr: stderr,
	}, nil
}

// Files are its stderr and its end of the socket.
func (l *Looking) Files() []uintptr { return []uintptr{l.stderr.FD(), l.theirs.Fd()} }

// In delivers what it answers, to be told to Says. It works for no look, too,
// and so does Said, for Heard.
func (l *Looking) In() <-chan link.Received {
	if l == nil || l.conn == nil {
		return nil
	}
	return l.conn.In()
}

// Said delivers its last words.
func (l *Looking) Said() <-chan string {
	if l == nil || l.silent {
		return nil
	}
	return l.stderr.last
}

// Conn is where the answer comes from; nil when its end was read.
func (l *Looking) Conn() *link.Conn {
	if l == nil {
		return nil
	}
	return l.conn
}

// Started takes what became of the attempt to start the process.
func (l *Looking) Started(pid int, err error) {
	l.closeTheirs()
	if err != nil {
		l.ended = true
		l.fail("cannot look at what to start: cannot execute %v", err)
		return
	}
	l.PID = pid
}

// Hold keeps the binary open that the process is started from.
func (l *Looking) Hold(binary *os.File) { l.binary = binary }

func (l *Looking) closeTheirs() {
	l.theirs.Close()
	if l.binary != nil {
		l.binary.Close()
	}
	l.stderr.Started()
}

// Says takes what comes from the process: one answer, then the end. The command
// of --reexec-as may have put anything in its place.
func (l *Looking) Says(in link.Received, open bool) {
	if !open {
		err := l.conn.Err()
		l.conn.Close()
		l.conn = nil
		if !link.OtherGone(err) {
			l.fail("%s gave an answer that cannot be read: %v", l.who(), err)
		}
		return
	}
	switch m := in.Msg.(type) {
	case *link.Saw:
		err := Check(m, in.FDs, l.at.Program)
		switch {
		case l.saw != nil:
			l.fail("%s answered twice", l.who())
		case err != nil:
			l.fail("%s arrived at something else: %v", l.who(), err)
		default:
			l.saw, l.fds = m, in.FDs
			return
		}
	case *link.Blind:
		l.fail("%s", m.Reason)
	default:
		l.fail("%s answered with %T", l.who(), in.Msg)
	}
	link.CloseFDs(in.FDs)
}

// Heard takes the last words.
func (l *Looking) Heard(last string) { l.last, l.silent = last, true }

// Ended says that the process was reaped.
func (l *Looking) Ended(status syscall.WaitStatus, how string) {
	l.ended = true
	if status != 0 {
		l.status = how
	}
}

// Late says that the time is up; when it is up again, the look is over, whatever
// keeps it.
func (l *Looking) Late(now, limit time.Duration) {
	switch {
	case l.ended && l.conn == nil: // only its last words have not come yet
	case l.reason != "", l.PID == 0:
		l.ended = true // as far as anybody will wait for it
		l.fail("no process that looks could be started within %v", limit)
	case l.ended:
		l.fail("%s ended and left a process that holds its socket for longer than %v", l.who(), limit)
	default:
		l.fail("%s took longer than %v%s", l.who(), limit, l.duty())
	}
	l.By = now + Grace
}

// Failed tells whether the look has failed, so that all that is left of it may
// be killed.
func (l *Looking) Failed() bool { return l.reason != "" }

// fail takes note of the first reason.
func (l *Looking) fail(format string, args ...any) {
	if l.reason == "" {
		l.reason = fmt.Sprintf(format, args...)
	}
}

// who is to blame.
func (l *Looking) who() string {
	if words := l.at.ReexecAs; len(words) > 0 {
		return "the command of --reexec-as, " + strconv.Quote(string(words[0])) + ","
	}
	return "the process that looks at what to start"
}

// duty is what a wrapper may have left out.
func (l *Looking) duty() string {
	switch {
	case len(l.at.ReexecAs) == 0:
		return ""
	case l.at.Einhorn:
		return "; it has to end by executing einhorn with the words that it is given"
	}
	return "; it has to end by executing the words that it is given"
}

// Over tells whether the look is over, and what it has come to: a launch for
// workers, or the reason why there is none.
func (l *Looking) Over() (launch *Launch, reason string, over bool) {
	if !l.ended || l.reason == "" && l.status == "" && l.conn != nil {
		return nil, "", false
	}
	if !l.silent {
		l.stderr.End() // the last of it is there by now
		return nil, "", false
	}
	switch {
	case l.reason != "":
	case l.status != "":
		l.fail("%s ended without success: %s", l.who(), l.status)
	case l.saw == nil:
		l.fail("%s ended without an answer%s", l.who(), l.duty())
	default:
		launch, err := Of(l.Generation, l.saw, l.fds)
		l.fds = nil
		if err == nil {
			return launch, "", true
		}
		l.fail("%v", err)
	}
	if l.last != "" {
		l.reason += "; its last words: " + l.last
	}
	return nil, l.reason, true
}

// Close leaves nothing of a look but its process. queued says that the process
// will never be started.
func (l *Looking) Close(queued bool) {
	if queued {
		l.closeTheirs()
	}
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
	link.CloseFDs(l.fds)
	l.fds = nil
	if !l.silent {
		l.stderr.End()
	}
}
