package plan

import (
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/domain"
)

// Bars makes the bars of key that a leg from bars answers out of what its reads yield, one read after the other: pieces in, pieces
// out, ascending, none empty. Bars of the grid asked for pass through as they are. An error ends it, as it ends the pieces.
func (l Leg) FromBars(key domain.SeriesKey, pieces iter.Seq2[domain.Series, error]) iter.Seq2[domain.Series, error] {
	if l.Rows == BarRows && l.Grid == key.Grid {
		return pieces
	}
	return made(l, BarRows, key, pieces, (*domain.Resampler).AddBars)
}

// FromTrades is to a leg from trades what Bars is to one from bars.
func (l Leg) FromTrades(key domain.SeriesKey, pieces iter.Seq2[domain.Trades, error]) iter.Seq2[domain.Series, error] {
	return made(l, TradeRows, key, pieces, (*domain.Resampler).AddTrades)
}

// FromQuotes is to a leg from quotes what Bars is to one from bars.
func (l Leg) FromQuotes(key domain.SeriesKey, pieces iter.Seq2[domain.Quotes, error]) iter.Seq2[domain.Series, error] {
	return made(l, QuoteRows, key, pieces, (*domain.Resampler).AddQuotes)
}

// made resamples the pieces with add.
func made[P any](
	l Leg, from RowKind, key domain.SeriesKey, pieces iter.Seq2[P, error], add func(*domain.Resampler, P) (domain.Series, error),
) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		if l.Rows != from {
			yield(domain.Series{}, fmt.Errorf("a leg from %s cannot be made of %s: %w", l.Rows, from, domain.ErrInvalid))
			return
		}

		resampler, err := domain.NewResampler(key)
		if err != nil {
			yield(domain.Series{}, err)
			return
		}

		for p, err := range pieces {
			var bars domain.Series
			if err == nil {
				bars, err = add(resampler, p)
			}
			if err != nil {
				yield(domain.Series{}, err)
				return
			}
			if bars.Len() > 0 && !yield(bars, nil) {
				return
			}
		}

		if last := resampler.Flush(); last.Len() > 0 {
			yield(last, nil)
		}
	}
}
