// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"fmt"
	"net"
	"time"

	"einhyrningsins/internal/wire"
)

// Silence is a request that has had no answer for some time.
type Silence struct {
	// PID is the process that listens at the other end, the keeper, as the kernel
	// knows it (SO_PEERCRED, unix(7)); 0 when the system does not tell.
	PID int
	// Answers tells that the server answers other requests, so that this one may be
	// long for a good reason: an upgrade whose workers take their time.
	Answers bool
}

// OnSilence has tell called, in the goroutine that waits, when a request has had
// no answer for so long. The request goes on waiting. When it had answers before,
// the server is first asked for a greeting, on the same connection; unless that is
// answered, tell is called once until something is heard again.
func (c *Client) OnSilence(after time.Duration, tell func(Silence)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silence = silence{after: after, tell: tell, id: func() uint64 { return c.lastID.Add(1) }}
}

// ServerPID is the process that listens at the other end of a connection made by
// [DialRaw]; 0 when the system does not tell.
func ServerPID(nc net.Conn) int {
	if nc, ok := nc.(*net.UnixConn); ok {
		if p, err := lookAt(nc); err == nil {
			return p.pid
		}
	}
	return 0
}

// silence is what to do about one; the zero silence is to do nothing.
type silence struct {
	after time.Duration
	tell  func(Silence)
	id    func() uint64 // of a request of its own
}

// listener waits for one request's answers, and notices when none comes.
type listener struct {
	silence
	cn      *conn
	timer   *time.Timer
	heard   bool
	greeted chan error // what became of a greeting that was asked for; nil: none was
}

func (s silence) listen(cn *conn) *listener {
	l := &listener{silence: s, cn: cn, timer: time.NewTimer(s.after)}
	if s.tell == nil {
		l.timer.Stop()
	}
	return l
}

// wait waits until there is more of cl to take.
func (l *listener) wait(ctx context.Context, command string, cl *call) error {
	for {
		select {
		case <-cl.more:
			if l.heard = true; l.tell != nil && l.greeted == nil {
				l.timer.Reset(l.after)
			}
			return nil
		case <-l.timer.C:
			if l.heard {
				l.greet(ctx)
			} else {
				l.tell(Silence{PID: l.cn.peer.pid})
			}
		case err := <-l.greeted:
			l.greeted = nil
			l.tell(Silence{PID: l.cn.peer.pid, Answers: err == nil})
			if err == nil {
				l.timer.Reset(l.after)
			}
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for %s: %w", command, ctx.Err())
		}
	}
}

// greet asks whether the server answers at all.
func (l *listener) greet(ctx context.Context) {
	greeted := make(chan error, 1)
	l.greeted = greeted
	go func() {
		limited, cancel := context.WithTimeout(ctx, l.after)
		defer cancel()
		_, err := l.cn.exchange(limited, l.id(), wire.Request{Command: wire.Ehlo}, nil, silence{})
		greeted <- err
	}()
}
