// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"einhyrningsins/client"
	"einhyrningsins/internal/wire"
)

// status shows a few lines about the whole, then a table of the workers.
func (o *output) status(st *client.Status) {
	var b strings.Builder
	for _, l := range o.summary(st) {
		fmt.Fprintf(&b, "%s %s\n", o.paint(bold, pad(l[0], 11, false)), l[1])
	}
	if len(st.Workers) > 0 {
		b.WriteByte('\n')
		o.table(&b, st.Workers)
	}
	fmt.Fprint(o.out, b.String())
	if oldKeeper(st) {
		o.note(fmt.Sprintf("warning: the keeper is of version %s, the master of version %s; only a restart of the daemon renews the keeper", st.KeeperVersion, st.Version))
	}
}

// summary is the upper part, as pairs of label and text.
func (o *output) summary(st *client.Status) [][2]string {
	now := o.now()
	lines := [][2]string{
		{"keeper", versions(st)},
		{"program", programLine(st.Program)},
		{"since", fmt.Sprintf("%s (%s ago)", st.StartedAt.In(now.Location()).Format("2006-01-02 15:04:05 MST"), age(now.Sub(st.StartedAt)))},
		{"generation", o.generations(st)},
	}
	for _, g := range st.Generations {
		lines = append(lines, [2]string{"", startedFrom(g, now)})
	}
	lines = append(lines, [][2]string{
		{"workers", o.counts(st)},
		{"ACK", ackMode(st.AckMode)},
		{"upgrade", o.upgradeLine(st.Upgrade)},
	}...)
	for i, sock := range st.Sockets {
		label := ""
		if i == 0 {
			label = "sockets"
		}
		text := fmt.Sprintf("%s, fd %d", clean(sock.Address), sock.FD)
		if sock.Network != "tcp" && sock.Network != "" {
			text += ", " + kinds[sock.Network]
		}
		if sock.Name != "" {
			text += ", name " + clean(sock.Name)
		}
		if sock.Spec != sock.Address {
			text += fmt.Sprintf(" (-b %s)", clean(sock.Spec))
		}
		lines = append(lines, [2]string{label, text})
	}
	if st.ReloadUndone != "" {
		lines = append(lines, [2]string{"reload", o.paint(red, clean(st.ReloadUndone))})
	}
	if st.FailedStarts > 0 {
		lines = append(lines, [2]string{"failures", o.paint(red, plural(st.FailedStarts, "failed start")+" in a row")})
	}
	if st.LastFailure != "" {
		text := clean(st.LastFailure)
		if at := st.LastFailureAt; at != nil {
			text = age(now.Sub(*at)) + " ago: " + text
		}
		lines = append(lines, [2]string{"last failed", text})
		if st.LastFailureStderr != "" {
			lines = append(lines, [2]string{"its stderr", clean(st.LastFailureStderr)})
		}
	}
	if st.Stopping {
		lines = append(lines, [2]string{"stopping", o.paint(red, "yes: it ends with its last worker")})
	}
	return lines
}

// kinds are what people call sockets other than TCP's.
var kinds = map[string]string{
	"udp": "UDP", "unix": "UNIX", "unixgram": "UNIX datagrams", "unixpacket": "UNIX packets",
}

func versions(st *client.Status) string {
	if oldKeeper(st) {
		return fmt.Sprintf("%d of version %s, master %d of version %s", st.PID, clean(st.KeeperVersion), st.MasterPID, clean(st.Version))
	}
	return fmt.Sprintf("%d, master %d, version %s", st.PID, st.MasterPID, clean(st.Version))
}

// oldKeeper tells whether keeper and master are known to be of two versions.
func oldKeeper(st *client.Status) bool {
	return st.KeeperVersion != "" && st.KeeperVersion != st.Version
}

// startedFrom says in one line what a generation's workers are started from.
func startedFrom(g client.Generation, now time.Time) string {
	return fmt.Sprintf("%d from %s in %s, as found %s ago", g.Generation, clean(g.Program), clean(g.Directory), age(now.Sub(g.LookedAt)))
}

func (o *output) generations(st *client.Status) string {
	switch st.GoodGeneration {
	case st.Generation:
		return strconv.Itoa(st.Generation)
	case 0:
		return fmt.Sprintf("%d, %s", st.Generation, o.paint(yellow, "none good yet"))
	}
	return fmt.Sprintf("%d, %s", st.Generation, o.paint(yellow, fmt.Sprintf("good is %d", st.GoodGeneration)))
}

