// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"einhyrningsins/internal/wire"
)

// talk is one connection to a control socket, and what was said on it.
type talk struct {
	conn  net.Conn
	in    *bufio.Reader
	owed  int // last lines that are still to come
	heard []string
}

func dialControl(path string) (*talk, error) {
	conn, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	return &talk{conn: conn, in: bufio.NewReader(conn)}, nil
}

func (t *talk) send(line string) error {
	t.owed++
	_, err := io.WriteString(t.conn, line+"\n")
	return err
}

// hear reads one line. What takes long may do so, as long as something happens.
func (t *talk) hear() error {
	t.conn.SetDeadline(time.Now().Add(patience))
	line, err := t.in.ReadString('\n')
	if err != nil {
		return err
	}
	line = strings.TrimSuffix(line, "\n")
	t.heard = append(t.heard, line)
	if !waits(line) {
		t.owed--
	}
	return nil
}

// waits tells whether an answer says, in its dialect, that more follow.
func waits(line string) bool {
	if strings.HasPrefix(line, "---") {
		return strings.HasSuffix(line, "%0Await: true%0A")
	}
	r, err := wire.ParseReply([]byte(line))
	return err == nil && r.Wait
}

// finish reads until nothing is owed.
func (t *talk) finish() error {
	for t.owed > 0 {
		if err := t.hear(); err != nil {
			return fmt.Errorf("%w after %d lines, the last %q", err, len(t.heard), t.heard[max(0, len(t.heard)-3):])
		}
	}
	return nil
}

func (t *talk) text() string { return strings.Join(t.heard, "\n") + "\n" }

// askStatus asks for the status once.
func askStatus(path string) (*wire.Status, error) {
	t, err := dialControl(path)
	if err != nil {
		return nil, err
	}
	defer t.conn.Close()
	if err := t.send(`{"command":"status","id":1}`); err != nil {
		return nil, err
	}
	if err := t.finish(); err != nil {
		return nil, err
	}
	r, err := wire.ParseReply([]byte(t.heard[0]))
	if err != nil {
		return nil, err
	}
	if !r.OK {
		return nil, r.Err
	}
	st := &wire.Status{}
	return st, json.Unmarshal(r.Data, st)
}

func cmdRequest(ts *testscript.TestScript, neg bool, args []string) {
	toEOF := len(args) > 0 && args[0] == "-eof"
	if toEOF {
		args = args[1:]
	}
	usage(ts, len(args) >= 2 && !neg, "request [-eof] NAME LINE...")
	t, err := dialControl(fixtureOf(ts).daemon(ts, args[0]).sock)
	ts.Check(err)
	defer t.conn.Close()
	for _, line := range args[1:] {
		ts.Check(t.send(line))
	}
	if toEOF {
		ts.Check(t.conn.(*net.UnixConn).CloseWrite())
		for err = nil; err == nil; {
			err = t.hear()
		}
		if !errors.Is(err, io.EOF) {
			ts.Fatalf("request: %v after %q", err, t.heard)
		}
	} else {
		ts.Check(t.finish())
	}
	io.WriteString(ts.Stdout(), t.text())
}

// cmdAsk is the first half of a request that takes long.
func cmdAsk(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3 && !neg, "ask TAG NAME LINE")
	f := fixtureOf(ts)
	t, err := dialControl(f.daemon(ts, args[1]).sock)
	ts.Check(err)
	f.talks[args[0]] = t
	ts.Check(t.send(args[2]))
	ts.Check(t.hear())
	io.WriteString(ts.Stdout(), t.text())
}

func cmdAnswer(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 1 && !neg, "answer TAG")
	t := fixtureOf(ts).talks[args[0]]
	usage(ts, t != nil, "answer TAG, after ask TAG")
	ts.Check(t.finish())
	io.WriteString(ts.Stdout(), t.text())
}
