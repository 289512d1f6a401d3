// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "testing"

func TestAckModeIsExplained(t *testing.T) {
	for mode, want := range map[string]string{
		"manual":                   "manual: a worker is ready when it says so",
		"1s":                       "timer: a worker is ready after 1s",
		"exec:./ask {pid}":         "exec: a worker is ready when this says so, or it sends an ACK: ./ask {pid}",
		"tcp:127.0.0.1:80{index}":  "tcp: a worker is ready when it answers there, or sends an ACK: tcp:127.0.0.1:80{index}",
		"http://[::1]:80{index}/x": "http: a worker is ready when it answers there, or sends an ACK: http://[::1]:80{index}/x",
	} {
		if got := ackMode(mode); got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
	}
}
