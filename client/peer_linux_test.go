// SPDX-License-Identifier: MIT

package client

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// listenAs listens on path in a thread that has the effective user uid: that is
// the one that SO_PEERCRED shows. The thread ends with its goroutine.
func listenAs(path string, uid int) (net.Listener, error) {
	type result struct {
		ln  net.Listener
		err error
	}
	ch := make(chan result)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			ch <- result{nil, errno}
			return
		}
		ln, err := net.Listen("unix", path)
		ch <- result{ln, err}
	}()
	r := <-ch
	return r.ln, r.err
}

func TestDialRefusesAForeignServer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can listen as somebody else")
	}
	path := socketPath(t)
	if err := os.Chmod(path[:len(path)-2], 0o777); err != nil {
		t.Fatal(err)
	}
	ln, err := listenAs(path, nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = Dial(testContext(t), path)
	var p *PeerError
	if !errors.As(err, &p) || p.UID != nobody || p.PID != os.Getpid() || p.Path != path || errors.Is(err, ErrNoMaster) {
		t.Errorf("got %v, want a PeerError that names user %d", err, nobody)
	}
	if p != nil && !strings.Contains(p.Error(), "sudo -u '#"+strconv.Itoa(nobody)+"'") {
		t.Errorf("%q does not say what to do", p)
	}
	if nc, err := DialRaw(testContext(t), path); !errors.As(err, &p) || nc != nil {
		t.Errorf("raw: got %v, want a PeerError", err)
	}
}
