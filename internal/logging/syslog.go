// SPDX-License-Identifier: GPL-3.0-or-later

package logging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// RFC 3164 section 4.1.1.
const (
	facilityDaemon  = 3
	severityErr     = 3
	severityWarning = 4
)

// maxDatagram is what syslog daemons commonly take; a longer line is cut.
const maxDatagram = 8 << 10

// syslogPaths are where the socket is.
var syslogPaths = []string{"/dev/log"}

// syslogWriter sends datagrams without ever waiting. The socket isn't
// connected: each datagram finds its path anew, so a syslog daemon that was
// restarted needs no attention.
type syslogWriter struct {
	paths []string
	tag   string

	mu       sync.Mutex
	fd       int // -1: none yet
	closed   bool
	severity int // of the line that is being written
	lost     int // lines that nobody was told about
}

func newSyslogWriter(path, tag string) *syslogWriter {
	w := &syslogWriter{paths: syslogPaths, tag: tag, fd: -1}
	if path != "" {
		w.paths = []string{path}
	}
	return w
}

// Write sends one line; it has severity w.severity. Under mu, by syslogHandler.
func (w *syslogWriter) Write(line []byte) (int, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>%s %s[%d]: ", facilityDaemon<<3|w.severity, time.Now().Format(time.Stamp), w.tag, os.Getpid())
	b.Write(bytes.TrimSuffix(line, []byte{'\n'}))
	lost := ""
	if w.lost > 0 {
		lost = fmt.Sprintf(" lost=%d", w.lost)
	}
	if cut := maxDatagram - len(lost); b.Len() > cut {
		for cut > 0 && !utf8.RuneStart(b.Bytes()[cut]) {
			cut--
		}
		b.Truncate(cut)
	}
	b.WriteString(lost)
	if err := w.send(b.Bytes()); err != nil {
		w.lost++
		return 0, err
	}
	w.lost = 0
	return len(line), nil
}

func (w *syslogWriter) send(b []byte) error {
	if w.closed {
		return os.ErrClosed
	}
	if w.fd < 0 {
		fd, err := datagramSocket()
		if err != nil {
			return err
		}
		w.fd = fd
	}
	var err error
	for _, path := range w.paths {
		for {
			err = unix.Sendto(w.fd, b, unix.MSG_DONTWAIT, &unix.SockaddrUnix{Name: path})
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if err == nil {
			return nil
		}
	}
	return err
}

func (w *syslogWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.fd >= 0 {
		_ = unix.Close(w.fd)
		w.fd = -1
	}
}

// syslogHandler writes records as slog's text form does, less the time and the
// level, which the datagram has in its own way.
type syslogHandler struct {
	w    *syslogWriter
	text slog.Handler
}

func newSyslogHandler(w *syslogWriter) slog.Handler {
	return syslogHandler{w, slog.NewTextHandler(escaper{w}, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			_, isLevel := a.Value.Any().(slog.Level)
			isTime := a.Value.Kind() == slog.KindTime
			if len(groups) == 0 && (a.Key == slog.TimeKey && isTime || a.Key == slog.LevelKey && isLevel) {
				return slog.Attr{}
			}
			return a
		},
	})}
}

func (h syslogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (h syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.severity = severityWarning
	if r.Level >= slog.LevelError {
		h.w.severity = severityErr
	}
	return h.text.Handle(ctx, r)
}

func (h syslogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return syslogHandler{h.w, h.text.WithAttrs(attrs)}
}

func (h syslogHandler) WithGroup(name string) slog.Handler {
	return syslogHandler{h.w, h.text.WithGroup(name)}
}
