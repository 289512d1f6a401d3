// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// dialect is a command line with a list of options of its own.
type dialect struct {
	program string // as it calls itself
	intro   string
	outro   string
	options func() []Option
	// instead says what to write for an option that others know; "" is none.
	instead func(name string) string
}

// own is what we are by our own name.
var own = dialect{program: "einhyrningsins", intro: usageHead, outro: usageTail, options: Options, instead: einhornWay}

// flags makes the parser from the list of options, and sets the defaults.
func (l dialect) flags(d *draft) (*pflag.FlagSet, error) {
	flags := pflag.NewFlagSet(l.program, pflag.ContinueOnError)
	flags.SetInterspersed(false)
	flags.Usage = func() {}
	d.unset()
	for _, o := range l.options() {
		v := o.value(d)
		if o.Default != "" {
			if err := v.Set(o.Default); err != nil {
				return nil, usagef("cannot set default of --%s: %v", o.Name, err)
			}
		}
		f := flags.VarPF(v, o.Name, o.Short, o.Help)
		if v.bool {
			f.NoOptDefVal = "true"
		}
	}
	d.ackMode = ""
	return flags, nil
}

// hinted adds the way to the usage text.
func (l dialect) hinted(err error) error {
	if err == nil {
		return nil
	}
	return usageWrap(err, "%v; see %s --help", err, l.program)
}

// translate says what pflag says in the way of this house.
func (l dialect) translate(err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if word := unknown.GetSpecifiedShortnames(); word != "" {
			return l.unknownShort(word)
		}
		return l.unknownLong(unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		o := l.lookup(missing.GetFlag().Name)
		return usagef("cannot use %s: its %s is missing, as in %s", o.title(), o.Arg, o.example())
	case errors.As(err, &invalid):
		o := l.lookup(invalid.GetFlag().Name)
		if errors.Is(err, ErrUsage) { // shows an example itself
			return usageWrap(invalid.Unwrap(), "cannot use %s %q: %v", o.title(), invalid.GetValue(), invalid.Unwrap())
		}
		return usageWrap(invalid.Unwrap(), "cannot use %s %q: %v, as in %s", o.title(), invalid.GetValue(), invalid.Unwrap(), o.example())
	}
	return usageWrap(err, "cannot read options: %v", err)
}

func (l dialect) unknownLong(name string) error {
	if text := l.instead(name); text != "" {
		return usagef("cannot use --%s: %s", show(name), text)
	}
	if near, ok := l.nearest(name); ok {
		return usagef("cannot use --%s: no such option; did you mean --%s?", show(name), near)
	}
	return usagef("cannot use --%s: no such option; what belongs to the program comes after --, as in %s -- server --%s", show(name), l.program, show(name))
}

// unknownShort is about the first character of word, which is what is left of a
// word such as -vx.
func (l dialect) unknownShort(word string) error {
	// A long option with one dash is the usual slip.
	name, _, _ := strings.Cut(word, "=")
	if near, ok := l.nearest(name); ok && len(name) > 2 {
		return usagef("cannot use -%s: no such option; did you mean --%s?", show(word), near)
	}
	char := word
	if word[0] < utf8.RuneSelf {
		char = word[:1]
	}
	if text := l.instead(char); text != "" {
		return usagef("cannot use -%s: %s", show(char), text)
	}
	return usagef("cannot use %s: no such option; what belongs to the program comes after --, as in %s -- server %s", show("-"+char), l.program, show("-"+char))
}

// refuseTestFlags refuses words that pflag passes over in silence, because it
// takes them for the flags of go test. used are the words before the program.
func (l dialect) refuseTestFlags(used []string) error {
	if !slices.ContainsFunc(used, func(word string) bool { return strings.Contains(word, "test.") }) {
		return nil
	}
	flags := "" // of one letter, which can stand before another
	for _, o := range l.options() {
		if o.Arg == "" {
			flags += o.Short
		}
	}
	for _, word := range used {
		head, _, found := strings.Cut(word, "test.")
		if found && strings.HasPrefix(head, "-") && !strings.HasPrefix(head, "--") && strings.Trim(head[1:], flags) == "" {
			return usagef("cannot use %s: no such option; try ./%s where it is a path", show(word), show(word))
		}
	}
	return nil
}

// lookup returns the option of that long name.
func (l dialect) lookup(name string) Option {
	for _, o := range l.options() {
		if o.Name == name {
			return o
		}
	}
	return Option{Name: name}
}

// title names the option as a person knows it: "-n, --number".
func (o Option) title() string {
	if o.Short != "" {
		return "-" + o.Short + ", --" + o.Name
	}
	return "--" + o.Name
}

// example shows a right use.
func (o Option) example() string {
	use := "--" + o.Name
	if o.Short != "" {
		use = "-" + o.Short
	}
	if o.Example != "" {
		use += " " + o.Example
	}
	return use
}
