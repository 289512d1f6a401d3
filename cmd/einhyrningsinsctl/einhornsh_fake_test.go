// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"

	"einhyrningsins/internal/wire"
)

// serveEinhorn answers a line in einhorn's dialect as the master does. Ours are
// JSON, which is YAML, as long as nothing unprintable is in them.
func (f *fake) serveEinhorn(nc net.Conn, line []byte) bool {
	var r struct {
		wire.Request
		User string `json:"user"`
	}
	text := strings.TrimPrefix(unescapeLine.Replace(strings.TrimSuffix(string(line), "\n")), "--- ")
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		f.set(func() { f.disordered = append(f.disordered, fmt.Sprintf("request %q: %v", line, err)) })
		return false
	}
	send := func(message string, wait bool) {
		reply := "---\nmessage: " + yamlString(message)
		if r.ID != nil {
			reply += "\nrequest_id: " + string(r.ID)
		}
		if wait {
			reply += "\nwait: true"
		}
		io.WriteString(nc, escapeLine.Replace(reply+"\n")+"\n")
	}
	f.set(func() {
		f.commands = append(f.commands, strings.Join(append([]string{"einhorn:" + r.Command}, r.Args...), " "))
	})
	switch r.Command {
	case wire.Ehlo:
		send("Welcome "+r.User+"!\n", false)
	case wire.WorkerAck, wire.WorkerPing:
		return false
	case "state":
		send("---\n:state:\n  :children: {}\n  :escape: \x1b[2J\n", false)
	case "slow":
		send("first 50%", true)
		f.set(func() { f.held <- struct{}{} })
		<-f.released
		send("last", false)
	case "crash":
		send("first", true)
		return false
	case "odd":
		io.WriteString(nc, "220 smtp ready\n")
	default:
		send("did "+strings.Join(append([]string{r.Command}, r.Args...), " "), false)
	}
	return true
}
