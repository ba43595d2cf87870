// Package external is a store of bars by somebody who is not us, as small as can be: it shows what an adapter has to
// do, and its test how one is held to the contract.
package external

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var (
	errUsed  = errors.New("a sequence is ranged over once")
	errEarly = errors.New("this store has no bars before 1970")
)

// Store keeps each series whole, under one lock. It is safe for concurrent use.
type Store struct {
	mu     sync.Mutex
	bars   map[domain.SeriesKey]domain.Series
	claims map[domain.SeriesKey][]domain.Range
}

var _ ports.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{bars: map[domain.SeriesKey]domain.Series{}, claims: map[domain.SeriesKey][]domain.Range{}}
}

// ReadBars yields the result in one piece. This store keeps no versions.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	var used atomic.Bool
	return ports.Unversioned(func(yield func(domain.Series, error) bool) {
		err := ctx.Err()
		if used.Swap(true) {
			err = errUsed
		}
		if err == nil {
			if b := s.find(q); b.Len() > 0 && !yield(b, nil) {
				return
			}
			err = ctx.Err()
		}

		if err != nil {
			yield(domain.Series{}, translate("read bars", q.Key, err))
		}
	})
}

func (s *Store) find(q ports.BarQuery) domain.Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bars[q.Key].Clip(q.Range)
	switch {
	case q.First > 0:
		return b.Slice(0, min(q.First, b.Len()))
	case q.Last > 0:
		return b.Slice(max(0, b.Len()-q.Last), b.Len())
	}

	return b
}

// WriteBars sets the bars and claims the range.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	report, err := s.write(ctx, bars, claim, false)
	return report, translate("write bars", bars.Key(), err)
}

// ReplaceBars puts the bars in the place of all in r.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	report, err := s.write(ctx, bars, r, true)
	return report, translate("replace bars", bars.Key(), err)
}

func (s *Store) write(ctx context.Context, bars domain.Series, r domain.Range, replace bool) (report ports.WriteReport, err error) {
	key := bars.Key()
	if err := errors.Join(key.Validate(), ctx.Err()); err != nil {
		return report, err
	}
	if r, err = domain.NewRange(r.Start, r.End); err != nil {
		return report, err
	}
	if bars.Clip(r).Len() < bars.Len() {
		return report, domain.ErrInvalid
	}
	if bars.Len() > 0 && bars.OpenTime(0).Unix() < 0 {
		return report, errEarly
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	byTime := map[int64]domain.Bar{}
	for _, b := range s.bars[key].All() {
		byTime[b.OpenTime.UnixMicro()] = b
	}
	before := maps.Clone(byTime)
	if replace {
		maps.DeleteFunc(byTime, func(_ int64, b domain.Bar) bool { return r.Contains(b.OpenTime) })
		report.Deleted = len(before) - len(byTime)
	}

	for _, b := range bars.All() {
		at := b.OpenTime.UnixMicro()
		old, there := before[at]
		switch {
		case !there:
			report.Inserted++
		case b.Equal(old):
			report.Unchanged++
		default:
			report.Changed++
		}

		if there && replace {
			report.Deleted--
		}
		byTime[at] = b
	}

	list := slices.SortedFunc(maps.Values(byTime), func(a, b domain.Bar) int { return a.OpenTime.Compare(b.OpenTime) })
	all, err := domain.NewSeries(key, list...)
	if err != nil {
		return report, err
	}

	s.bars[key] = all
	if replace && bars.Len() == 0 {
		s.claims[key] = cut(s.claims[key], r)
	} else {
		s.claims[key] = domain.MergeRanges(append(slices.Clone(s.claims[key]), r))
	}

	return report, nil
}

func cut(ranges []domain.Range, r domain.Range) []domain.Range {
	var left []domain.Range
	for _, o := range ranges {
		left = append(left, o.Subtract([]domain.Range{r})...)
	}
	return left
}

// Extents returns what was claimed.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("extents", domain.SeriesKey{}, err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	var extents []domain.Extent
	for key, claims := range s.claims {
		if len(symbols) > 0 && !slices.Contains(symbols, key.Symbol) {
			continue
		}
		for _, r := range claims {
			extents = append(extents, domain.Extent{Key: key, Range: r})
		}
	}

	return domain.MergeExtents(extents), nil
}

// translate makes an error one of the ports.
func translate(op string, key domain.SeriesKey, err error) error {
	if err == nil {
		return nil
	}

	kind := ports.ContextKind(err)
	if kind == nil {
		kind = ports.ErrInvalid // whatever else this store refuses is the caller's
	}
	return &ports.Error{Kind: kind, Op: op, Store: "external", Subject: key.String(), Err: err}
}
