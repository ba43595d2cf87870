// Package covered cuts the batches of a file at the edges of the coverage that the file declares.
//
// The package contains ranges and rows only. It must not know formats of files, because all of them use it.
package covered

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Batch is the methods of a batch of type B: rows of a file in order of time.
type Batch[B any] struct {
	Span func(b B) domain.Range             // the range of the file that the rows are all rows of
	Rows func(b B) int                      // the number of rows
	Time func(b B, i int) time.Time         // the time of row i
	Part func(b B, r domain.Range, i int) B // the rows of r, which may be none, as part i of the batch; its span is r
	None B                                  // a batch without rows
}

// Ranges is the coverage that a file declares.
type Ranges struct {
	Declared []domain.Range // ascending and disjoint

	// Rejected are ranges of rows that are left out. They are not covered before the first batch and behind the last one;
	// in between, the spans of the batches leave them out. If IsAnyUnplaced is true, the time of such a row is not known,
	// and nothing is covered there.
	Rejected      []domain.Range
	IsAnyUnplaced bool
}

// Validate returns an error that wraps domain.ErrInvalid if a range begins or ends within a bar of the grid.
func Validate(ranges []domain.Range, g domain.Grid) error {
	for _, r := range ranges {
		if !g.Aligned(r.Start) || !g.Aligned(r.End) {
			return fmt.Errorf("coverage: %s begins or ends within a bar of %s: %w", r, g, domain.ErrInvalid)
		}
	}

	return nil
}

// Split yields the parts of the batches in the covered ranges, each of which lies in one range, and parts of None for
// what is covered before the first batch and behind the last one. A row outside of the coverage is an
// *OutsideError. Spans must ascend and must not overlap.
func Split[B any](batches iter.Seq2[B, error], c Ranges, of Batch[B]) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		s := splitter[B]{of: of, coverage: c, rest: slices.Clone(c.Declared), yield: yield}
		isFirst := true
		for b, err := range batches {
			if err != nil {
				yield(of.None, err)
				return
			}

			if isFirst && !s.passEmpty(of.Span(b).Start) || !s.pass(b) {
				return
			}
			isFirst = false
		}

		if len(s.rest) > 0 {
			s.passEmpty(s.rest[len(s.rest)-1].End)
		}
	}
}

// splitter is the state of one Split.
type splitter[B any] struct {
	of       Batch[B]
	coverage Ranges
	rest     []domain.Range // the coverage behind the batches before
	yield    func(B, error) bool
}

// next returns the covered part of rest before end that begins first, and removes it. It returns an empty range at the
// end.
func (s *splitter[B]) next(end time.Time) domain.Range {
	if len(s.rest) == 0 || !s.rest[0].Start.Before(end) {
		return domain.Range{}
	}

	r := s.rest[0]
	if r.End.After(end) {
		s.rest[0].Start = end
		return domain.Range{Start: r.Start, End: end}
	}

	s.rest = s.rest[1:]

	return r
}

// passEmpty yields the coverage before end, and returns false if no more is wanted.
func (s *splitter[B]) passEmpty(end time.Time) bool {
	for r := s.next(end); !r.Empty(); r = s.next(end) {
		if s.coverage.IsAnyUnplaced {
			continue
		}
		for _, part := range r.Subtract(s.coverage.Rejected) {
			if !s.yield(s.of.Part(s.of.None, part, 0), nil) {
				return false
			}
		}
	}

	return true
}

// pass yields the parts of a batch, and returns false if no more is wanted.
func (s *splitter[B]) pass(b B) bool {
	span := s.of.Span(b)
	parts, rows := 0, 0
	for r := s.next(span.End); !r.Empty(); r = s.next(span.End) {
		if r = r.Intersect(span); r.Empty() {
			continue // between rejected rows
		}

		part := s.of.Part(b, r, parts)
		if s.of.Rows(part) > 0 && !s.of.Time(part, 0).Equal(s.of.Time(b, rows)) {
			break // because a row lies before r
		}
		if !s.yield(part, nil) {
			return false
		}

		parts, rows = parts+1, rows+s.of.Rows(part)
	}
	if rows < s.of.Rows(b) {
		s.yield(s.of.None, &OutsideError{s.of.Time(b, rows)})
		return false
	}

	return true
}

// OutsideError is the error for a row that is not in the coverage that its file declares.
type OutsideError struct{ Time time.Time }

// Error names the time of the row.
func (e *OutsideError) Error() string {
	return fmt.Sprintf("coverage: the row of %s is not in a range that is declared covered",
		e.Time.Format(time.RFC3339Nano))
}

// Unwrap returns domain.ErrInvalid.
func (e *OutsideError) Unwrap() error { return domain.ErrInvalid }
