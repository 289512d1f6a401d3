// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"time"
)

// thousand runs a thousand workers that do nothing.
func thousand(ctx context.Context, e *env, r *row) error {
	n := e.scaled(10, 1)
	var ups, downs []time.Duration
	var sizes, threads, ofMaster []int64
	for range n {
		d, err := e.daemon([]string{"-n", "1000", "--ack-mode", "0", "-q"}, "sleep", "1000000")
		if err != nil {
			return err
		}
		up, err := d.countUp(ctx, 1000)
		if err != nil {
			return err
		}
		st, err := d.client.Status(ctx)
		if err != nil {
			return err
		}
		f, err := look(st)
		if err != nil {
			return err
		}
		d.disconnect()
		begin := time.Now()
		if err := d.end(); err != nil {
			return err
		}
		if d.err != nil {
			return fmt.Errorf("the daemon ended badly: %w: %s", d.err, d.lastWords())
		}
		ups, downs = append(ups, up), append(downs, time.Since(begin))
		sizes, threads = append(sizes, f.keeper+f.master), append(threads, f.threads)
		ofMaster = append(ofMaster, f.ofMaster)
	}
	r.below("up", median(ups).Seconds(), 1.5, "s median", fmt.Sprintf("max %s s", number(quantile(ups, 1).Seconds())))
	r.below("PSS of keeper and master", mb(quantile(sizes, 1)), 30, "MB max", "median "+number(mb(median(sizes))))
	r.atMost("threads of both", float64(quantile(threads, 1)), 16, "max", fmt.Sprintf("each time, of them the master's: %v, %v", threads, ofMaster))
	r.below("down", median(downs).Seconds(), 1, "s median", fmt.Sprintf("max %s s", number(quantile(downs, 1).Seconds())))
	r.how("n=%d. Up: from exec until status counts 1,000 ready workers (--ack-mode 0: a start is an ACK). Memory and", n)
	r.how("threads: right then. Down: from TERM to the end of the keeper, which waits for all of them.")
	return nil
}

// countUp returns how long after the daemon's start n workers were ready. It
// counts children cheaply first and lets status confirm.
func (d *daemon) countUp(ctx context.Context, n int) (time.Duration, error) {
	for {
		children, err := childrenOf(d.pid())
		if err != nil {
			return 0, err
		}
		if len(children) > n { // the master is one, too
			break
		}
		if err := d.pause(ctx, 5*time.Millisecond); err != nil {
			return 0, err
		}
	}
	if err := d.ready(ctx, n); err != nil {
		return 0, err
	}
	return time.Since(d.begun), nil
}
