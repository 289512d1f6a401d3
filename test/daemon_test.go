// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// markerName is in the environment of a daemon and thus of all its workers, so
// that what is left behind can be found and ended whoever its parent is.
const markerName = "EINHYRN_TEST_MARK"

var markers atomic.Int64

type fixtureKey struct{}

// fixture is what one script has running.
type fixture struct {
	t       *testing.T
	env     *testscript.Env
	mark    string
	daemons map[string]*daemon
	loads   map[string]*running
	talks   map[string]*talk
	visits  map[string]net.Conn
}

func newFixture(t *testing.T, env *testscript.Env) *fixture {
	mark := fmt.Sprintf("%d.%d", os.Getpid(), markers.Add(1))
	return &fixture{
		t: t, env: env, mark: mark,
		daemons: map[string]*daemon{}, loads: map[string]*running{}, talks: map[string]*talk{},
		visits: map[string]net.Conn{},
	}
}

func fixtureOf(ts *testscript.TestScript) *fixture { return ts.Value(fixtureKey{}).(*fixture) }

// environ is the environment of what the script starts.
func (f *fixture) environ(mark string) []string {
	return append(append([]string(nil), f.env.Vars...), markerName+"="+mark)
}

// daemon is one daemon that a script has started.
type daemon struct {
	name, sock, pidfile string
	log, out            string // files
	mark                string
	cmd                 *exec.Cmd
	address             string // of its first socket
	ended               chan struct{}
	reader              *os.File // of its stderr, when that is a pipe which nobody reads
}

func (f *fixture) daemon(ts *testscript.TestScript, name string) *daemon {
	d := f.daemons[name]
	if d == nil {
		ts.Fatalf("no daemon %q was started", name)
	}
	return d
}

// usage ends the script when a command got the wrong words.
func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// list collects the values of a flag that can be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// start is how a daemon is to be started.
type start struct {
	env    list
	odd    list // words for tlaunch
	stderr string
	as     string // what it is called
	sock   string // where it will answer without being told; "": it is told
	nowait bool   // for an answer: it may not come
	binary string // to start; "": what it is called, where the programs under test are
}

func parseStart(ts *testscript.TestScript, args []string) (start, []string) {
	var s start
	flags := flag.NewFlagSet("daemon", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var(&s.env, "env", "NAME=VALUE")
	flags.Var(&s.odd, "odd", "a word for tlaunch")
	flags.StringVar(&s.binary, "binary", "", "the file to start")
	flags.StringVar(&s.stderr, "stderr", "file", "file, broken (a pipe without a reader) or full")
	flags.BoolVar(&s.nowait, "nowait", false, "return when it was executed")
	flags.StringVar(&s.as, "as", "einhyrningsins", "the name it is called by")
	flags.StringVar(&s.sock, "sock", "", "the control socket that it makes by itself")
	if err := flags.Parse(args); err != nil {
		ts.Fatalf("daemon: %v", err)
	}
	usage(ts, flags.NArg() >= 2, "daemon [-env NAME=VALUE] [-odd WORD] [-stderr file|broken|full] [-nowait] [-as NAME] [-binary FILE] [-sock PATH] NAME ARG...")
	return s, flags.Args()
}

func cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	f := fixtureOf(ts)
	s, args := parseStart(ts, args)
	d := &daemon{name: args[0], ended: make(chan struct{})}
	d.sock = ts.MkAbs(d.name + ".sock")
	d.log, d.out = ts.MkAbs(d.name+".log"), ts.MkAbs(d.name+".out")
	d.mark = f.mark + "." + d.name
	words := []string{filepath.Join(binaries, s.as)}
	if s.binary != "" {
		words[0] = ts.MkAbs(s.binary)
	}
	if s.sock == "" {
		words = append(words, "-d", d.sock)
	} else {
		d.sock = ts.MkAbs(s.sock)
	}
	words = append(words, args[1:]...)
	for i, word := range words {
		if word == "--pidfile" && i+1 < len(words) {
			d.pidfile = ts.MkAbs(words[i+1])
		}
	}
	if len(s.odd) > 0 {
		launcher, err := lookPath(ts, "tlaunch")
		ts.Check(err)
		words = append(append([]string{launcher}, s.odd...), append([]string{"--"}, words...)...)
	}
	d.cmd = &exec.Cmd{Path: words[0], Args: words, Dir: ts.MkAbs("."), Env: append(f.environ(d.mark), s.env...)}
	ts.Check(d.start(s.stderr))
	f.daemons[d.name] = d
	ts.Setenv(d.name+"_pid", strconv.Itoa(d.cmd.Process.Pid))
	ts.Setenv(d.name+"_sock", d.sock)
	if s.nowait {
		return
	}
	d.waitAnswer(ts)
	if st, err := askStatus(d.sock); err == nil && len(st.Sockets) > 0 {
		d.address = st.Sockets[0].Address
		ts.Setenv(d.name+"_addr", d.address)
		_, port, _ := strings.Cut(d.address[strings.LastIndexByte(d.address, ']')+1:], ":")
		ts.Setenv(d.name+"_port", port)
	}
}

