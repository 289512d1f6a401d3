// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// env is what all measurements share.
type env struct {
	dir    string // temporary: binaries, sockets, logs
	quick  bool
	stderr io.Writer

	patience time.Duration // how long to wait for a quiet machine

	running []ender // what has to be ended after a measurement
	count   int     // daemons so far; names their files
}

// ender is a process, or several, that a measurement started.
type ender interface{ end() error }

// The programs that are built for every run.
const (
	daemonBin = "einhyrningsins"
	ctlBin    = "einhyrningsinsctl"
	goHTTPBin = "go-http"
	drainBin  = "drain"
)

// newEnv builds the programs as they are released: static, without symbols.
func newEnv(ctx context.Context, quick bool, stderr io.Writer) (*env, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	const module = "einhyrningsins/"
	flags := "-s -w"
	entry := "" // as in the Makefile
	if runtime.GOARCH == "amd64" {
		entry = " -E " + module + "internal/entry.first"
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", flags, "-ldflags", module+"cmd/"+daemonBin+"="+flags+entry, "-o", dir+"/",
		module+"cmd/"+daemonBin, module+"cmd/"+ctlBin, module+"examples/"+goHTTPBin, module+"bench/"+drainBin)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return &env{dir: dir, quick: quick, stderr: stderr}, nil
}

// bin is the path of one of the programs that were built.
func (e *env) bin(name string) string { return filepath.Join(e.dir, name) }

// scaled is n, or with -quick a tenth of it, but not less than least.
func (e *env) scaled(n, least int) int {
	if e.quick {
		return max(n/10, least)
	}
	return n
}

// noisy is the part of all processor time above which others disturb us.
const noisy = 0.05

// quiet returns which part of the processors' time others use right now, after
// waiting for a better moment as long as it was told to.
func (e *env) quiet(ctx context.Context) (busy float64, err error) {
	for end := time.Now().Add(e.patience); ; {
		if busy, err = busyFor(ctx, time.Second); err != nil || busy < noisy || time.Now().After(end) {
			return busy, err
		}
	}
}

// busyFor measures the part of the processors' time that is used, by whomever,
// during a while.
func busyFor(ctx context.Context, t time.Duration) (float64, error) {
	before, idleBefore, err := processorTime()
	if err != nil {
		return 0, err
	}
	if err := pause(ctx, t); err != nil {
		return 0, err
	}
	after, idleAfter, err := processorTime()
	if err != nil || after == before {
		return 0, err
	}
	return 1 - float64(idleAfter-idleBefore)/float64(after-before), nil
}

// endAll ends what a measurement left running.
func (e *env) endAll() (err error) {
	for _, r := range e.running {
		err = errors.Join(err, r.end())
	}
	e.running = nil
	return err
}
