package app

import (
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// fill yields the bars of r with what the fill policy puts between them, in pieces of about sizes.fill at most. The bar before r
// fills its head. It notes what it put in.
func (f *fetch) fill(ctx context.Context, r domain.Range, bars iter.Seq2[domain.Series, error]) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		var filler *domain.Filler
		at := r.Start // where the next bar can be
		put := func(s domain.Series, filled []domain.Range, err error) bool {
			if err != nil {
				yield(domain.Series{}, f.madeError(err))
				return false
			}

			f.noteFilled(filled)
			return s.Len() == 0 || yield(s, nil)
		}
		begin := func(first time.Time) bool {
			before, err := f.barBefore(ctx, r.Start, first)
			if err != nil {
				yield(domain.Series{}, err)
				return false
			}

			filler = domain.NewFiller(f.request.Key, r, r.Subtract(f.covered), before)
			return true
		}
		gap := func(end time.Time) bool { // fills a long one up to where the rest is short
			for ahead := f.ahead(at); ahead.Before(end); ahead = f.ahead(at) {
				if !put(filler.FillTo(ahead)) {
					return false
				}
				at = ahead
			}
			return true
		}
		for s, err := range bars {
			if err != nil {
				yield(domain.Series{}, err)
				return
			}
			if filler == nil && !begin(s.OpenTime(0)) {
				return
			}

			for s.Len() > 0 {
				if !gap(s.OpenTime(0)) {
					return
				}

				part := s.Clip(domain.Range{Start: at, End: f.edges.Next(f.ahead(at))})
				s = s.Slice(part.Len(), s.Len())
				at = part.Range().End
				if !put(filler.Fill(part)) {
					return
				}
			}
		}
		if filler == nil && !begin(r.End) || !gap(r.End) {
			return
		}

		put(filler.Flush())
	}
}

// ahead is an edge after at, about sizes.fill slots away, or as far as a time.Duration reaches.
func (f *fetch) ahead(at time.Time) time.Time {
	slot := max(1, int64(f.edges.Frequency().Nominal()))
	ahead := f.edges.Ceil(at.Add(time.Duration(min(int64(f.sizes.fill), math.MaxInt64/slot) * slot)))
	if next := f.edges.Next(at); next.After(ahead) {
		return next
	}

	return ahead
}

// noteFilled adds ranges that come after those noted.
func (f *fetch) noteFilled(filled []domain.Range) {
	for _, r := range filled {
		if n := len(f.filled); n > 0 && f.filled[n-1].End.Equal(r.Start) {
			f.filled[n-1].End = r.End
		} else {
			f.filled = append(f.filled, r)
		}
	}
}

// barBefore is the last bar before start that fills the slots from there to the first bar; nil where none does: nothing has to be
// filled, nothing is known, or nobody knows what came between.
func (f *fetch) barBefore(ctx context.Context, start, first time.Time) (*domain.Bar, error) {
	held := slices.ContainsFunc(f.covered, func(r domain.Range) bool { return r.Contains(start) })
	if f.asked.IsZero() || !held || first.Equal(start) {
		return nil, nil
	}

	b, err := f.before(start)
	if err != nil {
		return nil, refusal(f.op, f.subject.String(), err)
	}

	result, err := b.run(ctx)
	if err != nil || result.Series.Len() == 0 || len(result.Uncovered) > 0 {
		return nil, err
	}

	bar := result.Series.At(0)
	return &bar, nil
}

// fillFew fills the bars found in the range, and leaves so many of them and the range that they depend on.
func (w *fewer) fillFew(ctx context.Context, bars domain.Series, kept domain.Range) (domain.Series, domain.Range, error) {
	wanted := max(w.request.First, w.request.Last)
	found := func(yield func(domain.Series, error) bool) {
		if bars.Len() > 0 {
			yield(bars, nil)
		}
	}
	var pieces []domain.Series
	n := 0
	for s, err := range w.fill(ctx, kept, found) {
		if err != nil {
			return domain.Series{}, kept, err
		}

		pieces = append(pieces, s)
		n += s.Len()
		if !w.backward && n >= wanted {
			break
		}

		for w.backward && n-pieces[0].Len() >= wanted {
			n -= pieces[0].Len()
			pieces = pieces[1:]
		}
	}

	filled, err := joined(domain.EmptySeries(w.request.Key), pieces, n)
	if err != nil || filled.Len() == 0 {
		return filled, kept, err
	}

	surplus := max(0, n-wanted)
	if w.backward {
		filled = filled.Slice(surplus, n)
		if on := bars.Clip(domain.Range{Start: kept.Start, End: w.edges.Next(filled.OpenTime(0))}); on.Len() > 0 {
			kept.Start = on.OpenTime(on.Len() - 1)
		}
	} else if filled = filled.Slice(0, n-surplus); filled.Len() == wanted {
		kept.End = filled.Range().End
	}

	returned := filled.Range()
	for i := range w.filled {
		w.filled[i] = w.filled[i].Intersect(returned)
	}
	w.filled = slices.DeleteFunc(w.filled, domain.Range.Empty)

	return filled, kept, nil
}
