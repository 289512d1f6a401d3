// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import "fmt"

// unknownUID is a socket's owner where the system does not tell.
const unknownUID = -1

// Holder is a process that holds a socket.
type Holder struct {
	PID  int    // 0: a process that may not be looked into
	Comm string // its name, as in ps -o comm; "" if unknown
	UID  int    // the socket's owner; unknownUID
}

// String names the holder as an error message does: "server (pid 1234)".
func (h Holder) String() string {
	switch {
	case h.PID == 0 && h.UID == unknownUID:
		return "a process that we may not look into"
	case h.PID == 0:
		return fmt.Sprintf("a process of user %d", h.UID)
	case h.Comm == "":
		return fmt.Sprintf("pid %d", h.PID)
	}
	return fmt.Sprintf("%s (pid %d)", h.Comm, h.PID)
}
