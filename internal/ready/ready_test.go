// SPDX-License-Identifier: GPL-3.0-or-later

package ready

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestFind(t *testing.T) {
	for value, want := range map[string]string{
		"manual": "manual ", "notify": "notify ", "fd": "fd ", "exec:a b": "exec a b", "exec:": "exec ", "tcp:[::1]:8{index}": "tcp [::1]:8{index}",
		"": "", "1": "", "exec": "", "fd:": "", "notify:x": "", "tcp": "", "Manual": "",
	} {
		got := ""
		if m, arg := Find(value); m != nil {
			got = m.Name + " " + arg
		}
		if got != want {
			t.Errorf("%q is %q, want %q", value, got, want)
		}
	}
}

func TestOwnAddressesOnly(t *testing.T) {
	for words, want := range map[string]string{
		"127.0.0.1:80{index}": "", "[::1]:{index}": "", "127.0.1.{index}:80": "", "localhost:{pid}": "",
		"127.0.0.1:80": "another worker may answer at 127.0.0.1:80", "127.0.0.1:80{generation}": "another worker", "80{index}": "no HOST:PORT",
		"127.0.0.{index}:": "no HOST:PORT", "a:{index} b": "no HOST:PORT", "": "no HOST:PORT", "a:{index}/\r\nx": "no HOST:PORT",
	} {
		err := tcp.Check(words)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "tcp:127.0.0.1:200{index}")) {
			t.Errorf("%q: %v, want %q", words, err, want)
		}
	}
}

// serve answers connections, and returns the address.
func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

func TestTCP(t *testing.T) {
	if err := tcp.Attempt(serve(t, func(net.Conn) {})); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := tcp.Attempt(l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens, and: %v", err)
	}
}

// request reads one.
func request(conn net.Conn) (lines []string) {
	for s := bufio.NewScanner(conn); s.Scan() && s.Text() != ""; {
		lines = append(lines, s.Text())
	}
	return lines
}

func TestHTTP(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 200 OK\r\n\r\n": "", "HTTP/1.0 204\r\n\r\n": "", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n": "",
		"HTTP/1.1 503 Service Unavailable\r\n\r\n": "answers GET /a/b?c=d with HTTP/1.1 503 Service Unavailable",
		"HTTP/1.1 100 Continue\r\n\r\n":            "with HTTP/1.1 100", "SSH-2.0-x\r\n": "is not HTTP/1", "": "is not HTTP/1",
	} {
		var asked []string
		address := serve(t, func(conn net.Conn) {
			asked = request(conn)
			_, _ = conn.Write([]byte(answer))
		})
		err := http.Attempt("//" + address + "/a/b?c=d")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", answer, err, want)
		}
		if len(asked) < 2 || asked[0] != "GET /a/b?c=d HTTP/1.1" || asked[1] != "Host: "+address {
			t.Errorf("asked %q", asked)
		}
	}
	if err := http.Check("//127.0.0.1:80/health{index}"); err == nil {
		t.Error("only the path is a worker's own")
	}
}
