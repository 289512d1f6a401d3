// SPDX-License-Identifier: MIT

package worker

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"

	"einhyrningsins/internal/childenv"
)

// connect reaches the manager: on the control socket, or, when that cannot be
// reached from here (the worker's root is another, or its user may not), on the
// connection that the worker was started with, if it was (-g). That one is
// second because it is lost to the worker once the manager has ended it, and
// because its number means something else in a process that did not get it.
func connect(ctx context.Context, path string) (nc net.Conn, own bool, err error) {
	var d net.Dialer
	nc, err = d.DialContext(ctx, "unix", path)
	if err == nil {
		return nc, false, nil
	}
	if nc, ownErr := ownConn(); ownErr == nil {
		return nc, true, nil
	}
	return nil, false, err
}

var errNotOurs = errors.New("it is no connection between two processes")

// ownConn duplicates the connection that the worker was started with.
func ownConn() (net.Conn, error) {
	fd, err := strconv.Atoi(os.Getenv(childenv.SockFD))
	if err != nil {
		return nil, err
	}
	if fd < childenv.FirstFD {
		return nil, errNotOurs
	}
	syscall.ForkLock.RLock()
	dup, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(dup)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(dup), "connection to the manager")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	// Both ends of a socket pair have no name, unlike what a server accepts or
	// a client dials.
	if !isNameless(nc.LocalAddr()) || !isNameless(nc.RemoteAddr()) {
		nc.Close()
		return nil, errNotOurs
	}
	return nc, nil
}

// isNameless knows that Go shows a leading zero byte, or none at all, as @.
func isNameless(a net.Addr) bool {
	addr, ok := a.(*net.UnixAddr)
	return ok && (addr.Name == "" || addr.Name == "@")
}
