// SPDX-License-Identifier: MIT

// Package worker is what a Go program needs to run under einhyrningsins (or
// einhorn): the sockets it inherits, the ACK that says it is ready, and a stop
// that loses no request.
//
// For an HTTP server that is one call:
//
//	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
//	if err := worker.Serve(context.Background(), srv); err != nil {
//		log.Fatal(err)
//	}
//
// Other servers use the parts: [Listeners], [PacketConns] or [Sockets]
// (listeners.go), then [Ack] once they accept (ack.go), and [Context], which ends
// when the manager asks the worker to stop (stop.go). How [Serve] drains, and why
// http.Server.Shutdown is not enough, is told in serve.go and drain.go.
//
// The same program runs under systemd, as a unit with sockets, and under
// Server::Starter: sources.go finds what they pass, and notify.go tells systemd.
//
// # Sharing a socket
//
// All workers of a manager share its listening sockets. A listener that is
// closed here is closed for this process alone; a connection that waits in the
// socket's queue is accepted by another worker, or by the next one. That is
// why a worker that stops closes its listeners first, and loses nothing by it.
//
// Go's network poller needs non-blocking sockets, and O_NONBLOCK belongs to
// the open file description, which all processes share: as soon as one Go
// worker takes a socket over, accept(2) no longer blocks in any process that
// shares it. This can't be avoided in Go. A worker in another language that
// shares the socket, an older generation of the same service say, has to
// handle EAGAIN from accept(2), as after poll(2).
package worker

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"einhyrningsins/internal/childenv"
)

// ErrNotManaged says that the environment of this process was not made by a
// manager of workers.
var ErrNotManaged = errors.New("not run by a manager of workers; start the program with: einhyrningsins -b 127.0.0.1:8080,r -- PROGRAM")

// Managed tells whether the environment of this process speaks of a manager
// and its sockets, in one of the ways that [Sockets] knows. A program can use it to fall back to a socket of its own
// when it is started by hand.
func Managed() bool {
	return byEinhorn(os.Getenv) || os.Getenv(childenv.MasterPID) != "" ||
		bySystemd(os.Getenv) || os.Getenv(childenv.StarterPort) != ""
}

// Index returns the worker's index: the lowest number that no other live
// worker of the manager had when this one was started. With n workers at rest
// the indexes are 0 to n-1; during an upgrade there are higher ones. The error
// wraps [ErrNotManaged] when there is none in the environment.
func Index() (int, error) {
	text := os.Getenv(childenv.ChildIndex)
	if text == "" {
		return 0, fmt.Errorf("cannot tell the worker's index: %s is not set: %w", childenv.ChildIndex, ErrNotManaged)
	}
	index, err := strconv.Atoi(text)
	if err != nil || index < 0 {
		return 0, fmt.Errorf("cannot tell the worker's index: %s=%q is not a number from 0 up", childenv.ChildIndex, text)
	}
	return index, nil
}
