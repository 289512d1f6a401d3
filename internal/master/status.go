// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/version"
	"einhyrningsins/internal/wire"
)

func (l *loop) status(c *control.Call) *wire.Error {
	st := l.statusData()
	if c.HasID() {
		return l.ok(c, st, "%s", summary(st))
	}
	return l.ok(c, nil, "%s", statusText(st))
}

// wallClock turns readings of CLOCK_MONOTONIC into times of day.
func wallClock() func(time.Duration) time.Time {
	wall, mono := time.Now().UTC(), link.Now()
	return func(t time.Duration) time.Time { return wall.Add(t - mono).Truncate(time.Millisecond) }
}

func (l *loop) statusData() *wire.Status {
	st, at := l.pool.State(), wallClock()
	s := &wire.Status{
		PID: l.hello.KeeperPID, MasterPID: os.Getpid(), Version: version.Version,
		Program: l.cfg.Program, StartedAt: l.hello.StartedAt.UTC().Truncate(time.Millisecond),
		Generation: st.Generation, GoodGeneration: st.Good, Number: st.Number,
		AckMode: l.cfg.AckMode(), Sockets: []wire.Socket{}, Workers: []wire.Worker{},
		Missing: l.pool.Missing(), FailedStarts: st.Failures.Count,
		LastFailure: st.LastFailure.Text, LastFailureStderr: whereWritten(st.LastFailure.PID), Stopping: l.stopping(),
		KeeperVersion: l.hello.Software, ReloadUndone: l.hello.GaveUp, Generations: l.generations(),
		Upgrade: wire.UpgradeStatus{
			State: st.Upgrade.Phase.String(), Generation: st.Upgrade.Generation,
			Ready: l.pool.ReadyOf(st.Upgrade.Generation), Number: st.Number, Reason: st.Upgrade.Reason, From: st.Upgrade.From,
		},
	}
	if st.Upgrade.Phase == pool.Idle {
		s.Upgrade.Generation, s.Upgrade.Ready = st.Generation, l.pool.ReadyOf(st.Generation)
	}
	if st.Upgrade.Phase == pool.Running {
		s.FailedStarts = max(s.FailedStarts, st.Upgrade.Failures.Count)
	}
	if st.LastFailure.Text != "" {
		when := at(st.LastFailure.At)
		s.LastFailureAt = &when
	}
	if t, ok := l.pool.NextSpawn(); ok && s.Missing > 0 {
		when := at(t)
		s.NextSpawnAt = &when
	}
	for _, k := range l.hello.Sockets {
		s.Sockets = append(s.Sockets, wire.Socket{Spec: k.Spec, Address: k.Address, FD: k.FD, Name: k.Name, Network: k.Network})
	}
	for _, w := range l.pool.Workers() {
		if w.PID != 0 {
			s.Workers = append(s.Workers, l.workerStatus(w, at))
		}
	}
	sort.SliceStable(s.Workers, func(i, j int) bool { return s.Workers[i].Index < s.Workers[j].Index })
	return s
}

func (l *loop) workerStatus(w pool.Worker, at func(time.Duration) time.Time) wire.Worker {
	s := wire.Worker{
		PID: w.PID, Index: w.Index, Generation: w.Generation,
		State: w.Phase.String(), StartedAt: at(w.StartedAt),
		Status: w.Status, Silent: w.Phase == pool.Ready && w.SilentAt != 0,
		CannotSignal: l.refused[w.Serial],
	}
	if w.ReadyAt != 0 {
		t := at(w.ReadyAt)
		s.ReadyAt = &t
	}
	if p, ok := l.pinged[w.Serial]; ok {
		t := at(p.at)
		s.PingedAt, s.PingedRequestID = &t, p.requestID
	}
	return s
}

// summary is status in one line.
func summary(s *wire.Status) string {
	counts := map[string]int{}
	for _, w := range s.Workers {
		counts[w.State]++
	}
	line := fmt.Sprintf("generation %d, %d workers wanted", s.Generation, s.Number)
	for _, state := range []string{wire.StateStarting, wire.StateReady, wire.StateDraining, wire.StateStopping, wire.StateKilled} {
		if counts[state] > 0 {
			line += fmt.Sprintf(", %d %s", counts[state], state)
		}
	}
	return line
}

// statusText is status for people who speak to the socket by hand.
func statusText(s *wire.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "einhyrningsins %s, keeper %d: %s", s.Version, s.PID, summary(s))
	if s.Upgrade.State != wire.UpgradeIdle {
		fmt.Fprintf(&b, "\nupgrade to generation %d: %s", s.Upgrade.Generation, s.Upgrade.State)
		if s.Upgrade.Reason != "" {
			fmt.Fprintf(&b, " (%s)", s.Upgrade.Reason)
		}
	}
	if s.ReloadUndone != "" {
		fmt.Fprintf(&b, "\nreload: %s", s.ReloadUndone)
	}
	for _, g := range s.Generations {
		fmt.Fprintf(&b, "\ngeneration %d: started from %s in %s, as found %s", g.Generation, g.Program, g.Directory, g.LookedAt.Format(time.RFC3339))
	}
	for _, w := range s.Workers {
		fmt.Fprintf(&b, "\nworker %d: index %d, generation %d, %s since %s", w.PID, w.Index, w.Generation, w.State, w.StartedAt.Format(time.RFC3339))
		if w.PingedRequestID != "" {
			fmt.Fprintf(&b, ", last ping %q", w.PingedRequestID)
		}
		if w.CannotSignal != "" {
			fmt.Fprintf(&b, ", cannot be signalled (%s)", w.CannotSignal)
		}
		if w.Silent {
			b.WriteString(", silent")
		}
		if w.Status != "" {
			fmt.Fprintf(&b, ": %s", w.Status)
		}
	}
	return b.String()
}
