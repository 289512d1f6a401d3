// SPDX-License-Identifier: GPL-3.0-or-later

package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/control"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/wire"
)

// changes are the settings that were changed while running: values by key, as a
// command line would say them, so that a master of any version takes of them
// what it knows. The number of workers is not among them: it is the pool's.
type changes map[string]string

const numberKey = "number"

// takeChanges makes the options what they were changed to while an earlier
// master ran. What it returns are warnings: nothing that was saved keeps a
// master from its work.
func takeChanges(hello *link.Hello, cfg *config.Config) (taken changes, warnings []string) {
	taken = changes{}
	if len(hello.Settings) == 0 {
		return taken, nil
	}
	var saved changes
	if err := json.Unmarshal(hello.Settings, &saved); err != nil {
		return taken, []string{fmt.Sprintf("the settings that were changed cannot be read; those of the start hold: %v", err)}
	}
	keys := slices.Sorted(maps.Keys(saved))
	slices.Reverse(keys) // signal_timeout may change kill_timeout, which is saved beside it
	for _, key := range keys {
		value := saved[key]
		_, _, err := cfg.Set(key, value)
		if err != nil && !errors.Is(err, config.ErrUnknown) {
			warnings = append(warnings, fmt.Sprintf("cannot set %s to %s, as it was: %v", shorten(key), shorten(value), err))
			continue
		}
		taken[key] = value // also one that only another version knows: it may come back
	}
	return taken, warnings
}

// config shows all settings, or changes some. Those that can be changed are,
// also beside others that are refused.
func (l *loop) config(c *control.Call) *wire.Error {
	keys, values := make([]string, len(c.Args)), make([]string, len(c.Args))
	for i, arg := range c.Args {
		var ok bool
		if keys[i], values[i], ok = strings.Cut(arg, "="); !ok || keys[i] == "" {
			return wire.Errorf(wire.BadRequest, "cannot config %q: it takes KEY=VALUE, as in config number=4", shorten(arg))
		}
	}
	data := &wire.Settings{}
	for i, key := range keys {
		l.change(data, key, values[i])
	}
	l.applyChanges(data)
	return l.answerSettings(c, data)
}

// change gives one setting another value, or says why not.
func (l *loop) change(data *wire.Settings, key, value string) {
	key = strings.ReplaceAll(key, "-", "_")
	cfg := l.cfgNow()
	before := cfg.KillTimeout
	from, to, err := cfg.Set(key, value)
	if err == nil && key == numberKey && l.stopping() {
		err = errors.New("the master is stopping")
	}
	if err != nil {
		data.Refused = append(data.Refused, wire.Refusal{Key: shorten(key), Value: shorten(value), Reason: err.Error()})
		return
	}
	data.Changed = append(data.Changed, wire.Change{Key: key, From: from, To: to})
	if key == numberKey {
		l.step(pool.SetNumber{Number: cfg.Number})
		return
	}
	cfg.Number = l.cfg.Number
	l.cfg = cfg
	l.changes[key] = value
	if cfg.KillTimeout != before {
		l.changes["kill_timeout"] = cfg.KillTimeout.String() // einhorn's signal timeout changes it, too
	}
	if from != to {
		l.happened(slog.LevelInfo, wire.Event{Kind: eventSetting, Text: "a setting was changed by command"},
			slog.String("setting", key), slog.String("from", from), slog.String("to", to))
	}
}

// applyChanges lets everyone know who has to: the pool, the log, and the keeper,
// which tells it the next master.
func (l *loop) applyChanges(data *wire.Settings) {
	if len(data.Changed) == 0 {
		return
	}
	l.setLevel(l.cfg.LogLevel())
	raw, err := json.Marshal(l.changes)
	if err != nil {
		l.log.Error("cannot save the settings", "error", err) // cannot happen: it is plain data
		return
	}
	l.link.Send(&link.Settings{Data: raw, LogLevel: int(l.cfg.LogLevel())})
	l.step(pool.SetSettings{Settings: settingsOf(&l.cfg)})
}

// cfgNow are the options as they are now.
func (l *loop) cfgNow() config.Config {
	cfg := l.cfg
	cfg.Number = l.pool.State().Number
	return cfg
}

func (l *loop) allSettings() (list []wire.Setting) {
	cfg := l.cfgNow()
	for _, s := range cfg.Settings() {
		list = append(list, wire.Setting(s))
	}
	return list
}

// answerSettings tells all settings and what was changed. A refusal is a
// failure, whatever else was changed.
func (l *loop) answerSettings(c *control.Call, data *wire.Settings) *wire.Error {
	data.Settings = l.allSettings()
	text := settingsText(data)
	if len(data.Refused) > 0 {
		err := &wire.Error{Code: wire.Refused, Message: text}
		l.answer(func() { c.FailWith(err, data) })
		return nil
	}
	return l.ok(c, data, "%s", text)
}

// settingsText is data for people who speak to the socket by hand.
func settingsText(data *wire.Settings) string {
	var parts []string
	for _, r := range data.Refused {
		parts = append(parts, fmt.Sprintf("cannot set %s to %q: %s", r.Key, r.Value, r.Reason))
	}
	for _, c := range data.Changed {
		if c.From == c.To {
			parts = append(parts, fmt.Sprintf("%s is %s already", c.Key, c.To))
		} else {
			parts = append(parts, fmt.Sprintf("%s is %s now, was %s", c.Key, c.To, c.From))
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, "; ")
	}
	for _, s := range data.Settings {
		parts = append(parts, s.Key+"="+s.Value)
	}
	return strings.Join(parts, "\n")
}

func (l *loop) quieter(c *control.Call) *wire.Error { return l.verbosity(c, 1, "quieter") }
func (l *loop) louder(c *control.Call) *wire.Error  { return l.verbosity(c, -1, "louder") }

func (l *loop) verbosity(c *control.Call, steps int, how string) *wire.Error {
	data := &wire.Settings{}
	l.change(data, "verbosity", l.cfg.Quieter(steps))
	l.applyChanges(data)
	data.Settings = l.allSettings()
	if ch := data.Changed[0]; ch.From == ch.To {
		return l.ok(c, data, "It cannot be %s: %s and worse is logged already", how, ch.To)
	}
	return l.ok(c, data, "Logging %s and worse", l.cfg.Verbosity())
}
