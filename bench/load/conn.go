// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is one connection to the server.
type conn struct {
	nc      net.Conn
	in      answerReader
	answers int // whole ones so far
}

// fault is why a try failed.
type fault struct {
	kind      Kind
	err       error
	excusable bool // a kept connection, closed before the first byte of the answer
}

func dial(d *net.Dialer, addr string) (*conn, *fault) {
	network := "tcp"
	if isUnix(addr) {
		network = "unix"
	}
	nc, err := d.Dial(network, addr)
	if err != nil {
		return nil, &fault{kind: kindOf(err), err: err}
	}
	return &conn{nc: nc}, nil
}

// isUnix tells whether addr is the path of a UNIX socket, or its abstract name.
func isUnix(addr string) bool { return addr != "" && (addr[0] == '/' || addr[0] == '@') }

func (c *conn) close() { c.nc.Close() }

// do sends request and reads its answer. keep tells whether the connection may
// carry another request.
func (c *conn) do(request []byte, deadline time.Time, onAnswer func([]byte)) (keep bool, _ *fault) {
	if err := c.nc.SetDeadline(deadline); err != nil {
		return false, &fault{kind: kindOf(err), err: err}
	}
	_, writeErr := c.nc.Write(request)
	// A server that has closed may have said why before: an answer that is
	// there is the answer, even when the request could not be written.
	c.in.reset(c.nc)
	a, err := c.in.read(onAnswer != nil)
	if err != nil {
		if writeErr != nil && !c.in.started() {
			err = writeErr
		}
		return false, c.fault(err)
	}
	if a.status != 200 {
		return false, &fault{kind: Status, err: fmt.Errorf("status %d", a.status)}
	}
	c.answers++
	if onAnswer != nil {
		onAnswer(a.body)
	}
	return a.keep, nil
}

func (c *conn) fault(err error) *fault {
	kind := kindOf(err)
	if (kind == Closed || kind == Reset) && c.in.started() {
		return &fault{kind: Truncated, err: fmt.Errorf("answer cut off: %w", err)}
	}
	return &fault{kind: kind, err: err, excusable: c.answers > 0 && (kind == Closed || kind == Reset)}
}

func kindOf(err error) Kind {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Closed
	case errors.Is(err, errMalformed):
		return Malformed
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return Local
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return Timeout
	}
	return Other
}
