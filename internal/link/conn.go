// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Received is one message and the file descriptors that came with it, which
// now belong to the receiver. There are fewer than were sent when the receiver
// can have no more (RLIMIT_NOFILE).
type Received struct {
	Msg Message
	FDs []int
}

// Conn is one end of the link. Messages may be sent from one goroutine at a
// time and received from another.
type Conn struct {
	file *os.File
	raw  syscall.RawConn // of file

	mu       sync.Mutex
	out      []chunk // not yet written, in order
	flushing bool    // a goroutine waits for the socket to take more
	broken   error   // why nothing more can be written
	drained  chan struct{}

	in      chan Received
	inErr   error         // set before in is closed
	busy    atomic.Bool   // bytes may have left the kernel and not yet arrived in in
	parked  chan struct{} // the reader has nothing more for now
	closing chan struct{}
	once    sync.Once
}

// chunk is bytes to write; fds go with its first byte and are then closed.
type chunk struct {
	data []byte
	fds  []int
}

// Pair makes the two ends of a link: ours, and the file that a master inherits.
func Pair() (*Conn, *os.File, error) {
	fds, err := socketpair()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "link")
	ours, err := New(os.NewFile(uintptr(fds[0]), "link"))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// Stream makes the two ends of a stream for others, as file descriptors.
func Stream() (from, to int, err error) {
	fds, err := socketpair()
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	return fds[0], fds[1], nil
}

// New makes a Conn of an end of the link, takes f over, and begins to receive.
func New(f *os.File) (*Conn, error) {
	file, raw, err := pollable(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use link: %w", err)
	}
	conn := &Conn{
		file:    file,
		raw:     raw,
		drained: make(chan struct{}, 1),
		in:      make(chan Received),
		parked:  make(chan struct{}, 1),
		closing: make(chan struct{}),
	}
	go conn.receive()
	return conn, nil
}

// pollable makes a file of f's descriptor that the runtime waits for, and closes
// f. (It does so, too, for what package net makes, but neither keeper nor master
// has another use for that.)
func pollable(f *os.File) (*os.File, syscall.RawConn, error) {
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // os.NewFile looks for it
		unix.Close(fd)
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "link")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetDeadline(time.Time{}) // fails when the runtime cannot wait for it
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, raw, nil
}

// Close ends both directions. Messages not yet received are lost.
func (c *Conn) Close() {
	c.once.Do(func() {
		close(c.closing)
		c.file.Close()
	})
}

