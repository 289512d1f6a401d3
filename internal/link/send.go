// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// chunk is bytes to write; fds go with its first byte and are then closed.
type chunk struct {
	data []byte
	fds  []int
}

// Send queues m and writes as much of the queue as the socket takes at once;
// a goroutine writes the rest. It never blocks. It takes the file descriptors
// over: they are closed once they were sent.
func (c *Conn) Send(m Message, fds ...int) {
	data, err := encode(m, len(fds))
	ch := chunk{data: data, fds: fds}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.broken == nil {
		c.breakOff(err)
	}
	if c.broken != nil {
		CloseFDs(fds)
		return
	}
	c.out = append(c.out, ch)
	if !c.flushing {
		c.write(false)
	}
}

// Watch has f called when the system begins to refuse what is sent, with the
// reason, and with nil when all of that has been taken. It is tried again
// meanwhile. f may be called from any goroutine, and must not use the Conn.
func (c *Conn) Watch(f func(refused error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = f
}

// Refused is why the system does not take what is sent for now; nil: it does.
func (c *Conn) Refused() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// Broken is why nothing more can be sent; nil: it can.
func (c *Conn) Broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// Pending tells whether something that was sent has not reached the kernel
// yet, or never will.
func (c *Conn) Pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out) > 0 || c.broken != nil
}

// Drained receives a value when all that was pending has been written.
func (c *Conn) Drained() <-chan struct{} { return c.drained }

// How long to wait before what was refused is tried again: doubled each time.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// mayPass tells the errors that say nothing about the link, sendmsg(2), unix(7):
// the kernel has no memory, or processes of our user have too many descriptors
// under way.
func mayPass(err error) bool {
	return err == unix.ENOMEM || err == unix.ENOBUFS || err == unix.ETOOMANYREFS
}

func sendmsg(fd int, data, rights []byte) (int, error) {
	return unix.SendmsgN(fd, data, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// write writes what is queued; the caller holds mu. Unless it may wait, it
// leaves what the socket does not take now to a goroutine.
func (c *Conn) write(mayWait bool) {
	pause := firstPause
	for len(c.out) > 0 && c.broken == nil {
		err := c.writeSome(mayWait)
		switch {
		case err == nil:
			pause = firstPause
			c.setRefused(nil)
		case err == unix.EINTR:
		case mayPass(err), err == unix.EAGAIN:
			if err != unix.EAGAIN {
				c.setRefused(err)
			}
			if !mayWait {
				c.flushing = true
				go c.flush()
				return
			}
			c.pause(pause)
			pause = min(2*pause, longestPause)
		default:
			c.breakOff(os.NewSyscallError("sendmsg", err))
		}
	}
	if len(c.out) == 0 {
		c.out = nil
	}
}

// writeSome writes as much of the first chunk as the socket takes at once. If it
// may wait it does so until the socket takes something, without mu; the link may
// break off meanwhile.
func (c *Conn) writeSome(mayWait bool) error {
	ch := c.out[0]
	var n int
	var werr error
	var rights []byte
	if len(ch.fds) > 0 {
		rights = unix.UnixRights(ch.fds...)
	}
	if mayWait {
		c.writing = true
		c.mu.Unlock()
	}
	err := c.raw.Write(func(fd uintptr) bool {
		n, werr = c.sendmsg(int(fd), ch.data, rights)
		return werr != unix.EAGAIN || !mayWait
	})
	if mayWait {
		c.mu.Lock()
		c.writing = false
	}
	if err == nil {
		err = werr
	}
	switch {
	case c.broken != nil:
		CloseFDs(ch.fds)
		return nil
	case err != nil:
		return err
	}
	CloseFDs(ch.fds)
	if n == len(ch.data) {
		c.out = c.out[1:]
	} else {
		c.out[0] = chunk{data: ch.data[n:]}
	}
	return nil
}

// pause waits without mu.
func (c *Conn) pause(d time.Duration) {
	c.mu.Unlock()
	defer c.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.closing:
	}
}

func (c *Conn) setRefused(err error) {
	if (err == nil) == (c.refused == nil) {
		return
	}
	c.refused = err
	if c.watch != nil {
		c.watch(err)
	}
}

// breakOff ends the link: nothing more can be sent, so the other side is told by
// its end, and ours reads what has arrived and then hears of it like of any
// other end.
func (c *Conn) breakOff(err error) {
	c.broken, c.refused = err, nil
	for i, ch := range c.out {
		if i > 0 || !c.writing { // the kernel may be taking those of the first
			CloseFDs(ch.fds)
		}
	}
	c.out = nil
	_ = c.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
}

func (c *Conn) flush() {
	c.mu.Lock()
	c.write(true)
	c.flushing = false
	c.mu.Unlock()
	select {
	case c.drained <- struct{}{}:
	default:
	}
}
