// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"context"
	"log/slog"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/pool"
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
	if !l.cfg.AckManual || l.cfg.AckBy != config.ByControl || l.cfg.SockFD {
		return
	}
	if dir := l.bars(l.cfg.SocketPath); dir != "" {
		l.log.Warn("workers cannot reach the control socket to ACK: "+dir+" is closed to them; choose another path with -d, or give each a connection with -g",
			"user", l.cfg.Limits.RunAs.UID)
	}
}

func (l *loop) logNote(n pool.Note) {
	ctx := context.Background()
	about, ok := aboutWorkers[n.Kind]
	level, text := about.level, about.text
	if !ok {
		level, text = slog.LevelInfo, n.Text
	}
	switch {
	case n.Error:
		level = slog.LevelError
	case n.Warn:
		level = max(level, slog.LevelWarn)
	}
	if !l.log.Enabled(ctx, level) {
		return
	}
	var attrs []slog.Attr
	if n.Worker.Serial != 0 {
		if n.Worker.PID != 0 {
			attrs = append(attrs, slog.Int("pid", n.Worker.PID))
		}
		attrs = append(attrs, slog.Int("index", n.Worker.Index), slog.Int("generation", n.Worker.Generation))
		if n.Text != "" {
			attrs = append(attrs, slog.String("how", n.Text))
		}
	}
	l.log.LogAttrs(ctx, level, text, attrs...)
}
