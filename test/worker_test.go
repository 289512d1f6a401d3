// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/worker"
)

// lifetime ends workers that nobody ends.
const lifetime = 4 * time.Minute

// workerPlan is how a worker is to behave.
type workerPlan struct {
	tag      string
	boot     time.Duration
	exit     int
	exitIf   string
	ack      string
	gate     string
	crash    int
	stubborn bool
	hold     string
	child    bool
	report   bool
	onUSR2   string
	uid      int
	beat     string
	careless bool
}

// workerMain is the program that daemons run in scripts: an HTTP server that
// answers "pid index tag" and says on stdout what happens to it.
func workerMain(args []string) int {
	var p workerPlan
	flags := flag.NewFlagSet("tworker", flag.ContinueOnError)
	flags.StringVar(&p.tag, "tag", "v1", "what to answer")
	flags.DurationVar(&p.boot, "boot", 0, "how long to take to start")
	flags.StringVar(&p.exitIf, "exit-if", "", "exit at once when this file is there")
	flags.IntVar(&p.exit, "exit", 7, "the status for that")
	flags.StringVar(&p.ack, "ack", "yes", "yes, never, close (without reading the answer), wrong (pid), twice or again (every 10ms)")
	flags.StringVar(&p.gate, "gate", "", "ACK when this file is there")
	flags.IntVar(&p.crash, "crash", -1, "exit with this status after the ACK")
	flags.BoolVar(&p.stubborn, "stubborn", false, "ignore USR2, INT and TERM")
	flags.StringVar(&p.hold, "hold", "", "drain until this file is there")
	flags.BoolVar(&p.child, "child", false, "leave a child in the process group")
	flags.BoolVar(&p.report, "report", false, "say which signals come")
	flags.StringVar(&p.onUSR2, "on-usr2", "", "make this file when USR2 comes")
	flags.IntVar(&p.uid, "uid", 0, "become this user before the ACK")
	flags.StringVar(&p.beat, "beat", "", "be alive for systemd's watchdog until this file is there; INDEX in it is the index")
	flags.BoolVar(&p.careless, "careless", false, "say what is accepted, and close it unread when asked to end")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	time.AfterFunc(lifetime, func() { os.Exit(99) })
	if p.exitIf != "" && exists(p.exitIf) {
		return p.exit
	}
	if p.report {
		report()
	}
	if p.onUSR2 != "" {
		go p.noteUSR2()
	}
	if p.beat != "" {
		go beatUntil(strings.ReplaceAll(p.beat, "INDEX", os.Getenv("EINHORN_CHILD_INDEX")))
	}
	time.Sleep(p.boot)
	if err := p.serve(); err != nil {
		fmt.Fprintln(os.Stderr, "tworker:", err)
		return 1
	}
	if p.hold != "" {
		say("drained")
		waitForFile(p.hold)
	}
	say("ends")
	return 0
}

// say prints one line, whole, with the pid before it.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stdout, "worker %d %s\n", os.Getpid(), fmt.Sprintf(format, args...))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func waitForFile(path string) {
	again(5*time.Millisecond, func() bool { return exists(path) })
}

// again calls over once each interval, until it says that it is over.
func again(interval time.Duration, over func() bool) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for !over() {
		<-tick.C
	}
}

// report says which of the signals come that a master passes on.
func report() {
	got := make(chan os.Signal, 16)
	signal.Notify(got, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGUSR1, syscall.SIGCONT, syscall.SIGWINCH)
	go func() {
		for s := range got {
			say("got %s", unix.SignalName(s.(syscall.Signal)))
		}
	}()
}

func (p *workerPlan) noteUSR2() {
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGUSR2)
	<-got
	if err := os.WriteFile(p.onUSR2, nil, 0o666); err != nil {
		say("cannot note USR2: %v", err)
	}
}

func (p *workerPlan) serve() error {
	listeners, err := worker.Listeners()
	if err != nil {
		return err
	}
	if p.child {
		cmd := exec.Command("sleep", "240")
		if err := cmd.Start(); err != nil {
			return err
		}
		say("has child %d", cmd.Process.Pid)
	}
	answer := fmt.Sprintf("%d %s %s\n", os.Getpid(), os.Getenv("EINHORN_CHILD_INDEX"), p.tag)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })}
	if p.stubborn {
		signal.Ignore(syscall.SIGUSR2, syscall.SIGINT, syscall.SIGTERM)
		go p.announce()
		if len(listeners) == 0 {
			select {}
		}
		return srv.Serve(listeners[0])
	}
	ctx, stop := worker.Context(context.Background())
	defer stop()
	if len(listeners) == 0 {
		go p.announce()
		<-ctx.Done()
		return nil
	}
	if p.careless {
		return p.serveCarelessly(ctx, srv, listeners[0])
	}
	return worker.ServeListeners(ctx, srv, listeners, worker.OnReady(p.announce))
}

// serveCarelessly drains as many servers do.
func (p *workerPlan) serveCarelessly(ctx context.Context, srv *http.Server, l net.Listener) error {
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			say("accepted %s", c.RemoteAddr())
		}
	}
	context.AfterFunc(ctx, func() { srv.Close() })
	go p.announce()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// announce sends the ACK, or what the plan has instead.
func (p *workerPlan) announce() {
	if p.gate != "" {
		say("at the gate")
		waitForFile(p.gate)
	}
	if p.uid != 0 {
		if err := syscall.Setuid(p.uid); err != nil {
			say("cannot become user %d: %v", p.uid, err)
			os.Exit(1)
		}
	}
	var err error
	switch p.ack {
	case "never":
		return
	case "close":
		err = writeACK(os.Getpid())
	case "wrong":
		err = writeACK(os.Getppid())
	case "twice":
		if err = worker.Ack(context.Background()); err == nil {
			err = worker.Ack(context.Background())
		}
	default:
		err = worker.Ack(context.Background())
	}
	if err != nil {
		say("cannot ACK: %v", err)
		return
	}
	say("sent ACK")
	if p.crash >= 0 {
		os.Exit(p.crash)
	}
}

// writeACK does what the protocol asks for at least: write one line and close.
func writeACK(pid int) error {
	nc, err := net.Dial("unix", os.Getenv("EINHORN_SOCK_PATH"))
	if err != nil {
		return err
	}
	defer nc.Close()
	_, err = fmt.Fprintf(nc, `{"command":"worker:ack", "pid":%d}`+"\n", pid)
	return err
}

// sayMain sends lines to the control socket as another user, and prints what
// comes back: tsay UID[:GID] SOCKET LINE…
func sayMain(args []string) int {
	var uid, gid int
	user, group, grouped := strings.Cut(args[0], ":")
	_, err := fmt.Sscan(user, &uid)
	if grouped && err == nil {
		_, err = fmt.Sscan(group, &gid)
	}
	if err != nil || len(args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: tsay UID[:GID] SOCKET LINE...")
		return 2
	}
	if grouped {
		if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid)); err != nil {
			fmt.Fprintln(os.Stderr, "tsay:", err)
			return 1
		}
	}
	if uid != os.Getuid() {
		if err := syscall.Setuid(uid); err != nil {
			fmt.Fprintln(os.Stderr, "tsay:", err)
			return 1
		}
	}
	nc, err := net.DialTimeout("unix", args[1], patience)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tsay:", err)
		return 1
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, strings.Join(args[2:], "\n")+"\n")
	nc.(*net.UnixConn).CloseWrite()
	if _, err := io.Copy(os.Stdout, nc); err != nil {
		fmt.Fprintln(os.Stderr, "tsay:", err)
		return 1
	}
	return 0
}
