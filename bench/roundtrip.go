// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"time"

	"einhyrningsins/client"
	"einhyrningsins/internal/wire"
)

// roundTrip times commands over one kept connection, and a whole run of the
// control program.
func roundTrip(ctx context.Context, e *env, r *row) error {
	d, err := e.fourWorkers(ctx, 10*time.Millisecond)
	if err != nil {
		return err
	}
	n, runs := e.scaled(10_000, 1000), e.scaled(200, 20)
	for _, command := range []string{wire.Ehlo, wire.StatusCmd} {
		took, err := askMany(d.sock, command, n)
		if err != nil {
			return err
		}
		r.below(command, us(median(took)), 150, "µs median", "p99 "+number(us(quantile(took, 0.99)))+" µs")
	}
	var typed []time.Duration
	for range n {
		begin := time.Now()
		if _, err := d.client.Status(ctx); err != nil {
			return err
		}
		typed = append(typed, time.Since(begin))
	}
	r.info("status by the Go client", us(median(typed)), "µs median", "p99 "+number(us(quantile(typed, 0.99)))+" µs")
	var whole []time.Duration
	for range runs {
		begin := time.Now()
		if out, err := exec.CommandContext(ctx, e.bin(ctlBin), "-d", d.sock, "version").CombinedOutput(); err != nil {
			return fmt.Errorf("cannot run %s: %w: %s", ctlBin, err, out)
		}
		whole = append(whole, time.Since(begin))
	}
	r.info("einhyrningsinsctl version, the whole process", ms(median(whole)), "ms median", "p99 "+number(ms(quantile(whole, 0.99)))+" ms")
	r.how("n=%d of each command, one after the other on a kept connection, written and read bare (the Go client adds", n)
	r.how("decoding and a change of goroutines); n=%d runs of the control program. 4 workers, idle.", runs)
	return nil
}

// asker is a bare connection to a control socket.
type asker struct {
	net.Conn
	in *bufio.Reader
}

func dialControl(sock string) (*asker, error) {
	nc, err := net.Dial("unix", sock)
	if err != nil {
		return nil, err
	}
	return &asker{nc, bufio.NewReaderSize(nc, 64<<10)}, nil
}

// ask sends one command and returns its answer, which has to be a good one.
func (a *asker) ask(command string) (wire.Reply, error) {
	line, err := a.exchange(wire.Encode(client.Request{Command: command, ID: []byte("1")}))
	if err != nil {
		return wire.Reply{}, err
	}
	reply, err := wire.ParseReply(line)
	if err == nil && !reply.OK {
		err = fmt.Errorf("%s was answered by %s", command, line)
	}
	return reply, err
}

// exchange writes one line and returns the next one.
func (a *asker) exchange(line []byte) ([]byte, error) {
	if err := a.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := a.Write(line); err != nil {
		return nil, err
	}
	return a.in.ReadBytes('\n')
}

// askMany times a command n times, after some that warm up.
func askMany(sock, command string, n int) (took []time.Duration, err error) {
	a, err := dialControl(sock)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	request := wire.Encode(client.Request{Command: command, ID: []byte("1")})
	for i := range n + n/10 {
		begin := time.Now()
		line, err := a.exchange(request)
		t := time.Since(begin)
		if err != nil {
			return nil, err
		}
		if reply, err := wire.ParseReply(line); err != nil || !reply.OK {
			return nil, fmt.Errorf("%s was answered by %s", command, line)
		}
		if i >= n/10 {
			took = append(took, t)
		}
	}
	return took, nil
}
