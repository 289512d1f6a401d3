// SPDX-License-Identifier: GPL-3.0-or-later

// Package logging is the log of keeper and master: slog lines on stderr and,
// if wished, warnings and worse to the local syslog.
//
//   - logging.go: [New] and the handler; what a line looks like.
//   - queue.go: the bounded queue and the goroutine that writes it. Who logs
//     never waits: a log reader that stands still costs lines, not service.
//   - syslog.go: RFC 3164 datagrams.
//
// stderr is shared with every worker and perhaps with whoever started us, so it
// is never set to O_NONBLOCK, and each line is one write(2): up to PIPE_BUF
// bytes a pipe keeps it whole (pipe(7)). The file is written by the system call
// itself, since [os.File] would end the process at the first EPIPE on stderr.
package logging

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"time"
)

// Options say where the log goes and what is in it.
type Options struct {
	Out        *os.File   // nil: stderr
	Format     string     // "json", or "text" (also "")
	Level      slog.Level // the least that is written
	Syslog     bool       // WARN and above to the local syslog too
	Tag        string     // the program's name there
	SyslogPath string     // its socket; "": where the system has it
	Name       string     // whose lines these are: "keeper" or "master"
}

// Log is a running log. Its methods and its logger are for any goroutine.
type Log struct {
	logger *slog.Logger
	level  slog.LevelVar
	queue  *queue
	syslog *syslogWriter // nil: none
}

// New starts a log. It doesn't fail: what can't be written is counted, and the
// count told as soon as something can.
func New(opts Options) *Log {
	if opts.Out == nil {
		opts.Out = os.Stderr
	}
	l := &Log{}
	l.level.Set(opts.Level)
	notes := &bytes.Buffer{} // only the queue's goroutine uses it
	noteLog := slog.New(l.handler(opts, notes)).With("who", opts.Name)
	l.queue = newQueue(opts.Out, func(lost int) []byte {
		notes.Reset()
		noteLog.Error("log lines were lost", "lost", lost)
		return notes.Bytes()
	})
	h := l.handler(opts, l.queue)
	if opts.Syslog {
		l.syslog = newSyslogWriter(opts.SyslogPath, opts.Tag)
		h = both{h, newSyslogHandler(l.syslog)}
	}
	l.logger = slog.New(h).With("who", opts.Name)
	return l
}

func (l *Log) handler(opts Options, w io.Writer) slog.Handler {
	ho := &slog.HandlerOptions{Level: &l.level}
	if opts.Format == "json" {
		return slog.NewJSONHandler(escaper{w}, ho)
	}
	return slog.NewTextHandler(escaper{w}, ho)
}

// Logger is where to log.
func (l *Log) Logger() *slog.Logger { return l.logger }

// SetLevel changes the least that is written.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Flush waits until all that was logged so far is written (or has failed to
// be), at most for timeout; it reports whether it is.
func (l *Log) Flush(timeout time.Duration) bool { return l.queue.flush(timeout) }

// Close is Flush, after which nothing more is written. The file stays open.
func (l *Log) Close(timeout time.Duration) bool {
	done := l.queue.flush(timeout)
	l.queue.close()
	if l.syslog != nil {
		l.syslog.close()
	}
	return done
}

// both hands records to two handlers.
type both struct{ a, b slog.Handler }

func (h both) Enabled(ctx context.Context, level slog.Level) bool {
	return h.a.Enabled(ctx, level) || h.b.Enabled(ctx, level)
}

func (h both) Handle(ctx context.Context, r slog.Record) error {
	var err error
	if h.a.Enabled(ctx, r.Level) {
		err = h.a.Handle(ctx, r.Clone())
	}
	if h.b.Enabled(ctx, r.Level) {
		_ = h.b.Handle(ctx, r) // syslog is the second voice: its losses are its own
	}
	return err
}

func (h both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{h.a.WithAttrs(attrs), h.b.WithAttrs(attrs)}
}

func (h both) WithGroup(name string) slog.Handler {
	return both{h.a.WithGroup(name), h.b.WithGroup(name)}
}

// escaper escapes the control characters that slog lets stand as they are: DEL,
// and in JSON U+0080 to U+009F. There they can only be inside strings.
type escaper struct{ w io.Writer }

const hexDigits = "0123456789abcdef"

func (e escaper) Write(p []byte) (int, error) {
	var out []byte // nil while nothing had to be changed
	for i := 0; i < len(p); i++ {
		c, size := p[i], 1
		if c == 0xc2 && i+1 < len(p) && p[i+1] >= 0x80 && p[i+1] <= 0x9f {
			c, size = p[i+1], 2
		} else if c != 0x7f {
			if out != nil {
				out = append(out, c)
			}
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(p)+32), p[:i]...)
		}
		out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		i += size - 1
	}
	if out == nil {
		out = p
	}
	if _, err := e.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
