// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/client"
)

// playNotify is a worker that says READY=1, and how long that took to be dealt
// with.
const playNotify = "notify"

// notifies times READY=1: from the worker's send until it hears that all was dealt
// with, the ACK saved with the keeper.
func notifies(ctx context.Context, e *env, r *row) error {
	n := e.scaled(50, 3)
	dir, err := os.MkdirTemp(e.dir, "notify")
	if err != nil {
		return err
	}
	program := []string{"env", playVar + "=" + playNotify, readyVar + "=" + dir, self()}
	d, err := e.daemon([]string{"-n", "1", "--ack-mode", "notify", "-q"}, program...)
	if err != nil {
		return err
	}
	if err := d.ready(ctx, 1); err != nil {
		return err
	}
	for range n {
		if _, err := d.client.Upgrade(ctx, client.Smooth, nil); err != nil {
			return err
		}
	}
	if err := d.ready(ctx, 1); err != nil {
		return err
	}
	d.disconnect()
	if err := d.end(); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	var took []time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		span, err := time.ParseDuration(strings.TrimSpace(string(text)))
		if err != nil {
			return err
		}
		took = append(took, span)
	}
	if len(took) < n {
		return fmt.Errorf("%d of %d workers told how long it took", len(took), n)
	}
	r.below("READY=1 dealt with", ms(median(took)), 5, "ms median", "p90 "+number(ms(quantile(took, 0.9)))+" ms, max "+number(ms(quantile(took, 1)))+" ms")
	r.how("n=%d workers, one after the other in upgrades: from sending READY=1 until the descriptor of a BARRIER=1 sent right after", len(took))
	r.how("it is closed, which is when the ACK was handed to the keeper to be saved.")
	return nil
}

// sayReady is the life of such a worker.
func sayReady() error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2, syscall.SIGTERM)
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := c.Write([]byte("READY=1")); err != nil {
		return err
	}
	rights := unix.UnixRights(int(theirs.Fd()))
	if cerr := raw.Control(func(fd uintptr) { err = unix.Sendmsg(int(fd), []byte("BARRIER=1"), rights, nil, 0) }); cerr != nil || err != nil {
		return errors.Join(cerr, err)
	}
	theirs.Close()
	_, _ = ours.Read(make([]byte, 1)) // its end
	took := time.Since(began)
	file := filepath.Join(os.Getenv(readyVar), strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(file, []byte(took.String()), 0o600); err != nil {
		return err
	}
	<-asked
	return nil
}
