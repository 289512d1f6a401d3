// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"math"
	"math/bits"
	"time"
)

// subBits says how fine the histogram is: 2^subBits buckets for each doubling,
// so that a value is known to within 1/64, less than 2 %.
const subBits = 6

// buckets covers all non-negative int64: the first 2^(subBits+1) values one by
// one, then 2^subBits buckets a doubling.
const buckets = (63-subBits)<<subBits + 1<<subBits

// Histogram counts durations in memory of fixed size. The zero value is empty
// and ready. It is not safe for concurrent use.
type Histogram struct {
	counts   [buckets]int64
	n        int64
	sum, max time.Duration
}

// Record counts one duration; a negative one counts as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// Merge adds all that other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// Count is how many durations were counted.
func (h *Histogram) Count() int64 { return h.n }

// Max is the longest duration, exactly; 0 when there is none.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is the average duration; 0 when there is none.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.sum / time.Duration(h.n)
}

// Quantile returns a duration that the part q of all (from 0 to 1) does not
// exceed, at most 1/64 above the true one; 0 when there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := min(max(int64(math.Ceil(q*float64(h.n))), 1), h.n)
	var seen int64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(upperOf(i)), h.max)
		}
	}
	return h.max
}

func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// upperOf is the greatest value in bucket i.
func upperOf(i int) uint64 {
	if i < 2<<subBits {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return (uint64(i-shift<<subBits)+1)<<shift - 1
}
