// SPDX-License-Identifier: MIT

package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"einhyrningsins/internal/wire"
)

// maxReply bounds one line from the server in bytes. A status takes about 3 MB for
// 10,000 workers, the most there can be, and 30 MB if each has said of itself all
// that it may; and up to 16 MB for the program's arguments, where every byte has
// to be escaped.
const maxReply = 64 << 20

// fullWait is how long dial goes on trying while the server's backlog is full.
const fullWait = 10 * time.Second

// maxPath is the longest path that fits an address with its final NUL (unix(7)).
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// conn is one connection. It carries many calls at once and never comes back
// once broken.
type conn struct {
	nc   *net.UnixConn
	peer peer
	done chan struct{} // closed when the reader has ended

	wmu sync.Mutex // one request line at a time

	mu       sync.Mutex
	calls    map[uint64]*call
	err      error // why it broke; nil while it stands
	farewell error // a refusal that named no request, told before the end
}

// call is one request that waits for answers. Its queue has no bound of its
// own, so that a slow caller holds up nobody else on the connection.
type call struct {
	mu    sync.Mutex
	queue []wire.Reply
	err   error
	more  chan struct{} // capacity 1: something was added
}

func (cl *call) add(r wire.Reply, err error) {
	cl.mu.Lock()
	if err != nil {
		cl.err = err
	} else {
		cl.queue = append(cl.queue, r)
	}
	cl.mu.Unlock()
	select {
	case cl.more <- struct{}{}:
	default:
	}
}

// take returns what has come, and the error that follows it.
func (cl *call) take() ([]wire.Reply, error) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	q := cl.queue
	cl.queue = nil
	return q, cl.err
}

func dial(ctx context.Context, path string) (*conn, error) {
	nc, p, err := dialTrusted(ctx, path)
	if err != nil {
		return nil, err
	}
	cn := &conn{nc: nc, peer: p, done: make(chan struct{}), calls: make(map[uint64]*call)}
	go cn.read()
	return cn, nil
}

// dialTrusted connects to a server that is root's or our own.
func dialTrusted(ctx context.Context, path string) (*net.UnixConn, peer, error) {
	if len(path) > maxPath {
		return nil, peer{}, fmt.Errorf("cannot connect to %s: the path has %d bytes; a socket's has at most %d", path, len(path), maxPath)
	}
	if path == "" {
		return nil, peer{}, fmt.Errorf("cannot connect: no socket path; the default is %s", DefaultPath)
	}
	if strings.ContainsRune(path, 0) {
		return nil, peer{}, fmt.Errorf("cannot connect to %q: a path has no NUL byte", path)
	}
	nc, err := dialUnix(ctx, path)
	if err != nil {
		return nil, peer{}, cannotConnect(path, err)
	}
	p, err := lookAt(nc)
	if err == nil {
		err = p.check(path)
	}
	if err != nil {
		nc.Close()
		return nil, peer{}, err
	}
	return nc, p, nil
}

// dialUnix connects. A full backlog is EAGAIN on a non-blocking socket
// (connect(2)), which is no refusal: a master that is being replaced will
// accept soon.
func dialUnix(ctx context.Context, path string) (*net.UnixConn, error) {
	var d net.Dialer
	giveUp := time.Now().Add(fullWait)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		nc, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return nc.(*net.UnixConn), nil
		}
		if !errors.Is(err, syscall.EAGAIN) || time.Now().After(giveUp) {
			return nil, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// sleep waits for d, or less when ctx ends, and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (cn *conn) broken() bool {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	return cn.err != nil
}

// fail breaks the connection for good; only the first cause counts.
func (cn *conn) fail(err error) {
	cn.mu.Lock()
	if cn.err == nil {
		cn.err = err
	}
	err = cn.cause()
	calls := cn.calls
	cn.calls = nil
	cn.mu.Unlock()
	cn.nc.Close()
	for _, cl := range calls {
		cl.add(wire.Reply{}, err)
	}
}

// cause is why the connection broke, for the calls that it takes along: a
// refusal says more than the end that follows it. The caller holds mu.
func (cn *conn) cause() error {
	if cn.farewell != nil && !errors.Is(cn.err, ErrClosed) {
		return cn.farewell
	}
	return cn.err
}