// start starts the process. It dies with the test that started it.
func (d *daemon) start(stderr string) error {
	out, err := os.OpenFile(d.out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	d.cmd.Stdout, d.cmd.Stderr = out, log
	if stderr != "file" {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer w.Close()
		d.cmd.Stderr = w
		if stderr == "full" {
			d.reader = r
			if err := fillPipe(w); err != nil {
				return err
			}
		} else {
			r.Close()
		}
	}
	if err := startBound(d.cmd); err != nil {
		return err
	}
	go func() {
		d.cmd.Wait()
		close(d.ended)
	}()
	return nil
}

func (d *daemon) waitAnswer(ts *testscript.TestScript) {
	eventually(ts, "daemon "+d.name+" answers", func() (bool, string) {
		select {
		case <-d.ended:
			ts.Fatalf("daemon %s has ended (%v):\n%s", d.name, d.cmd.ProcessState, tail(d.log))
		default:
		}
		st, err := askStatus(d.sock)
		if err != nil {
			return false, err.Error()
		}
		// The master of one that was killed may still answer.
		return st.PID == d.cmd.Process.Pid, fmt.Sprintf("keeper %d does", st.PID)
	})
}

// eventually waits until f says yes. What f says beside no is told when it
// never does.
func eventually(ts *testscript.TestScript, what string, f func() (bool, string)) {
	end := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, how := f()
		if ok {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("waited for %v in vain: %s; it is: %s", patience, what, how)
		}
		<-tick.C
	}
}

// cmdReadLog begins to read what a daemon says, which nobody has read so far.
func cmdReadLog(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "readlog NAME")
	d := fixtureOf(ts).daemon(ts, args[0])
	go func() { _, _ = io.Copy(io.Discard, d.reader) }()
}

func tail(path string) string {
	b, _ := os.ReadFile(path)
	if len(b) > 16<<10 {
		b = b[len(b)-16<<10:]
	}
	return string(b)
}

func cmdWaitExit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "waitexit NAME STATUS")
	d := fixtureOf(ts).daemon(ts, args[0])
	select {
	case <-d.ended:
	case <-time.After(patience):
		ts.Fatalf("daemon %s does not end:\n%s", d.name, tail(d.log))
	}
	if got := exitStatus(d.cmd.ProcessState); got != args[1] {
		ts.Fatalf("daemon %s ended with %s, want %s:\n%s", d.name, got, args[1], tail(d.log))
	}
}

func exitStatus(s *os.ProcessState) string {
	if s.Exited() {
		return strconv.Itoa(s.ExitCode())
	}
	return s.String()
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 2 && !neg, "exits STATUS COMMAND ARG...")
	f := fixtureOf(ts)
	path, err := lookPath(ts, args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), f.environ(f.mark+".exits")
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) {
		ts.Fatalf("cannot run %s: %v", args[1], err)
	}
	if got := exitStatus(cmd.ProcessState); got != args[0] {
		ts.Fatalf("%s ended with %s, want %s", args[1], got, args[0])
	}
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

func cmdWaitLog(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "[!] waitlog NAME REGEXP")
	waitFile(ts, neg, fixtureOf(ts).daemon(ts, args[0]).log, args[1])
}

func cmdWaitOut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2, "[!] waitout NAME REGEXP")
	waitFile(ts, neg, fixtureOf(ts).daemon(ts, args[0]).out, args[1])
}

func waitFile(ts *testscript.TestScript, neg bool, path, pattern string) {
	re, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	holds := func() bool {
		b, err := os.ReadFile(path)
		return err == nil && re.Match(b)
	}
	if neg {
		if holds() {
			ts.Fatalf("%s has %q:\n%s", filepath.Base(path), pattern, tail(path))
		}
		return
	}
	eventually(ts, fmt.Sprintf("%q in %s", pattern, filepath.Base(path)), func() (bool, string) {
		return holds(), tail(path)
	})
}

func cmdLastLog(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "lastlog NAME REGEXP")
	lines := strings.Split(strings.TrimSpace(tail(fixtureOf(ts).daemon(ts, args[0]).log)), "\n")
	last := lines[len(lines)-1]
	if ok, err := regexp.MatchString(args[1], last); err != nil || !ok {
		ts.Fatalf("the last line of the log does not match %q: %s", args[1], last)
	}
}

func cmdWaitFile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "waitfile FILE")
	path := ts.MkAbs(args[0])
	eventually(ts, args[0]+" is there", func() (bool, string) { return exists(path), "not there" })
}

// close ends all that a script has left, whatever became of it.
func (f *fixture) close() {
	for _, l := range f.loads {
		l.stop()
	}
	for _, t := range f.talks {
		t.conn.Close()
	}
	for _, d := range f.daemons {
		d.cmd.Process.Kill()
		<-d.ended
		if d.reader != nil {
			d.reader.Close()
		}
	}
	if left := killMarked(f.mark + "."); len(left) > 0 {
		f.t.Errorf("processes %v of a script cannot be ended", left)
	}
	failed := false
	if t, ok := f.env.T().(interface{ Failed() bool }); ok {
		failed = t.Failed()
	}
	for _, d := range f.daemons {
		log, _ := os.ReadFile(d.log)
		for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "SIGSEGV: "} {
			if bytes.Contains(log, []byte(bad)) {
				f.t.Errorf("%s in the log of daemon %s:\n%s", bad, d.name, tail(d.log))
			}
		}
		if failed {
			f.env.T().Log(fmt.Sprintf("log of daemon %s:\n%s\nits workers printed:\n%s", d.name, tail(d.log), tail(d.out)))
		}
	}
}
