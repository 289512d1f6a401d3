// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// quantile returns the least value that the part q of all (from 0 to 1) does
// not exceed; zero when there is none.
func quantile[T cmp.Ordered](values []T, q float64) T {
	if len(values) == 0 {
		var zero T
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func median[T cmp.Ordered](values []T) T { return quantile(values, 0.5) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// mb counts millions of bytes, the stricter reading of "MB".
func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

// lastField is the last word of a text, without brackets; "" when it has none.
func lastField(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return strings.Trim(words[len(words)-1], "()")
}
