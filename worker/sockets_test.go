// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
)

// playSockets says what sockets there are, answers on each until its input
// ends, and then closes them.
func playSockets() int {
	sockets, err := Sockets()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	listeners, err1 := Listeners()
	conns, err2 := PacketConns()
	if err1 != nil || err2 != nil || len(listeners)+len(conns) != len(sockets) {
		fmt.Println(err1, err2, len(listeners), len(conns))
		return 1
	}
	for _, s := range sockets {
		if s.Listener != nil {
			fmt.Printf("%s %v %s\n", s.Listener.Addr().Network(), s.Listener == listeners[0], s.Name)
			listeners = listeners[1:]
			go greet(s.Listener)
		} else {
			fmt.Printf("%s %v %s\n", s.PacketConn.LocalAddr().Network(), s.PacketConn == conns[0], s.Name)
			conns = conns[1:]
			go echo(s.PacketConn)
		}
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	for _, s := range sockets {
		s.close()
	}
	return 0
}

func greet(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		io.WriteString(nc, "hello\n")
		nc.Close()
	}
}

func echo(pc net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		pc.WriteTo(buf[:n], from)
	}
}

// mixed is one socket of each kind: what clients dial, and what workers get.
type mixed struct {
	addrs []net.Addr
	files []*os.File
}

func newMixed(t *testing.T) (m mixed) {
	t.Helper()
	dir := t.TempDir()
	add := func(addr net.Addr, s interface {
		io.Closer
		File() (*os.File, error)
	}, err error,
	) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(); f.Close() })
		m.addrs, m.files = append(m.addrs, addr), append(m.files, f)
	}
	home := net.IPv4(127, 0, 0, 1)
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: home})
	add(udp.LocalAddr(), udp, err)
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: home})
	add(tcp.Addr(), tcp, err)
	local, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "s")})
	add(local.Addr(), local, err)
	packets, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "g")})
	add(packets.LocalAddr(), packets, err)
	return m
}

// wantAnswers fails unless each socket is served.
func (m mixed) wantAnswers(t *testing.T) {
	t.Helper()
	for _, addr := range m.addrs {
		var from *net.UnixAddr
		if addr.Network() == "unixgram" {
			from = &net.UnixAddr{Net: "unixgram", Name: filepath.Join(t.TempDir(), "c")}
		}
		nc, err := dialFrom(addr, from)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(30 * time.Second))
		if network := addr.Network(); network == "udp" || network == "unixgram" {
			fmt.Fprintln(nc, "hello")
		}
		if line, err := bufio.NewReader(nc).ReadString('\n'); line != "hello\n" {
			t.Errorf("%v %v: got %q, %v", addr.Network(), addr, line, err)
		}
		nc.Close()
	}
}

func dialFrom(addr net.Addr, from *net.UnixAddr) (net.Conn, error) {
	if from != nil {
		return net.DialUnix(addr.Network(), from, addr.(*net.UnixAddr))
	}
	return net.Dial(addr.Network(), addr.String())
}

// startIn is start in other dialects, with pid as LISTEN_PID; $$ is its own.
func startIn(role, sockPath string, d childenv.Dialects, pid string, sockets []childenv.Socket, files []*os.File) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", "export LISTEN_PID="+pid+"; exec \"$0\"", os.Args[0])
	contract := childenv.Contract{Dialects: d, Sockets: sockets, SockPath: sockPath, MasterPID: os.Getpid()}
	cmd.Env = append(contract.WithIndex(contract.Base(os.Environ(), 1), 0), roleVar+"="+role, "GORACE=atexit_sleep_ms=0")
	cmd.ExtraFiles = files
	cmd.Stderr = os.Stderr
	return cmd
}

