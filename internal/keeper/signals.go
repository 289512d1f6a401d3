// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/platform"
)

// handled are the signals that mean something to us. A master ignores them
// all, so that one sent to both acts once; until it does so it has them
// blocked, as far as the Go runtime leaves them so. One that dies of a signal
// all the same is replaced. The first are those for which the runtime has no
// good answer until we handle them: it dies of HUP, swallows USR2 and prints
// its stacks at QUIT.
var handled = []syscall.Signal{
	syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGTERM,
	syscall.SIGUSR1, syscall.SIGTTIN, syscall.SIGTTOU,
	syscall.SIGCONT, syscall.SIGPIPE,
}

// Signals is where signals arrive, from the first moment on. Each channel is as
// long as there can be signals that say something new, because os/signal drops
// what does not fit. Nothing that has arrived is lost before there is a loop.
type Signals struct {
	stop    chan os.Signal
	other   chan os.Signal
	ignored chan os.Signal // PIPE, and what was ignored when we were started
}

// Clean makes the process what a keeper needs: every signal is kept for Run,
// nothing that was inherited reaches a worker, no dead reader of our output and
// no signal that was ignored when we started does harm. It must be called
// before anything else: until then signals do what they do to any Go program.
// alarm says that ALRM means something, too.
func Clean(alarm bool) *Signals {
	s := &Signals{
		stop: make(chan os.Signal, 16), other: make(chan os.Signal, 16), ignored: make(chan os.Signal, 1),
	}
	for _, sig := range handled {
		switch {
		case sig == syscall.SIGPIPE:
			signal.Notify(s.ignored, sig)
		case platform.IsStop(sig):
			signal.Notify(s.stop, sig)
		default:
			signal.Notify(s.other, sig)
		}
	}
	if alarm {
		signal.Notify(s.other, syscall.SIGALRM)
	}
	platform.CloseInherited(firstInherited)
	platform.AdoptIgnored(s.ignored)
	return s
}

// CleanMaster makes the process what a master needs: it ignores what its keeper
// handles, for it starts no process that would inherit that. The mask that it
// was started with does not suffice: the Go runtime never leaves signals
// blocked that end a program, HUP, INT, QUIT and TERM among them.
func CleanMaster() {
	platform.CloseInherited(firstInherited)
	for _, sig := range handled {
		signal.Ignore(sig)
	}
}

// StoppedError says that a stop signal came before the start was complete.
type StoppedError struct{ sig syscall.Signal }

func (e *StoppedError) Error() string {
	return "stopped by SIG" + config.SignalName(int(e.sig)) + " before the start was complete"
}

// During does a part of the start. A stop signal cancels ctx and gives f so long
// to clean up; the error is then a [*StoppedError], whether or not f has come
// back. If f succeeds all the same, the signal is kept for whoever takes the
// next ones.
func (s *Signals) During(cleanup time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case sig := <-s.stop:
		cancel()
		select {
		case err := <-done:
			if err == nil {
				s.keep(sig)
				return nil
			}
		case <-time.After(cleanup):
		}
		return &StoppedError{sig.(syscall.Signal)}
	}
}

// keep puts a signal back. Where there is no room, there are enough of them.
func (s *Signals) keep(sig os.Signal) {
	select {
	case s.stop <- sig:
	default:
	}
}

// Stopped logs that a start has ended because it was told to, and returns the
// exit status: that of a stop at any other time.
func Stopped(log Log, why error) int {
	log.Logger().Info("exiting", "status", 0, "reason", why)
	log.Flush(time.Second)
	return 0
}

// isStopped tells whether a start has ended because it was told to.
func isStopped(err error) bool {
	return errors.As(err, new(*StoppedError))
}
