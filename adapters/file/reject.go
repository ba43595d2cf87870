package file

import (
	"errors"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

var errRejectedTime = errors.New("another row of this time is rejected; " +
	"correct that row, and import all rows of the time")

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

// endsBefore reports whether a batch of so many rows must end before the current row, which has the range r: because a
// rejected row lies between them, or because both are corrected rows. Without rows, the range of the batch begins with
// r instead.
func (t *table) endsBefore(r domain.Range, batchRows int) bool {
	passes := t.isCorrectionOf(r.Start)
	for len(t.rejected) > 0 && !t.rejected[0].End.After(r.Start) {
		t.rejected, passes = t.rejected[1:], true
	}
	for len(t.rejected) > 0 && t.rejected[0].Start.Before(r.End) {
		t.rejected = t.rejected[1:] // the current row is the valid one of its time
	}

	if passes && batchRows > 0 {
		return true
	}
	if passes {
		t.batchEnd = time.Time{}
	}
	t.rowEnd = r.End

	return false
}

// isCorrectionOf reports whether the file has rejected rows that were corrected, and the current row, which starts at
// the time, does not follow the previous one at once.
func (t *table) isCorrectionOf(start time.Time) bool {
	hasReasons := t.isCorrection || t.rows.objects != nil && t.rows.objects.hasReason
	return hasReasons && start.After(t.rowEnd)
}

// isRejected reports whether a row of the time is rejected.
func (t *table) isRejected(at time.Time) bool {
	i, found := slices.BinarySearchFunc(t.rejected, at, func(r domain.Range, at time.Time) int {
		return r.Start.Compare(at)
	})

	return found && t.rejected[i].Contains(at)
}
