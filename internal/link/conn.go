// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"bytes"
	"errors"
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
//
// What the system refuses for now is sent later ([Conn.Watch]). Any other error
// ends the link in both directions: In is closed, and Err says why.
type Conn struct {
	file    *os.File
	raw     syscall.RawConn // of file
	sendmsg func(fd int, data, rights []byte) (int, error)

	mu       sync.Mutex
	out      []chunk     // not yet written, in order
	flushing bool        // a goroutine waits for the socket to take more
	writing  bool        // it is in the kernel with the first of out
	refused  error       // why the system does not take it for now
	broken   error       // why nothing more can be written
	watch    func(error) // hears of refused
	drained  chan struct{}

	in      chan Received
	inErr   error         // set before in is closed
	most    atomic.Int64  // bytes of one message
	busy    atomic.Bool   // bytes may have left the kernel and not yet arrived in in
	parked  chan struct{} // the reader has nothing more for now
	closing chan struct{}
	once    sync.Once
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
		sendmsg: sendmsg,
		drained: make(chan struct{}, 1),
		in:      make(chan Received),
		parked:  make(chan struct{}, 1),
		closing: make(chan struct{}),
	}
	conn.most.Store(MaxPayload)
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

// Limit bounds the messages that are received, in bytes of their payload: a longer
// one ends the link. Without it MaxPayload does. It has to be called before the other
// end can say anything.
func (c *Conn) Limit(most int) { c.most.Store(int64(most)) }

// Close ends both directions. Messages not yet received are lost.
func (c *Conn) Close() {
	c.once.Do(func() {
		close(c.closing)
		c.file.Close()
	})
}

// In delivers what the other end sent, in order. It is closed when the other
// end is gone, after every whole message; a partial one is dropped.
func (c *Conn) In() <-chan Received { return c.in }

// Err says why In was closed: io.EOF when the other end is gone, or why nothing
// could be sent to it.
func (c *Conn) Err() error { return c.inErr }

// OtherGone tells whether this error of a Conn, or none, means just that the other
// end is gone, with all that it was sent or without having read it, unix(7).
func OtherGone(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
}

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
	if err := c.Broken(); err != nil && OtherGone(c.inErr) {
		c.inErr = err // which is why it has ended
	}
	c.busy.Store(false)
	close(c.in)
}

func (c *Conn) readAll() error {
	var pending []byte
	var fds []int
	lost := false // some of the last message's
	defer func() { CloseFDs(fds) }()
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
		fr, err := cutFrame(rest, int(c.most.Load()))
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
			CloseFDs(mine)
			continue
		}
		select {
		case c.in <- Received{fr.msg, mine}:
		case <-c.closing:
			CloseFDs(mine)
			return nil, fds, os.ErrClosed
		}
	}
}

func (c *Conn) recvmsg(buf, oob []byte) (n, oobn, flags int, err error) {
	var rerr error
	err = c.raw.Read(func(fd uintptr) bool {
		c.busy.Store(true)
		for {
			n, oobn, flags, _, rerr = unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
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

// CloseFDs closes descriptors that nobody is to get.
func CloseFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// socketpair makes descriptors that no child inherits, whatever forks at this
// moment, socket(2).
func socketpair() ([2]int, error) {
	return unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}
