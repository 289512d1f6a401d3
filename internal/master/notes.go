// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"context"
	"log/slog"

	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
)

// aboutWorkers is what the log says of a worker.
var aboutWorkers = map[pool.Kind]struct {
	level slog.Level
	text  string
}{
	pool.NoteSpawned:    {slog.LevelDebug, "worker started"},
	pool.NoteReady:      {slog.LevelInfo, "worker is ready"},
	pool.NoteAckIgnored: {slog.LevelDebug, "worker sent an ACK, which timer mode ignores"},
	pool.NoteFailed:     {slog.LevelWarn, "worker failed to start"},
	pool.NoteDied:       {slog.LevelWarn, "worker died"},
	pool.NoteRetired:    {slog.LevelInfo, "worker was asked to end gracefully"},
	pool.NoteReminded:   {slog.LevelInfo, "worker ACKed after it was asked to end, and was asked again"},
	pool.NoteStopped:    {slog.LevelInfo, "worker was sent TERM"},
	pool.NoteKilled:     {slog.LevelWarn, "worker was sent KILL"},
	pool.NoteEnded:      {slog.LevelInfo, "worker ended"},
	pool.NoteSilent:     {slog.LevelWarn, "worker is to be replaced; it stays until another is ready"},
	pool.NoteLeaving:    {slog.LevelInfo, "worker says that it ends"},
	pool.NoteRefused:    {slog.LevelError, "worker cannot be signalled; trying again"},
	pool.NoteLeft:       {slog.LevelError, "worker cannot be killed; it is left behind"},
	pool.NoteOverdue:    {slog.LevelWarn, "no ACK; it may have been lost with a master, so the worker stays until it is replaced"},
}

// warnOfBars says at the start what would show only as ACKs that never come.
func (l *loop) warnOfBars() {
	if !l.cfg.AckManual || l.cfg.AckBy != "" || l.cfg.SockFD {
		return
	}
	if dir := l.bars(l.cfg.SocketPath); dir != "" {
		l.log.Warn("workers cannot reach the control socket to ACK: "+dir+" is closed to them; choose another path with -d, or give each a connection with -g",
			"user", l.cfg.Limits.RunAs.UID)
	}
}

// note makes an event of what the pool notes.
func (l *loop) note(n pool.Note) {
	about, ok := aboutWorkers[n.Kind]
	level := about.level
	e := wire.Event{Kind: string(n.Kind), Text: about.text, Generation: n.Generation}
	if !ok {
		level, e.Text = slog.LevelInfo, n.Text
	}
	switch {
	case n.Error:
		level = slog.LevelError
	case n.Warn:
		level = max(level, slog.LevelWarn)
	}
	if n.Worker.Serial != 0 {
		index := n.Worker.Index
		e.PID, e.Index, e.Generation, e.Reason = n.Worker.PID, &index, n.Worker.Generation, n.Text
	}
	l.happened(level, e)
}

// logEvent is the reader that writes the log.
func (l *loop) logEvent(e *event) {
	ctx := context.Background()
	if !l.log.Enabled(ctx, e.level) {
		return
	}
	var attrs []slog.Attr
	why := "reason"
	if e.PID != 0 {
		attrs = append(attrs, slog.Int("pid", e.PID))
	}
	if e.Index != nil {
		why = "how"
		attrs = append(attrs, slog.Int("index", *e.Index))
	}
	if e.Generation != 0 && (e.Index != nil || len(e.attrs) > 0) { // the text of others names it
		attrs = append(attrs, slog.Int("generation", e.Generation))
	}
	attrs = append(attrs, e.attrs...)
	if e.Reason != "" {
		attrs = append(attrs, slog.String(why, e.Reason))
	}
	l.log.LogAttrs(ctx, e.level, e.Text, attrs...)
}
