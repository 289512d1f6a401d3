// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"einhyrningsins/worker"
)

// This program plays the workers of the comparison itself, so that ours and
// Server::Starter's are the same.
const (
	playVar  = "BENCH_PLAY"  // which part to play
	readyVar = "BENCH_READY" // directory in which a worker that is ready makes a file, named by its pid

	playManaged = "managed" // a worker of einhyrningsins
	playPrefork = "prefork" // what Server::Starter starts: four workers on its socket
	playShared  = "shared"  // one of those four; the socket is its fd 3
)

// play is the life of one such process. It returns its exit status.
func play() int {
	var err error
	switch part := os.Getenv(playVar); part {
	case playManaged:
		err = boot(func(ctx context.Context, srv *http.Server) error { return worker.Serve(ctx, srv) })
	case playShared:
		err = boot(func(ctx context.Context, srv *http.Server) error {
			ln, err := net.FileListener(os.NewFile(3, "socket"))
			if err != nil {
				return err
			}
			return worker.ServeListeners(ctx, srv, []net.Listener{ln})
		})
	case playIgnoring:
		err = ignoring()
	case playNotify:
		err = sayReady()
	case playPrefork:
		err = prefork(4)
	default:
		err = fmt.Errorf("cannot play %q", part)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: playing a worker:", err)
		return 1
	}
	return 0
}

// boot takes 100 ms, says that it is ready, and serves.
func boot(serve func(context.Context, *http.Server) error) error {
	ctx, stop := worker.Context(context.Background())
	defer stop()
	select {
	case <-time.After(bootTime):
	case <-ctx.Done():
		return nil
	}
	ready := filepath.Join(os.Getenv(readyVar), strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		return err
	}
	answer := fmt.Sprintf("pid=%d\n", os.Getpid())
	return serve(ctx, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, answer)
	})})
}

// prefork starts n workers on the socket that Server::Starter passed, hands
// USR2 on to them, and ends when they have ended.
func prefork(n int) error {
	asked := make(chan os.Signal, 8)
	signal.Notify(asked, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	fd, err := starterFD(os.Getenv("SERVER_STARTER_PORT"))
	if err != nil {
		return err
	}
	socket := os.NewFile(fd, "socket")
	var wg sync.WaitGroup
	var workers []*exec.Cmd
	for range n {
		w := exec.Command(os.Args[0])
		w.Env = append(os.Environ(), playVar+"="+playShared)
		w.ExtraFiles, w.Stderr = []*os.File{socket}, os.Stderr
		if err = w.Start(); err != nil {
			break
		}
		workers = append(workers, w)
		wg.Go(func() { w.Wait() })
	}
	if err == nil {
		<-asked
	}
	for _, w := range workers {
		w.Process.Signal(syscall.SIGUSR2)
	}
	wg.Wait()
	return err
}

// starterFD reads "host:port=fd".
func starterFD(port string) (uintptr, error) {
	_, number, ok := strings.Cut(port, "=")
	fd, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil {
		return 0, fmt.Errorf("cannot use SERVER_STARTER_PORT=%q: want host:port=fd", port)
	}
	return uintptr(fd), nil
}
