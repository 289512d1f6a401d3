// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"crypto/rand"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// HasSocket tells whether there can be a NOTIFY_SOCKET that knows its senders.
const HasSocket = true

// Socket makes a socket for the datagrams of one worker, and returns it and what
// NOTIFY_SOCKET is to say. Its name is in the abstract namespace, unix(7): there
// is no file to protect and to remove, and a worker in another directory tree
// reaches it; one in another network namespace does not. Whoever is told the name
// can send, so it cannot be guessed, and the kernel tells of each datagram who
// sent it.
func Socket() (fd int, name string, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, "", os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		unix.Close(fd)
		return 0, "", os.NewSyscallError("setsockopt", err)
	}
	name = "@einhyrningsins/notify/" + rand.Text()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		unix.Close(fd)
		return 0, "", os.NewSyscallError("bind", err)
	}
	return fd, name, nil
}

// oobSize is enough for as many descriptors as can come at once, unix(7), and
// for the sender's credentials.
var oobSize = unix.CmsgSpace(unix.SizeofUcred) + unix.CmsgSpace(253*4)

// datagram receives one, and does not wait for it.
func (r *reader) datagram(fd int) (d datagram, err error) {
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	n, oobn, flags, _, err := unix.Recvmsg(fd, b.data, b.oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC|unix.MSG_TRUNC)
	if err != nil {
		return d, err
	}
	d.pid, d.uid = 0, -1
	messages, _ := unix.ParseSocketControlMessage(b.oob[:oobn])
	for i := range messages {
		if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			d.pid, d.uid = int(cred.Pid), int(cred.Uid)
		} else if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			d.fds = append(d.fds, fds...)
		}
	}
	if flags&unix.MSG_TRUNC != 0 || n > len(b.data) {
		d.tooLong = true
		return d, nil
	}
	d.Message = parse(b.data[:n])
	return d, nil
}

func isAgain(err error) bool { return err == syscall.EAGAIN }
