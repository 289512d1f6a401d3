// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// atOnce is how many workers are started to find out what one costs.
const atOnce = 100

// step times the last step to a worker, which every worker takes, beside as many
// programs that are started without a daemon.
func step(ctx context.Context, e *env, r *row) error {
	n := e.scaled(20, 2)
	var with, alone []time.Duration
	for range n {
		took, err := startAlone(ctx, atOnce)
		if err != nil {
			return err
		}
		alone = append(alone, took)
		if took, err = upWith(ctx, e, "einhorn,systemd", atOnce); err != nil {
			return err
		}
		with = append(with, took)
	}
	var thousands []time.Duration
	for range e.scaled(10, 1) {
		up, err := upWith(ctx, e, "einhorn,systemd", 1000)
		if err != nil {
			return err
		}
		thousands = append(thousands, up)
	}
	r.info(fmt.Sprintf("%d programs alone", atOnce), ms(median(alone)), "ms median", "max "+number(ms(quantile(alone, 1)))+" ms")
	r.info(fmt.Sprintf("%d workers", atOnce), ms(median(with)), "ms median", "max "+number(ms(quantile(with, 1)))+" ms")
	r.below("keeper, master and steps cost", ms(median(with)-median(alone))/atOnce, 3, "ms a worker", "")
	r.below("1,000 workers", median(thousands).Seconds(), 2, "s median", fmt.Sprintf("max %s s", number(quantile(thousands, 1).Seconds())))
	r.how("n=%d each, alternating: -b 127.0.0.1:0 --ack-mode 0 -- sleep 1000000, from exec until status counts all as ready,", n)
	r.how("and a program that starts as many of sleep, one after the other.")
	return nil
}

// startAlone starts so many programs and returns how long that took, until the last
// was executed.
func startAlone(ctx context.Context, count int) (took time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var started []*exec.Cmd
	begin := time.Now()
	for range count {
		cmd := exec.CommandContext(ctx, "sleep", "1000000")
		if err = cmd.Start(); err != nil {
			break
		}
		started = append(started, cmd)
	}
	took = time.Since(begin)
	cancel()
	for _, cmd := range started {
		_ = cmd.Wait() // it was killed
	}
	return took, err
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
