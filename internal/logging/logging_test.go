// SPDX-License-Identifier: GPL-3.0-or-later

package logging

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const childEnv = "LOGGING_TEST_DEAD_STDERR"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(deadStderr())
	}
	goleak.VerifyTestMain(m)
}

const patience = 30 * time.Second

// blockingPipe is a pipe whose writing end blocks, as a shell's would.
func blockingPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	return r, w
}

// text runs f with a log and returns what it wrote.
func text(t *testing.T, opts Options, f func(*slog.Logger)) string {
	t.Helper()
	r, w := blockingPipe(t)
	opts.Out = w
	l := New(opts)
	f(l.Logger())
	if !l.Close(patience) {
		t.Error("not all was written")
	}
	_ = w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestText(t *testing.T) {
	got := text(t, Options{Name: "keeper"}, func(l *slog.Logger) {
		l.Debug("not this")
		l.Info("worker ready", "pid", 7)
		l.Warn("odd\x1b[31m\nname\u009b\u202e", "k\n", "v\x7f")
	})
	want := `^time=\S+ level=INFO msg="worker ready" who=keeper pid=7
time=\S+ level=WARN msg="odd\\x1b\[31m\\nname\\u009b\\u202e" who=keeper "k\\n"=v\\u007f
$`
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	const nasty = "a\x7fb\u0085c\u009f\x1b\u00e9\xc2"
	got := text(t, Options{Format: "json", Name: "master", Level: slog.LevelDebug}, func(l *slog.Logger) {
		l.Debug(nasty, "k", nasty)
	})
	for _, c := range got[:len(got)-1] {
		if c < 0x20 || c >= 0x7f && c < 0xa0 {
			t.Errorf("raw control character %q in %q", c, got)
		}
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(got), &m); err != nil {
		t.Fatal(err)
	}
	want := strings.ToValidUTF8(nasty, "\ufffd")
	if m["level"] != "DEBUG" || m["msg"] != want || m["k"] != want || m["who"] != "master" {
		t.Errorf("got %q", m)
	}
}

func TestSetLevel(t *testing.T) {
	r, w := blockingPipe(t)
	l := New(Options{Out: w, Level: slog.LevelWarn})
	l.Logger().Info("one")
	l.SetLevel(slog.LevelInfo)
	l.Logger().Info("two")
	l.Close(patience)
	l.Logger().Info("three")
	_ = w.Close()
	b, _ := io.ReadAll(r)
	if n := strings.Count(string(b), "\n"); n != 1 || !strings.Contains(string(b), "msg=two") {
		t.Errorf("got %q", b)
	}
}

// One write a line: a datagram socket keeps them apart.
func TestOneWriteALine(t *testing.T) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	defer func() { _ = r.Close(); _ = w.Close() }()
	l := New(Options{Out: w})
	for i := range 5 {
		l.Logger().Info("line", "i", i, "long", strings.Repeat("x", i*300))
	}
	for i := range 5 {
		buf := make([]byte, 10_000)
		n, err := r.Read(buf)
		if s := string(buf[:n]); err != nil || strings.Count(s, "\n") != 1 || !strings.Contains(s, fmt.Sprintf("i=%d", i)) {
			t.Errorf("write %d is %q, %v", i, s, err)
		}
	}
	l.Close(patience)
}

func isNonblocking(t *testing.T, f *os.File) (is bool) {
	t.Helper()
	conn, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		is = err == nil && flags&unix.O_NONBLOCK != 0
	})
	return is
}

// Nobody reads: who logs isn't kept waiting, and the losses are told.
func TestFullPipe(t *testing.T) {
	r, w := blockingPipe(t)
	l := New(Options{Out: w})
	const lines = 5000
	for i := range lines {
		l.Logger().Info("line", "i", i, "text", strings.Repeat("x", 100))
	}
	if l.Flush(time.Millisecond) {
		t.Error("flushed into a full pipe")
	}
	if isNonblocking(t, w) {
		t.Error("the shared file was made non-blocking")
	}
	in := bufio.NewReader(r)
	count, lost := 0, 0
	for count+lost < lines {
		s, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.Index(s, `msg="log lines were lost"`); i >= 0 {
			var n int
			if _, err := fmt.Sscanf(s[strings.LastIndex(s, "lost="):], "lost=%d", &n); err != nil {
				t.Fatalf("%v in %q", err, s)
			}
			lost += n
			continue
		}
		count++
	}
	if lost == 0 || count < maxLines || count+lost != lines {
		t.Errorf("%d came, %d lost, of %d", count, lost, lines)
	}
	l.Logger().Info("again")
	if !l.Close(patience) {
		t.Error("not flushed")
	}
	if s, _ := in.ReadString('\n'); !strings.Contains(s, "msg=again") {
		t.Errorf("got %q", s)
	}
}

