// SPDX-License-Identifier: GPL-3.0-or-later

package config

import "strings"

// The usage text: its width, and where its second column begins.
const (
	usageWidth  = 80
	usageColumn = 30
)

// glue is a space at which no line is broken.
const glue = "\x00"

const usageHead = `Usage: einhyrningsins [OPTIONS] [--] PROGRAM [PROGRAM_ARGS]

Run several workers of PROGRAM on shared listening sockets, and replace them
without losing a connection. Options end at the first word that is none.
`

const usageTail = `
A DURATION is a number of seconds (1.5), or has a unit (300ms, 2m, 1h30m).

Examples:
  einhyrningsins -n 4 -b 0.0.0.0:80,r -- server --config server.conf
      four workers of server on port 80; HUP to our process upgrades them
  einhyrningsins -n 4 -m -b :443,r -d /run/web.sock -- server
      the same, where server says itself when it is ready
  einhyrningsins -n 2 -b unix:/run/app.sock,mode=0660,group=www-data -- app
      behind a server of the group www-data, on a UNIX socket
  einhyrningsins -b udp:[::]:53,name=dns -b 0.0.0.0:53,name=tcp -- named
      UDP and TCP; {fd:dns} in the program's arguments is the first one's fd
  einhyrningsins -b systemd -- server
      on the sockets of the unit's own .socket unit
  einhyrningsinsctl -d /run/web.sock upgrade
      replace all workers by new ones, and wait until that is done

Exit status: 0 after a stop that was asked for, 1 when no worker is left and
none may be started, 2 for a usage error. See einhyrningsins(1).
`

// Usage returns the usage text, at most 80 columns wide.
func Usage() string { return own.usage() }

// usage has a heading wherever another group of options begins.
func (l dialect) usage() string {
	var b strings.Builder
	b.WriteString(l.intro)
	group := ""
	for _, o := range l.options() {
		if o.Group != group {
			group = o.Group
			b.WriteString("\n" + group + ":\n")
		}
		writeOption(&b, o)
	}
	b.WriteString(l.outro)
	return b.String()
}

func writeOption(b *strings.Builder, o Option) {
	left := "      --" + o.Name
	if o.Short != "" {
		left = "  -" + o.Short + ", --" + o.Name
	}
	if o.Arg != "" {
		left += " " + o.Arg
	}
	help := o.Help
	if text := o.DefaultText(); text != "" {
		// Kept in one piece: a default alone on its line reads badly.
		help += " " + strings.ReplaceAll("(default "+text+")", " ", glue)
	}
	b.WriteString(left)
	column := len(left)
	if column > usageColumn-2 {
		b.WriteString("\n")
		column = 0
	}
	for _, line := range wrap(help, usageWidth-usageColumn) {
		b.WriteString(strings.Repeat(" ", usageColumn-column) + strings.ReplaceAll(line, glue, " ") + "\n")
		column = 0
	}
}

// wrap breaks text into lines of at most width bytes, at spaces.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
