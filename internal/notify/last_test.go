// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"io"
	"os"
	"testing"
)

// TestLastWords: what a worker that is gone had said is not lost, wherever it was.
func TestLastWords(t *testing.T) {
	for _, where := range []string{"in the socket", "read already", "nobody ever listened"} {
		t.Run(where, func(t *testing.T) {
			e := newEar(t, os.Getpid())
			if where != "nobody ever listened" {
				e.set.Resume()
			}
			e.send("STATUS=a\nREADY=1")
			for where == "read already" && e.set.Idle() { // nobody takes it
				<-e.set.Parked()
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			e.send("BARRIER=1", int(w.Fd()))
			e.send("BARRIER=1", int(w.Fd()))
			w.Close()
			e.send("STATUS=b")
			ready, status := false, ""
			for _, said := range e.set.Remove(1) {
				if ready = ready || said.Ready; said.Status != nil {
					status = *said.Status
				}
				said.Release()
			}
			if !ready || status != "b" {
				t.Errorf("heard %t, %q", ready, status)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("who waits for an answer reads %d, %v", n, err)
			}
		})
	}
}
