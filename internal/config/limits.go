// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits are what workers may do, and as whom; nil and false leave it as it is
// for us.
type Limits struct {
	RunAs       *RunAs   `json:"run_as,omitempty"`
	Umask       *int     `json:"umask,omitempty"`
	Rlimits     []Rlimit `json:"rlimits,omitempty"`
	NoNewPrivs  bool     `json:"no_new_privs,omitempty"`
	OOMScoreAdj *int     `json:"oom_score_adj,omitempty"`
}

// None tells whether there is none.
func (l Limits) None() bool {
	return l.RunAs == nil && l.Umask == nil && len(l.Rlimits) == 0 && !l.NoNewPrivs && l.OOMScoreAdj == nil
}

// RunAs is who workers are; see [Config.Resolve].
type RunAs struct {
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups"` // GID among them
}

// Rlimit is one of the limits of getrlimit(2).
type Rlimit struct {
	Name string `json:"name"` // as in prlimit(1)
	Soft uint64 `json:"soft"` // Infinity: none
	Hard uint64 `json:"hard"`
}

// Infinity as a limit is none.
const Infinity = math.MaxUint64

const infinity = "infinity"

// rlimits are the names of limits, getrlimit(2).
var rlimits = []string{
	"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
	"rss", "rtprio", "rttime", "sigpending", "stack",
}

// ParseRlimit reads NAME=SOFT[:HARD]. One value is for both.
func ParseRlimit(s string) (Rlimit, error) {
	name, values, found := strings.Cut(s, "=")
	name = strings.ToLower(name)
	name = strings.TrimPrefix(name, "rlimit_")
	switch {
	case !slices.Contains(rlimits, name):
		return Rlimit{}, errors.New("there is no such limit; there are " + strings.Join(rlimits, ", "))
	case !found:
		return Rlimit{}, errors.New("there is no value in it")
	}
	soft, hard, two := strings.Cut(values, ":")
	if !two {
		hard = soft
	}
	r := Rlimit{Name: name}
	var err error
	if r.Soft, err = limitOf(soft); err == nil {
		r.Hard, err = limitOf(hard)
	}
	switch {
	case err != nil:
		return Rlimit{}, err
	case r.Soft > r.Hard:
		return Rlimit{}, errors.New("the first value, which holds, is more than the second, up to which it could be raised")
	}
	return r, nil
}

func limitOf(s string) (uint64, error) {
	if s == infinity || s == "unlimited" {
		return Infinity, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, errors.New("a limit is a number, or infinity")
	}
	return n, nil
}

// String is what ParseRlimit reads back.
func (r Rlimit) String() string {
	text := func(n uint64) string {
		if n == Infinity {
			return infinity
		}
		return strconv.FormatUint(n, 10)
	}
	if r.Soft == r.Hard {
		return r.Name + "=" + text(r.Soft)
	}
	return r.Name + "=" + text(r.Soft) + ":" + text(r.Hard)
}

func rlimitValue(p *[]Rlimit) value {
	return value{set: func(s string) error {
		r, err := ParseRlimit(s)
		if err != nil {
			return err
		}
		// The last word counts, as with every other option.
		*p = append(slices.DeleteFunc(*p, func(o Rlimit) bool { return o.Name == r.Name }), r)
		return nil
	}}
}

func umaskValue(p **int) value {
	return value{set: func(s string) error {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o777 {
			return errors.New("not a number from 000 to 777, in digits from 0 to 7")
		}
		mask := int(n)
		*p = &mask
		return nil
	}}
}

func oomValue(p **int) value {
	return value{set: func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < -1000 || n > 1000 {
			return errors.New("not a number from -1000 to 1000")
		}
		*p = &n
		return nil
	}}
}

// accountValue takes the name or the number of a user or group. Which one that
// is shows only when all is resolved.
func accountValue(p *string) value {
	return value{set: func(s string) error {
		if user, group, two := strings.Cut(s, ":"); two && user != "" && group != "" {
			return fmt.Errorf("a user and a group at once; say --user %s --group %s", show(user), show(group))
		}
		if s == "" || strings.ContainsAny(s, ":/\x00\n") || strings.HasPrefix(s, "-") {
			return errors.New("neither a name nor a number")
		}
		*p = s
		return nil
	}}
}

// optional is a number that may not be there.
func optional(n *int, format string) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf(format, *n)
}

func joined(limits []Rlimit) string {
	words := make([]string, len(limits))
	for i, r := range limits {
		words[i] = r.String()
	}
	return strings.Join(words, " ")
}
