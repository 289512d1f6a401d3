// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"einhyrningsins/worker"
)

// play is the life of one worker process. It returns its exit status.
func play(role string) int {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hello\n")
	})}
	var err error
	switch role {
	case roleServe:
		err = worker.Serve(context.Background(), srv)
	case roleShutdown:
		err = serveAndShutdown(srv)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drain: worker:", err)
		return 1
	}
	return 0
}

// serveAndShutdown is what the documentation of net/http suggests.
func serveAndShutdown(srv *http.Server) error {
	ctx, stop := worker.Context(context.Background())
	defer stop()
	ln, err := worker.Listener(0)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	if err := worker.Ack(ctx); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
