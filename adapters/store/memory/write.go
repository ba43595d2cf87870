package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// pieceBars is up to how many bars neighbouring pieces are joined: appending one bar copies at most so many, and a bulk load
// stays as it came.
const pieceBars = 4096

// WriteBars inserts or overwrites the bars, and claims the range.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	report, err := s.change(ctx, bars, claim, func(h held, claim domain.Range) (held, ports.WriteReport, error) {
		there := within(h.pieces, bars.Range())
		merged, report, err := upsert(bars, there)
		if err != nil {
			return held{}, report, err
		}
		if report.Inserted+report.Changed > 0 {
			h.pieces, err = splice(h.pieces, bars.Range(), merged)
		}
		h.claims = domain.MergeRanges(append([]domain.Range{claim}, h.claims...))
		return h, report, err
	})
	return report, translate("write bars", bars.Key().String(), err)
}

// ReplaceBars puts the bars in the place of everything in r, and claims r; an empty Series deletes both.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	report, err := s.change(ctx, bars, r, func(h held, r domain.Range) (held, ports.WriteReport, error) {
		there := within(h.pieces, r)
		_, report, err := upsert(bars, there)
		if err != nil {
			return held{}, report, err
		}
		report.Deleted = count(there) - report.Changed - report.Unchanged
		if report.Inserted+report.Changed+report.Deleted > 0 {
			h.pieces, err = splice(h.pieces, r, bars)
		}
		if bars.Len() == 0 {
			h.claims = subtract(h.claims, r)
		} else {
			h.claims = domain.MergeRanges(append([]domain.Range{r}, h.claims...))
		}
		return h, report, err
	})
	return report, translate("replace bars", bars.Key().String(), err)
}

// change lets apply make the next state of one series, and puts it in place whole.
func (s *Store) change(
	ctx context.Context, bars domain.Series, r domain.Range,
	apply func(held, domain.Range) (held, ports.WriteReport, error),
) (ports.WriteReport, error) {
	key := bars.Key()
	if err := key.Validate(); err != nil {
		return ports.WriteReport{}, err
	}
	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return ports.WriteReport{}, err
	}
	if within := bars.Within(r); within.Len() < bars.Len() {
		return ports.WriteReport{}, fmt.Errorf("%s: %s does not cover the bars: %w", bars, r, domain.ErrInvalid)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	next, report, err := apply(s.lookup(key), r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return ports.WriteReport{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(next.pieces)+len(next.claims) == 0 {
		delete(s.series, key)
		return report, nil
	}
	s.series[key] = next
	if _, known := s.symbols[key.Symbol]; !known {
		s.symbols[key.Symbol] = domain.NewSymbolMeta(key.Symbol)
	}
	return report, nil
}

// upsert merges the bars over those that are there, and counts what that does.
func upsert(bars domain.Series, there []domain.Series) (domain.Series, ports.WriteReport, error) {
	var report ports.WriteReport
	if len(there) == 0 {
		report.Inserted = bars.Len()
		return bars, report, nil
	}
	merged := domain.NewSeriesBuilder(bars.Key(), bars.Len()+count(there))
	next := 0 // the first of bars that is not merged yet
	for _, piece := range there {
		for _, old := range piece.All() {
			for ; next < bars.Len() && bars.OpenTime(next).Before(old.OpenTime); next++ {
				report.Inserted++
				if err := merged.Append(bars.At(next)); err != nil {
					return domain.Series{}, report, err
				}
			}
			if next < bars.Len() && bars.OpenTime(next).Equal(old.OpenTime) {
				if b := bars.At(next); b.Equal(old) {
					report.Unchanged++
				} else {
					report.Changed++
					old = b
				}
				next++
			}
			if err := merged.Append(old); err != nil {
				return domain.Series{}, report, err
			}
		}
	}
	report.Inserted += bars.Len() - next
	if err := merged.AppendSeries(bars.Slice(next, bars.Len())); err != nil {
		return domain.Series{}, report, err
	}
	all, err := merged.Series()
	return all, report, err
}

// splice puts the bars in the place of what the pieces hold in r. The pieces given are not changed.
func splice(pieces []domain.Series, r domain.Range, bars domain.Series) ([]domain.Series, error) {
	if r.Empty() {
		return pieces, nil
	}
	next, err := add(within(pieces, domain.Range{End: r.Start}), bars)
	if err != nil {
		return nil, err
	}
	after := within(pieces, domain.Range{Start: r.End, End: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)})
	if len(after) == 0 {
		return next, nil
	}
	if next, err = add(next, after[0]); err != nil {
		return nil, err
	}
	return append(next, after[1:]...), nil
}

// add appends a piece, joined with the last one where both are short.
func add(pieces []domain.Series, piece domain.Series) ([]domain.Series, error) {
	if piece.Len() == 0 {
		return pieces, nil
	}
	n := len(pieces)
	if n == 0 || pieces[n-1].Len()+piece.Len() > pieceBars {
		return append(pieces, piece), nil
	}
	joined := domain.NewSeriesBuilder(piece.Key(), pieces[n-1].Len()+piece.Len())
	for _, p := range []domain.Series{pieces[n-1], piece} {
		if err := joined.AppendSeries(p); err != nil {
			return nil, err
		}
	}
	whole, err := joined.Series()
	pieces[n-1] = whole
	return pieces, err
}

func count(pieces []domain.Series) int {
	n := 0
	for _, p := range pieces {
		n += p.Len()
	}
	return n
}
