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
		f.answer = gathering[domain.Series]{
			form: barPieces(), store: f.store, like: domain.EmptySeries(f.request.Key), within: f.within, wanted: ask,
		}
		if wanted == 0 {
			f.answer.limit = *f.cfg.MaxBars
		}
		if f.request.Quality == domain.QualityDrop {
			f.answer.counts = func(s domain.Series) int { return s.Len() - len(f.fatal(s)) }
		}
		bars, err := call(ctx, &f.caller, collect, f)
		if err != nil || wanted == 0 || f.request.Quality != domain.QualityDrop {
			return bars, err
		}
		fatal := f.fatal(bars)
		if bars.Len()-len(fatal) >= wanted || bars.Len() < ask {
			return f.soundPart(bars, fatal, wanted), nil
		}
	}
}

// collect reads the whole answer that f waits for.
func collect(ctx context.Context, s *store, f *fetch) (domain.Series, error) {
	q := ports.BarQuery{Key: f.request.Key, Range: f.within}
	if f.request.First > 0 {
		q.First = f.answer.wanted
	} else {
		q.Last = f.answer.wanted
	}
	if err := f.answer.from(s.Bars.ReadBars(ctx, q)); err != nil {
		return domain.Series{}, err
	}
	return joined(f.answer.like, f.answer.pieces, f.answer.rows)
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
