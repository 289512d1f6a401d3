// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"einhyrningsins/client"
	"einhyrningsins/internal/wire"
)

// barWidth is that of the bar itself, in columns, where there is room.
const barWidth = 24

// upgradeView shows one upgrade: as a bar that is drawn anew, as plain lines,
// or as JSON.
type upgradeView struct {
	o     *output
	json  bool
	drawn bool // a bar stands in the current line
	again bool // the last step was a reconnection; the next may be the beginning again
}

func (o *output) watchUpgrade(json bool) *upgradeView {
	return &upgradeView{o: o, json: json}
}

// step shows one step.
func (v *upgradeView) step(p client.Progress) {
	known := v.again && p.Event == ""
	v.again = p.Event == client.EventReconnected
	switch {
	case v.json:
		v.o.json(p)
	case !v.o.escapes && known:
	case !v.o.escapes:
		v.o.message(stepText(p))
	case p.Event == "failed" || p.Event == client.EventReconnected:
		// What went wrong stays to be read; all else the bar says.
		v.clear()
		fmt.Fprintln(v.o.out, v.o.paint(yellow, cleanLines(stepText(p))))
		v.draw(p)
	default:
		v.draw(p)
	}
}

func stepText(p client.Progress) string {
	if p.Message != "" {
		return p.Message
	}
	text := fmt.Sprintf("generation %d: %d of %d ready", p.Generation, p.Ready, p.Number)
	if p.Event != "" {
		text += ", worker " + p.Event
	}
	return text
}

func (v *upgradeView) draw(p client.Progress) {
	fmt.Fprint(v.o.out, "\r"+v.o.bar(p, v.o.width())+"\x1b[K")
	v.drawn = true
}

// clear takes the bar away.
func (v *upgradeView) clear() {
	if v.drawn {
		fmt.Fprint(v.o.out, "\r\x1b[K")
		v.drawn = false
	}
}

// end shows the outcome. A failure's reason is told with the command's error;
// in JSON it is part of the last line.
func (v *upgradeView) end(last client.Progress, err error) {
	v.clear()
	if v.json {
		var e *client.Error
		if err == nil || errors.As(err, &e) {
			v.o.json(struct {
				client.Progress
				OK  bool          `json:"ok"`
				Err *client.Error `json:"error,omitempty"`
			}{last, err == nil, e})
		}
		return
	}
	if err == nil {
		text := last.Message
		if text == "" {
			text = fmt.Sprintf("upgrade to generation %d done, %d of %d ready", last.Generation, last.Ready, last.Number)
		}
		fmt.Fprintln(v.o.out, v.o.paint(green, cleanLines(text)))
	}
}

// bar is one line of less than width columns: the last one stays free, since
// terminals differ in what they do when it is filled.
func (o *output) bar(p client.Progress, width int) string {
	room := width - 1
	count := fmt.Sprintf("%d/%d ready", p.Ready, p.Number)
	name := fmt.Sprintf("generation %d ", p.Generation)
	var bar string
	if cells := min(barWidth, room-len(name)-len(count)-3); cells >= 4 {
		bar = "[" + meter(p.Ready, p.Number, cells) + "] "
	} else if len(name)+len(count) > room {
		name = ""
	}
	text := clip(name+bar+count, room)
	if rest := room - utf8.RuneCountInString(text) - 2; rest >= 8 && p.Message != "" && p.State == wire.UpgradeRunning {
		text += "  " + clip(clean(withoutCount(p.Message)), rest)
	}
	return text
}

// withoutCount drops the "[1 of 4 ready] " that a message may begin with: the
// bar shows just that.
func withoutCount(message string) string {
	if strings.HasPrefix(message, "[") {
		if _, rest, ok := strings.Cut(message, " ready] "); ok {
			return rest
		}
	}
	return message
}

// meter fills cells in proportion of n to of.
func meter(n, of, cells int) string {
	full := cells
	if of > 0 {
		full = min(cells, max(0, n)*cells/of)
	}
	if full < cells && full > 0 {
		return strings.Repeat("=", full-1) + ">" + strings.Repeat(" ", cells-full)
	}
	return strings.Repeat("=", full) + strings.Repeat(" ", cells-full)
}

// clip cuts text to width columns and shows that it did.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width < 2 {
		return ""
	}
	runes := []rune(text)
	return string(runes[:width-1]) + "…"
}
