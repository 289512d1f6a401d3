// SPDX-License-Identifier: MIT

package worker

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNodeKeepsTheBacklog: Node.js listens once more on a socket that it is
// given, and would leave room for 511 connections only.
func TestNodeKeepsTheBacklog(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.CommandContext(t.Context(), "node", "-e", `
		const server = require('http').createServer().on('listening', () => console.log('listens'));
		require('./worker.js').serve(server);`)
	cmd.Dir = "js"
	cmd.Env = append(os.Environ(), "EINHORN_FD_COUNT=1", "EINHORN_FD_0=3")
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "listens\n" {
		t.Fatal(line, err)
	}
	// Of a socket that listens these are its queue and the room in it.
	info, err := unix.GetsockoptTCPInfo(int(f.Fd()), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		t.Fatal(err)
	}
	if most, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || int(info.Sacked) != most {
		t.Errorf("the backlog is %d, want the system's maximum: %s", info.Sacked, text)
	}
}
