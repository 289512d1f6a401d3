// SPDX-License-Identifier: GPL-3.0-or-later

// Command go-systemd is an HTTP server as it is written for systemd's socket
// activation: it takes its sockets from LISTEN_FDS, says READY=1, and ends
// gracefully on TERM. It knows nothing of einhyrningsins, under which it runs as
// it is; see README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"einhyrningsins/worker"
)

func main() {
	build := flag.String("build", "dev", "what to call this build in the answers")
	mend := flag.Bool("mend", false, "drain with the worker package, which loses nothing, instead of Shutdown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listeners, err := activation.Listeners()
	if err != nil || len(listeners) == 0 {
		log.Fatalf("go-systemd: there is no socket for this process (%v)", err)
	}
	srv := &http.Server{Handler: handler(*build)}
	if *mend {
		notify(daemon.SdNotifyReady)
		if err := worker.ServeListeners(ctx, srv, listeners); err != nil {
			log.Fatalf("go-systemd: %v", err)
		}
		return
	}
	for _, l := range listeners {
		go func() {
			if err := srv.Serve(l); err != http.ErrServerClosed {
				log.Fatalf("go-systemd: %v", err)
			}
		}()
	}
	notify(daemon.SdNotifyReady)
	<-ctx.Done()
	notify(daemon.SdNotifyStopping)
	if err := srv.Shutdown(context.Background()); err != nil {
		log.Fatalf("go-systemd: %v", err)
	}
}

// notify does nothing where nobody listens.
func notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Printf("go-systemd: cannot notify: %v", err)
	}
}

func handler(build string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "build=%s\n", build) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.URL.Query().Get("for")); err == nil {
			<-time.After(min(d, time.Minute))
		}
		fmt.Fprintf(w, "build=%s\n", build)
	})
	return mux
}