// exchange sends req under id and waits for its last answer.
func (cn *conn) exchange(ctx context.Context, id uint64, req wire.Request, each func(wire.Reply), silence silence) (wire.Reply, error) {
	cl := &call{more: make(chan struct{}, 1)}
	cn.mu.Lock()
	if cn.err != nil {
		defer cn.mu.Unlock()
		return wire.Reply{}, explain(req.Command, false, cn.cause())
	}
	cn.calls[id] = cl
	cn.mu.Unlock()
	defer cn.drop(id)

	req.ID = json.RawMessage(strconv.FormatUint(id, 10))
	if sent, err := cn.write(ctx, req); err != nil {
		return wire.Reply{}, explain(req.Command, sent, cn.lastWords(ctx, err))
	}
	l := silence.listen(cn)
	defer l.timer.Stop()
	for {
		if err := l.wait(ctx, req.Command, cl); err != nil {
			return wire.Reply{}, err
		}
		replies, err := cl.take()
		for _, r := range replies {
			if !r.Wait {
				return r, failure(r)
			}
			if each != nil {
				each(r)
			}
		}
		if err != nil {
			return wire.Reply{}, explain(req.Command, true, err)
		}
	}
}

// lastWords waits, when the other end has hung up, for what it said before,
// and prefers a refusal to the bare error.
func (cn *conn) lastWords(ctx context.Context, err error) error {
	if !errors.Is(err, syscall.EPIPE) {
		return err
	}
	select {
	case <-cn.done:
	case <-ctx.Done():
	}
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.farewell != nil {
		return cn.farewell
	}
	return err
}

// failure is the error of a reply that is not ok.
func failure(r wire.Reply) error {
	switch {
	case r.OK:
		return nil
	case r.Err != nil:
		return r.Err
	}
	return wire.Errorf(wire.Refused, "the master refused without a reason")
}

// explain makes of a connection's end the error of one call.
func explain(command string, sent bool, err error) error {
	var refused *wire.Error
	var unreadable unreadableError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &unreadable):
		return fmt.Errorf("cannot read the answer to %s: %w", command, unreadable)
	case errors.Is(err, ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("cannot wait for %s: %w", command, err)
	case errors.Is(err, errTooLong):
		return fmt.Errorf("cannot send %s: %w", command, err)
	}
	return &lostError{command: command, sent: sent, cause: err}
}

func (cn *conn) drop(id uint64) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	delete(cn.calls, id)
}

var errTooLong = fmt.Errorf("the request is longer than the %d bytes that a line may have", wire.MaxLine)

// write sends one line; sent tells whether any of it may have arrived.
func (cn *conn) write(ctx context.Context, req wire.Request) (sent bool, err error) {
	line := wire.Encode(req)
	if len(line) > wire.MaxLine {
		return false, errTooLong
	}
	cn.wmu.Lock()
	defer cn.wmu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { cn.nc.SetWriteDeadline(time.Unix(1, 0)) })
	n, err := cn.nc.Write(line)
	stopped := stop()
	if err == nil {
		if !stopped {
			cn.nc.SetWriteDeadline(time.Time{})
		}
		return true, nil
	}
	if n > 0 || !errors.Is(err, syscall.EPIPE) {
		// The framing is lost with the rest of the line.
		cn.fail(err)
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		err = ctxErr
	}
	return n > 0, plainCause(err)
}

// read hands each answer to its call until the connection ends.
func (cn *conn) read() {
	defer close(cn.done)
	r := bufio.NewReaderSize(cn.nc, 32<<10)
	for {
		line, err := readLine(r, maxReply)
		if err != nil {
			if err == io.EOF {
				err = errors.New("it was closed at the other end")
			}
			cn.fail(plainCause(err))
			return
		}
		if err := cn.deliver(line); err != nil {
			cn.fail(err)
			return
		}
	}
}

// plainCause drops the address from a socket's error; ours is known already.
func plainCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, unreadableError(fmt.Sprintf("it is longer than the %d bytes that a client takes", most))
		}
		line = append(line, part...)
		if err == nil {
			return line, nil
		}
		if err != bufio.ErrBufferFull {
			return nil, err
		}
	}
}

// deliver hands one line to the call that it answers. A string, or an object
// without an id, speaks of the connection as a whole: a refusal, most likely
// with its end to follow. An id that nobody waits for is a call given up.
func (cn *conn) deliver(line []byte) error {
	reply, err := wire.ParseReply(line)
	if errors.Is(err, wire.ErrNotReply) {
		var text string
		if json.Unmarshal(line, &text) != nil {
			return notOurs("neither an object nor a string")
		}
		cn.remember(wire.Errorf(wire.Refused, "%s", text))
		return nil
	}
	if err != nil {
		return notOurs(strings.TrimPrefix(err.Error(), "cannot read reply: "))
	}
	id, err := strconv.ParseUint(string(reply.RequestID), 10, 64)
	if err != nil {
		if why := failure(reply); why != nil {
			cn.remember(why)
		}
		return nil
	}
	cn.mu.Lock()
	cl := cn.calls[id]
	cn.mu.Unlock()
	if cl != nil {
		cl.add(reply, nil)
	}
	return nil
}

func (cn *conn) remember(why error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.farewell = why
}
