// SPDX-License-Identifier: GPL-3.0-or-later

package ready

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// attemptLimit is for one attempt; the keeper waits a second longer.
const attemptLimit = 4 * time.Second

// ProbeMain is this program as the process that asks a worker once: args are the
// mode's name and what it asks. The exit status is 0 when the worker is ready. What
// it prints is for the log.
func ProbeMain(args []string) (status int) {
	i := slices.IndexFunc(Modes, func(m Mode) bool { return m.Attempt != nil && len(args) == 2 && m.Name == args[0] })
	if i < 0 {
		fmt.Fprintln(os.Stderr, "einhyrningsins: this name is for processes that ask whether a worker is ready; nobody else calls it")
		return 1
	}
	err := Modes[i].Attempt(args[1])
	switch {
	case err == nil:
		return 0
	case !errors.Is(err, syscall.ECONNREFUSED): // it is still booting
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// checkAddress says what is wrong with an address, HOST:PORT and perhaps a path, of
// which each worker is to have one of its own.
func checkAddress(arg, example string) error {
	address, _, _ := strings.Cut(strings.TrimPrefix(arg, "//"), "/")
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" || strings.ContainsFunc(arg, notPlain) {
		return fmt.Errorf("%q is no HOST:PORT; write it as in %s", strings.TrimPrefix(arg, "//"), example)
	}
	if !strings.Contains(address, "{index}") && !strings.Contains(address, "{pid}") {
		return fmt.Errorf("another worker may answer at %s, which all would share: {index} makes it one for each, as in %s (and the program has to listen there); for workers that share a port take manual, notify, fd or exec", address, example)
	}
	return nil
}

// notPlain is what no address and no path can have: it would end the line of a request.
func notPlain(r rune) bool { return r <= ' ' || r == 0x7f }

// dial connects to a worker.
func dial(address string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, attemptLimit)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	return conn, conn.SetDeadline(time.Now().Add(attemptLimit))
}
