// SPDX-License-Identifier: GPL-3.0-or-later

package bind

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// word is an option of a spec, what comes behind a comma.
type word struct {
	name    string // ending in = when it takes a value
	old     string // einhorn's longer name for it; or ""
	kinds   []Kind // that it goes with
	example string // a value that is right
	flag    func(*Spec) *bool
	number  func(*Spec) *int
	string  func(*Spec) *string
	base    int                       // of number
	bare    int                       // the number that the option without = stands for; 0: it cannot be so
	fault   func(value string) string // what is wrong with a value; "": nothing
}

// maxDefer is in seconds. The kernel takes up to eight hours, in steps that
// double from 1 to 63 and then grow; nobody connects so long before the time.
const maxDefer = 3600

var everyKind = []Kind{TCP, UDP, Unix, FD, Systemd}

// words lists all options, in the order in which they are printed.
var words = []word{
	{name: "r", old: "so_reuseaddr", kinds: []Kind{TCP, UDP}, flag: func(s *Spec) *bool { return &s.ReuseAddr }},
	{name: "n", old: "o_nonblock", kinds: everyKind, flag: func(s *Spec) *bool { return &s.NonBlock }},
	{name: "reuseport", kinds: []Kind{TCP, UDP}, flag: func(s *Spec) *bool { return &s.ReusePort }},
	{name: "v6only", kinds: []Kind{TCP, UDP}, flag: func(s *Spec) *bool { return &s.V6Only }},
	{
		name: "backlog=", kinds: []Kind{TCP, Unix}, example: "128", base: 10,
		number: func(s *Spec) *int { return &s.Backlog },
		fault:  func(v string) string { return numberFault(v, 10, 1<<31-1, "is not a number of at least 1") },
	},
	{
		name: "defer=", kinds: []Kind{TCP, FD, Systemd}, example: "30", base: 10, bare: 15,
		number: func(s *Spec) *int { return &s.Defer },
		fault: func(v string) string {
			return numberFault(v, 10, maxDefer, "is not a number of seconds from 1 to 3600")
		},
	},
	{
		name: "mode=", kinds: []Kind{Unix}, example: "0660", base: 8,
		number: func(s *Spec) *int { return &s.Mode },
		fault:  func(v string) string { return numberFault(v, 8, 0o777, "is not an octal number from 1 to 0777") },
	},
	{name: "user=", kinds: []Kind{Unix}, example: "www-data", string: func(s *Spec) *string { return &s.User }, fault: accountFault},
	{name: "group=", kinds: []Kind{Unix}, example: "www-data", string: func(s *Spec) *string { return &s.Group }, fault: accountFault},
	{name: "name=", kinds: everyKind, example: "web", string: func(s *Spec) *string { return &s.Name }, fault: givenNameFault},
}

// text prints the option as it is set; "": it is not.
func (w *word) text(s *Spec) string {
	switch {
	case w.flag != nil && *w.flag(s):
		return w.name
	case w.bare != 0 && *w.number(s) == w.bare:
		return strings.TrimSuffix(w.name, "=")
	case w.number != nil && *w.number(s) != 0 && w.base == 8:
		return fmt.Sprintf("%s%04o", w.name, *w.number(s))
	case w.number != nil && *w.number(s) != 0:
		return w.name + strconv.Itoa(*w.number(s))
	case w.string != nil && *w.string(s) != "":
		return w.name + *w.string(s)
	}
	return ""
}

// called tells whether the name, which ends in = where a value follows, is the
// option's.
func (w *word) called(name string) bool {
	return name == w.name || w.old != "" && name == w.old || w.bare != 0 && name+"=" == w.name
}

func (w *word) sample() string { return w.name + w.example }

// goes tells whether the option means anything for the spec.
func (w *word) goes(s *Spec) bool {
	if !slices.Contains(w.kinds, s.Kind) {
		return false
	}
	return !s.Abstract() || !slices.Contains([]string{"mode=", "user=", "group="}, w.name)
}

