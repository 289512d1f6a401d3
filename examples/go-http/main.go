// SPDX-License-Identifier: GPL-3.0-or-later

// Command go-http is an HTTP worker for einhyrningsins. It answers every
// request with its pid, its index and its build, so that an upgrade can be
// watched from outside. All that makes it a worker is in package worker; see
// README.md for how to run it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"einhyrningsins/worker"
)

// build is what a new version of the program would change:
//
//	go build -ldflags "-X main.build=v2" ./examples/go-http
var build = "dev"

func main() {
	boot := flag.Duration("boot", 0, "time that starting takes, as 100ms; stands for reading a configuration, filling caches")
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen when no manager passes a socket")
	flag.StringVar(&build, "build", build, "what to call this build in the answers")
	flag.Parse()

	// The signals are ours from here on; see worker.Context.
	ctx, stop := worker.Context(context.Background())
	defer stop()
	select {
	case <-time.After(*boot):
	case <-ctx.Done():
		return
	}
	if err := serve(ctx, *addr); err != nil {
		log.SetFlags(0)
		log.Fatalf("go-http: %v", err)
	}
}

func serve(ctx context.Context, addr string) error {
	srv := &http.Server{Handler: handler(), ReadHeaderTimeout: time.Minute}
	if worker.Managed() {
		return worker.Serve(ctx, srv)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	log.Printf("no manager; listening on %v", ln.Addr())
	return worker.ServeListeners(ctx, srv, []net.Listener{ln})
}

func handler() http.Handler {
	index, err := worker.Index()
	if err != nil {
		index = -1 // started by hand
	}
	answer := fmt.Sprintf("pid=%d index=%d build=%s\n", os.Getpid(), index, build)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("for"))
		if err != nil || d < 0 || d > time.Minute {
			http.Error(w, "want a time of at most 1m, as in /slow?for=2s", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(d):
			fmt.Fprint(w, answer)
		case <-r.Context().Done(): // the client has gone
		}
	})
	return mux
}
