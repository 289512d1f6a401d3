// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/control"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/version"
	"einhyrningsins/internal/wire"
)

// verb is one command of the control socket.
type verb struct {
	name, args, help string
	worker           bool // workers may say it, of themselves
	do               func(l *loop, c *control.Call) *wire.Error
}

// verbs is filled by init, because help lists it.
var verbs []verb

func init() {
	verbs = []verb{
		{wire.Ehlo, "", "greet the master", false, (*loop).ehlo},
		{wire.Help, "", "list the commands", false, (*loop).help},
		{wire.Version, "", "print the version", false, (*loop).version},
		{wire.StatusCmd, "", "show the workers, the sockets and the upgrade", false, (*loop).status},
		{wire.Inc, "[N]", "run N more workers (1)", false, (*loop).inc},
		{wire.Dec, "[N]", "run N fewer workers (1)", false, (*loop).dec},
		{wire.SetWorkers, "N", "run N workers", false, (*loop).setWorkers},
		{wire.Upgrade, "[smooth|fleet]", "replace all workers by a new generation", false, (*loop).upgrade},
		{wire.Follow, "[GENERATION]", "watch an upgrade to its end", false, (*loop).follow},
		{wire.EventsCmd, "[N] [wait]", "tell what happened, after event N", false, (*loop).events},
		{wire.Reload, "", "replace the master by one from the binary on disk", false, (*loop).reload},
		{wire.Signal, "SIG…", "send signals to all workers", false, (*loop).sendSignals},
		{wire.Config, "[KEY=VALUE…]", "show the settings, or change some", false, (*loop).config},
		{wire.Quieter, "", "log less", false, (*loop).quieter},
		{wire.Louder, "", "log more", false, (*loop).louder},
		{wire.Die, "[SIG]", "send SIG to all workers, spawn no more, end when all are gone", false, (*loop).die},
		{wire.WorkerAck, "", "say that a worker is ready (pid)", true, (*loop).workerAck},
		{wire.WorkerPing, "", "say that a worker is alive (pid, request_id)", true, (*loop).workerPing},
	}
}

// call takes one request.
func (l *loop) call(c *control.Call) {
	verbs := verbsOf(c.Dialect)
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == c.Command })
	var err *wire.Error
	switch {
	case i < 0:
		err = wire.Errorf(wire.UnknownCommand, "unknown command %q; the commands are: %s", shorten(c.Command), strings.Join(namesOf(verbs), ", "))
	case c.Peer.Worker != 0 && !verbs[i].worker:
		err = wire.Errorf(wire.Refused, "cannot %s: on its own connection a worker may only %s and %s", c.Command, wire.WorkerAck, wire.WorkerPing)
	case !c.Peer.Trusted && !verbs[i].worker:
		err = wire.Errorf(wire.Refused, "cannot %s: only root and user %d may, you are user %d", c.Command, syscall.Geteuid(), c.Peer.UID)
	case c.Carried != nil:
		err = l.goOnWith(c)
	default:
		err = verbs[i].do(l, c)
	}
	if err != nil {
		l.answer(func() { c.Fail(err) })
	}
}

func shorten(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

func namesOf(verbs []verb) []string {
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.name
	}
	return names
}

// ok answers with a message.
func (l *loop) ok(c *control.Call, data any, format string, args ...any) *wire.Error {
	message := fmt.Sprintf(format, args...)
	l.answer(func() { c.Answer(message, data) })
	return nil
}

func (l *loop) ehlo(c *control.Call) *wire.Error {
	return l.ok(c, nil, "Welcome to einhyrningsins %s, keeper %d, %d workers wanted", version.Version, l.hello.KeeperPID, l.pool.State().Number)
}

func (l *loop) version(c *control.Call) *wire.Error {
	return l.ok(c, map[string]string{"version": version.Version}, "einhyrningsins %s", version.Version)
}

func (l *loop) help(c *control.Call) *wire.Error {
	var b strings.Builder
	b.WriteString("This is the control socket of einhyrningsins. The commands are:\n")
	for _, v := range verbsOf(c.Dialect) {
		fmt.Fprintf(&b, "\n  %-22s %s", strings.TrimSpace(v.name+" "+v.args), v.help)
	}
	return l.ok(c, nil, "%s", b.String())
}

