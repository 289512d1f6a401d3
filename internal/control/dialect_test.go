// SPDX-License-Identifier: GPL-3.0-or-later

package control

import (
	"strings"
	"testing"

	"einhyrningsins/internal/wire"
)

func TestDialectOf(t *testing.T) {
	for line, want := range map[string]Dialect{
		`{"command":"inc"}`: JSON,
		"--- {}":            Einhorn,
		"---":               Einhorn,
		"--":                JSON,
		"":                  JSON,
	} {
		if got := dialectOf([]byte(line)); got != want {
			t.Errorf("dialectOf(%q) = %v, want %v", line, got, want)
		}
	}
}

// Two dialects on one connection, and requests that are under way at the same
// time: each gets its answers as it asked.
func TestEinhornsDialect(t *testing.T) {
	f := serve(t, nil)
	f.loop(func(c *Call) {
		switch c.Command {
		case "bad":
			c.FailWith(wire.Errorf(wire.Refused, "no"), map[string]int{"a": 1})
		case "long":
			c.Progress("50%", map[string]int{"n": 1})
			c.Answer("two\nlines", []int{3})
		case "worker:ack":
			c.DoneAndClose()
		default:
			echo(c)
		}
	})
	c := f.dial()
	c.say("---%0Acommand: ehlo%0Auser: ann%0A\n" + `{"command":"ehlo"}` + "\n")
	c.expect(`---%0Amessage: "did ehlo"%0A`)
	c.expect(`"did ehlo"`)
	c.say("---%0Acommand: long%0Aid: 1%0A\n---%0Acommand: long%0A\n---%0Acommand: bad%0Aid: x%0A\n---%0Acommand: bad%0A\n")
	c.expect(`---%0Amessage: "50%25"%0Arequest_id: 1%0Await: true%0A`)
	c.expect(`---%0Amessage: "two\nlines"%0Arequest_id: 1%0A`)
	c.expect(`---%0Amessage: "two\nlines"%0A`)
	c.expect(`---%0Amessage: "no"%0Arequest_id: x%0A`)
	c.expect(`---%0Amessage: "no"%0A`)
	for line, want := range map[string]string{
		"---":                                   `---%0Amessage: "Could not parse command"%0A`,
		"--- [a":                                `---%0Amessage: "Could not parse command"%0A`,
		"---%0Acommand: x%0Aargs: 1%0Aid: 2%0A": `---%0Amessage: "cannot x: args must be a list of strings"%0Arequest_id: 2%0A`,
		"--- " + strings.Repeat("x", wire.MaxLine): `---%0Amessage: "cannot read request: longer than 65536 bytes"%0A`,
	} {
		c.say(line + "\n")
		c.expect(want)
	}
	c.say("---%0Acommand: worker:ack%0Apid: 1%0A\n")
	c.expectEnd()
}
