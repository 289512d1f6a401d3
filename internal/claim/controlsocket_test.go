// SPDX-License-Identifier: GPL-3.0-or-later

package claim

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leftover is a control socket as a dead keeper leaves it: the lock file names
// it, and its master still listens.
func leftover(t *testing.T) (path string, master *net.UnixListener) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path+".lock", []byte("4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	master, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	master.SetUnlinkOnClose(false)
	t.Cleanup(func() { master.Close() })
	return path, master
}

func TestADyingMasterIsWaitedFor(t *testing.T) {
	path, master := leftover(t)
	c, dead, err := Lock(path, "")
	if err != nil || dead.Hint() == nil {
		t.Fatalf("the lock of a dead keeper: %v, hint %v", err, dead.Hint())
	}
	defer c.Close()
	opened := make(chan error, 1)
	go func() { opened <- c.Open(t.Context()) }()
	var second net.Conn
	for range 2 { // one that looks, one that waits
		conn, err := master.Accept()
		second = conn
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	select {
	case err := <-opened:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	master.Close()
	// A connection that it had accepted ends with it.
	second.Close()
	if err := <-opened; err != nil {
		t.Errorf("cannot open after the master has ended: %v", err)
	}
}

func TestAStopEndsTheWaitForADyingMaster(t *testing.T) {
	path, master := leftover(t)
	c, _, err := Lock(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, stop := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() { opened <- c.Open(ctx) }()
	for range 2 { // one that looks, one that waits
		conn, err := master.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	stop()
	if err := <-opened; !errors.Is(err, context.Canceled) {
		t.Errorf("Open after a stop: %v", err)
	}
}

func TestALiveServerIsRefusedAtOnce(t *testing.T) {
	path, _ := leftover(t)
	if err := os.Truncate(path+".lock", 0); err != nil {
		t.Fatal(err)
	}
	c, dead, err := Lock(path, "")
	if err != nil || dead.Hint() != nil {
		t.Fatalf("an unused lock: %v, hint %v", err, dead.Hint())
	}
	defer c.Close()
	if err := c.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "a server is listening there") {
		t.Errorf("a live server: %v", err)
	}
}
