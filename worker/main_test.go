// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"einhyrningsins/internal/childenv"
)

// roleVar makes this test binary play a worker instead of running tests.
const roleVar = "WORKER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "":
		os.Unsetenv(childenv.NotifySocket) // it is for who runs the tests
		goleak.VerifyTestMain(m)
	case "serve":
		os.Exit(playServer())
	case "context":
		os.Exit(playContext())
	case "sockets":
		os.Exit(playSockets())
	}
}

// playServer is a worker like any: it answers with its pid.
func playServer() int {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getpid())
	})}
	ready := OnReady(func() { fmt.Println("ready") })
	if err := Serve(context.Background(), srv, IdleWait(200*time.Millisecond), ready); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// playContext says when it is ready and waits to be asked to stop.
func playContext() int {
	ctx, stop := Context(context.Background(), GracefulSignal(syscall.SIGHUP))
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("stopped")
	return 0
}

// start starts this test binary as a worker with the given sockets, in the
// environment that a manager makes.
func start(t *testing.T, role, sockPath string, sockets ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	contract := childenv.Contract{
		Dialects: childenv.Dialects{Einhorn: true}, Sockets: make([]childenv.Socket, len(sockets)), SockPath: sockPath, MasterPID: os.Getpid(),
	}
	cmd.Env = append(contract.WithIndex(contract.Base(os.Environ(), 1), 0), roleVar+"="+role,
		"GORACE=atexit_sleep_ms=0") // else each takes a second to exit
	cmd.ExtraFiles = sockets
	cmd.Stderr = os.Stderr
	return cmd
}

// run is start and cmd.Start; the process is killed at the end of the test if
// it is still there.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
}

// master is a control socket that tells which pids have ACKed.
func master(t *testing.T) (path string, acks <-chan int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan int, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(nc).ReadString('\n')
			rest, ok := strings.CutPrefix(line, `{"command":"worker:ack","pid":`)
			if pid, err := strconv.Atoi(strings.TrimSuffix(rest, "}\n")); ok && err == nil {
				ch <- pid
			}
			io.WriteString(nc, "\"Acknowledged!\"\n")
			nc.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return path, ch
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*net.TCPListener)
}

func file(t *testing.T, ln *net.TCPListener) *os.File {
	t.Helper()
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// client is one connection to a server, spoken to by hand.
type client struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr net.Addr) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second)) // a test that hangs fails
	return &client{t: t, nc: nc, in: bufio.NewReader(nc)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, s); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer, and returns its body and whether it was the last
// on this connection.
func (c *client) receive() (body string, last bool) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		c.t.Fatal(resp.Status, err)
	}
	return string(b), resp.Close
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// ask sends one request and receives its answer.
func (c *client) ask() (body string, last bool) {
	c.t.Helper()
	c.send(get)
	return c.receive()
}

// wantClosed fails unless the server closes the connection, in good order.
func (c *client) wantClosed() {
	c.t.Helper()
	if b, err := c.in.ReadByte(); err != io.EOF {
		c.t.Fatalf("want the connection closed, got byte %q, %v", b, err)
	}
}
