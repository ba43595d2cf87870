// Package external is a store of bars by somebody who is not us, as small as can be: it shows what an adapter has to
// do, and its test how one is held to the contract.
package external

import (
	"context"
	"errors"
	"iter"
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

// WriteBatch writes one series after the other.
func (s *Store) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	const op = "write bars"
	results := ports.NewWriteResults(op, "external", writes)
	for i, w := range writes {
		if r := &results[i]; r.Err == nil {
			r.Report, r.Err = s.change(ctx, w.Bars, w.Coverage, func(c *change) error { return c.write(w.OnConflict) })
			r.Err = translate(op, w.Bars.Key(), r.Err)
		}
	}

	return results
}

// ReplaceBars puts the bars in the place of all in r.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	if bars.Len() == 0 {
		return ports.WriteReport{}, translate("replace bars", bars.Key(), ports.ErrNothingToReplace)
	}

	report, err := s.change(ctx, bars, r, func(c *change) error {
		c.empty(r)
		return c.write(ports.ConflictReplace)
	})

	return report, translate("replace bars", bars.Key(), err)
}

// DeleteBars removes the bars and the coverage of r.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	report, err := s.change(ctx, domain.EmptySeries(key), r, func(c *change) error {
		c.empty(r)
		c.covers = false
		return nil
	})

	return report, translate("delete bars", key, err)
}

// change is a write to one series.
type change struct {
	bars   domain.Series        // to be written
	before map[int64]domain.Bar // by open time
	after  map[int64]domain.Bar
	report ports.WriteReport
	covers bool // the range is covered afterwards
}

// empty removes all bars in r.
func (c *change) empty(r domain.Range) {
	maps.DeleteFunc(c.after, func(_ int64, b domain.Bar) bool { return r.Contains(b.OpenTime) })
	c.report.Deleted = len(c.before) - len(c.after)
}

// write writes the bars. A bar that was there before counts as changed, also where it was removed.
func (c *change) write(onConflict ports.ConflictPolicy) error {
	var conflicts ports.ConflictError
	for _, b := range c.bars.All() {
		at := b.OpenTime.UnixMicro()
		old, isStored := c.before[at]
		if _, isLeft := c.after[at]; isStored && !isLeft {
			c.report.Deleted--
		}
		switch {
		case !isStored:
			c.report.Inserted++
		case b.Equal(old):
			c.report.Unchanged++
		case onConflict == ports.ConflictReplace:
			c.report.Changed++
		case onConflict == ports.ConflictKeep:
			c.report.Kept++
			b = old
		default:
			conflicts.Add(b.OpenTime, 1)
		}
		c.after[at] = b
	}
	if conflicts.Rows > 0 {
		return &conflicts
	}

	return nil
}

// change makes a change in r, or none if it fails.
func (s *Store) change(
	ctx context.Context, bars domain.Series, r domain.Range, do func(*change) error,
) (report ports.WriteReport, err error) {
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
	c := &change{bars: bars, before: map[int64]domain.Bar{}, covers: true}
	for _, b := range s.bars[key].All() {
		c.before[b.OpenTime.UnixMicro()] = b
	}
	c.after = maps.Clone(c.before)
	if err := do(c); err != nil {
		return report, err
	}

	list := slices.SortedFunc(maps.Values(c.after), func(a, b domain.Bar) int { return a.OpenTime.Compare(b.OpenTime) })
	all, err := domain.NewSeries(key, list...)
	if err != nil {
		return report, err
	}

	s.bars[key] = all
	s.claims[key] = cut(s.claims[key], r)
	if c.covers {
		s.claims[key] = domain.MergeRanges(append(s.claims[key], r))
	}

	return c.report, nil
}

func cut(ranges []domain.Range, r domain.Range) []domain.Range {
	var left []domain.Range
	for _, o := range ranges {
		left = append(left, o.Subtract([]domain.Range{r})...)
	}
	return left
}

// Extents yields what was claimed.
func (s *Store) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) { return s.extents(ctx, q) })
}

func (s *Store) extents(ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("extents", domain.SeriesKey{}, err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	var extents []domain.Extent
	for key, claims := range s.claims {
		if !q.Selects(key.Symbol) {
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
	switch {
	case kind != nil:
	case errors.Is(err, ports.ErrConflict):
		kind = ports.ErrConflict
	default:
		kind = ports.ErrInvalid // whatever else this store refuses is the caller's
	}
	return &ports.Error{Kind: kind, Op: op, Store: "external", Subject: key.String(), Err: err}
}
