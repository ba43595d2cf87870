package barfile

import (
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

// maxBatchBars is the maximum number of bars in a Batch.
const maxBatchBars = 4 * codec.MaxBars

// Batch is consecutive bars of a series.
type Batch struct {
	Bars  domain.Series // all bars of Range, which may be none
	Range domain.Range  // lies in one covered range
}

// Batches yields the bars of key in batches of at most 16,384, in order. Their ranges make up the coverage of the key,
// so that a batch without bars has a Range in which nothing traded. Before the first batch, all of the series is read
// and verified: a bar outside of the coverage, like any damage, is an error that wraps ErrCorrupt. The sequence is lazy
// and may be used once; an error is its last pair.
func (f *File) Batches(key domain.SeriesKey) iter.Seq2[Batch, error] {
	var covered []domain.Range
	for _, e := range f.extents {
		if e.Key == key {
			covered = append(covered, e.Range)
		}
	}

	return func(yield func(Batch, error) bool) {
		if err := f.verifyCoverage(key, covered); err != nil {
			yield(Batch{}, fmt.Errorf("read %s of %s: %w", key, f.path, err))
			return
		}

		for _, r := range covered {
			if !f.yieldBatches(key, r, yield) {
				return
			}
		}
	}
}

// verifyCoverage reads all bars of the key and returns an error if one is not covered.
func (f *File) verifyCoverage(key domain.SeriesKey, covered []domain.Range) error {
	for s, err := range f.Bars(key, f.Range(key)) {
		if err != nil {
			return err
		}
		for _, gap := range s.Range().Subtract(covered) {
			if outside := s.Clip(gap); outside.Len() > 0 {
				return fmt.Errorf("coverage: the bar of %s is not in a range that the file covers: %w",
					outside.OpenTime(0).Format(time.RFC3339), ErrCorrupt)
			}
		}
	}

	return nil
}

// yieldBatches yields the batches of the covered range r, and returns false if no more is wanted.
func (f *File) yieldBatches(key domain.SeriesKey, r domain.Range, yield func(Batch, error) bool) bool {
	for s, err := range f.Bars(key, r) {
		if err != nil {
			yield(Batch{}, err)
			return false
		}

		for s.Len() > 0 {
			n := min(s.Len(), maxBatchBars)
			end := s.Slice(0, n).Range().End
			if !yield(Batch{s.Slice(0, n), domain.Range{Start: r.Start, End: end}}, nil) {
				return false
			}

			s, r.Start = s.Slice(n, s.Len()), end
		}
	}

	return r.Empty() || yield(Batch{domain.EmptySeries(key), r}, nil)
}
