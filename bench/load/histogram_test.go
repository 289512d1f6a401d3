// SPDX-License-Identifier: GPL-3.0-or-later

package load

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketsHoldEveryValue(t *testing.T) {
	if got := bucketOf(math.MaxInt64); got != buckets-1 || upperOf(got) != math.MaxInt64 {
		t.Errorf("the greatest value is in bucket %d of %d, which ends at %d", got, buckets, upperOf(got))
	}
	for i := 1; i < buckets; i++ {
		if first := upperOf(i-1) + 1; bucketOf(first) != i || bucketOf(upperOf(i)) != i {
			t.Fatalf("bucket %d holds neither %d nor %d", i, first, upperOf(i))
		}
	}
}

func TestQuantileIsNearTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour)), 1, 300).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h, a, b Histogram
		for i, v := range values {
			h.Record(time.Duration(v))
			if i%2 == 0 {
				a.Record(time.Duration(v))
			} else {
				b.Record(time.Duration(v))
			}
		}
		a.Merge(&b)
		if a != h {
			t.Fatal("two halves merged are not the whole")
		}
		slices.Sort(values)
		rank := min(max(int(math.Ceil(q*float64(len(values)))), 1), len(values))
		truth := time.Duration(values[rank-1])
		if got := h.Quantile(q); got < truth || got > truth+truth/64 {
			t.Fatalf("quantile %v: want %v, got %v", q, truth, got)
		}
		if h.Max() != time.Duration(values[len(values)-1]) || h.Count() != int64(len(values)) {
			t.Fatalf("max %v, count %d", h.Max(), h.Count())
		}
	})
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	h.Merge(new(Histogram))
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Mean() != 0 || h.Count() != 0 {
		t.Errorf("want all zero, got %v %v %v %v", h.Quantile(0.5), h.Max(), h.Mean(), h.Count())
	}
	h.Record(-time.Second)
	h.Record(2 * time.Second)
	if h.Mean() != time.Second || h.Quantile(0) != 0 || h.Quantile(1) != 2*time.Second {
		t.Errorf("got mean %v, quantiles %v and %v", h.Mean(), h.Quantile(0), h.Quantile(1))
	}
}
