// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"strconv"
	"strings"

	"einhyrningsins/client"
)

// eventsView shows events as they come, in one table or as JSON.
type eventsView struct {
	o      *output
	json   bool
	last   uint64 // number of the last that was shown
	widths []int  // of the table so far; nil: nothing was shown
}

var levelColours = map[string]string{"warn": yellow, "error": red}

// show shows one answer. What nobody knows any more is said.
func (v *eventsView) show(ev *client.Events) error {
	if lost := v.last + 1; ev.First > lost {
		v.o.note(fmt.Sprintf("what happened before event %d is not known any more", ev.First))
	}
	v.last = ev.Last
	if v.json {
		for i := range ev.Events {
			if err := v.o.json(&ev.Events[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(ev.Events) == 0 {
		return nil
	}
	now := v.o.now()
	var rows [][]string
	if v.widths == nil {
		rows = append(rows, []string{"NUMBER", "TIME", "GEN", "INDEX", "PID", "WHAT"})
	}
	head := len(rows)
	for _, e := range ev.Events {
		row := []string{strconv.FormatUint(e.Number, 10), e.At.In(now.Location()).Format("2006-01-02 15:04:05"), "-", "-", "-", clean(e.What())}
		if e.Generation != 0 {
			row[2] = strconv.Itoa(e.Generation)
		}
		if e.Index != nil {
			row[3] = strconv.Itoa(*e.Index)
		}
		if e.PID != 0 {
			row[4] = strconv.Itoa(e.PID)
		}
		rows = append(rows, row)
	}
	var b strings.Builder
	v.widths = v.o.rows(&b, rows, []bool{true, false, true, true, true, false}, v.widths, func(row, column int) string {
		switch {
		case row < head:
			return bold
		case column == 5:
			return levelColours[ev.Events[row-head].Level]
		}
		return ""
	})
	_, err := fmt.Fprint(v.o.out, b.String())
	return err
}
