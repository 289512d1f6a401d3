// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"bytes"
	"errors"

	"einhyrningsins/internal/einhorn"
	"einhyrningsins/internal/wire"
)

// Dialect is a way to talk on the control socket. Each line is told apart by
// itself, and answered in its own dialect.
type Dialect int

// The dialects.
const (
	JSON    Dialect = iota
	Einhorn         // YAML documents, one a line
)

const documentStart = "---"

// dialectOf tells whose line it is: one that begins a YAML document is
// einhorn's, all else JSON.
func dialectOf(line []byte) Dialect {
	if bytes.HasPrefix(line, []byte(documentStart)) {
		return Einhorn
	}
	return JSON
}

// parse reads a request.
func (d Dialect) parse(line []byte) (wire.Request, error) {
	if d == Einhorn {
		return einhorn.ParseRequest(line)
	}
	return wire.ParseRequest(line)
}

// answer is one line in the form that the client asked for.
func (d Dialect) answer(id []byte, message string, data any, wait bool) []byte {
	switch {
	case d == Einhorn:
		return einhorn.Reply(id, message, wait)
	case len(id) == 0:
		return wire.Encode(message)
	}
	return reply(wire.Reply{RequestID: id, OK: true, Message: message, Wait: wait}, data)
}

// failure is the last line of a request that failed.
func (d Dialect) failure(id []byte, err *wire.Error, data any) []byte {
	switch {
	case d == Einhorn:
		return einhorn.Reply(id, err.Message, false)
	case len(id) == 0:
		return wire.Encode(err.Message)
	}
	return reply(wire.Reply{RequestID: id, Err: err}, data)
}

func asWireError(err error) *wire.Error {
	var we *wire.Error
	if errors.As(err, &we) {
		return we
	}
	return wire.Errorf(wire.BadRequest, "%s", err)
}
