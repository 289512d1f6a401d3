// SPDX-License-Identifier: GPL-3.0-or-later

// Package ready is how a worker can become ready: one table, a row a mode. It says
// how a mode is written in --ack-mode, what a worker gets to say it with, and for a
// mode in which the worker says nothing, what asks it. Who hears and who asks are
// keeper and master; they look here for what they have to do.
//
// That a worker has lived for some seconds (timer mode) is no row: nothing is said.
package ready

import "strings"

// Mode is a way in which a worker becomes ready. In each of them worker:ack on the
// control socket is an ACK as well.
type Mode struct {
	Name  string // as in --ack-mode
	Arg   string // what follows, behind a colon; "": nothing
	When  string // it is ready once … (for the usage text)
	Gives Gift   // what each worker gets

	// Attempt asks a worker once, in a process of its own; nil where what is behind the
	// colon is itself the command that asks.
	Attempt func(arg string) error
	// Check says what is wrong with what Attempt is to be given.
	Check func(arg string) error
}

// Gift is what a worker gets to say with that it is ready.
type Gift int

// What it may be.
const (
	Nothing Gift = iota
	Socket       // NOTIFY_SOCKET, sd_notify(3)
	Pipe         // READY_FD
)

// Manual is the mode that is meant where none is named.
const Manual = "manual"

// ProbeName is argv[0] of the process that attempts. The name of the mode follows,
// and what is behind its colon.
const ProbeName = "einhyrn-probe"

// Modes is the table.
var Modes = []Mode{
	{Name: Manual, When: "it sends an ACK"},
	{Name: "notify", When: "it sends READY=1 to NOTIFY_SOCKET, as under systemd", Gives: Socket},
	{Name: "fd", When: "it writes a newline to the descriptor READY_FD, as under s6", Gives: Pipe},
	{Name: "exec", Arg: "CMD", When: "a command ends with status 0"},
	tcp,
	http,
}

// Find returns the mode that a value of --ack-mode names, and what follows it; nil:
// it names none.
func Find(value string) (m *Mode, arg string) {
	name, arg, colon := strings.Cut(value, ":")
	for i := range Modes {
		if m = &Modes[i]; m.Name == name && colon == (m.Arg != "") {
			return m, arg
		}
	}
	return nil, ""
}

// Asks tells whether a process asks the worker, which has nothing to say.
func (m *Mode) Asks() bool { return m.Arg != "" }

// Spelling is how the mode is written: exec:CMD.
func (m *Mode) Spelling() string {
	if m.Arg == "" {
		return m.Name
	}
	return m.Name + ":" + m.Arg
}

// Spellings are those of all modes.
func Spellings() (list []string) {
	for i := range Modes {
		list = append(list, Modes[i].Spelling())
	}
	return list
}

// Words are the modes that take nothing behind a colon, for completion.
func Words() (list []string) {
	for i := range Modes {
		if !Modes[i].Asks() {
			list = append(list, Modes[i].Name)
		}
	}
	return list
}

// Help says when a worker is ready in each mode.
func Help() string {
	var all []string
	for i := range Modes {
		all = append(all, Modes[i].When+" ("+Modes[i].Name+")")
	}
	return "A worker is ready once " + strings.Join(all, ", or ") + ", or it has lived this long"
}
