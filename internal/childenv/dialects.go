// SPDX-License-Identifier: MIT

package childenv

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialects says whose customs a worker finds.
type Dialects struct {
	Einhorn       bool // EINHORN_FD_0 and its like
	Systemd       bool // LISTEN_FDS: socket activation
	ServerStarter bool // SERVER_STARTER_PORT
}

// AllDialects as text is what [ParseDialects] makes all of them of.
const AllDialects = "einhorn,systemd,server-starter"

func (d *Dialects) byName(name string) *bool {
	switch name {
	case "einhorn":
		return &d.Einhorn
	case "systemd":
		return &d.Systemd
	case "server-starter":
		return &d.ServerStarter
	}
	return nil
}

// ParseDialects reads names with commas between them.
func ParseDialects(s string) (d Dialects, err error) {
	for _, name := range strings.Split(s, ",") {
		on := d.byName(name)
		if on == nil {
			return Dialects{}, fmt.Errorf("%q is none of %s", name, strings.ReplaceAll(AllDialects, ",", ", "))
		}
		*on = true
	}
	return d, nil
}

// String is what ParseDialects reads back.
func (d Dialects) String() string {
	var names []string
	for _, name := range strings.Split(AllDialects, ",") {
		if *d.byName(name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// Socket is one socket as dialects name it.
type Socket struct {
	Name    string // "": none was given
	Host    string // as asked for, IPv6 without brackets; "": any
	Address string // as bound: "127.0.0.1:8080", "[::]:80", or a path
}

// NoName is what programs take for the name of a socket that has none,
// sd_listen_fds(3).
const NoName = "unknown"

func listenNames(sockets []Socket) string {
	names := make([]string, len(sockets))
	for i, s := range sockets {
		names[i] = s.Name
		if s.Name == "" {
			names[i] = NoName
		}
	}
	return strings.Join(names, ":")
}

// starterPorts is every socket by the name under which programs look for it:
// what start_server(1) was told, which is a port alone for all addresses. It is
// taken apart at the semicolons, and then at the first equals sign; a socket
// whose name has one, or which has none but in the abstract namespace, cannot be
// told so.
func starterPorts(sockets []Socket) string {
	var ports []string
	for i, s := range sockets {
		if name := s.starterName(); name != "" && !strings.ContainsAny(name, "=;\x00") {
			ports = append(ports, name+"="+strconv.Itoa(FirstFD+i))
		}
	}
	return strings.Join(ports, ";")
}

func (s Socket) starterName() string {
	colon := strings.LastIndexByte(s.Address, ':')
	switch {
	case strings.HasPrefix(s.Address, "/"):
		return s.Address
	case strings.HasPrefix(s.Address, "@"), colon < 0:
		return ""
	case s.Host == "":
		return s.Address[colon+1:]
	case strings.Contains(s.Host, ":"):
		return "[" + s.Host + "]" + s.Address[colon:]
	}
	return s.Host + s.Address[colon:]
}
