// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
)

// The internal flags beside link.LookFlag, by which the keeper calls us: N EXE, ask
// at descriptor N where to look; EXE is this program. None is in the usage text:
// nobody but the keeper and wrappers uses them.
const (
	ArriveFlag  = "--looked-fd"     // N -- PROGRAM ARG…: we have arrived
	einhornFlag = "--with-state-fd" // the same in einhorn's dialect, where it is an option like others
)

// Main is this program as a process that looks. ok is false when these are not
// the arguments of one. Whoever reads einhorn's command line calls Arrived.
func Main(args []string) (status int, ok bool) {
	switch {
	case len(args) == 3 && args[0] == link.LookFlag:
		return begin(args[1], args[2]), true
	case len(args) >= 2 && args[0] == ArriveFlag:
		words := args[2:]
		if len(words) > 0 && words[0] == "--" {
			words = words[1:]
		}
		fd, err := strconv.Atoi(args[1])
		if err != nil {
			return complain(fmt.Errorf("cannot answer at %s %q: it is not a descriptor", args[0], args[1])), true
		}
		return Arrived(fd, words), true
	}
	return 0, false
}

// begin is told where to look, and goes there.
func begin(number, exe string) int {
	standFast()
	fd, err := strconv.Atoi(number)
	if err != nil {
		return complain(fmt.Errorf("cannot look: %s is not a descriptor", number))
	}
	at, err := ask(fd)
	if err != nil {
		return complain(err)
	}
	env := newEnvironment(os.Environ())
	if err := env.apply(at); err != nil {
		return answer(fd, nil, nil, err)
	}
	program := wordsOf(at.Program)
	if len(at.ReexecAs) == 0 {
		saw, fds, err := see(program, env.list())
		return answer(fd, saw, fds, err)
	}
	words := wordsOf(at.ReexecAs)
	if at.Einhorn {
		words = append(words, einhornFlag, number, "--")
	} else {
		words = append(words, exe, ArriveFlag, number, "--")
	}
	return answer(fd, nil, nil, become(append(words, program...), env.list()))
}

// become executes the wrapper in the place of this process, and returns only
// if it cannot.
func become(words, env []string) error {
	path, err := config.FindProgram(words[0], config.PathOf(env))
	if err == nil {
		endWithKeeper()
		err = &os.PathError{Op: "execute", Path: path, Err: syscall.Exec(path, words, env)}
	}
	return fmt.Errorf("the command of --reexec-as cannot be run: %w", err)
}

// Arrived is this program as the wrapper executes it: what has arrived is what
// counts, and the keeper hears of it at this descriptor.
func Arrived(fd int, program []string) int {
	standFast()
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return complain(fmt.Errorf("cannot answer at descriptor %d: it is not the socket that the command of --reexec-as was given; it must leave descriptors open", fd))
	}
	saw, fds, err := see(program, os.Environ())
	return answer(fd, saw, fds, err)
}

// ask takes the keeper's one message. The descriptor stays open for the answer.
func ask(fd int) (*link.LookAt, error) {
	conn, err := connect(fd)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in, open := <-conn.In()
	if !open {
		return nil, fmt.Errorf("cannot look: the keeper does not say where: %w", conn.Err())
	}
	link.CloseFDs(in.FDs)
	at, ok := in.Msg.(*link.LookAt)
	if !ok {
		return nil, fmt.Errorf("cannot look: the keeper sent %T", in.Msg)
	}
	return at, nil
}

// answer tells the keeper what was seen, or why nothing could be, and returns
// once it has gone out. It is the exit status.
func answer(fd int, saw *link.Saw, fds []int, why error) int {
	conn, err := connect(fd)
	if err != nil {
		link.CloseFDs(fds)
		return complain(errors.Join(why, err))
	}
	defer conn.Close()
	if why != nil {
		conn.Send(&link.Blind{Reason: why.Error()})
	} else {
		conn.Send(saw, fds...)
	}
	for conn.Pending() {
		select {
		case <-conn.Drained():
		case _, open := <-conn.In():
			if !open {
				return complain(errors.New("cannot answer: the keeper has gone away"))
			}
		}
	}
	return 0
}

// connect uses a copy of the descriptor, which itself stays as it is.
func connect(fd int) (*link.Conn, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	conn, err := link.New(os.NewFile(uintptr(dup), "look"))
	if err != nil {
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	return conn, nil
}

// standFast keeps signals that were meant for the keeper, and sent to all
// processes of its name, from ending a look. What this process becomes has
// them at their default again, execve(2).
func standFast() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU)
}

// complain tells on standard error, of which the keeper keeps the end.
func complain(err error) int {
	fmt.Fprintf(os.Stderr, "einhyrningsins: %v\n", err)
	return 1
}
