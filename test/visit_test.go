// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdVisit connects, sends nothing, and leaves the address of its end in a
// variable, TAG_addr.
func cmdVisit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "visit TAG NAME")
	f := fixtureOf(ts)
	nc, err := net.DialTimeout("tcp", f.daemon(ts, args[1]).address, patience)
	ts.Check(err)
	ts.Defer(func() { nc.Close() })
	ts.Setenv(args[0]+"_addr", nc.LocalAddr().String())
	f.visits[args[0]] = nc
}

// cmdVisitor has it ask at last, or finds that it was cut.
func cmdVisitor(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "visitor TAG REGEXP|cut")
	nc := fixtureOf(ts).visits[args[0]]
	usage(ts, nc != nil, "visitor TAG, after visit TAG")
	ts.Check(nc.SetDeadline(time.Now().Add(patience)))
	if args[1] == "cut" {
		if n, err := nc.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
			ts.Fatalf("want the connection cut, got %d bytes, %v", n, err)
		}
		return
	}
	_, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	ts.Check(err)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	ts.Check(err)
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if !regexp.MustCompile(args[1]).Match(body) {
		ts.Fatalf("got answer %q", body)
	}
}
