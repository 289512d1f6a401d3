// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"einhyrningsins/client"
)

// silentAfter is how long a person waits before being told for whom.
const silentAfter = 5 * time.Second

// masterName is what a keeper's master is called.
const masterName = "einhyrn-master"

// process is what proc(5) tells of one.
type process struct {
	pid, parent int
	name, state string
	stopped     bool
}

// states are those of proc(5) in words.
var states = map[string]string{
	"R": "running", "S": "sleeping", "D": "waiting for a disk or a file server", "T": "stopped; SIGCONT lets it go on", "t": "stopped by a debugger",
	"Z": "dead, and not reaped", "X": "dead", "I": "idle",
}

// tellSilence returns what tells a person about silences on the control socket at
// path. Where other requests are answered it is no fault of the master's, but its
// keeper may be stopped.
func (o *output) tellSilence(path string) func(client.Silence) {
	stopped := false
	return func(q client.Silence) {
		if !q.Answers {
			o.note(whoIsSilent(path, q.PID))
			return
		}
		keeper, _ := lookAt(q.PID)
		was := stopped
		if stopped = keeper.stopped; stopped && !was {
			o.note(fmt.Sprintf("no progress for %v; still waiting: keeper %d is %s", silentAfter, q.PID, keeper.state))
		}
	}
}

// whoIsSilent says in one line whose answer is missing. pid is who listens; 0:
// nobody knows.
func whoIsSilent(path string, pid int) string {
	text := fmt.Sprintf("no answer for %v on %s; still waiting", silentAfter, path)
	p, ok := lookAt(pid)
	switch {
	case pid == 0:
		return text
	case !ok: // a system without /proc
		return fmt.Sprintf("%s: process %d listens there", text, pid)
	}
	if master, ok := masterOf(pid); ok {
		return fmt.Sprintf("%s: keeper %d is %s, its master %d is %s", text, pid, p.state, master.pid, master.state)
	}
	if strings.HasPrefix(p.name, "einhyrn") || strings.HasPrefix(p.name, "einhorn") {
		return fmt.Sprintf("%s: keeper %d is %s, and has no master", text, pid, p.state)
	}
	return fmt.Sprintf("%s: process %d (%s) listens there and is %s; is that einhyrningsins?", text, pid, clean(p.name), p.state)
}

func masterOf(keeper int) (process, bool) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, ok := lookAt(pid); ok && p.parent == keeper && p.name == masterName {
			return p, true
		}
	}
	return process{}, false
}

// lookAt reads /proc/PID/stat. The name in it stands between the first and the last
// parenthesis, and may hold some itself.
func lookAt(pid int) (process, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	text := string(b)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 2 {
		return process{}, false
	}
	state := states[fields[0]]
	if state == "" {
		state = "in state " + fields[0]
	}
	parent, _ := strconv.Atoi(fields[1])
	return process{pid: pid, parent: parent, name: text[open+1 : end], state: state, stopped: strings.EqualFold(fields[0], "t")}, true
}
