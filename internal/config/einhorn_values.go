// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// askValue remembers what was asked for first: einhorn acts on it there and
// then, whatever follows.
func (d *draft) askValue(what error) value {
	var on bool
	v := flagValue(&on)
	return value{bool: true, set: func(s string) error {
		err := v.Set(s)
		if on && d.asked == nil {
			d.asked = what
		}
		return err
	}}
}

// levelValue moves how much is logged by a step, of three that there are.
func (d *draft) levelValue(step int) value {
	var on bool
	v := flagValue(&on)
	return value{bool: true, set: func(s string) error {
		err := v.Set(s)
		if on && err == nil {
			d.level = max(-1, min(d.level+step, 1))
		}
		return err
	}}
}

// floatValue has inner take seconds as Ruby's Float writes them, too: 1e-1 or
// 1_000.
func floatValue(inner value) value {
	return value{set: func(s string) error {
		if f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			s = strconv.FormatFloat(f, 'f', -1, 64)
		}
		return inner.Set(s)
	}}
}

// lowerOptsValue takes the options of an address in any case. Those with a value
// are not einhorn's.
func lowerOptsValue(inner value) value {
	return value{set: func(s string) error {
		words := strings.Split(s, ",")
		for i, word := range words {
			if i > 0 && !strings.Contains(word, "=") {
				words[i] = strings.ToLower(word)
			}
		}
		return inner.Set(strings.Join(words, ","))
	}}
}

// atLeastOneValue takes 0 for 1: an upgrade that may run no process more than
// before, and takes none away before another is ready, would never begin.
func atLeastOneValue(p *int) value {
	return value{set: func(s string) error {
		var n int
		if err := numberValue(&n, 0, maxCount).Set(s); err != nil {
			return err
		}
		*p = max(n, 1)
		return nil
	}}
}

// Both warnings say what is lost, and what to do instead.
func preloadValue(d *draft) value {
	return value{set: func(s string) error {
		if s == "" || strings.IndexByte(s, 0) >= 0 {
			return errors.New("not a path")
		}
		d.warn("--preload " + show(s) + " does nothing here: no Ruby code is loaded once and then forked; every worker executes the program " +
			"and loads its code itself, so it takes longer to start and shares less memory; let it ACK when it has loaded (-m manual)")
		return nil
	}}
}

func gcValue(d *draft) value {
	var on bool
	v := flagValue(&on)
	return value{bool: true, set: func(s string) error {
		err := v.Set(s)
		if on && err == nil {
			d.warn("--gc-before-fork does nothing here: it is for code that was loaded with --preload; leave it out")
		}
		return err
	}}
}

func (d *draft) warn(text string) {
	d.cfg.Warnings = append(d.cfg.Warnings, text)
}
