// SPDX-License-Identifier: MIT

package worker

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"einhyrningsins/internal/childenv"
)

// What a manager can be told at NOTIFY_SOCKET, sd_notify(3).
const (
	notifyReady    = "READY=1"
	notifyStopping = "STOPPING=1"
)

// execPID is the pid of the process that systemd has started, systemd.exec(5).
const execPID = "SYSTEMD_EXEC_PID"

// notify sends state to NOTIFY_SOCKET. It returns false when there is none.
func notify(ctx context.Context, state string) (sent bool, err error) {
	path := os.Getenv(childenv.NotifySocket)
	if path == "" {
		return false, nil
	}
	if path[0] != '/' && path[0] != '@' {
		return false, fmt.Errorf("%s=%q is neither a path nor like @name", childenv.NotifySocket, path)
	}
	nc, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return false, fmt.Errorf("cannot send %s: %w", state, err)
	}
	defer nc.Close()
	// It waits while the queue is full, unix(7).
	if err := nc.SetWriteDeadline(time.Now().Add(maxReplyWait)); err != nil {
		return false, err
	}
	defer context.AfterFunc(ctx, func() { nc.SetWriteDeadline(longAgo) })()
	if _, err := nc.Write([]byte(state)); err != nil {
		return false, fmt.Errorf("cannot send %s: %w", state, err)
	}
	return true, nil
}

// isNotifiedAbout tells whether the manager behind NOTIFY_SOCKET has started
// this very process: it has set a variable to its pid. A manager without a
// socket of its own for each worker (einhorn, Server::Starter) passes on the
// one that systemd gave to it; STOPPING=1 there may end the whole service.
func isNotifiedAbout() bool {
	return isThis(os.Getenv(execPID)) || isThis(os.Getenv(childenv.ListenPID)) || isThis(os.Getenv(childenv.WatchdogPID))
}
