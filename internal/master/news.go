// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
)

// news takes one message of the keeper.
func (l *loop) news(in link.Received) {
	if _, ok := in.Msg.(*link.ReloadFailed); l.handover != nil && !ok {
		l.later = append(l.later, in) // what we did now, the keeper would not hear
		return
	}
	switch m := in.Msg.(type) {
	case *link.Quiesce:
		if len(in.FDs) == 1 && l.quiesce < 0 {
			l.quiesce = in.FDs[0]
			return
		}
		l.link.Send(&link.Quiesced{Failure: "no descriptor is to be had for the stream to the next"})
	case *link.ReloadFailed:
		l.reloadFailed(m)
	case *link.Spawned:
		l.byPID[m.PID] = m.Serial
		l.step(pool.Spawned{Serial: m.Serial, PID: m.PID, At: m.At})
		l.listenTo(m.Serial)
		l.probe(m.Serial, firstProbe)
		l.unpark()
	case *link.SpawnFailed:
		l.step(l.spawnFailed(m))
		l.unpark()
	case *link.Exited:
		l.exited(m)
	case *link.SignalFailed:
		l.signalFailed(m)
	case *link.Signalled:
		l.step(l.caughtSignal(m.Signal, m.Count)...)
	case *link.Ping:
		l.link.Send(&link.Pong{})
	case *link.Probed:
		l.probed(m)
	case *link.Done:
		l.done = m.Through
		l.release()
	case *link.Looked:
		l.looked(m.Launch)
	case *link.LookFailed:
		l.step(pool.LookFailed{Generation: m.Generation, How: m.Reason})
	case *link.Channel:
		l.takeChannel(m, in.FDs)
		return
	case *link.Listener:
		l.newListener(in.FDs)
		return
	}
	for _, fd := range in.FDs {
		unix.Close(fd)
	}
}

func (l *loop) newListener(fds []int) {
	err := errors.New("no descriptor is to be had for it")
	for _, fd := range fds {
		var listener *os.File
		if listener, err = listenerOf(fd); err == nil {
			err = l.control.Replace(listener)
		}
	}
	if err != nil {
		l.log.Error("cannot serve the control socket that was bound anew", "error", err)
	}
}

func (l *loop) exited(m *link.Exited) {
	if l.byPID[m.PID] == m.Serial {
		delete(l.byPID, m.PID)
	}
	e := exited(m)
	if w, ok := l.pool.Worker(m.Serial); ok && w.Phase == pool.Starting && m.Code > 0 {
		e.How += l.carriageReturn(w.Generation)
	}
	l.step(append(l.forgetWorker(m.Serial), e)...)
}

// carriageReturn is a remark for a generation whose program is a script with lines
// of Windows, which the interpreter (env, most often) was started for all the same:
// the carriage return is part of its last argument.
func (l *loop) carriageReturn(generation int) string {
	for _, o := range l.launches {
		if o.Generation == generation && o.Windows {
			return fmt.Sprintf(" (the first line of %s %s)", o.Program, windowsEnd)
		}
	}
	return ""
}

// windowsEnd is what a first line does, and what can be done.
const windowsEnd = "ends with a carriage return, as lines of Windows do; dos2unix, or sed -i 's/\\r$//', mends it"

// forgetWorker forgets what only a worker that lives has, and returns what it had
// said that was not heard yet.
func (l *loop) forgetWorker(serial uint64) (last []pool.Event) {
	delete(l.pinged, serial)
	delete(l.told, serial)
	delete(l.refused, serial)
	l.endProbe(serial)
	return l.endChannels(serial)
}

func exited(m *link.Exited) pool.Exited {
	e := pool.Exited{Serial: m.Serial, At: m.At}
	switch {
	case m.Signal == 0:
		e.How = fmt.Sprintf("exited with status %d", m.Code)
	case m.Core:
		e.How = fmt.Sprintf("was killed by %s and left a core dump", config.SignalName(m.Signal))
	default:
		e.How = "was killed by " + config.SignalName(m.Signal)
	}
	switch syscall.Signal(m.Signal) {
	case syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGABRT, syscall.SIGTRAP, syscall.SIGSYS:
		e.Crash = true
	}
	return e
}

func (l *loop) spawnFailed(m *link.SpawnFailed) pool.SpawnFailed {
	errno := syscall.Errno(m.Errno)
	how := fmt.Sprintf("cannot execute %s: %v", m.Path, errno)
	switch {
	case m.Doing != "":
		how = fmt.Sprintf("cannot %s to start %s: %v", m.Doing, m.Path, errno)
	case m.Shortage:
		how = fmt.Sprintf("cannot start %s for now: %v", m.Path, errno)
	case errno == syscall.ENOENT || errno == syscall.ENOEXEC || errno == syscall.EACCES || errno == syscall.ENOTDIR:
		if dir := l.bars(m.Path); errno == syscall.EACCES && dir != "" {
			how += fmt.Sprintf(" (user %d may not pass %s)", l.cfg.Limits.RunAs.UID, dir)
		} else if script := interpreter(m.Path); strings.HasSuffix(script, "\r") {
			how += fmt.Sprintf(" (it is a script for %q: its first line %s)", script, windowsEnd)
		} else if script != "" {
			how += fmt.Sprintf(" (it is a script for %s; is that there and executable?)", script)
		} else if errno == syscall.ENOEXEC {
			how += " (it is neither a binary for this machine nor a script that begins with #!)"
		}
	}
	return pool.SpawnFailed{Serial: m.Serial, Shortage: m.Shortage, How: how}
}

// bars is a directory that keeps workers of another user from path; "": none.
func (l *loop) bars(path string) string {
	if as := l.cfg.Limits.RunAs; as != nil {
		return as.Barred(path)
	}
	return ""
}

// interpreter is what a script's first line names, execve(2).
func interpreter(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	if err != nil && err != io.EOF {
		return ""
	}
	rest, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return ""
	}
	// As the kernel splits it: a carriage return is part of the name.
	name := strings.TrimLeft(strings.TrimSuffix(rest, "\n"), " \t")
	if end := strings.IndexAny(name, " \t"); end >= 0 {
		name = name[:end]
	}
	return name
}
