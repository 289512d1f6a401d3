// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// start times from the start of a process to the first whole answer over TCP,
// with the daemon and without.
func start(ctx context.Context, e *env, r *row) error {
	n := e.scaled(30, 3)
	var alone, managed []time.Duration
	for range n {
		took, err := firstAnswerAlone(ctx, e, 0)
		if err != nil {
			return err
		}
		alone = append(alone, took)
		if took, err = firstAnswerManaged(ctx, e); err != nil {
			return err
		}
		managed = append(managed, took)
	}
	r.info("the program alone", ms(median(alone)), "ms median", "max "+number(ms(quantile(alone, 1)))+" ms")
	r.info("einhyrningsins -n 4 with it", ms(median(managed)), "ms median", "max "+number(ms(quantile(managed, 1)))+" ms")
	r.info("difference", ms(median(managed)-median(alone)), "ms", "keeper, master, and four processes that start at once")
	r.how("n=%d each, alternating; the program does not sleep when it boots. From exec to a whole 200, asked for", n)
	r.how("every 200 µs until the port answers.")
	return nil
}

// bootAlone times the program that boots in 100 ms without any manager.
func bootAlone(ctx context.Context, e *env, n int) (took []time.Duration, err error) {
	for range n {
		t, err := firstAnswerAlone(ctx, e, bootTime)
		if err != nil {
			return nil, err
		}
		took = append(took, t)
	}
	return took, nil
}

func firstAnswerAlone(ctx context.Context, e *env, boot time.Duration) (time.Duration, error) {
	addr, err := freeAddr()
	if err != nil {
		return 0, err
	}
	p, err := e.launch(goHTTPBin, nil, e.bin(goHTTPBin), "-addr", addr, "-boot", boot.String())
	if err != nil {
		return 0, err
	}
	e.running = append(e.running, p)
	defer e.endAll()
	return p.firstAnswer(ctx, addr)
}

func firstAnswerManaged(ctx context.Context, e *env) (time.Duration, error) {
	addr, err := freeAddr()
	if err != nil {
		return 0, err
	}
	d, err := e.daemon([]string{"-n", "4", "-m", "-b", addr + ",r"}, e.bin(goHTTPBin))
	if err != nil {
		return 0, err
	}
	defer e.endAll()
	took, err := d.firstAnswer(ctx, addr)
	if err != nil {
		return 0, err
	}
	return took, d.ready(ctx, 4)
}

// firstAnswer returns how long after its start p first answered.
func (p *process) firstAnswer(ctx context.Context, addr string) (time.Duration, error) {
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	defer web.CloseIdleConnections()
	for {
		err := get(web, addr)
		took := time.Since(p.begun)
		if err == nil {
			return took, nil
		}
		if ctx.Err() != nil || p.ended() {
			return 0, fmt.Errorf("cannot get a first answer: %w: %s", err, p.lastWords())
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func get(web *http.Client, addr string) error {
	resp, err := web.Get("http://" + addr + "/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// freeAddr is a loopback address with a port that was free a moment ago.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
