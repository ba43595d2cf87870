package file

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
	"github.com/gal-friday/marketdata/domain"
)

var errOneReading = errors.New("rows can be rejected, and coverage declared, only with a reader that is " +
	"an io.Seeker, like a file, because the rows are read twice")

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
