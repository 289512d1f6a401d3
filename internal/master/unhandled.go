// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"bytes"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/wire"
)

// warnUnhandled says once that a worker which is about to be asked to end will not
// drain: most servers do so at another signal than our default. It is about ready
// workers only, since one that starts may not have made its arrangements yet.
func (l *loop) warnUnhandled(serial uint64, sig syscall.Signal) {
	if l.unhandled {
		return
	}
	for _, w := range l.pool.Workers() {
		if w.Serial != serial || w.PID == 0 || w.ReadyAt == 0 {
			continue
		}
		if what := unhandled(w.PID, sig); what != "" {
			l.unhandled = true
			l.happened(slog.LevelWarn, wire.Event{
				Kind: eventUnhandled, Text: "a worker " + what + "; say with --graceful-signal at which it drains",
				PID: w.PID, Generation: w.Generation,
			}, slog.String("signal", config.SignalName(int(sig))))
		}
	}
}

// unhandled is what a process does with a signal that means nothing good to it, as
// proc(5) has it; "": it drains, or nobody can tell.
func unhandled(pid int, sig syscall.Signal) string {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	name, _, _ := strings.Cut(strings.TrimPrefix(string(status), "Name:\t"), "\n")
	right := config.DrainsAt(name)
	switch {
	case err != nil:
		return ""
	case sig == syscall.SIGUSR2 && right != 0:
		return "is " + name + ", which drains at " + config.SignalName(right) + " and not at the graceful signal"
	case has(status, "SigCgt", sig):
		return ""
	case has(status, "SigIgn", sig):
		return "ignores the graceful signal, and will not end"
	}
	return "does not handle the graceful signal, which ends it at once, with what it is answering"
}

// has tells whether a set of signals in a process's status contains one, or cannot be
// read.
func has(status []byte, set string, sig syscall.Signal) bool {
	_, rest, _ := bytes.Cut(status, []byte("\n"+set+":\t"))
	digits, _, _ := bytes.Cut(rest, []byte("\n"))
	mask, err := strconv.ParseUint(string(digits), 16, 64)
	return err != nil || mask>>(uint(sig)-1)&1 == 1
}
