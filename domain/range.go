package domain

import (
	"cmp"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain/sorting"
)

// Range is a range of instants that includes Start and excludes End, so that ranges that touch do not overlap.
type Range struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// NewRange returns [start, end) in UTC. It rounds finer bounds up to a microsecond, the resolution of all data, so that
// the range contains the same data. It returns an error that wraps ErrInvalid if end is before start or a year is not
// from 1 to 9999.
func NewRange(start, end time.Time) (Range, error) {
	r := Range{Start: MicrosCeil(start).Time(), End: MicrosCeil(end).Time()}
	for _, t := range [...]time.Time{start.UTC(), end.UTC(), r.Start, r.End} { // microseconds of distant years overflow
		if t.Year() < 1 || t.Year() > 9999 {
			return Range{}, invalid("time", t.String(), "the year is 1 to 9999")
		}
	}
	if r.End.Before(r.Start) {
		return Range{}, invalid("range", r.String(), "it ends before it starts; swap the two")
	}

	return r, nil
}

// Empty reports whether r contains no instant.
func (r Range) Empty() bool { return !r.Start.Before(r.End) }

// Contains reports whether r contains t.
func (r Range) Contains(t time.Time) bool { return !t.Before(r.Start) && t.Before(r.End) }

// Covers reports whether r contains all of o. Every range covers an empty one.
func (r Range) Covers(o Range) bool {
	return o.Empty() || !o.Start.Before(r.Start) && !o.End.After(r.End)
}

// Equal reports whether both ranges have the same bounds.
func (r Range) Equal(o Range) bool { return r.Start.Equal(o.Start) && r.End.Equal(o.End) }

// Intersect returns the intersection of both ranges, or the zero Range if it is empty.
func (r Range) Intersect(o Range) Range {
	both := Range{Start: later(r.Start, o.Start), End: earlier(r.End, o.End)}
	if both.Empty() {
		return Range{}
	}

	return both
}

// Subtract returns the parts of r that are in none of the others: ascending and disjoint.
func (r Range) Subtract(others []Range) []Range {
	var parts []Range
	at := r.Start
	for _, o := range MergeRanges(others) {
		if o = o.Intersect(r); o.Empty() {
			continue
		}

		if at.Before(o.Start) {
			parts = append(parts, Range{Start: at, End: o.Start})
		}
		at = o.End
	}

	if at.Before(r.End) {
		parts = append(parts, Range{Start: at, End: r.End})
	}

	return parts
}

// String returns the bounds: "[2018-01-01T00:00:00Z, 2018-02-01T00:00:00Z)".
func (r Range) String() string {
	return "[" + r.Start.Format(time.RFC3339Nano) + ", " + r.End.Format(time.RFC3339Nano) + ")"
}

// Micros returns both bounds, each rounded up to a whole microsecond.
func (r Range) Micros() (start, end Micros) { return MicrosCeil(r.Start), MicrosCeil(r.End) }

// MergeRanges returns the union of the ranges: ascending, disjoint and not touching, without empty ones. It does not
// change its argument.
func MergeRanges(ranges []Range) []Range {
	sorted := slices.DeleteFunc(slices.Clone(ranges), Range.Empty)
	sorting.Func(sorted, func(a, b Range) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End))
	})
	merged := sorted[:0]
	for _, r := range sorted {
		if n := len(merged); n > 0 && !merged[n-1].End.Before(r.Start) {
			merged[n-1].End = later(merged[n-1].End, r.End)
			continue
		}
		merged = append(merged, r)
	}

	return merged
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Hull returns the range from the first to the last instant of both. An empty range adds nothing.
func (r Range) Hull(o Range) Range {
	switch {
	case r.Empty():
		return o
	case o.Empty():
		return r
	}

	return Range{Start: earlier(r.Start, o.Start), End: later(r.End, o.End)}
}

// ClipRanges returns the parts of the ranges in r. ranges must be ascending and disjoint, and is not changed.
func ClipRanges(ranges []Range, r Range) []Range {
	var clipped []Range
	for _, o := range ranges {
		if o = o.Intersect(r); !o.Empty() {
			clipped = append(clipped, o)
		}
	}

	return clipped
}
