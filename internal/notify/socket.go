// SPDX-License-Identifier: GPL-3.0-or-later

package notify

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Home is where the sockets of workers are to be.
type Home struct {
	Dir    string // made when it is missing; "": nowhere
	Others bool   // the workers are another user's
}

// Socket makes a socket for the datagrams of one worker, and returns it and what
// NOTIFY_SOCKET is to say: a path, which every program understands (Ruby's
// sd_notify takes an abstract name for one), in a directory that only we can list.
// Where workers could not reach it, or it is not ours, the name is in the
// abstract namespace, unix(7). Whoever is told the name can send, so it cannot be
// guessed, and the kernel tells of each datagram who sent it.
func Socket(p Home) (fd int, name string, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, "", os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		unix.Close(fd)
		return 0, "", os.NewSyscallError("setsockopt", err)
	}
	secret, err := secret()
	if err != nil {
		unix.Close(fd)
		return 0, "", os.NewSyscallError("getrandom", err)
	}
	if name = p.bind(fd, secret); name != "" {
		return fd, name, nil
	}
	name = "@einhyrningsins/notify/" + secret
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		unix.Close(fd)
		return 0, "", os.NewSyscallError("bind", err)
	}
	return fd, name, nil
}

// secret is 128 random bits as text. It asks the kernel directly: crypto/rand does
// the same in the end, and is 3 % of a program as small as ours.
func secret() (string, error) {
	var bits [16]byte // up to 256 bytes come whole, getrandom(2)
	if _, err := unix.Getrandom(bits[:], 0); err != nil {
		return "", err
	}
	return hex.EncodeToString(bits[:]), nil
}

// maxPath is how long the path of a socket can be, unix(7).
const maxPath = len(unix.RawSockaddrUnix{}.Path) - 1

// bind gives the socket a path, or returns "".
func (p Home) bind(fd int, secret string) string {
	path := filepath.Join(p.Dir, secret)
	if p.Dir == "" || len(path) > maxPath || !p.usable() {
		return ""
	}
	if unix.Bind(fd, &unix.SockaddrUnix{Name: path}) != nil {
		return ""
	}
	if p.Others && os.Chmod(path, 0o666) != nil { // who must not send does not know the name
		_ = os.Remove(path)
		return ""
	}
	return path
}

// usable makes the directory, and tells whether it is ours alone to write to and
// can be reached by workers.
func (p Home) usable() bool {
	if err := os.Mkdir(p.Dir, 0o711); err == nil {
		_ = os.Chmod(p.Dir, 0o711) // whatever the umask was
	}
	var st unix.Stat_t
	if unix.Lstat(p.Dir, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return false
	}
	for dir := p.Dir; p.Others && dir != "/"; {
		dir = filepath.Dir(dir)
		if info, err := os.Stat(dir); err != nil || info.Mode()&1 == 0 {
			return false
		}
	}
	return true
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
