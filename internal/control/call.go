// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"encoding/json"

	"einhyrningsins/internal/wire"
)

// Call is one request and the way back to who made it. Its methods are for the
// loop; none blocks, and all may be called after the client is gone. Each call
// must be ended once, by Answer, Fail, Done or one of their variants; what comes
// after that is ignored.
type Call struct {
	wire.Request
	Peer    Peer
	Dialect Dialect // of the request, and so of its answers

	// Carried is what the loop of the master before this one noted with
	// [Call.Carry]; nil for a request that is new to every loop.
	Carried json.RawMessage

	conn *conn
	line []byte          // as it was read
	size int             // of line
	note json.RawMessage // for the next master; under conn.mu
	over bool            // under conn.mu

	again bool // it counts in conn.owed until it is handed over
}

// HasID reports whether the client wants objects (several, if it takes long)
// instead of one string.
func (c *Call) HasID() bool { return len(c.ID) > 0 }

// Answer ends the call: message as a string, or with an id as a [wire.Reply]
// that also holds data, unless it is nil.
func (c *Call) Answer(message string, data any) {
	c.end(c.Dialect.answer(c.ID, message, data, false), false)
}

// AnswerAndClose is Answer, after which nothing more is read and the
// connection is closed as soon as all that is owed to it is sent.
func (c *Call) AnswerAndClose(message string, data any) {
	c.end(c.Dialect.answer(c.ID, message, data, false), true)
}

// Fail ends the call with an error.
func (c *Call) Fail(err *wire.Error) { c.FailWith(err, nil) }

// FailWith is Fail with data beside the error, for a client with an id.
func (c *Call) FailWith(err *wire.Error, data any) { c.end(c.Dialect.failure(c.ID, err, data), false) }

// Done ends a call to which nothing is owed.
func (c *Call) Done() { c.end(nil, false) }

// DoneAndClose is Done, after which nothing more is read and the connection is
// closed as soon as all that is owed to it is sent.
func (c *Call) DoneAndClose() { c.end(nil, true) }

// Progress sends a line that says that more will follow. Without an id nothing
// is sent, nor while the client is far behind in reading.
func (c *Call) Progress(message string, data any) {
	if !c.HasID() {
		return
	}
	k := c.conn
	k.mu.Lock()
	deaf := c.over || k.closed || k.deaf || len(k.out) > dropProgress
	k.mu.Unlock()
	if deaf {
		return
	}
	line := c.Dialect.answer(c.ID, message, data, true)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.send(line)
}

// Gone reports whether nobody reads the answer any more.
func (c *Call) Gone() bool {
	k := c.conn
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed || k.deaf || hungUp(k.fd)
}

func (c *Call) end(line []byte, last bool) {
	k := c.conn
	k.mu.Lock()
	if c.over {
		k.mu.Unlock()
		return
	}
	c.over = true
	k.touch()
	if len(line) > 0 {
		k.send(line)
	}
	k.underWay--
	k.callBytes -= c.size
	lost := k.untake(c)
	if last && !k.ended {
		k.ended = true
		k.wake.Broadcast()
	}
	k.unblock()
	k.closeIfOver()
	ended := k.ended
	k.mu.Unlock()
	if lost {
		k.srv.forgetLost(k)
	}
	if ended {
		k.srv.settleNow(k, uncounted)
	}
	k.srv.freed()
}

// reply is r with data as one line.
func reply(r wire.Reply, data any) []byte {
	if data != nil {
		raw, err := json.Marshal(data)
		if err != nil {
			r.OK, r.Err = false, wire.Errorf(wire.BadRequest, "cannot encode answer: %s", err)
		}
		r.Data = raw
	}
	return wire.Encode(r)
}
