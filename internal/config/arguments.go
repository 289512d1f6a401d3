// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/ready"
)

// Arguments returns the program's name and arguments, with what stands in them for a
// worker, or for a socket of these names ("": it has none). By einhorn's name
// nothing does. An error matches [ErrUsage].
func (c *Config) Arguments(names []string) (childenv.Template, error) {
	fixed := 1 // the name is the program's own
	if c.Einhorn {
		fixed = len(c.Program)
	}
	number := 0
	if c.Gives() == ready.Pipe {
		number = childenv.Contract{Sockets: make([]childenv.Socket, len(names)), SockFD: c.SockFD}.ReadyNumber()
	}
	words, err := childenv.ParseTemplate(c.Program, fixed, names, number)
	if wrong := (*childenv.SocketError)(nil); errors.As(err, &wrong) {
		return words, usageWrap(err, "cannot use the program's argument %s: %v; write {%s} for the word itself", show(wrong.In), err, wrong.Word)
	}
	return words, err
}

// checkWords looks for wrong words. How many sockets systemd hands over shows
// only when they are taken.
func (c *Config) checkWords() error {
	names := make([]string, len(c.Binds))
	for i, spec := range c.Binds {
		if spec.Kind == bind.Systemd {
			return nil
		}
		names[i] = spec.Name
	}
	_, err := c.Arguments(names)
	return err
}
