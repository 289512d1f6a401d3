// SPDX-License-Identifier: GPL-3.0-or-later

// Command go-goji is an HTTP server as it is written for einhorn, with goji's
// packages: bind takes the socket and ACKs, graceful ends on USR2. Both compare
// EINHORN_MASTER_PID with their parent, and do nothing where they differ. It
// runs under einhyrningsins as it is; see README.md.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/zenazn/goji/bind"
	"github.com/zenazn/goji/graceful"
)

func main() {
	build := flag.String("build", "dev", "what to call this build in the answers")
	flag.Parse()
	ln := bind.Socket(bind.Sniff())
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "build=%s\n", *build) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.URL.Query().Get("for")); err == nil {
			<-time.After(min(d, time.Minute))
		}
		fmt.Fprintf(w, "build=%s\n", *build)
	})
	graceful.HandleSignals()
	bind.Ready()
	if err := graceful.Serve(ln, mux); err != nil {
		log.Fatalf("go-goji: %v", err)
	}
	graceful.Wait()
}
