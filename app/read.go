package app

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// read returns the bars to judge. First and Last count bars as returned, so where bars will be dropped it reads further, twice as
// many each time, until enough are sound or the range is exhausted.
func (f *fetch) read(ctx context.Context) (domain.Series, error) {
	wanted := max(f.request.First, f.request.Last)
	for ask := wanted; ; ask = double(ask) {
		q := ports.BarQuery{Key: f.request.Key, Range: f.within}
		if f.request.First > 0 {
			q.First = ask
		} else {
			q.Last = ask
		}
		bars, err := call(ctx, f.caller, func(ctx context.Context) (domain.Series, error) { return f.collect(ctx, q) })
		if err != nil || wanted == 0 || f.request.Quality != domain.QualityDrop {
			return bars, err
		}
		fatal := f.fatal(bars)
		if bars.Len()-len(fatal) >= wanted || bars.Len() < ask {
			return f.cut(bars, fatal, wanted), nil
		}
	}
}

func double(n int) int {
	if n > math.MaxInt/2 {
		return math.MaxInt
	}
	return 2 * n
}

// fatal is the indices of the bars that will be dropped.
func (f *fetch) fatal(bars domain.Series) []int {
	return domain.NewJudge(f.within, f.now).Check(bars).Fatal
}

// cut leaves what is needed for so many sound bars, counted from the end that First or Last names; those at the fatal indices do
// not count.
func (f *fetch) cut(bars domain.Series, fatal []int, wanted int) domain.Series {
	n := bars.Len()
	for i := range n {
		at := i
		if f.request.Last > 0 {
			at = n - 1 - i
		}
		if _, dropped := slices.BinarySearch(fatal, at); dropped {
			continue
		}
		if wanted--; wanted > 0 {
			continue
		}
		if f.request.Last > 0 {
			return bars.Slice(at, n)
		}
		return bars.Slice(0, at+1)
	}
	return bars
}

// collect reads the answer to q whole. It trusts no piece: one that breaks the contract of ports.BarReader is an error.
func (f *fetch) collect(ctx context.Context, q ports.BarQuery) (domain.Series, error) {
	var (
		pieces []domain.Series
		read   int // bars
		sound  int // bars that will be returned
		after  time.Time
	)
	for piece, err := range f.store.ReadBars(ctx, q) {
		if err != nil {
			return domain.Series{}, err
		}
		if piece.Len() == 0 {
			return domain.Series{}, f.broken("a piece without a bar")
		}
		if piece.Key() != q.Key {
			return domain.Series{}, f.broken("a piece of %s", piece.Key())
		}
		first, last := piece.OpenTime(0), piece.OpenTime(piece.Len()-1)
		if !q.Range.Contains(first) || !q.Range.Contains(last) {
			return domain.Series{}, f.broken("bars from %s to %s, outside %s", stamp(first), stamp(last), q.Range)
		}
		if len(pieces) > 0 && !first.After(after) {
			return domain.Series{}, f.broken("a piece that begins at %s, after one that ended at %s", stamp(first), stamp(after))
		}
		after = last
		read += piece.Len()
		if n := max(q.First, q.Last); n > 0 && read > n {
			return domain.Series{}, f.broken("%d bars, more than the %d asked for", read, n)
		}
		sound += piece.Len()
		if f.request.Quality == domain.QualityDrop {
			sound -= len(f.fatal(piece))
		}
		if limit := *f.cfg.MaxBars; limit > 0 && sound > limit && !f.limited() {
			return domain.Series{}, &ports.Error{Kind: ports.ErrTooLarge, Err: fmt.Errorf("%s has more than the %d bars that are "+
				"returned at once (max_bars); ask for a shorter range, or for the first so many and go on from Next: %w",
				q.Range, limit, ports.ErrTooLarge)}
		}
		pieces = append(pieces, piece)
	}
	return joined(q.Key, pieces, read)
}

// broken is the error of a store that gave what no store may give.
func (f *fetch) broken(format string, args ...any) error {
	return &ports.Error{Kind: ports.ErrInternal, Err: fmt.Errorf("the store broke its contract: it gave "+format, args...)}
}

// joined is the pieces as one Series of so many bars; a single piece is not copied.
func joined(key domain.SeriesKey, pieces []domain.Series, bars int) (domain.Series, error) {
	switch len(pieces) {
	case 0:
		return domain.EmptySeries(key), nil
	case 1:
		return pieces[0], nil
	}
	b := domain.NewSeriesBuilder(key, bars)
	for _, p := range pieces {
		if err := b.AppendSeries(p); err != nil {
			return domain.Series{}, err
		}
	}
	return b.Series()
}