// TestSocketsOfEachDialect has every kind of socket in each dialect; none of
// them may be shut, nor may a path be gone, when the worker has closed it.
func TestSocketsOfEachDialect(t *testing.T) {
	const own, other = "$$", "1"
	m := newMixed(t)
	sockets := make([]childenv.Socket, len(m.addrs))
	for i, addr := range m.addrs {
		sockets[i] = childenv.Socket{Host: "127.0.0.1", Address: addr.String()}
	}
	sockets[1].Name, sockets[2].Name = "web", "local"
	kinds := []string{"udp true", "tcp true", "unix true", "unixgram true"}
	for _, tt := range []struct {
		name     string
		dialects childenv.Dialects
		pid      string
		names    []string // nil: no socket is found
	}{
		{"all", childenv.Dialects{Einhorn: true, Systemd: true, ServerStarter: true}, own, []string{"", "web", "local", ""}},
		{"einhorn", childenv.Dialects{Einhorn: true}, own, []string{"", "", "", ""}},
		{"systemd", childenv.Dialects{Systemd: true}, own, []string{"", "web", "local", ""}},
		{"systemd for another", childenv.Dialects{Systemd: true}, other, nil},
		{"Server::Starter", childenv.Dialects{ServerStarter: true, Systemd: true}, other, []string{"", "", "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			for i, name := range tt.names {
				want = append(want, kinds[i]+" "+name)
			}
			got := m.lines(t, startIn("sockets", "/nowhere", tt.dialects, tt.pid, sockets, m.files))
			if tt.names == nil {
				if len(got) != 1 || !strings.Contains(got[0], `LISTEN_PID="1" is not this process`) {
					t.Errorf("want to hear whose sockets they are, got %q", got)
				}
			} else if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// lines returns what a worker says before it is ready, and ends it.
func (m mixed) lines(t *testing.T, cmd *exec.Cmd) (lines []string) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run(t, cmd)
	for scanner := bufio.NewScanner(out); scanner.Scan() && scanner.Text() != "ready"; {
		lines = append(lines, scanner.Text())
	}
	if len(lines) == len(m.addrs) {
		m.wantAnswers(t)
	}
	in.Close()
	cmd.Wait()
	return lines
}

// TestServeInOtherDialects: there is nobody to ACK to, and that is no failure.
func TestServeInOtherDialects(t *testing.T) {
	for name, d := range map[string]childenv.Dialects{"systemd": {Systemd: true}, "Server::Starter": {ServerStarter: true}} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			sockets := []childenv.Socket{{Host: "127.0.0.1", Address: ln.Addr().String()}}
			cmd := startIn("serve", "", d, "$$", sockets, []*os.File{file(t, ln)})
			var stderr strings.Builder
			cmd.Stderr = &stderr
			run(t, cmd)
			if body, _ := dial(t, ln.Addr()).ask(); body != fmt.Sprint(cmd.Process.Pid) {
				t.Errorf("answer %q, want from %d", body, cmd.Process.Pid)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil || stderr.Len() != 0 {
				t.Errorf("want a clean exit and no complaint, got %v, %q", err, stderr.String())
			}
		})
	}
}

// notified is a NOTIFY_SOCKET.
func notified(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	nc, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return nc
}

func wantState(t *testing.T, nc *net.UnixConn, want string) {
	t.Helper()
	buf := make([]byte, 100)
	if n, err := nc.Read(buf); string(buf[:n]) != want {
		t.Errorf("the manager was told %q, %v, want %q", buf[:n], err, want)
	}
}

// wantSilence looks at what was sent before; a local socket holds it.
func wantSilence(t *testing.T, nc *net.UnixConn) {
	t.Helper()
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if n, ok := waiting(int(fd)); ok {
			t.Errorf("the manager was told %d bytes more", n)
		}
	})
}

func TestServeNotifies(t *testing.T) {
	for _, tt := range []struct {
		name     string
		dialects childenv.Dialects
		pid      string
		stopping bool
	}{
		{"systemd", childenv.Dialects{Systemd: true}, "$$", true},
		{"einhorn under systemd", childenv.Dialects{Einhorn: true}, "1", false},
		{"Server::Starter under systemd", childenv.Dialects{ServerStarter: true}, "1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "n")
			control, _ := master(t)
			nc, ln := notified(t, path), listen(t)
			sockets := []childenv.Socket{{Host: "127.0.0.1", Address: ln.Addr().String()}}
			cmd := startIn("serve", control, tt.dialects, tt.pid, sockets, []*os.File{file(t, ln)})
			cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			run(t, cmd)
			wantState(t, nc, notifyReady)
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
				t.Fatal(line, err)
			}
			if body, _ := dial(t, ln.Addr()).ask(); body != fmt.Sprint(cmd.Process.Pid) {
				t.Errorf("answer %q, want from %d", body, cmd.Process.Pid)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if tt.stopping {
				wantState(t, nc, notifyStopping)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			wantSilence(t, nc)
		})
	}
}

func TestAckNotifies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	nc := notified(t, path)
	t.Setenv("NOTIFY_SOCKET", path)

	lines := control(t, setManager(t), func(nc net.Conn, _ *bufio.Reader) { fmt.Fprintln(nc, "ok") })
	if err := Ack(t.Context()); err != nil {
		t.Error(err)
	}
	wantLine(t, lines, ackLine)
	wantState(t, nc, notifyReady)

	t.Setenv("EINHORN_MASTER_PID", "1")
	if err := Ack(t.Context()); err == nil {
		t.Error("want no ACK with the variables of another")
	}
	wantSilence(t, nc)

	t.Setenv("EINHORN_MASTER_PID", "")
	if err := Ack(t.Context()); err != nil {
		t.Error(err)
	}
	wantState(t, nc, notifyReady)

	for _, wrong := range []string{"vsock:2:1", filepath.Join(t.TempDir(), "none")} {
		t.Setenv("NOTIFY_SOCKET", wrong)
		if err := Ack(t.Context()); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: want it named, got %v", wrong, err)
		}
	}
}

// TestNotifyDoesNotHang: nobody reads there.
func TestNotifyDoesNotHang(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	notified(t, path)
	t.Setenv("NOTIFY_SOCKET", path)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for range 100_000 {
		if _, err := notify(ctx, notifyReady); err != nil {
			if !strings.Contains(err.Error(), "cannot send READY=1") {
				t.Error(err)
			}
			return
		}
	}
	t.Error("it is never full")
}

// waiting tells whether a datagram waits to be read.
func waiting(fd int) (n int, ok bool) {
	n, _, err := unix.Recvfrom(fd, make([]byte, 100), unix.MSG_DONTWAIT|unix.MSG_PEEK)
	return n, err == nil
}
