// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// notifyMain is a worker that knows systemd's ways only, or does as it should
// not: tnotify [STEP…]. Without a step that never ends it waits for a signal.
func notifyMain(steps []string) int {
	time.AfterFunc(lifetime, func() { os.Exit(99) })
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	go func() {
		<-asked
		os.Exit(0)
	}()
	for _, step := range steps {
		name, value, _ := strings.Cut(step, ":")
		do := notifySteps[name]
		if do == nil {
			say("cannot %s", step)
			return 2
		}
		if err := do(value); err != nil {
			say("%s: %v", name, err)
			return 1
		}
	}
	select {}
}

var notifySteps = map[string]func(string) error{
	"send": func(state string) error {
		sent, err := systemd.SdNotify(false, strings.ReplaceAll(state, ",", "\n"))
		if err == nil && !sent {
			err = errors.New("there is nowhere to send it to")
		}
		return err
	},
	"wait": func(path string) error { waitForFile(path); return nil },
	"say":  func(text string) error { say("%s", text); return nil },
	"end":  func(string) error { os.Exit(0); return nil },
	"fail": func(string) error { os.Exit(3); return nil },
	"beat": beatUntil,
	"lie":  lie,
	// What comes after the first datagram waits until the queue has room.
	"flood":  func(text string) error { return sendForEver([]byte("STATUS="+text), nil) },
	"huge":   func(string) error { return sendForEver(make([]byte, 1<<20), nil) },
	"files":  func(string) error { return sendForEver([]byte("FDSTORE=1\nFDNAME=x"), []int{0, 1, 2, 0, 1, 2}) },
	"others": func(text string) error { return sendToOthers(text) },
}

// beatUntil is alive until a file is there, as often as the watchdog asks for. Like
// most programs it does not care whether anybody hears it.
func beatUntil(path string) error {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err == nil && interval == 0 {
		err = errors.New("there is no watchdog")
	}
	if err != nil {
		return err
	}
	again(interval/10, func() bool {
		_, _ = systemd.SdNotify(false, systemd.SdNotifyWatchdog)
		return exists(path)
	})
	return nil
}

// lie sends READY=1 to all sockets of workers but our own, until a file is there.
func lie(path string) (err error) {
	again(10*time.Millisecond, func() bool {
		err = sendToOthers("READY=1\nSTATUS=a lie")
		return err != nil || exists(path)
	})
	return err
}

func sendToOthers(text string) error {
	own := os.Getenv("NOTIFY_SOCKET")
	others, err := filepath.Glob(filepath.Join(filepath.Dir(own), "../*.notify/*"))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, name := range others {
		if name != own {
			_ = unix.Sendto(fd, []byte(text), unix.MSG_DONTWAIT, &unix.SockaddrUnix{Name: name}) // its queue may be full
		}
	}
	return nil
}

func sendForEver(data []byte, fds []int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20) // for root alone
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}); err != nil {
		return err
	}
	var oob []byte
	if fds != nil {
		oob = unix.UnixRights(fds...)
	}
	retry := time.NewTicker(time.Millisecond)
	defer retry.Stop()
	for n := 0; ; n++ {
		err := unix.Sendmsg(fd, data, oob, nil, 0)
		if err == unix.EMSGSIZE || err == unix.ENOBUFS || err == unix.ETOOMANYREFS || err == unix.EINTR {
			<-retry.C // all that we may send is under way
			continue
		}
		if err != nil {
			return fmt.Errorf("after %d: %w", n, err)
		}
		if n == 1000 {
			say("has sent 1000")
		}
	}
}
