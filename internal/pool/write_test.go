// SPDX-License-Identifier: GPL-3.0-or-later

package pool

import (
	"fmt"
	"slices"
	"strings"
)

// writeMessage writes down one message to the keeper.
func (pl *player) writeMessage(message any) {
	switch m := message.(type) {
	case Save:
		switch {
		case !pl.saves:
		case m.Worker != nil:
			fmt.Fprintf(&pl.out, "  save %d %v\n", m.Worker.Serial, m.Worker.Phase)
		default:
			fmt.Fprintf(&pl.out, "  save the state, keep generations %v\n", m.Generations)
		}
	case Spawn:
		fmt.Fprintf(&pl.out, "  spawn %d, generation %d, index %d\n", m.Serial, m.Generation, m.Index)
	case Send:
		to := ""
		if m.Group {
			to = " and its group"
		}
		fmt.Fprintf(&pl.out, "  %s to %d%s\n", signalNames[m.Signal], m.Serial, to)
	case Forget:
		fmt.Fprintf(&pl.out, "  forget %d\n", m.Serial)
	case Renew:
		pl.out.WriteString("  renew the control socket\n")
	case Look:
		fmt.Fprintf(&pl.out, "  look at the world for generation %d\n", m.Generation)
	}
}

// quiet are the notes that only repeat what an action says.
var quiet = []Kind{NoteSpawned, NoteRetired, NoteStopped, NoteKilled}

func (pl *player) writeNote(n Note) {
	if slices.Contains(quiet, n.Kind) {
		return
	}
	text := strings.ReplaceAll(string(n.Kind), "_", " ")
	if n.Worker.Serial != 0 {
		text = fmt.Sprintf("%d %s", n.Worker.Serial, text)
	}
	if n.Text != "" {
		text += ": " + n.Text
	}
	switch {
	case n.Error:
		text = "error: " + text
	case n.Warn:
		text = "warning: " + text
	}
	fmt.Fprintf(&pl.out, "  note %s\n", text)
}

// writeState writes one line: every worker, and what else is under way.
func (pl *player) writeState() {
	st, parts := pl.p.st, []string{}
	generations := map[int]bool{}
	for _, w := range pl.p.Workers() {
		generations[w.Generation] = true
	}
	for g := range st.Generation + 1 {
		if generations[g] {
			parts = append(parts, pl.generation(g))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nobody"}
	}
	if u := st.Upgrade; u.Phase != Idle {
		text := fmt.Sprintf("upgrade to %d %v", u.Generation, u.Phase)
		if u.Looking {
			text += ", looking"
		}
		if u.Failures.Count > 0 {
			text += fmt.Sprintf(" k=%d", u.Failures.Count)
		}
		parts = append(parts, text)
	}
	if st.Failures.Count > 0 {
		parts = append(parts, fmt.Sprintf("k=%d", st.Failures.Count))
	}
	if at, ok := pl.p.Deadline(); ok {
		parts = append(parts, fmt.Sprintf("due %v", at-start))
	}
	fmt.Fprintf(&pl.out, "  [%s]\n", strings.Join(parts, " | "))
}

// generation writes the workers of a generation, by their state.
func (pl *player) generation(g int) string {
	states, of := []string{}, map[string][]string{}
	for _, w := range pl.p.Workers() {
		if w.Generation != g {
			continue
		}
		state := stateOf(w)
		if of[state] == nil {
			states = append(states, state)
		}
		of[state] = append(of[state], fmt.Sprint(w.Serial))
	}
	for i, s := range states {
		states[i] = strings.Join(of[s], " ") + " " + s
	}
	return fmt.Sprintf("generation %d: %s", g, strings.Join(states, ", "))
}

// stateOf is a worker's state with the finer shades that docs/states.md has.
func stateOf(w Worker) string {
	switch {
	case w.PID == 0 && w.Phase == Starting:
		return "ordered"
	case w.PID == 0:
		return "ordered, then " + w.Phase.String()
	case w.overdue():
		return "overdue"
	case w.Phase == Starting && w.Uncertain:
		return "uncertain"
	case w.silent():
		return "silent"
	case w.Phase == Draining && w.Leaving:
		return "leaving"
	case w.Left:
		return "left behind"
	case w.Refused != "":
		return w.Phase.String() + ", immune"
	}
	return w.Phase.String()
}
