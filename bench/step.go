// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"time"
)

// atOnce is how many workers are started to find out what one costs.
const atOnce = 100

// step times the last step to a worker: workers with a socket, with systemd's
// variables, which take it, and without.
func step(ctx context.Context, e *env, r *row) error {
	n := e.scaled(20, 2)
	var with, without []time.Duration
	for range n {
		for _, side := range []struct {
			took    *[]time.Duration
			dialect string
		}{{&without, "einhorn"}, {&with, "einhorn,systemd"}} {
			up, err := upWith(ctx, e, side.dialect, atOnce)
			if err != nil {
				return err
			}
			*side.took = append(*side.took, up)
		}
	}
	var thousands []time.Duration
	for range e.scaled(10, 1) {
		up, err := upWith(ctx, e, "einhorn,systemd", 1000)
		if err != nil {
			return err
		}
		thousands = append(thousands, up)
	}
	r.info(fmt.Sprintf("%d workers without it", atOnce), ms(median(without)), "ms median", "max "+number(ms(quantile(without, 1)))+" ms")
	r.info(fmt.Sprintf("%d workers with it", atOnce), ms(median(with)), "ms median", "max "+number(ms(quantile(with, 1)))+" ms")
	r.below("it costs", ms(median(with)-median(without))/atOnce, 3, "ms a worker", "")
	r.below("1,000 workers with it", median(thousands).Seconds(), 2, "s median", fmt.Sprintf("max %s s", number(quantile(thousands, 1).Seconds())))
	r.how("n=%d each, alternating: -b 127.0.0.1:0 --ack-mode 0 -- sleep 1000000, with --env einhorn,systemd and with --env einhorn.", n)
	r.how("From exec until status counts all as ready.")
	return nil
}

func upWith(ctx context.Context, e *env, dialect string, workers int) (time.Duration, error) {
	d, err := e.daemon([]string{"-n", fmt.Sprint(workers), "--env", dialect, "-b", "127.0.0.1:0", "--ack-mode", "0", "-q"}, "sleep", "1000000")
	if err != nil {
		return 0, err
	}
	up, err := d.countUp(ctx, workers)
	if err != nil {
		return 0, err
	}
	d.disconnect()
	return up, d.end()
}