func TestQueueIsBoundedInBytes(t *testing.T) {
	r, w := blockingPipe(t)
	l := New(Options{Out: w})
	for range 100 {
		l.Logger().Info(strings.Repeat("x", 10_000))
	}
	l.queue.mu.Lock()
	held, lost := l.queue.bytes, l.queue.lost
	l.queue.mu.Unlock()
	if held > maxBytes || lost == 0 {
		t.Errorf("holds %d bytes, lost %d lines", held, lost)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if !l.Close(patience) {
		t.Error("not flushed")
	}
}

// O_NONBLOCK set by another who shares the file isn't our undoing.
func TestSharedFileIsNonblocking(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	l := New(Options{Out: w})
	const lines = 800
	for i := range lines {
		l.Logger().Info("line", "i", i, "text", strings.Repeat("x", 150))
	}
	in := bufio.NewReader(r)
	for i := range lines {
		if s, err := in.ReadString('\n'); err != nil || !strings.Contains(s, fmt.Sprintf(" i=%d ", i)) {
			t.Fatalf("line %d is %q, %v", i, s, err)
		}
	}
	l.Close(patience)
}

// deadStderr logs to a stderr whose reader is gone and tells of it on stdout.
func deadStderr() int {
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	l := New(Options{})
	for range 10 {
		l.Logger().Error("does anybody hear me?")
	}
	flushed := l.Flush(patience)
	l.queue.mu.Lock()
	fmt.Println(flushed, l.queue.lost)
	l.queue.mu.Unlock()
	return 0
}

func TestReaderDied(t *testing.T) {
	r, w := blockingPipe(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = w
	cmd.Stdin = strings.NewReader("go\n")
	_ = r.Close()
	out, err := cmd.Output()
	if err != nil || string(out) != "true 10\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestReaderComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(flags int) *os.File {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(fd), path)
	}
	r := open(unix.O_RDONLY | unix.O_NONBLOCK)
	w := open(unix.O_WRONLY)
	defer func() { _ = w.Close() }()
	_ = r.Close()
	l := New(Options{Out: w, Name: "x"})
	for range 3 {
		l.Logger().Info("unheard")
	}
	if !l.Flush(patience) {
		t.Error("a dead reader holds up the end")
	}
	r = open(unix.O_RDONLY | unix.O_NONBLOCK)
	defer func() { _ = r.Close() }()
	l.Logger().Info("heard")
	l.Close(patience)
	_ = w.Close()
	b, err := io.ReadAll(r)
	if err != nil || !regexp.MustCompile(`^[^\n]* lost=3\n[^\n]*msg=heard who=x\n$`).Match(b) {
		t.Errorf("got %q, %v", b, err)
	}
}

func syslogServer(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(patience))
	return c
}

func datagram(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestSyslog(t *testing.T) {
	dir, err := os.MkdirTemp("", "log") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "s")
	_, w := blockingPipe(t)
	l := New(Options{Out: w, Syslog: true, Tag: "einhyrningsins", SyslogPath: path, Name: "master", Level: slog.LevelError + 1})
	log := l.Logger().With("a", 1).WithGroup("g")

	log.Warn("nobody there")
	server := syslogServer(t, path)
	log.Info("not for syslog")
	log.Warn("one\ntwo", "level", "high", "time", 5)
	head := `^<%d>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d einhyrningsins\[%d\]: `
	expect := func(severity int, rest string) {
		t.Helper()
		got := datagram(t, server)
		if want := fmt.Sprintf(head, severity, os.Getpid()) + rest; !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	expect(28, `msg="one\\ntwo" who=master a=1 g.level=high g.time=5 lost=1$`)
	_ = server.Close()
	_ = os.Remove(path)
	log.Error("between")
	server = syslogServer(t, path)
	log.Error(strings.Repeat("é", 10_000))
	got := datagram(t, server)
	if len(got) > maxDatagram || len(got) < maxDatagram-3 || !strings.HasPrefix(got, "<27>") || !strings.HasSuffix(got, "é lost=1") {
		t.Errorf("got %d bytes: %.60q … %q", len(got), got, got[len(got)-20:])
	}
	l.Close(patience)
	log.Error("after the end")
}

// A syslog daemon that stands still costs lines, not time.
func TestSyslogNeverBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if len(path) > 100 {
		t.Skip("temporary directory's name is too long for a socket")
	}
	server := syslogServer(t, path)
	_, w := blockingPipe(t)
	l := New(Options{Out: w, Syslog: true, Tag: "x", SyslogPath: path, Level: slog.LevelError + 1})
	defer l.Close(patience)
	const lines = 5000
	for i := range lines {
		l.Logger().Error("line", "i", i)
	}
	l.syslog.mu.Lock()
	lost := l.syslog.lost
	l.syslog.mu.Unlock()
	if lost == 0 || lost == lines {
		t.Fatalf("%d of %d lost", lost, lines)
	}
	for range lines - lost {
		datagram(t, server)
	}
	l.Logger().Error("again")
	if got := datagram(t, server); !strings.HasSuffix(got, fmt.Sprintf("msg=again who=\"\" lost=%d", lost)) {
		t.Errorf("got %q", got)
	}
	_ = server.SetReadDeadline(time.Now())
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("more came: %v", err)
	}
}
