package file

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
)

var (
	errOneReading = errors.New("rows can be rejected, and coverage declared, only with a reader that is an io.Seeker, " +
		"like a file, because the rows are read twice")
	errRejectedTime = errors.New("another row of this time is rejected; correct that row, and import all rows of the time")
)

// fileReader reads the rows of a file in batches.
type fileReader[B any] struct {
	in     io.Reader
	format Format
	batch  covered.Batch[B]

	// read passes the batches of the file to yield until that returns false, without those rejected ranges.
	read func(f Format, rejected []domain.Range, yield func(B) bool) error
}

// readAll passes the batches, and an error, to yield. If the format rejects rows or has coverage, the file is read
// twice: first for the ranges of the rejected rows, and for rows outside of the coverage.
func (r fileReader[B]) readAll(yield func(B, error) bool) {
	found, err := r.readFirst()
	if err != nil {
		yield(r.batch.None, err)
		return
	}

	r.split(r.format, found)(yield)
}

// split yields the batches of one reading, cut at the edges of the coverage.
func (r fileReader[B]) split(f Format, c covered.Ranges) iter.Seq2[B, error] {
	batches := func(yield func(B, error) bool) {
		if err := r.read(f, c.Rejected, func(b B) bool { return yield(b, nil) }); err != nil {
			yield(r.batch.None, err)
		}
	}
	if f.Coverage == nil {
		return batches
	}

	return covered.Split(batches, c, r.batch)
}

// readFirst reads the rows for the first time, and leaves the reader where it was. The ranges of the rejected rows are
// sorted. Errors of rows are for the second reading.
func (r fileReader[B]) readFirst() (found covered.Ranges, err error) {
	found.Declared = r.format.Coverage
	if r.format.Reject == nil && r.format.Coverage == nil {
		return found, nil
	}

	in, ok := r.in.(io.Seeker)
	if !ok {
		return found, errOneReading
	}

	start, err := in.Seek(0, io.SeekCurrent)
	if err != nil {
		return found, err
	}

	first := r.format
	if first.Reject != nil {
		first.Reject = func(row RejectedRow) error {
			if row.Range.Empty() {
				found.IsAnyUnplaced = true
			} else {
				found.Rejected = append(found.Rejected, row.Range)
			}

			return nil
		}
	}

	var line *LineError
	var outside *covered.OutsideError
	for _, err := range r.split(first, found) {
		if errors.As(err, &outside) {
			return found, fmt.Errorf("%s: %w", r.format.name(), err)
		}
		if err != nil && !errors.As(err, &line) {
			return found, err
		}
	}

	slices.SortFunc(found.Rejected, func(a, b domain.Range) int { return a.Start.Compare(b.Start) })
	found.Rejected = slices.CompactFunc(found.Rejected, domain.Range.Equal)
	_, err = in.Seek(start, io.SeekStart)

	return found, err
}

// rowRange returns the range of the bar or the instant that the current row has, or an empty one if its time is
// unreadable.
func (t *table) rowRange() domain.Range {
	cell := t.layout.columns[0]
	if cell >= len(t.rows.cells) {
		return domain.Range{}
	}

	times := *t.times // a copy, because a malformed row must not determine the unit
	at, err := times.parse(t.rows.cells[cell])
	if err != nil {
		return domain.Range{}
	}
	if times.grid != (domain.Grid{}) {
		at = times.grid.Floor(at)
		return domain.Range{Start: at, End: times.grid.Next(at)}
	}

	at = at.Truncate(time.Microsecond)

	return domain.Range{Start: at, End: at.Add(time.Microsecond)}
}

// endsBefore reports whether a batch of so many rows must end before the current row, which has the range r, because a
// rejected row lies between them. Without rows, the range of the batch begins with r instead.
func (t *table) endsBefore(r domain.Range, batchRows int) bool {
	passes := false
	for len(t.rejected) > 0 && !t.rejected[0].End.After(r.Start) {
		t.rejected, passes = t.rejected[1:], true
	}
	for len(t.rejected) > 0 && t.rejected[0].Start.Before(r.End) {
		t.rejected = t.rejected[1:] // the current row is the valid one of its time
	}

	if passes && batchRows == 0 {
		t.batchEnd = time.Time{}
	}

	return passes && batchRows > 0
}

// isRejected reports whether a row of the time is rejected.
func (t *table) isRejected(at time.Time) bool {
	i, found := slices.BinarySearchFunc(t.rejected, at, func(r domain.Range, at time.Time) int {
		return r.Start.Compare(at)
	})

	return found && t.rejected[i].Contains(at)
}
