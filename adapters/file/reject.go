package file

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

var (
	errOneReading = errors.New("rows can be rejected only from a reader that is an io.Seeker, like a file, " +
		"because the rows are read twice")
	errRejectedTime = errors.New("another row of this time is rejected; correct that row, and import all rows of the time")
)

// readRejecting passes the batches of read, and its error, to yield. read passes the batches to its own yield until
// that returns false. If the format rejects rows, read is called first for their ranges.
func readRejecting[B any](
	r io.Reader, format Format, read func(Format, []domain.Range, func(B) bool) error, yield func(B, error) bool,
) {
	rejected, err := findRejected(r, format, func(f Format) error {
		return read(f, nil, func(B) bool { return true })
	})
	if err == nil {
		err = read(format, rejected, func(b B) bool { return yield(b, nil) })
	}
	if err != nil {
		var none B
		yield(none, err)
	}
}

// findRejected reads the rows once, if the format rejects some, and returns the ranges of the rejected ones, sorted.
// It leaves r where it was. Errors of rows are for the second reading.
func findRejected(r io.Reader, format Format, read func(Format) error) ([]domain.Range, error) {
	if format.Reject == nil {
		return nil, nil
	}

	in, ok := r.(io.Seeker)
	if !ok {
		return nil, errOneReading
	}

	start, err := in.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}

	var ranges []domain.Range
	format.Reject = func(row RejectedRow) error {
		if !row.Range.Empty() {
			ranges = append(ranges, row.Range)
		}
		return nil
	}

	var line *LineError
	if err := read(format); err != nil && !errors.As(err, &line) {
		return nil, err
	}

	slices.SortFunc(ranges, func(a, b domain.Range) int { return a.Start.Compare(b.Start) })
	_, err = in.Seek(start, io.SeekStart)

	return slices.CompactFunc(ranges, domain.Range.Equal), err
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