// parseWords reads the options behind what, which was read.
func (s *Spec) parseWords(what string, given []string) error {
	for _, text := range given {
		name, value := text, ""
		if i := strings.IndexByte(text, '='); i >= 0 {
			name, value = text[:i+1], text[i+1:]
		}
		i := slices.IndexFunc(words, func(w word) bool { return w.called(name) })
		if i < 0 {
			comma := ""
			if s.Kind == Unix {
				comma = ", and a path cannot have a comma"
			}
			return usagef("option %q is none of %s%s; write it as in %s,%s", text, s.allowed(), comma, what, s.meant(name))
		}
		w := &words[i]
		if !w.goes(s) {
			return usagef("option %q means nothing for %s, which takes %s; write it as in %s,%s", text, s.kindText(), s.allowed(), what, s.sample())
		}
		if err := s.take(w, what, name, value); err != nil {
			return err
		}
	}
	if s.V6Only && strings.Count(s.Host, ".") == 3 && strings.Trim(s.Host, "0123456789.") == "" {
		return usagef("option \"v6only\" contradicts the IPv4 address %s; write it as in %s,v6only", s.Host, prefixes[s.Kind]+printAddress("::", s.Port))
	}
	return nil
}

func (s *Spec) take(w *word, what, name, value string) error {
	if w.flag != nil {
		*w.flag(s) = true
		return nil
	}
	if w.bare != 0 && name != w.name {
		value = strconv.Itoa(w.bare)
	}
	if fault := w.fault(value); fault != "" {
		return usagef("%s %q %s; write it as in %s,%s", strings.TrimSuffix(name, "="), value, fault, what, w.sample())
	}
	if w.text(s) != "" {
		return usagef("option %s is given twice; write it as in %s,%s", name, what, w.sample())
	}
	if w.string != nil {
		*w.string(s) = value
		return nil
	}
	n, err := strconv.ParseUint(value, w.base, 31)
	*w.number(s) = int(n)
	return err
}

// allowed lists the options that go with the spec.
func (s *Spec) allowed() string {
	var names []string
	for i := range words {
		w := &words[i]
		if !w.goes(s) {
			continue
		}
		if w.bare != 0 {
			names = append(names, strings.TrimSuffix(w.name, "="))
		}
		names = append(names, w.name)
		if w.old != "" {
			names = append(names, w.old)
		}
	}
	return strings.Join(names, ", ")
}

// sample is an option that is right for the spec.
func (s *Spec) sample() string {
	switch {
	case s.Kind == Unix && !s.Abstract():
		return "mode=0660"
	case s.Kind == TCP:
		return "r"
	}
	return "name=web"
}

// meant is what somebody probably meant who said what is no option.
func (s *Spec) meant(name string) string {
	for i := range words {
		w := &words[i]
		if w.goes(s) && strings.EqualFold(strings.Trim(w.name, "="), strings.Trim(name, " =")) {
			return w.sample()
		}
	}
	return s.sample()
}

func (s *Spec) kindText() string {
	if s.Abstract() {
		return "an abstract UNIX socket"
	}
	return s.Kind.String()
}

func numberFault(value string, base int, most uint64, fault string) string {
	n, err := strconv.ParseUint(value, base, 31)
	if err != nil || n < 1 || n > most || len(value) > 10 {
		return fault
	}
	return ""
}

const accountBytes = nameBytes + "@$+"

// accountFault says what is wrong with the name or number of a user or group.
func accountFault(value string) string {
	switch {
	case value == "" || strings.Trim(value, accountBytes) != "" || value[0] == '-':
		return "is neither a name nor a number"
	case strings.Trim(value, "0123456789") == "":
		if _, err := accountNumber(value); err != nil {
			return "is larger than any number of a user or group"
		}
	}
	return ""
}

// accountNumber reads the number of a user or group; the highest stands for
// none, chown(2).
func accountNumber(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err == nil && n == 1<<32-1 {
		err = strconv.ErrRange
	}
	return int(n), err
}

// maxFDName is the longest name of a descriptor, sd_listen_fds(3).
const maxFDName = 255

// nameFault says what is wrong with a name of a descriptor: sd_listen_fds(3)
// has ASCII without control characters and without the colon that separates
// names. A comma would end it here.
func nameFault(name string) string {
	switch {
	case name == "":
		return "has nothing in it"
	case len(name) > maxFDName:
		return "has more than 255 characters"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == ':' || r == ',' }):
		return "has a colon or something that is not ASCII in it"
	}
	return ""
}

// givenNameFault is stricter with the names that we give: {fd:0} is a number,
// and a brace or a space would be hard to tell from what is around the name.
func givenNameFault(name string) string {
	switch {
	case nameFault(name) != "":
		return nameFault(name)
	case strings.Trim(name, "0123456789") == "":
		return "is a number, as {fd:0} means the first socket"
	case strings.ContainsAny(name, "{} "):
		return "has a brace or a space in it"
	}
	return ""
}
