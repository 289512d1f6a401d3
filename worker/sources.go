// SPDX-License-Identifier: MIT

package worker

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"einhyrningsins/internal/childenv"
)

// maxSockets bounds the number that is believed from the environment.
const maxSockets = 1 << 16

// source is one inherited file descriptor, and the variable that names it.
type source struct {
	fd        int
	name      string // as in EINHORN_FD_0=3
	datagrams bool   // once it was checked
}

// byEinhorn tells whether the sockets are passed as einhorn does.
func byEinhorn(getenv func(string) string) bool {
	return getenv(childenv.FDCount) != "" || strings.TrimSpace(getenv(childenv.FDs)) != ""
}

// bySystemd tells whether there are sockets as systemd passes them, and for
// this process: programs that one starts inherit the variables, but neither
// the sockets nor its pid (sd_listen_fds(3)).
func bySystemd(getenv func(string) string) bool {
	return getenv(childenv.ListenFDs) != "" && isThis(getenv(childenv.ListenPID))
}

func isThis(pid string) bool { return pid == strconv.Itoa(os.Getpid()) }

// sources reads the variables of the first dialect whose variables are there.
func sources(getenv func(string) string) ([]source, error) {
	switch {
	case byEinhorn(getenv):
		return einhornSources(getenv)
	case bySystemd(getenv):
		return systemdSources(getenv(childenv.ListenFDs))
	case getenv(childenv.StarterPort) != "":
		return starterSources(getenv(childenv.StarterPort))
	}
	if getenv(childenv.ListenFDs) != "" {
		return nil, fmt.Errorf("%s=%q is not this process, %d: %w", childenv.ListenPID, getenv(childenv.ListenPID), os.Getpid(), ErrNotManaged)
	}
	return nil, fmt.Errorf("none of %s, %s, %s and %s is set: %w",
		childenv.FDCount, childenv.FDs, childenv.ListenFDs, childenv.StarterPort, ErrNotManaged)
}

// einhornSources reads EINHORN_FD_COUNT and EINHORN_FD_<n>, or else the older
// EINHORN_FDS.
func einhornSources(getenv func(string) string) (list []source, err error) {
	if getenv(childenv.FDCount) == "" {
		for _, text := range strings.Fields(getenv(childenv.FDs)) {
			if list, err = add(list, childenv.FDs, text); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	n, err := number(childenv.FDCount, getenv(childenv.FDCount))
	if err != nil {
		return nil, err
	}
	for i := range n {
		name := childenv.FDPrefix + strconv.Itoa(i)
		text := getenv(name)
		if text == "" {
			return nil, fmt.Errorf("%s is not set, but %s=%d", name, childenv.FDCount, n)
		}
		if list, err = add(list, name, text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func systemdSources(count string) ([]source, error) {
	n, err := number(childenv.ListenFDs, count)
	if err != nil {
		return nil, err
	}
	list := make([]source, n)
	for i := range list {
		list[i] = source{fd: childenv.FirstFD + i, name: fmt.Sprintf("%s=%d, descriptor %d", childenv.ListenFDs, n, childenv.FirstFD+i)}
	}
	return list, nil
}

func starterSources(ports string) (list []source, err error) {
	for _, item := range strings.Split(ports, ";") {
		equals := strings.LastIndexByte(item, '=')
		if equals < 0 {
			return nil, fmt.Errorf("%s has %q, which is not like 127.0.0.1:8080=3", childenv.StarterPort, item)
		}
		if list, err = add(list, childenv.StarterPort+"="+item[:equals], item[equals+1:]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func number(name, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxSockets {
		return 0, fmt.Errorf("%s=%q is not a number of sockets", name, text)
	}
	return n, nil
}

func add(list []source, name, text string) ([]source, error) {
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 0 {
		return nil, fmt.Errorf("%s=%q is not the number of a file descriptor", name, text)
	}
	s := source{fd: fd, name: name + "=" + text}
	for _, other := range list {
		if other.fd == fd {
			return nil, fmt.Errorf("%s and %s are the same file descriptor", other.name, s.name)
		}
	}
	return append(list, s), nil
}

// names returns the names of descriptors. Only systemd's dialect has them; a
// manager that speaks more than one passes the same descriptors in each.
func names(getenv func(string) string) map[int]string {
	if !bySystemd(getenv) || getenv(childenv.ListenNames) == "" {
		return nil
	}
	names := make(map[int]string)
	for i, name := range strings.Split(getenv(childenv.ListenNames), ":") {
		if name != childenv.NoName {
			names[childenv.FirstFD+i] = name
		}
	}
	return names
}
