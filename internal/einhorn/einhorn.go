// SPDX-License-Identifier: GPL-3.0-or-later

// Package einhorn translates between einhorn's ways and ours, so that nobody else
// has to know them. On the control socket its dialect is YAML: every message is a
// document on one line, in which % is written %25 and a newline %0A.
//
//   - einhorn.go turns a line into a [wire.Request], and an answer into a line.
//   - tree.go parses YAML, with limits: what comes out is text, lists and maps
//     of a size and depth that cannot hurt. No tag makes anything else of them.
//   - config.go turns the map that einhorn's config takes into the KEY=VALUE
//     words that ours takes.
//   - state.go renders our status as einhorn's state.
//   - dump.go writes YAML that every parser reads alike, Ruby's above all.
//
// Ruby's symbols may stand wherever a text is expected: ":command" is as good
// as "command". docs/protocol.md describes what a client sees.
package einhorn

import (
	"encoding/json"
	"strconv"
	"strings"

	"einhyrningsins/internal/wire"
)

// errNotParsed is all that einhorn's clients are told of a line that is no
// YAML, no map, or beyond the limits.
var errNotParsed = wire.Errorf(wire.BadRequest, "Could not parse command")

var (
	unescaper = strings.NewReplacer("%25", "%", "%0A", "\n")
	escaper   = strings.NewReplacer("%", "%25", "\n", "%0A")
)

// ParseRequest decodes one request line (without its newline). The error is a
// [*wire.Error]. When the line held a usable id, the returned Request carries
// it even beside an error.
//
// An id is a JSON string that holds the YAML by which it is echoed.
func ParseRequest(line []byte) (wire.Request, error) {
	var r wire.Request
	n, err := parse(unescaper.Replace(string(line)))
	if err != nil || n.kind != kindMap {
		return r, errNotParsed
	}
	if err := requestOf(n, &r); err != nil {
		return r, err
	}
	if r.Command == wire.Config {
		if err := configWords(&r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// requestOf fills r; an error of the id, the first to be read, leaves it
// without one.
func requestOf(n *node, r *wire.Request) *wire.Error {
	if id := n.get("id"); id.kind != kindNull {
		if id.kind != kindText {
			return wire.Errorf(wire.BadRequest, "cannot read request: id must be a single value, as in id: 1")
		}
		r.ID = idOf(id)
	}
	command := n.get("command")
	if command.kind != kindText || command.word() == "" {
		return wire.Errorf(wire.BadRequest, "cannot read request: there is no command; try help")
	}
	r.Command = command.word()
	args, ok := n.get("args").words()
	if !ok {
		return wire.Errorf(wire.BadRequest, "cannot %s: args must be a list of strings", shown(r.Command))
	}
	r.Args = args
	if pid := n.get("pid"); pid.kind != kindNull {
		number, err := strconv.Atoi(pid.text)
		if pid.kind != kindText || err != nil || number <= 0 || number > 1<<30 {
			return wire.Errorf(wire.BadRequest, "cannot %s: pid must be a process id, as in pid: 4711", shown(r.Command))
		}
		r.PID = number
	}
	if ping := n.get("request_id"); ping.kind != kindNull {
		if ping.kind != kindText || len(ping.text) > wire.MaxRequestID {
			return wire.Errorf(wire.BadRequest, "cannot %s: request_id must be a string of at most %d bytes", shown(r.Command), wire.MaxRequestID)
		}
		r.RequestID = ping.text
	}
	if user := n.get("user"); user.kind == kindText {
		r.User = user.text
	}
	return nil
}

// shown is a command in an error message.
func shown(command string) string {
	if len(command) > 64 {
		return strings.ToValidUTF8(command[:64], "") + "…"
	}
	return command
}

// idOf keeps an id as it was written, if that was plain and simple, because
// nobody else knows whether 0x1F is a number to the client.
func idOf(n *node) json.RawMessage {
	spelling := quote(n.text)
	if n.plain && isSimple(n.text) {
		spelling = n.text
	}
	raw, err := json.Marshal(spelling)
	if err != nil {
		return nil // cannot happen: it is a string
	}
	return raw
}

// isSimple tells whether a plain scalar means the same wherever it stands.
func isSimple(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case c == '.', c == '_', c == '+', c == ':', c == '-':
		default:
			return false
		}
	}
	if strings.HasSuffix(s, ":") || strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		return false
	}
	return s != "" && s != "-" && len(s) <= wire.MaxRequestID
}

// Reply is one answer line, its newline included. Without an id it holds only
// the message; wait says that more lines follow for this id.
func Reply(id json.RawMessage, message string, wait bool) []byte {
	var b strings.Builder
	b.WriteString("---\nmessage: ")
	b.WriteString(quote(message))
	var spelling string
	if len(id) > 0 && json.Unmarshal(id, &spelling) == nil {
		b.WriteString("\nrequest_id: ")
		b.WriteString(spelling)
		if wait {
			b.WriteString("\nwait: true")
		}
	}
	b.WriteString("\n")
	return []byte(escaper.Replace(b.String()) + "\n")
}
