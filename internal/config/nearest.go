// SPDX-License-Identifier: GPL-3.0-or-later

package config

import "strings"

// nearest returns the option that someone who wrote name most likely meant: the
// only one that begins with it, or the one fewest typing slips away. ok is
// false when none is near.
func (l dialect) nearest(name string) (near string, ok bool) {
	if name == "" || len(name) > 40 {
		return "", false
	}
	best := 1 + len(name)/3 // slips that still leave it recognisable
	for _, o := range l.options() {
		if len(name) > 1 && strings.HasPrefix(o.Name, name) {
			return o.Name, true
		}
		if n := slips(name, o.Name); n <= best {
			// Of two that are as far away, more of the longer one is right.
			if n < best || !ok || len(o.Name) > len(near) {
				near = o.Name
			}
			best, ok = n, true
		}
	}
	return near, ok
}

// slips counts the letters to insert, delete, change or swap with their
// neighbour to make b of a.
func slips(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
