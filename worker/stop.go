// SPDX-License-Identifier: MIT

package worker

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The defaults of the options.
const (
	DefaultGracefulSignal = syscall.SIGUSR2
	DefaultIdleWait       = 5 * time.Second
	DefaultUnusedWait     = 30 * time.Second

	// hurriedWait bounds both waits once TERM or INT has come, so that a worker
	// ends by itself before the manager's kill timeout (10 s by default).
	hurriedWait = 5 * time.Second
)

// Option changes how a worker stops. [Context] heeds [GracefulSignal] alone.
type Option func(*options)

type options struct {
	graceful     os.Signal
	drainTimeout time.Duration
	idleWait     time.Duration
	unusedWait   time.Duration
	onReady      func()
	tls          bool
	cert, key    string
}

func newOptions(opts []Option) options {
	o := options{graceful: DefaultGracefulSignal, idleWait: DefaultIdleWait, unusedWait: DefaultUnusedWait}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// stopSignals are the signals that ask a worker to stop.
func (o options) stopSignals() []os.Signal {
	return []os.Signal{o.graceful, syscall.SIGTERM, syscall.SIGINT}
}

// GracefulSignal sets the signal by which the manager asks its workers to
// stop; it must be the same as the manager's own --graceful-signal.
func GracefulSignal(s os.Signal) Option {
	return func(o *options) { o.graceful = s }
}

// DrainTimeout sets how long the drain may take; after that the connections
// left are closed and [Serve] returns [ErrDrainTimeout]. 0, the default, sets
// no limit and leaves it to the manager's --drain-timeout.
func DrainTimeout(d time.Duration) Option {
	return func(o *options) { o.drainTimeout = d }
}

// IdleWait sets how long the drain keeps a connection that has been used
// before and is idle. Its next request in that time is answered, with
// "Connection: close"; without one it is closed. The default is
// [DefaultIdleWait].
func IdleWait(d time.Duration) Option {
	return func(o *options) { o.idleWait = d }
}

// UnusedWait sets how long the drain waits for the first request of a
// connection that was accepted but not used yet. A client may not repeat such
// a request by itself, so this is longer than [IdleWait]. The default is
// [DefaultUnusedWait].
func UnusedWait(d time.Duration) Option {
	return func(o *options) { o.unusedWait = d }
}

// OnReady sets a function that [Serve] calls once, after all sockets are
// accepted from and the manager has the ACK. It runs in a goroutine of its own.
func OnReady(f func()) Option {
	return func(o *options) { o.onReady = f }
}

// TLS makes Serve speak TLS, with HTTP/2, as http.Server.ServeTLS does: both
// names may be empty when srv.TLSConfig has certificates.
func TLS(certFile, keyFile string) Option {
	return func(o *options) { o.tls, o.cert, o.key = true, certFile, keyFile }
}

// early catches the graceful signal from the start of the program on: until
// somebody asks for it the runtime swallows USR2 (os/signal), and a worker that
// is asked to stop while it boots would never hear.
var early = make(chan os.Signal, 1)

func init() {
	if Managed() {
		signal.Notify(early, DefaultGracefulSignal)
	}
}

// Context returns a copy of parent that ends when the worker is asked to stop:
// by the graceful signal, by TERM or by INT. Until stop is called those signals
// have no other effect. Call it first thing in main: a TERM or INT that comes
// before kills the process, which is right only while it has accepted nothing.
// A USR2 that came before ends the context at once; another signal that was
// set by [GracefulSignal] counts from the call on.
func Context(parent context.Context, opts ...Option) (ctx context.Context, stop context.CancelFunc) {
	o := newOptions(opts)
	ctx, unregister := signal.NotifyContext(parent, o.stopSignals()...)
	ctx, cancel := context.WithCancel(ctx)
	if o.graceful == DefaultGracefulSignal {
		select {
		case <-early:
			cancel()
		default:
		}
	}
	return ctx, func() {
		cancel()
		unregister()
	}
}