// Send queues m and writes as much of the queue as the socket takes at once;
// a goroutine writes the rest. It never blocks. It takes the file descriptors
// over: they are closed once they were sent.
func (c *Conn) Send(m Message, fds ...int) {
	data, err := appendFrame(nil, m, len(fds))
	ch := chunk{data: data, fds: fds}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.broken == nil {
		c.broken = err
	}
	if c.broken != nil {
		closeFDs(fds)
		return
	}
	c.out = append(c.out, ch)
	if !c.flushing {
		c.write(false)
	}
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

// write writes what is queued; the caller holds mu. Unless it may wait, it
// leaves what the socket does not take now to a goroutine.
func (c *Conn) write(mayWait bool) {
	var err error
	for err == nil && len(c.out) > 0 {
		ch := &c.out[0]
		var n int
		var werr error
		var rights []byte
		if len(ch.fds) > 0 {
			rights = unix.UnixRights(ch.fds...)
		}
		blocked := false
		data := ch.data
		if mayWait {
			c.mu.Unlock()
		}
		err = c.raw.Write(func(fd uintptr) bool {
			n, werr = unix.SendmsgN(int(fd), data, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			blocked = werr == unix.EAGAIN
			return !blocked || !mayWait
		})
		if mayWait {
			c.mu.Lock()
			ch = &c.out[0]
		}
		switch {
		case err != nil || werr == unix.EINTR:
		case blocked:
			c.flushing = true
			go c.flush()
			return
		case werr != nil:
			err = werr
		default:
			closeFDs(ch.fds)
			ch.fds = nil
			if ch.data = ch.data[n:]; len(ch.data) == 0 {
				c.out = c.out[1:]
			}
		}
	}
	if err != nil && c.broken == nil {
		c.broken = err
		for _, ch := range c.out {
			closeFDs(ch.fds)
		}
	}
	if len(c.out) == 0 {
		c.out = nil
	}
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

// In delivers what the other end sent, in order. It is closed when the other
// end is gone, after every whole message; a partial one is dropped.
func (c *Conn) In() <-chan Received { return c.in }

// Err says why In was closed: io.EOF when the other end is gone.
func (c *Conn) Err() error { return c.inErr }

// Idle tells whether everything that has arrived here was also taken from In.
// When it is false, either In or Parked delivers soon.
func (c *Conn) Idle() bool {
	readable := false
	// The order matters: bytes leave the kernel only after busy was set.
	_ = c.raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		readable = err == nil && n > 0 && p[0].Revents&unix.POLLIN != 0
	})
	return !readable && !c.busy.Load()
}

// Parked receives a value when the reader has run out of bytes.
func (c *Conn) Parked() <-chan struct{} { return c.parked }

func (c *Conn) receive() {
	c.inErr = c.readAll()
	c.busy.Store(false)
	close(c.in)
}

func (c *Conn) readAll() error {
	var pending []byte
	var fds []int
	lost := false // some of the last message's
	defer func() { closeFDs(fds) }()
	buf := make([]byte, 8<<10)
	oob := make([]byte, unix.CmsgSpace(maxFDs*4))
	for {
		n, oobn, flags, err := c.recvmsg(buf, oob)
		if err != nil {
			return err
		}
		fds = append(fds, parseRights(oob[:oobn])...)
		lost = lost || flags&unix.MSG_CTRUNC != 0
		if n == 0 {
			return io.EOF
		}
		data := buf[:n] // whole messages as a rule, which need no copy
		if len(pending) > 0 {
			data = append(pending, data...)
		}
		if data, fds, err = c.deliver(data, fds, lost); err != nil {
			return err
		}
		if len(pending) == 0 {
			data = bytes.Clone(data) // buf is used again
		}
		pending = data
		lost = lost && len(pending) > 0
	}
}

// deliver hands on every whole message of pending, and returns what is left.
// When descriptors were lost, for want of room in our table, the last message
// comes without these: recvmsg(2) reads nothing beyond the message that they
// belong to.
func (c *Conn) deliver(pending []byte, fds []int, lost bool) ([]byte, []int, error) {
	rest := pending
	for {
		fr, err := cutFrame(rest)
		switch {
		case err != nil || fr.fds <= len(fds):
		case lost:
			fr.fds = len(fds)
		default:
			err = errFrame
		}
		if err != nil {
			return nil, fds, err
		}
		if fr.size == 0 {
			switch len(rest) {
			case 0:
				return nil, fds, nil
			case len(pending): // a long message is not copied once for each part of it
				return pending, fds, nil
			}
			return append(pending[:0], rest...), fds, nil
		}
		rest = rest[fr.size:]
		mine := fds[:fr.fds:fr.fds]
		fds = fds[fr.fds:]
		if fr.msg == nil { // from a newer version that knows more than we do
			closeFDs(mine)
			continue
		}
		select {
		case c.in <- Received{fr.msg, mine}:
		case <-c.closing:
			closeFDs(mine)
			return nil, fds, os.ErrClosed
		}
	}
}

func (c *Conn) recvmsg(buf, oob []byte) (n, oobn, flags int, err error) {
	var rerr error
	err = c.raw.Read(func(fd uintptr) bool {
		c.busy.Store(true)
		for {
			n, oobn, flags, _, rerr = unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|recvCloexec)
			if rerr != unix.EINTR {
				break
			}
		}
		if rerr != unix.EAGAIN {
			return true
		}
		c.busy.Store(false)
		select {
		case c.parked <- struct{}{}:
		default:
		}
		return false
	})
	if err == nil {
		err = rerr
	}
	return n, oobn, flags, err
}

func parseRights(oob []byte) []int {
	var fds []int
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range got {
			unix.CloseOnExec(fd)
			fds = append(fds, fd)
		}
	}
	return fds
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
