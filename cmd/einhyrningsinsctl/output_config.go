// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"einhyrningsins/client"
)

// settings shows a table; those that a running daemon can change stand out.
func (o *output) settings(settings []client.Setting) {
	keys, values := len("SETTING"), len("VALUE")
	for _, st := range settings {
		keys = max(keys, utf8.RuneCountInString(clean(st.Key)))
		values = max(values, utf8.RuneCountInString(shownValue(st.Value)))
	}
	var b strings.Builder
	b.WriteString(o.paint(bold, pad("SETTING", keys, false)+"  "+pad("VALUE", values, false)+"  CHANGED BY") + "\n")
	for _, st := range settings {
		how := "restart"
		if st.Changeable {
			how = o.paint(green, "config")
		}
		fmt.Fprintf(&b, "%s  %s  %s\n", pad(clean(st.Key), keys, false), pad(shownValue(st.Value), values, false), how)
	}
	fmt.Fprint(o.out, b.String())
}

// shownValue leaves no value without a mark on the screen.
func shownValue(value string) string {
	if value == "" {
		return "-"
	}
	return clean(value)
}

// changes tells what became of settings.
func (o *output) changes(changed []client.Change) {
	for _, c := range changed {
		if c.From == c.To {
			fmt.Fprintf(o.out, "%s is %s already\n", clean(c.Key), shownValue(c.To))
			continue
		}
		fmt.Fprintf(o.out, "%s is %s now, was %s\n", clean(c.Key), shownValue(c.To), shownValue(c.From))
	}
}

// refusal tells of a setting that could not be changed.
func (o *output) refusal(prefix string, r client.Refusal) {
	o.failure(prefix, fmt.Errorf("cannot set %s to %s: %s", r.Key, shownValue(r.Value), r.Reason))
}
