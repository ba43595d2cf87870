package telemetry

import (
	"math/bits"
	"time"
)

// Durations are counted in buckets whose width grows with them: each power of two of nanoseconds is divided into eight.
// A duration below 8 ns is exact; the middle of the bucket of a longer one differs from it by at most a sixteenth. All
// from 2 minutes and 17 seconds on are in the last bucket.
const (
	splitBits   = 3
	split       = 1 << splitBits
	maxBits     = 37 // of the nanoseconds of a duration that is counted exactly so
	bucketCount = (maxBits - splitBits + 1) * split

	// MaxError is how much a percentile differs from the exact one at most, as a share of it.
	MaxError = 1.0 / (2 * split)
)

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < split {
		return int(n)
	}

	shift := bits.Len64(n) - 1 - splitBits
	if shift >= maxBits-splitBits {
		return bucketCount - 1
	}

	return shift<<splitBits + int(n>>shift)
}

// middleOf returns the middle of a bucket.
func middleOf(bucket int) time.Duration {
	if bucket < split {
		return time.Duration(bucket)
	}

	shift := bucket>>splitBits - 1
	first := (split + bucket%split) << shift

	return time.Duration(first + (1<<shift-1)/2)
}
