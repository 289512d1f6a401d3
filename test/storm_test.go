// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"einhyrningsins/client"
)

func count(ts *testscript.TestScript, word string) int {
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 {
		ts.Fatalf("%q is no number from 1 up", word)
	}
	return n
}

func cmdKillMaster(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 1 {
		args = append(args, "1")
	}
	usage(ts, len(args) == 2 && !neg, "killmaster NAME [TIMES]")
	d := fixtureOf(ts).daemon(ts, args[0])
	for range count(ts, args[1]) {
		st, err := askStatus(d.sock)
		ts.Check(err)
		ts.Check(syscall.Kill(st.MasterPID, syscall.SIGKILL))
		d.waitOtherMaster(ts, st.MasterPID)
	}
}

func (d *daemon) waitOtherMaster(ts *testscript.TestScript, than int) {
	eventually(ts, fmt.Sprintf("a master other than %d answers", than), func() (bool, string) {
		st, err := askStatus(d.sock)
		return err == nil && st.MasterPID != than, fmt.Sprint(err)
	})
}

// cmdUpgradeKill begins one upgrade after the other with our own client, and
// kills the master at a later step of each: after the first line, the second,
// and so on, and begins anew when upgrades have no more steps. Each upgrade
// must be done in the generation that it began with.
func cmdUpgradeKill(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "upgradekill NAME TIMES")
	d := fixtureOf(ts).daemon(ts, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	defer cancel()
	c, err := client.Dial(ctx, d.sock)
	ts.Check(err)
	defer c.Close()
	at := 0
	for i := range count(ts, args[1]) {
		before, err := c.Status(ctx)
		ts.Check(err)
		step, killed := 0, false
		outcome, err := c.Upgrade(ctx, client.Smooth, func(p client.Progress) {
			if step == at {
				killed = true
				if err := syscall.Kill(before.MasterPID, syscall.SIGKILL); err != nil {
					ts.Logf("cannot kill master %d: %v", before.MasterPID, err)
				}
			}
			step++
		})
		if err != nil {
			ts.Fatalf("upgrade %d, master killed at step %d: %v", i, at, err)
		}
		if want := before.Generation + 1; outcome.Generation != want || outcome.State != "done" {
			ts.Fatalf("upgrade %d, master killed at step %d: generation %d is %s, want %d done", i, at, outcome.Generation, outcome.State, want)
		}
		at++
		if !killed {
			at = 0
		}
	}
}

// cmdHostile connects so many clients, all at once, of which none is any good,
// and leaves them there while it asks for the status, then hangs up on all.
func cmdHostile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "hostile NAME COUNT")
	d := fixtureOf(ts).daemon(ts, args[0])
	n := count(ts, args[1])
	before, err := askStatus(d.sock)
	ts.Check(err)
	conns := make(chan net.Conn, n)
	defer func() {
		for range n {
			if conn := <-conns; conn != nil {
				conn.Close()
			}
		}
	}()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			conn, err := net.DialTimeout("unix", d.sock, patience)
			if err == nil {
				conn.SetDeadline(time.Now().Add(300 * time.Millisecond)) // most never read or end
				misbehave(conn, i)
			}
			conns <- conn
		})
	}
	wg.Wait()
	after, err := askStatus(d.sock)
	ts.Check(err)
	if after.MasterPID != before.MasterPID || len(after.Workers) != len(before.Workers) {
		ts.Fatalf("hostile clients changed something: %+v, before %+v", after, before)
	}
}

// misbehave writes what a hostile client does. A write that is cut off since
// the master reads no more, or has hung up, is what is to be expected.
func misbehave(conn net.Conn, i int) {
	switch i % 8 {
	case 0: // garbage
		io.WriteString(conn, "\x00\xff\xfe{{{{]]]]\n\n\r\n\x1b[2J\n")
	case 1: // a line without an end
		io.WriteString(conn, `{"command":"`+strings.Repeat("a", 200<<10))
	case 2: // half a line
		io.WriteString(conn, `{"command":"worker:ack","pi`)
	case 3: // never reads
		for range 200 {
			if _, err := io.WriteString(conn, strings.Repeat(`{"command":"help","id":1}`+"\n", 20)); err != nil {
				return
			}
		}
	case 4: // wrong pids
		for _, pid := range []string{"1", "0", "-1", "99999999", `"7"`, "1e99", "null", "[]"} {
			io.WriteString(conn, `{"command":"worker:ack","pid":`+pid+"}\n")
		}
	case 5: // silence
	case 6: // deep and wrong
		io.WriteString(conn, strings.Repeat(`{"command":`, 5000)+"\n"+`{"command":["status"],"args":{"a":1},"id":[1]}`+"\n")
	case 7: // hangs up at once
		io.WriteString(conn, `{"command":"status","id":1}`+"\n")
		conn.Close()
	}
}
