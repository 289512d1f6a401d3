// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"einhyrningsins/bench/load"
)

// rival is one manager of workers in the comparison. All are made to upgrade
// by HUP, and watched from outside, by the files that their workers make.
type rival struct {
	name     string
	command  func(addr string) []string
	environ  []string
	managers func(pid int) ([]int, error) // its own processes, workers apart

	*process
	addr  string
	ready string // directory of the workers' files
}

// compared is what was seen of one rival.
type compared struct {
	rest, busy []lap // upgrades at rest and under load
	load       load.Result
	pss, rss   int64
	wakeUps    int64
}

// lap is one upgrade: until four new workers were ready, and until moreover
// the last old one was gone.
type lap struct{ ready, over time.Duration }

// fight measures one rival; n upgrades at rest and as many under load.
func (v *rival) fight(ctx context.Context, e *env, n int) (c compared, err error) {
	v.ready = filepath.Join(e.dir, v.name+".ready")
	if err := os.Mkdir(v.ready, 0o700); err != nil {
		return c, err
	}
	if v.addr, err = freeAddr(); err != nil {
		return c, err
	}
	v.process, err = e.launch(v.name, append(v.environ, readyVar+"="+v.ready), v.command(v.addr)...)
	if err != nil {
		return c, err
	}
	e.running = append(e.running, v)
	if err := v.up(ctx); err != nil {
		return c, err
	}
	if c.rest, err = v.laps(ctx, n); err != nil {
		return c, err
	}
	opts := load.Options{Addr: v.addr, Conns: 8, NewFraction: 0.3, Rate: 1000}
	loaded := startLoad(ctx, opts)
	defer loaded.stop()
	if c.busy, err = v.laps(ctx, n); err != nil {
		return c, err
	}
	if c.load, err = loaded.stop(); err != nil {
		return c, err
	}
	return c, v.atRest(ctx, &c)
}

// laps makes n upgrades with pauses between them.
func (v *rival) laps(ctx context.Context, n int) (list []lap, err error) {
	for range n {
		old, err := v.live()
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := v.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return nil, err
		}
		l, err := v.replaced(ctx, old, begin)
		if err != nil {
			return nil, err
		}
		list = append(list, l)
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// atRest reads memory and wake-ups.
func (v *rival) atRest(ctx context.Context, c *compared) error {
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	pids, err := v.managers(v.pid())
	if err != nil {
		return err
	}
	var before, after int64
	for _, pid := range pids {
		pss, err1 := pssOf(pid)
		rss, err2 := rssOf(pid)
		n, err3 := switchesOf(pid)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		c.pss, c.rss, before = c.pss+pss, c.rss+rss, before+n
	}
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	for _, pid := range pids {
		n, err := switchesOf(pid)
		if err != nil {
			return err
		}
		after += n
	}
	c.wakeUps = after - before
	return nil
}

// live is the set of workers that said they are ready and still exist. Files
// of others are removed.
func (v *rival) live() (map[int]bool, error) {
	files, err := os.ReadDir(v.ready)
	if err != nil {
		return nil, err
	}
	pids := make(map[int]bool, len(files))
	for _, f := range files {
		pid, err := strconv.Atoi(f.Name())
		if err != nil {
			return nil, err
		}
		if syscall.Kill(pid, 0) == nil {
			pids[pid] = true
		} else if err := os.Remove(filepath.Join(v.ready, f.Name())); err != nil {
			return nil, err
		}
	}
	return pids, nil
}

// up waits until the first four workers are ready and the address answers.
func (v *rival) up(ctx context.Context) error {
	if _, err := v.replaced(ctx, nil, v.begun); err != nil {
		return err
	}
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for end := time.Now().Add(10 * time.Second); ; {
		err := get(web, v.addr)
		if err == nil || time.Now().After(end) {
			return err
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// replaced watches the workers until four that aren't in old are ready, and
// none that is exists.
func (v *rival) replaced(ctx context.Context, old map[int]bool, since time.Time) (l lap, err error) {
	for {
		live, err := v.live()
		if err != nil {
			return l, err
		}
		fresh, left := 0, 0
		for pid := range live {
			if old[pid] {
				left++
			} else {
				fresh++
			}
		}
		if fresh == 4 && l.ready == 0 {
			l.ready = time.Since(since)
		}
		if fresh == 4 && left == 0 {
			l.over = time.Since(since)
			return l, nil
		}
		if v.ended() {
			return l, fmt.Errorf("%s has ended (%v): %s", v.name, v.err, v.lastWords())
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return l, err
		}
	}
}

// end ends the rival and any worker that it leaves behind.
func (v *rival) end() error {
	err := v.process.end()
	live, _ := v.live()
	for pid := range live {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	return err
}

func pause(ctx context.Context, t time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t):
		return nil
	}
}
