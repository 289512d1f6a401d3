// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// neverUp is longer than any test runs.
const neverUp = time.Hour

func newSignals(caught ...os.Signal) *Signals {
	s := &Signals{stop: make(chan os.Signal, 2)}
	for _, sig := range caught {
		s.stop <- sig
	}
	return s
}

func TestDuringWithoutASignal(t *testing.T) {
	wrong := errors.New("wrong")
	for _, want := range []error{nil, wrong} {
		got := newSignals().During(neverUp, func(ctx context.Context) error { return errors.Join(want, ctx.Err()) })
		if !errors.Is(got, want) || got != nil && want == nil {
			t.Errorf("During = %v, want %v", got, want)
		}
	}
}

func TestDuringIsStopped(t *testing.T) {
	s := newSignals(syscall.SIGINT)
	cleaned := false
	err := s.During(neverUp, func(ctx context.Context) error {
		<-ctx.Done()
		cleaned = true
		return ctx.Err()
	})
	if !isStopped(err) || err.Error() != "stopped by SIGINT before the start was complete" || !cleaned {
		t.Errorf("During = %v, cleaned %v", err, cleaned)
	}
}

// What hangs ends with us, however long it would have.
func TestDuringDoesNotWaitForWhatHangs(t *testing.T) {
	hangs := make(chan struct{})
	defer close(hangs)
	err := newSignals(syscall.SIGQUIT).During(time.Millisecond, func(context.Context) error {
		<-hangs
		return nil
	})
	if !isStopped(err) {
		t.Errorf("During = %v", err)
	}
}

// A signal that came too late to stop the start stops what was started.
func TestDuringLosesNoSignal(t *testing.T) {
	s := newSignals(syscall.SIGUSR2)
	err := s.During(neverUp, func(ctx context.Context) error {
		<-ctx.Done()
		s.stop <- syscall.SIGINT
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := <-s.stop, <-s.stop; a != syscall.SIGINT || b != syscall.SIGUSR2 {
		t.Errorf("kept %v, %v", a, b)
	}
	// Where there is no room for it there are others.
	for range 2 {
		s.keep(syscall.SIGINT)
	}
	s.keep(syscall.SIGTERM)
	if a, b := <-s.stop, <-s.stop; a != syscall.SIGINT || b != syscall.SIGINT || len(s.stop) != 0 {
		t.Errorf("kept %v, %v", a, b)
	}
}