func (l *loop) inc(c *control.Call) *wire.Error {
	n, err := count(c, 1, config.MaxNumber)
	if err != nil {
		return err
	}
	return l.setNumber(c, l.pool.State().Number+n)
}

func (l *loop) dec(c *control.Call) *wire.Error {
	n, err := count(c, 1, config.MaxNumber)
	if err != nil {
		return err
	}
	return l.setNumber(c, l.pool.State().Number-n)
}

func (l *loop) setWorkers(c *control.Call) *wire.Error {
	n, err := count(c, 0, config.MaxNumber)
	if err != nil {
		return err
	}
	return l.setNumber(c, n)
}

// count reads the one argument of inc, dec and set_workers. fallback 0 means
// that it must be there.
func count(c *control.Call, fallback, most int) (int, *wire.Error) {
	if len(c.Args) == 0 && fallback > 0 {
		return fallback, nil
	}
	if len(c.Args) != 1 {
		return 0, wire.Errorf(wire.BadRequest, "cannot %s: it takes one number, as in %s 2", c.Command, c.Command)
	}
	n, err := strconv.Atoi(c.Args[0])
	if err != nil || n < 1 || n > most {
		return 0, wire.Errorf(wire.BadRequest, "cannot %s %q: it takes a number from 1 to %d", c.Command, shorten(c.Args[0]), most)
	}
	return n, nil
}

func (l *loop) setNumber(c *control.Call, n int) *wire.Error {
	was := l.pool.State().Number
	switch {
	case l.stopping():
		return wire.Errorf(wire.Stopping, "cannot %s: the master is stopping", c.Command)
	case n < 1:
		return wire.Errorf(wire.Refused, "cannot %s below 1 worker: %d are wanted now; use die to end all", c.Command, was)
	case n > config.MaxNumber:
		return wire.Errorf(wire.Refused, "cannot %s to %d workers: at most %d are allowed", c.Command, n, config.MaxNumber)
	}
	l.step(pool.SetNumber{Number: n})
	data := map[string]int{"was": was, "number": n}
	switch {
	case n > was:
		return l.ok(c, data, "Spawned! Went from %d to %d", was, n)
	case n < was:
		return l.ok(c, data, "Retired! Went from %d to %d", was, n)
	}
	return l.ok(c, data, "Nothing to do: %d workers are wanted already", n)
}

func (l *loop) sendSignals(c *control.Call) *wire.Error {
	signals, err := parseSignals(c)
	if err != nil {
		return err
	}
	if len(signals) == 0 {
		return wire.Errorf(wire.BadRequest, "cannot signal: name at least one signal, as in signal USR1")
	}
	var names []string
	var workers []uint64
	for _, sig := range signals {
		workers = l.signalWorkers(sig)
		names = append(names, config.SignalName(int(sig)))
	}
	l.happened(slog.LevelInfo, wire.Event{Kind: eventSignals, Text: "signals were sent by command"},
		slog.String("signals", strings.Join(names, " ")), slog.Int("workers", len(workers)))
	l.answerSignals(c, strings.Join(names, ", "), workers)
	return nil
}

func parseSignals(c *control.Call) (signals []syscall.Signal, err *wire.Error) {
	for _, arg := range c.Args {
		sig, perr := config.ParseSignal(arg)
		if perr != nil {
			return nil, wire.Errorf(wire.BadRequest, "cannot %s: %v", c.Command, perr)
		}
		signals = append(signals, sig)
	}
	return signals, nil
}

func (l *loop) die(c *control.Call) *wire.Error {
	signals, err := parseSignals(c)
	if err != nil {
		return err
	}
	if len(signals) > 1 {
		return wire.Errorf(wire.BadRequest, "cannot die: it takes one signal, as in die TERM")
	}
	var sig syscall.Signal
	if len(signals) == 1 {
		sig = signals[0]
	}
	l.step(pool.Die{Signal: pool.Signal(sig)})
	return l.ok(c, nil, "Ending: no more workers are spawned, %d are left", len(l.pool.Workers()))
}
