// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// drain runs bench/drain, which compares two ways to stop a Go worker.
func drain(ctx context.Context, e *env, r *row) error {
	restarts := e.scaled(400, 40)
	out, err := exec.CommandContext(ctx, e.bin(drainBin), "-restarts", strconv.Itoa(restarts)).Output()
	if err != nil {
		return fmt.Errorf("cannot run bench/drain: %w: %s", err, out)
	}
	for _, kind := range []string{"worker.Serve", "http.Server.Shutdown"} {
		columns, err := drainRow(string(out), kind)
		if err != nil {
			return err
		}
		lost, err := strconv.ParseFloat(columns["lost"], 64)
		if err != nil {
			return fmt.Errorf("cannot read what bench/drain printed: %w:\n%s", err, out)
		}
		note := fmt.Sprintf("%s requests, %s retried, p99 %s, max %s", columns["requests"], columns["retried"], columns["p99"], columns["max"])
		if kind == "worker.Serve" {
			r.atMost("lost, "+kind, lost, 0, "requests", note)
		} else {
			r.info("lost, "+kind, lost, "requests", note)
		}
	}
	r.how("n=%d workers replaced of each kind, one after the other, without any manager: bench/drain, 4 Go workers, 16", restarts)
	r.how("clients in a closed loop, half of the requests on new connections.")
	return nil
}

// drainRow finds the row of one kind of worker in the table of bench/drain, by
// the table's own headings.
func drainRow(table, kind string) (map[string]string, error) {
	var headings []string
	columns := regexp.MustCompile(` {2,}`) // a heading may have blanks of its own
	lines := bufio.NewScanner(strings.NewReader(table))
	for lines.Scan() {
		words := columns.Split(strings.TrimSpace(lines.Text()), -1)
		switch {
		case headings == nil:
			headings = words
		case len(words) == len(headings) && words[0] == kind:
			row := make(map[string]string, len(words))
			for i, heading := range headings {
				row[heading] = words[i]
			}
			return row, nil
		}
	}
	return nil, fmt.Errorf("cannot find %s in what bench/drain printed:\n%s", kind, table)
}
