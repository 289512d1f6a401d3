// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/ready"
)

// MaxDuration is the longest duration that an option takes: far beyond any
// use, and far from where sums of durations overflow.
const MaxDuration = 365 * 24 * time.Hour

// maxCount bounds counts that have no natural limit.
const maxCount = 1_000_000_000

// value is a pflag.Value that hands each occurrence to a function.
type value struct {
	set  func(string) error
	bool bool // takes no argument
}

func (v value) Set(s string) error { return v.set(s) }
func (v value) String() string     { return "" }
func (v value) Type() string       { return "value" }

// flagValue takes no argument; --name=false unsets it.
func flagValue(p *bool) value {
	return value{bool: true, set: func(s string) (err error) {
		on, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("takes no value, or true or false")
		}
		*p = on
		return nil
	}}
}

// manualValue is a flag that people give a way to ACK, as to einhorn's -m.
func manualValue(p *bool) value {
	v := flagValue(p)
	set := v.set
	v.set = func(s string) error {
		err := set(s)
		if err != nil && ownAckModeValue(new(draft)).set(s) == nil {
			return usagef("takes no value, since it means --ack-mode manual; write --ack-mode %s", show(s))
		}
		return err
	}
	return v
}

func numberValue(p *int, low, high int) value {
	return value{set: func(s string) error {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || int(n) < low || int(n) > high {
			return errors.New("not a number from " + strconv.Itoa(low) + " to " + strconv.Itoa(high))
		}
		*p = int(n)
		return nil
	}}
}

// retriesValue takes a number of at least 1, or "forever".
func retriesValue(p *int, forever int) value {
	number := numberValue(p, 1, maxCount)
	return value{set: func(s string) error {
		if s == "forever" {
			*p = forever
			return nil
		}
		if number.set(s) != nil {
			return errors.New("not a number from 1 to " + strconv.Itoa(maxCount) + ", nor forever")
		}
		return nil
	}}
}

// choiceValue takes one of two words; *p tells whether it was the second.
func choiceValue(p *bool, first, second string) value {
	return value{set: func(s string) error {
		if s != first && s != second {
			return errors.New("neither " + first + " nor " + second)
		}
		*p = s == second
		return nil
	}}
}

func durationValue(p *time.Duration, low time.Duration) value {
	return value{set: func(s string) error {
		d, err := ParseDuration(s)
		if err != nil {
			return err
		}
		if d < low {
			return errors.New("must be more than 0")
		}
		*p = d
		return nil
	}}
}

// ParseDuration reads seconds ("1.5") or a number with a unit ("300ms", "2m",
// "1h30m"): never negative, at most [MaxDuration]. What the String method of a
// duration prints reads back.
func ParseDuration(s string) (time.Duration, error) {
	if s != "" && strings.Trim(s, "0123456789.") == "" {
		s += "s"
	}
	if strings.HasPrefix(s, "-") {
		return 0, errors.New("must not be negative")
	}
	d, err := time.ParseDuration(s)
	if err != nil || strings.HasPrefix(s, "+") {
		if strings.Trim(s, "0123456789.s") == "" && strings.Count(s, ".") < 2 && len(s) > len("1s") {
			return 0, errors.New("longer than 8760h, the longest that is allowed")
		}
		return 0, errors.New("not a duration (seconds, or a number with ms, s, m or h)")
	}
	if d > MaxDuration {
		return 0, errors.New("longer than 8760h, the longest that is allowed")
	}
	return d, nil
}

// ackModeValue takes "manual" or the seconds of timer mode.
func ackModeValue(d *draft) value {
	return value{set: func(s string) error {
		if s == ready.Manual {
			d.ackBy(s, "", nil)
			return nil
		}
		t, err := ParseDuration(s)
		if err != nil {
			return errors.New("neither manual nor a duration of at most 8760h")
		}
		d.ackBy(s, "", nil)
		d.cfg.AckManual, d.cfg.AckTime = false, t
		return nil
	}}
}

// ownAckModeValue takes the modes, too, that einhorn does not know.
func ownAckModeValue(d *draft) value {
	simple := ackModeValue(d)
	return value{set: func(s string) error {
		if simple.set(s) == nil {
			return nil
		}
		m, arg := ready.Find(s)
		if m == nil {
			all := ready.Spellings()
			last := len(all) - 1
			return fmt.Errorf("neither %s nor %s, nor a duration of at most 8760h", strings.Join(all[:last], ", "), all[last])
		}
		var words []string
		var err error
		switch {
		case m.Attempt != nil:
			words, err = []string{arg}, m.Check(arg)
		case m.Asks():
			err = wordsValue(&words).set(arg)
		}
		if err == nil {
			d.ackBy(s, m.Name, words)
		}
		return err
	}}
}

// ackBy takes manual mode, as it was written, and how an ACK may come.
func (d *draft) ackBy(written, by string, words []string) {
	d.ackMode = written
	d.cfg.AckManual, d.cfg.AckTime, d.cfg.AckBy, d.cfg.AckCommand = true, 0, by, words
}

func bindValue(p *[]bind.Spec) value {
	return value{set: func(s string) error {
		spec, err := bind.ParseSpec(s)
		if err == nil && spec.Kind == bind.Unix && !spec.Abstract() {
			if err = pathValue(&spec.Path, bind.MaxUnixPath).set(spec.Path); err == nil {
				spec, err = bind.ParseSpec(spec.String()) // where we are may have a comma in its name
			}
		}
		if err != nil {
			return err
		}
		for _, other := range *p {
			if err := spec.Clashes(other); err != nil {
				return err
			}
		}
		*p = append(*p, spec)
		return nil
	}}
}

// signalValue takes a signal that a worker can catch.
func signalValue(p *int) value {
	return value{set: func(s string) error {
		sig, err := ParseSignal(s)
		if err != nil {
			return usageWrap(err, "%v", err)
		}
		if sig == syscall.SIGKILL || sig == syscall.SIGSTOP {
			return errors.New("no program can catch " + SignalName(int(sig)))
		}
		*p = int(sig)
		return nil
	}}
}

// pathValue makes a path absolute. limit is its greatest length then, 0 for
// none.
func pathValue(p *string, limit int) value {
	return value{set: func(s string) error {
		if s == "" || strings.IndexByte(s, 0) >= 0 {
			return errors.New("not a path")
		}
		if strings.HasSuffix(s, "/") {
			return errors.New("a directory, not a file")
		}
		path, err := filepath.Abs(s)
		if err != nil {
			return usageWrap(err, "cannot find the current directory: %v; write an absolute path", err)
		}
		if limit > 0 && len(path) > limit {
			return errors.New(show(path) + " has " + strconv.Itoa(len(path)) + " bytes, more than the " +
				strconv.Itoa(limit) + " that the path of a socket can have")
		}
		*p = path
		return nil
	}}
}

func variablesValue(p *[]string) value {
	return value{set: func(s string) error {
		if s == "" || strings.ContainsAny(s, "=\x00") {
			return errors.New("not the name of a variable")
		}
		*p = append(*p, s)
		return nil
	}}
}

// formatValue takes a log format.
func formatValue(p *string) value {
	return value{set: func(s string) error {
		if s != "text" && s != "json" {
			return errors.New("neither text nor json")
		}
		*p = s
		return nil
	}}
}