func (o *output) counts(st *client.Status) string {
	n := map[string]int{}
	for _, w := range st.Workers {
		n[w.State]++
	}
	ready := fmt.Sprintf("%d ready", n[wire.StateReady])
	if n[wire.StateReady] < st.Number {
		ready = o.paint(yellow, ready)
	} else {
		ready = o.paint(green, ready)
	}
	text := fmt.Sprintf("%d wanted, %s", st.Number, ready)
	for _, state := range []string{wire.StateStarting, wire.StateDraining, wire.StateStopping, wire.StateKilled} {
		if n[state] > 0 {
			text += fmt.Sprintf(", %d %s", n[state], state)
		}
	}
	if st.Missing > 0 {
		text += ", " + o.paint(red, fmt.Sprintf("%d missing", st.Missing))
	}
	if st.NextSpawnAt != nil {
		text += fmt.Sprintf(" (next in %s)", span(max(0, st.NextSpawnAt.Sub(o.now()))))
	}
	return text
}

func ackMode(mode string) string {
	switch mode {
	case "manual":
		return "manual: a worker is ready when it says so"
	case "notify":
		return "notify: a worker is ready when it sends READY=1, or an ACK"
	case "fd":
		return "fd: a worker is ready when it writes a newline, or sends an ACK"
	}
	name, what, asked := strings.Cut(mode, ":")
	switch {
	case !asked:
		return fmt.Sprintf("timer: a worker is ready after %s", clean(mode))
	case name == "exec":
		return "exec: a worker is ready when this says so, or it sends an ACK: " + clean(what)
	}
	return clean(name) + ": a worker is ready when it answers there, or sends an ACK: " + clean(mode)
}

func (o *output) upgradeLine(u client.UpgradeStatus) string {
	var text string
	switch u.State {
	case wire.UpgradeIdle, "":
		return "none yet"
	case wire.UpgradeRunning:
		text = o.paint(yellow, "running") + fmt.Sprintf(", generation %d, %d of %d ready", u.Generation, u.Ready, u.Number)
	case wire.UpgradeDone:
		text = o.paint(green, "done") + fmt.Sprintf(", generation %d", u.Generation)
	default:
		text = o.paint(red, clean(u.State)) + fmt.Sprintf(", generation %d", u.Generation)
	}
	if u.Reason != "" {
		text += ": " + clean(u.Reason)
	}
	return text
}

// silent is the word for a ready worker that waits for its successor.
const silent = "silent"

func stateWord(w client.Worker) string {
	if w.Silent {
		return silent
	}
	return clean(w.State)
}

// says is what there is to be said of a worker beside its state.
func says(w client.Worker) string {
	if w.CannotSignal == "" {
		return w.Status
	}
	return strings.TrimSuffix("cannot be signalled: "+w.CannotSignal+"; "+w.Status, "; ")
}

var stateColours = map[string]string{
	silent: yellow, wire.StateStarting: yellow, wire.StateReady: green, wire.StateDraining: cyan, wire.StateStopping: red, wire.StateKilled: red,
}

// table writes the workers, numbers to the right and words to the left.
func (o *output) table(b *strings.Builder, workers []client.Worker) {
	now := o.now()
	head := []string{"INDEX", "PID", "GEN", "STATE", "AGE", "READY", "LAST PING"}
	talks := slices.ContainsFunc(workers, func(w client.Worker) bool { return says(w) != "" })
	if talks {
		head = append(head, "STATUS")
	}
	rows := [][]string{head}
	for _, w := range workers {
		ready, ping := "-", "-"
		if w.ReadyAt != nil {
			ready = "after " + span(w.ReadyAt.Sub(w.StartedAt))
		}
		if w.PingedAt != nil {
			ping = age(now.Sub(*w.PingedAt)) + " ago"
			if w.PingedRequestID != "" {
				ping += " (" + clean(w.PingedRequestID) + ")"
			}
		}
		row := []string{
			strconv.Itoa(w.Index), strconv.Itoa(w.PID), strconv.Itoa(w.Generation),
			stateWord(w), age(now.Sub(w.StartedAt)), ready, ping,
		}
		if talks {
			row = append(row, clean(says(w)))
		}
		rows = append(rows, row)
	}
	o.rows(b, rows, []bool{true, true, true, false, true, false, false, false}, nil, func(row, column int) string {
		switch {
		case row == 0:
			return bold
		case column == 3:
			return stateColours[rows[row][3]]
		}
		return ""
	})
}

// rows writes a table: each column as wide as in the rows before (widths, or nil) and
// in these, which is what it returns, and to the right or not.
func (o *output) rows(b *strings.Builder, rows [][]string, right []bool, widths []int, colour func(row, column int) string) []int {
	if widths == nil {
		widths = make([]int, len(right))
	}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for r, row := range rows {
		for i, cell := range row {
			if i < len(row)-1 {
				cell = pad(cell, widths[i], right[i]) + "  "
			}
			b.WriteString(o.paint(colour(r, i), cell))
		}
		b.WriteByte('\n')
	}
	return widths
}

func pad(text string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if right {
		return space + text
	}
	return text + space
}

// age is how long ago something was, in the two units that matter. Clocks of
// two processes may differ by a little: less than nothing is nothing.
func age(d time.Duration) string {
	s := int64(max(0, d) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// span is how long something took, to the millisecond while that says anything.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return max(0, d).Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return age(d)
}
