// SPDX-License-Identifier: MIT

package worker

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"
)

// ErrDrainTimeout says that connections were still in use when the time of
// [DrainTimeout] was over; they were closed.
var ErrDrainTimeout = errors.New("connections were still in use when the drain timeout ended")

// serveAckTimeout is how long Serve tries to ACK: as long as a manager waits
// for it by default.
const serveAckTimeout = 30 * time.Second

// Serve serves HTTP with srv on all of [Listeners], ACKs once
// it accepts, and goes on until ctx ends or the process is asked to stop (see
// [Context]; Serve listens to the signals itself). Then it drains and returns
// nil.
//
// The drain loses no request. http.Server.Shutdown does: a connection that it
// finds accepted and whose request arrives a moment later is closed without an
// answer. Serve closes its listeners and then lets each connection come to its
// own end:
//
//   - one whose first request is still to come has [UnusedWait] to send it;
//   - one that is idle between requests has [IdleWait] to send another;
//   - a request that has begun is answered, however long that takes;
//   - every answer says "Connection: close", and the connection ends with it.
//     Only an answer whose header was on its way when the drain began says
//     nothing yet, and its connection is idle after it.
//
// So the one thing that a client can meet is an idle connection that is closed
// as its next request arrives, which HTTP/1.1 clients have to expect from
// every server and repeat the request (RFC 9112 section 9.3.1); only one that
// has been silent for all of IdleWait can. TERM or INT, as the first signal or
// during the drain, cuts both waits to at most 5 s from then on.
//
// HTTP/2 connections are told to go away with their next answer, or when no
// HTTP/1 connection is left, and end when their streams do. Hijacked
// connections (WebSockets) are no longer Serve's to wait for, as with
// Shutdown; their handlers can watch ctx. A handler that streams without end
// has to watch it too, or [DrainTimeout] will cut it off: functions of
// srv.RegisterOnShutdown run last, when no HTTP/1 connection is left.
//
// Serve sets srv.Handler, ConnState, ConnContext and BaseContext to functions
// that call those which were there. srv can't be used again afterwards, and
// its Shutdown must not be called meanwhile: Serve would end at once with
// http.ErrServerClosed. A failed ACK is written to srv.ErrorLog and ends
// nothing: what follows from it is the manager's to decide. Under a manager of
// another kind that waits for no ACK (see [Sockets]) none is sent. A NOTIFY_SOCKET
// that is this process's own is told STOPPING=1 when the drain begins.
func Serve(ctx context.Context, srv *http.Server, opts ...Option) error {
	listeners, err := Listeners()
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	if len(listeners) == 0 {
		return errors.New("cannot serve: the manager passes no socket that takes connections; give it one with -b, as in -b 127.0.0.1:8080,r")
	}
	return serve(ctx, srv, listeners, true, newOptions(opts))
}

// ServeListeners is [Serve] with listeners of the caller's own and no ACK, for
// a program that also runs without a manager. It closes them.
func ServeListeners(ctx context.Context, srv *http.Server, listeners []net.Listener, opts ...Option) error {
	if len(listeners) == 0 {
		return errors.New("cannot serve: no listener given")
	}
	return serve(ctx, srv, listeners, false, newOptions(opts))
}

func serve(ctx context.Context, srv *http.Server, listeners []net.Listener, ack bool, o options) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, o.stopSignals()...)
	defer signal.Stop(signals)

	accepting := acceptance(srv, len(listeners))
	d := newDrain(srv, o)
	ended := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() {
			if o.tls {
				ended <- srv.ServeTLS(ln, o.cert, o.key)
			} else {
				ended <- srv.Serve(ln)
			}
		}()
	}
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	var announced sync.WaitGroup
	defer announced.Wait()
	var acked atomic.Bool
	announced.Go(func() { announce(life, srv, accepting, ack, &acked, o.onReady) })

	left := len(listeners)
	var failure error
	select {
	case <-ctx.Done():
	case s := <-signals:
		d.hear(s)
	case failure = <-ended:
		left--
	}
	cancel()
	for _, ln := range listeners {
		ln.Close()
	}
	if acked.Load() && isNotifiedAbout() {
		// Before its ACK it would have failed to start.
		announced.Go(func() {
			if _, err := notify(context.Background(), notifyStopping); err != nil {
				logf(srv, "worker: %v", err)
			}
		})
	}
	// Serve returns only after it has handed its last connection to the
	// ConnState hook, so that after this the drain knows of all.
	for ; left > 0; left-- {
		<-ended
	}
	if errors.Is(failure, http.ErrServerClosed) {
		return failure // somebody else has shut it down
	}
	if err := d.run(signals); err != nil {
		return errors.Join(failure, err)
	}
	return failure
}

// acceptance returns a channel that is closed when n listeners are accepted
// from: net/http asks for the base context of each just before its first
// accept, when nothing can fail any more.
func acceptance(srv *http.Server, n int) <-chan struct{} {
	accepting := make(chan struct{})
	var mu sync.Mutex
	base := srv.BaseContext
	srv.BaseContext = func(ln net.Listener) context.Context {
		ctx := context.Background()
		if base != nil {
			ctx = base(ln)
		}
		mu.Lock()
		defer mu.Unlock()
		if n--; n == 0 {
			close(accepting)
		}
		return ctx
	}
	return accepting
}

// announce says that the worker is ready, once it is and unless ctx ends
// before.
func announce(ctx context.Context, srv *http.Server, accepting <-chan struct{}, ack bool, acked *atomic.Bool, onReady func()) {
	select {
	case <-ctx.Done():
		return
	case <-accepting:
	}
	if ack {
		ackCtx, cancel := context.WithTimeout(ctx, serveAckTimeout)
		defer cancel()
		err := Ack(ackCtx)
		acked.Store(err == nil)
		if err != nil && (byEinhorn(os.Getenv) || !errors.Is(err, ErrNotManaged)) {
			if ctx.Err() == nil {
				logf(srv, "worker: %v", err)
			}
			return
		}
	}
	if onReady != nil {
		onReady()
	}
}

func logf(srv *http.Server, format string, args ...any) {
	if srv.ErrorLog != nil {
		srv.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}
