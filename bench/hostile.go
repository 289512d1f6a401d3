// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"einhyrningsins/client"
	"einhyrningsins/internal/wire"
)

// attackers are the kinds of hostile clients. Each does its worst on a
// connection of its own; what the daemon makes of it is not its concern. They
// run as our user, so none of them is refused for who it is.
var attackers = []struct {
	name string
	do   func(net.Conn)
}{
	{"garbage", func(c net.Conn) {
		noise := make([]byte, 16<<10)
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		c.Write(noise)
	}},
	{"endless line", func(c net.Conn) {
		piece := bytes.Repeat([]byte("a"), 32<<10)
		for range 64 { // 2 MiB
			if _, err := c.Write(piece); err != nil {
				return
			}
		}
	}},
	{"half a line", func(c net.Conn) { c.Write([]byte(`{"command":"sta`)) }},
	{"reads nothing", func(c net.Conn) {
		many := bytes.Repeat([]byte("{\"command\":\"status\",\"id\":1}\n"), 1000)
		c.SetDeadline(time.Now().Add(time.Second))
		c.Write(many)
	}},
	{"wrong pids", func(c net.Conn) {
		for _, pid := range []string{"1", "0", "-1", "4194304", "99999999999999999999", `"x"`, "null", fmt.Sprint(os.Getpid())} {
			fmt.Fprintf(c, "{\"command\":\"worker:ack\",\"id\":1,\"pid\":%s}\n{\"command\":\"worker:ping\",\"pid\":%s}\n", pid, pid)
		}
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		io.Copy(io.Discard, c)
	}},
}

// service is how well a daemon serves those who mean well.
type service struct{ ehlo, status, upgrade time.Duration }

// hostile compares the daemon before and after a thousand hostile clients.
func hostile(ctx context.Context, e *env, r *row) error {
	count := e.scaled(1000, 100)
	d, err := e.fourWorkers(ctx, bootTime)
	if err != nil {
		return err
	}
	before, err := d.serves(ctx, e)
	if err != nil {
		return err
	}
	master, err := masterPID(d.sock)
	if err != nil {
		return err
	}
	gang, err := attack(d.sock, count)
	if err != nil {
		return err
	}
	amid, amidErr := d.serves(ctx, e)
	gang.leave()
	if amidErr != nil {
		return fmt.Errorf("amid %d hostile clients: %w", count, amidErr)
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	after, err := d.serves(ctx, e)
	if err != nil {
		return fmt.Errorf("after %d hostile clients: %w", count, err)
	}
	survivor, err := masterPID(d.sock)
	if err != nil {
		return err
	}
	masters := 1
	if survivor != master {
		masters = 2
	}
	r.atMost("masters that it took", float64(masters), 1, "", "")
	compare := func(label string, of func(service) float64, bar float64, unit string) {
		note := fmt.Sprintf("before %s, amid them %s", number(of(before)), number(of(amid)))
		r.below(label+" afterwards", of(after), bar, unit, note)
	}
	compare("ehlo", func(s service) float64 { return us(s.ehlo) }, 150, "µs median")
	compare("status", func(s service) float64 { return us(s.status) }, 150, "µs median")
	compare("smooth upgrade", func(s service) float64 { return ms(s.upgrade) }, 400, "ms median")
	r.how("n=%d clients at once, %d each of: random bytes; 2 MiB without a newline; half a line, then silence; 1,000", count, count/len(attackers))
	r.how("status requests and not one read; ACKs and pings for pids that are no worker's. All stay connected while \"amid\"")
	r.how("is measured, as far as the daemon lets them.")
	return nil
}

// serves measures the service.
func (d *daemon) serves(ctx context.Context, e *env) (s service, err error) {
	n := e.scaled(3000, 300)
	took, err := askMany(d.sock, wire.Ehlo, n)
	if err != nil {
		return s, err
	}
	s.ehlo = median(took)
	if took, err = askMany(d.sock, wire.StatusCmd, n); err != nil {
		return s, err
	}
	s.status = median(took)
	took, least, err := timeUpgrades(ctx, d, client.Smooth, e.scaled(11, 3))
	if err == nil && least < 4 {
		err = fmt.Errorf("only %d workers were ready during an upgrade", least)
	}
	s.upgrade = median(took)
	return s, err
}

// gang is a number of hostile clients that have done their worst.
type gang struct {
	mu    sync.Mutex
	conns []net.Conn
	errs  []error
}

// attack sends count hostile clients at once, and returns when all have done
// what they came for. They stay.
func attack(sock string, count int) (*gang, error) {
	g := new(gang)
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			c, err := net.DialTimeout("unix", sock, 10*time.Second)
			g.mu.Lock()
			g.conns, g.errs = append(g.conns, c), append(g.errs, err)
			g.mu.Unlock()
			if err == nil {
				c.SetDeadline(time.Now().Add(10 * time.Second))
				attackers[i%len(attackers)].do(c)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(g.errs...); err != nil {
		g.leave()
		return nil, fmt.Errorf("cannot attack: %w", err)
	}
	return g, nil
}

func (g *gang) leave() {
	for _, c := range g.conns {
		if c != nil {
			c.Close()
		}
	}
}
