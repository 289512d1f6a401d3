// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"einhyrningsins/bench/load"
	"einhyrningsins/worker"
)

// hand leaves what others would hand over, see launchMain.
func hand(name, value string) error {
	kind := map[string]int{"tcp": unix.SOCK_STREAM, "mute": unix.SOCK_STREAM, "udp": unix.SOCK_DGRAM}[name]
	if kind != 0 {
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return leaveSocket(kind, name == "tcp", n)
	}
	count, names, _ := strings.Cut(value, ":")
	switch name {
	case "pass":
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // execve(2) keeps it
		os.Setenv("LISTEN_FDS", count)
		os.Setenv("LISTEN_FDNAMES", names)
		return nil
	case "for":
		return os.Setenv("LISTEN_PID", value)
	}
	return errors.New("no such word")
}

func leaveSocket(kind int, listens bool, n int) error {
	fd, err := unix.Socket(unix.AF_INET, kind, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if listens {
		if err := unix.Listen(fd, 16); err != nil {
			return err
		}
	}
	if fd == n {
		return nil
	}
	defer unix.Close(fd)
	return unix.Dup2(fd, n)
}

// udpMain is a worker that sends each datagram back, behind its tag. It answers
// what it has received before it ends.
func udpMain(args []string) int {
	flags := flag.NewFlagSet("tudp", flag.ContinueOnError)
	tag := flags.String("tag", "v1", "what to answer")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	time.AfterFunc(lifetime, func() { os.Exit(99) })
	if err := echo(*tag); err != nil {
		fmt.Fprintln(os.Stderr, "tudp:", err)
		return 1
	}
	return 0
}

func echo(tag string) error {
	conns, err := worker.PacketConns()
	if err != nil {
		return err
	}
	if len(conns) != 1 {
		return fmt.Errorf("%d sockets for datagrams, want 1", len(conns))
	}
	conn := conns[0]
	ctx, stop := worker.Context(context.Background())
	defer stop()
	go func() {
		<-ctx.Done()
		conn.SetReadDeadline(time.Unix(1, 0))
	}()
	if err := worker.Ack(ctx); err != nil {
		return err
	}
	b := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(append([]byte(tag+" "), b[:n]...), from); err != nil {
			return err
		}
	}
}

// cmdEchoes sends datagrams, each once the one before was answered. Not one may
// be lost.
func cmdEchoes(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3 && !neg, "echoes NAME COUNT REGEXP")
	d := fixtureOf(ts).daemon(ts, args[0])
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	conn, err := net.Dial("udp", d.address)
	ts.Check(err)
	defer conn.Close()
	b := make([]byte, 1500)
	for i := range count {
		ts.Check(conn.SetDeadline(time.Now().Add(patience)))
		_, err := fmt.Fprintf(conn, "datagram %d", i)
		ts.Check(err)
		n, err := conn.Read(b)
		if err != nil {
			ts.Fatalf("datagram %d got no answer: %v", i, err)
		}
		if got := string(b[:n]); !re.MatchString(got) || !strings.HasSuffix(got, fmt.Sprintf(" datagram %d", i)) {
			ts.Fatalf("datagram %d got %q for an answer", i, got)
		}
	}
}

// getMain asks once, on whatever a load can be sent to, and prints the answer.
func getMain(args []string) int {
	r, err := load.Run(context.Background(), load.Options{
		Addr: args[0], Total: 1, NewFraction: 1, Timeout: patience,
		OnAnswer: func(b []byte) { os.Stdout.Write(b) },
	})
	if err != nil || r.Lost > 0 {
		fmt.Fprintln(os.Stderr, "tget:", r, err)
		return 1
	}
	return 0
}
