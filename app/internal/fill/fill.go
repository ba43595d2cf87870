// Package fill makes the bars of domain.FillPrevious.
package fill

import (
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Filler adds a bar at the previous close, without volume, for each slot in which nothing traded. It fills a slot only
// if the slot is covered and an earlier bar is known. After a slot that is not covered, or was skipped, it fills
// nothing until the next bar, because the price may have moved. Filled bars are for display and for indicators that
// need every slot; they must not be stored, cached or resampled. Pieces of a series pass through Fill in order; Flush
// ends the series. A Filler is for one goroutine.
type Filler struct {
	key       domain.SeriesKey
	next      time.Time // open time of the next slot
	end       time.Time
	uncovered []domain.Range // and skipped: ascending, without the ranges before next
	close     domain.Decimal // of the last bar
	hasClose  bool           // close is known and still valid
}

// New returns a Filler for the slots of key in r. uncovered are the parts of r that no store covers, ascending
// and disjoint. before is the last bar before r, or nil if none is known.
func New(key domain.SeriesKey, r domain.Range, uncovered []domain.Range, before *domain.Bar) *Filler {
	r = key.Grid.Align(r)
	f := &Filler{key: key, next: r.Start, end: r.End, uncovered: slices.Clip(uncovered)}
	if before != nil {
		f.close, f.hasClose = before.Close, true
	}

	return f
}

// Skip leaves the slot of t empty unless a piece has its bar, because something traded there. Slots that were filled
// already stay.
func (f *Filler) Skip(t time.Time) {
	open := f.key.Grid.Floor(t)
	byStart := func(r domain.Range, t time.Time) int { return r.Start.Compare(t) }
	at, _ := slices.BinarySearchFunc(f.uncovered, open, byStart)
	f.uncovered = slices.Insert(f.uncovered, at, domain.Range{Start: open, End: f.key.Grid.Next(open)})
}

// Fill returns the next piece with the slots before and between its bars filled, and the ranges of the filled slots.
// Pieces must ascend.
func (f *Filler) Fill(s domain.Series) (domain.Series, []domain.Range, error) {
	b := domain.NewSeriesBuilder(f.key, s.Len())
	var filled []domain.Range
	from := 0
	for i := range s.Len() {
		open := s.OpenTime(i)
		if open.After(f.next) {
			if err := b.AppendSeries(s.Slice(from, i)); err != nil {
				return domain.Series{}, nil, err
			}

			from = i
			if err := f.fillTo(open, b, &filled); err != nil {
				return domain.Series{}, nil, err
			}
		}

		f.next = f.key.Grid.Next(open)
		f.close, f.hasClose = s.At(i).Close, true
	}
	if err := b.AppendSeries(s.Slice(from, s.Len())); err != nil {
		return domain.Series{}, nil, err
	}

	whole, err := b.Series()

	return whole, filled, err
}

// Flush returns the filled slots after the last piece.
func (f *Filler) Flush() (domain.Series, []domain.Range, error) { return f.FillTo(f.end) }

// FillTo returns the filled slots after the last piece that open before end. It divides a long gap into several
// pieces. The next piece must not begin before end.
func (f *Filler) FillTo(end time.Time) (domain.Series, []domain.Range, error) {
	if end.After(f.end) {
		end = f.end
	}

	b := domain.NewSeriesBuilder(f.key, 0)
	var filled []domain.Range
	if err := f.fillTo(end, b, &filled); err != nil {
		return domain.Series{}, nil, err
	}

	tail, err := b.Series()

	return tail, filled, err
}

// fillTo appends bars for the slots from f.next to until, and the ranges of these slots to filled.
func (f *Filler) fillTo(until time.Time, b *domain.SeriesBuilder, filled *[]domain.Range) error {
	for f.next.Before(until) {
		for len(f.uncovered) > 0 && !f.next.Before(f.uncovered[0].End) {
			f.uncovered = f.uncovered[1:]
		}
		if len(f.uncovered) > 0 && f.uncovered[0].Contains(f.next) {
			f.hasClose = false
			f.next = f.key.Grid.Ceil(f.uncovered[0].End)
			continue
		}

		if !f.hasClose {
			f.next = until // only a bar can make a close known
			break
		}

		end := f.key.Grid.Next(f.next)
		bar := domain.Bar{OpenTime: f.next, Open: f.close, High: f.close, Low: f.close, Close: f.close}
		if err := b.Append(bar); err != nil {
			return err
		}

		*filled = appendRange(*filled, domain.Range{Start: f.next, End: end})
		f.next = end
	}

	return nil
}

// appendRange appends a range that begins after the others, or extends the last one if they touch.
func appendRange(ranges []domain.Range, r domain.Range) []domain.Range {
	if n := len(ranges); n > 0 && ranges[n-1].End.Equal(r.Start) {
		ranges[n-1].End = r.End
		return ranges
	}

	return append(ranges, r)
}
