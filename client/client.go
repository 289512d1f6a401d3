// SPDX-License-Identifier: MIT

// Package client speaks to a running einhyrningsins over its control socket.
//
// [Dial] connects and makes sure of who is at the other end. A [Client] then
// carries typed calls, one method for each command: [Client.Status],
// [Client.Inc], [Client.Upgrade] … Calls may be made from many goroutines at
// once; all share one connection, on which each request has its own id.
//
//	c, err := client.Dial(ctx, client.DefaultPath)
//	if err != nil { … }
//	defer c.Close()
//	outcome, err := c.Upgrade(ctx, client.Smooth, func(p client.Progress) {
//		fmt.Println(p.Message)
//	})
//
// What the master refuses comes back as an [*Error] with its [Code]. Three
// sentinels tell the rest apart: [ErrNoMaster] (nobody listens), [ErrLost] (the
// connection broke and the answer with it) and [ErrClosed].
//
// A master may be replaced at any moment while its keeper and workers go on. A
// reload hands connections over and is not noticed; when one dies, the client
// connects again at the next call. A call that was under way is repeated when
// repeating it cannot do harm; otherwise it fails with [ErrLost], since nobody
// knows whether it was carried out. [Client.Upgrade] and [Client.Follow] go on
// with the same generation to its end.
//
// client.go holds the Client, conn.go one connection and its readers and
// writers, calls.go, config.go and events.go the simple calls, upgrade.go the two that take long,
// silence.go what to do when no answer comes, peer*.go the look at the other end,
// errors.go all that can go wrong.
package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"einhyrningsins/internal/wire"
)

// DefaultPath is where einhyrningsins has its control socket unless told
// otherwise with -d.
const DefaultPath = "/tmp/einhorn.sock"

// The messages of the control socket, as its protocol has them.
type (
	Request       = wire.Request
	Reply         = wire.Reply
	Status        = wire.Status
	Socket        = wire.Socket
	Worker        = wire.Worker
	UpgradeStatus = wire.UpgradeStatus
	Generation    = wire.Generation
	Settings      = wire.Settings
	Setting       = wire.Setting
	Change        = wire.Change
	Refusal       = wire.Refusal
	Event         = wire.Event
	Events        = wire.Events[wire.Event]
)

// attempts is how often a call that may be repeated is made before its
// [ErrLost] goes to the caller: enough for a master that dies of bad luck, not
// enough to kill each successor with the same request.
const attempts = 3

// Client is a connection to one control socket, made again when it breaks. It
// is safe for use by several goroutines.
type Client struct {
	path   string
	lastID atomic.Uint64
	turn   chan struct{} // holds one token; who has it may replace conn

	mu      sync.Mutex
	conn    *conn
	closed  bool
	silence silence
}

// Dial connects to the control socket at path. It refuses a server that runs
// as neither root nor our own effective user ([*PeerError]); when nothing
// listens there its error wraps [ErrNoMaster]. ctx bounds the connecting only.
func Dial(ctx context.Context, path string) (*Client, error) {
	c := &Client{path: path, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	if _, err := c.connection(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// DialRaw connects as [Dial] does, with the same look at the other end, and
// leaves the talking to the caller: for those who speak einhorn's dialect.
func DialRaw(ctx context.Context, path string) (net.Conn, error) {
	nc, _, err := dialTrusted(ctx, path)
	if err != nil {
		return nil, err // a nil *net.UnixConn would be no nil net.Conn
	}
	return nc, nil
}

// Path returns the path that was dialled.
func (c *Client) Path() string { return c.path }

// Connected tells whether the connection stands, as far as is known. When it
// does not, the next call connects again.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && c.conn != nil && !c.conn.broken()
}

// Close ends the connection and waits for its reader. Calls under way fail
// with [ErrClosed]. Closing twice is harmless.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	cn := c.conn
	c.mu.Unlock()
	if cn != nil {
		cn.fail(ErrClosed)
		<-cn.done
	}
	return nil
}

// Raw sends any request and returns its last answer; each, unless nil, is
// called with those before it, in order and in this goroutine. The id is
// chosen by the client. A failed reply comes back both as it was and as its
// [*Error]. Raw repeats nothing that may have reached the master.
func (c *Client) Raw(ctx context.Context, req Request, each func(Reply)) (Reply, error) {
	return c.call(ctx, req, each, false)
}

// call makes one exchange, on a new connection when the last one broke.
// repeatable says that carrying the command out twice is as good as once.
func (c *Client) call(ctx context.Context, req Request, each func(Reply), repeatable bool) (Reply, error) {
	for try := 1; ; try++ {
		reply, err := c.once(ctx, req, each)
		var lost *lostError
		if !errors.As(err, &lost) || try == attempts || (lost.sent && !repeatable) {
			return reply, err
		}
	}
}

func (c *Client) once(ctx context.Context, req Request, each func(Reply)) (Reply, error) {
	cn, err := c.connection(ctx)
	if err != nil {
		return Reply{}, err
	}
	c.mu.Lock()
	silence := c.silence
	c.mu.Unlock()
	return cn.exchange(ctx, c.lastID.Add(1), req, each, silence)
}

// connection returns the standing connection, or makes one.
func (c *Client) connection(ctx context.Context) (*conn, error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, cannotConnect(c.path, ctx.Err())
	}
	c.mu.Lock()
	cn, closed := c.conn, c.closed
	c.mu.Unlock()
	if closed {
		return nil, cannotConnect(c.path, ErrClosed)
	}
	if cn != nil && !cn.broken() {
		return cn, nil
	}
	cn, err := dial(ctx, c.path)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	closed = c.closed
	if !closed {
		c.conn = cn
	}
	c.mu.Unlock()
	if closed {
		cn.fail(ErrClosed)
		<-cn.done
		return nil, cannotConnect(c.path, ErrClosed)
	}
	return cn, nil
}

// serverPID is the pid at the other end of the newest connection: the
// keeper's, since the keeper listens. 0 when the system does not tell.
func (c *Client) serverPID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return 0
	}
	return c.conn.peer.pid
}
