package app

import (
	"context"
	"math"
	"slices"

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
			return f.soundPart(bars, fatal, wanted), nil
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

// soundPart leaves what is needed for so many sound bars, counted from the end that First or Last names; those at the fatal
// indices do not count.
func (f *fetch) soundPart(bars domain.Series, fatal []int, wanted int) domain.Series {
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

// collect reads the answer to q whole, and no more sound bars than may be returned.
func (f *fetch) collect(ctx context.Context, q ports.BarQuery) (domain.Series, error) {
	var (
		pieces      []domain.Series
		read, sound int
	)
	take := func(p domain.Series) error {
		read += p.Len()
		sound += p.Len()
		if f.request.Quality == domain.QualityDrop {
			sound -= len(f.fatal(p))
		}
		if limit := *f.cfg.MaxBars; limit > 0 && sound > limit && !f.few() {
			return f.cfg.tooMany(q.Range)
		}
		pieces = append(pieces, p)
		return nil
	}
	like := domain.EmptySeries(q.Key)
	if err := gather(f.store, f.store.Bars.ReadBars(ctx, q), barPieces(), like, q.Range, max(q.First, q.Last), take); err != nil {
		return domain.Series{}, err
	}
	return joined(like, pieces, read)
}

// joined is the pieces as one Series of so many bars, none where there is none; a single piece is not copied.
func joined(none domain.Series, pieces []domain.Series, bars int) (domain.Series, error) {
	switch len(pieces) {
	case 0:
		return none, nil
	case 1:
		return pieces[0], nil
	}
	b := domain.NewSeriesBuilder(none.Key(), bars)
	for _, p := range pieces {
		if err := b.AppendSeries(p); err != nil {
			return domain.Series{}, err
		}
	}
	return b.Series()
}
