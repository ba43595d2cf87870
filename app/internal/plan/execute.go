package plan

import (
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// FromBars makes the leg's bars of key out of the stored bars that its reads return, one read after the other. The
// result ascends, and has no empty piece and none that spans a hole. Bars of the requested grid pass unchanged. An
// error of pieces ends it.
func (l Leg) FromBars(key domain.SeriesKey, pieces iter.Seq2[domain.Series, error]) iter.Seq2[domain.Series, error] {
	if l.Rows == ports.RowBars && l.Grid == key.Grid {
		return pieces
	}

	return resample(l, ports.RowBars, key, pieces, (*domain.Resampler).AddBars)
}

// FromTrades is FromBars for a leg of trades.
func (l Leg) FromTrades(key domain.SeriesKey, pieces iter.Seq2[domain.Trades, error]) iter.Seq2[domain.Series, error] {
	return resample(l, ports.RowTrades, key, pieces, (*domain.Resampler).AddTrades)
}

// FromQuotes is FromBars for a leg of quotes.
func (l Leg) FromQuotes(key domain.SeriesKey, pieces iter.Seq2[domain.Quotes, error]) iter.Seq2[domain.Series, error] {
	return resample(l, ports.RowQuotes, key, pieces, (*domain.Resampler).AddQuotes)
}

// clippable is rows of a series, or of a symbol's ticks.
type clippable[P any] interface {
	Len() int
	Clip(r domain.Range) P
	Range() domain.Range
}

// WithoutHoles returns the parts of the piece that lie outside of the leg's holes, each with a row or more: a store may
// have rows in a hole, of bars that are not covered whole, and one that keeps no versions may have undeclared ones.
func WithoutHoles[P clippable[P]](l Leg, piece P) []P {
	if len(l.Holes) == 0 || piece.Len() == 0 {
		return []P{piece}
	}

	var parts []P
	r := piece.Range()
	for _, covered := range r.Subtract(domain.ClipRanges(l.Holes, r)) {
		if part := piece.Clip(covered); part.Len() > 0 {
			parts = append(parts, part)
		}
	}

	return parts
}

// yieldWithoutHoles yields the bars in pieces of which none spans a hole of the leg, and reports whether to go on.
func yieldWithoutHoles(l Leg, bars domain.Series, yield func(domain.Series, error) bool) bool {
	for _, part := range WithoutHoles(l, bars) {
		if part.Len() > 0 && !yield(part, nil) {
			return false
		}
	}

	return true
}

// resample adds each piece to a Resampler and yields the bars that it completes. A Resampler keeps its last bar back,
// so its next bars may be of both sides of a hole.
func resample[P clippable[P]](
	l Leg, rows ports.RowKind, key domain.SeriesKey, pieces iter.Seq2[P, error],
	add func(*domain.Resampler, P) (domain.Series, error),
) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		if l.Rows != rows {
			yield(domain.Series{}, fmt.Errorf("a leg of %s cannot be made of %s: %w", l.Rows, rows, domain.ErrInvalid))
			return
		}

		resampler, err := domain.NewResampler(key)
		if err != nil {
			yield(domain.Series{}, err)
			return
		}

		for p, err := range pieces {
			if err != nil {
				yield(domain.Series{}, err)
				return
			}

			for _, rows := range WithoutHoles(l, p) {
				bars, err := add(resampler, rows)
				if err != nil {
					yield(domain.Series{}, err)
					return
				}
				if !yieldWithoutHoles(l, bars, yield) {
					return
				}
			}
		}

		if last := resampler.Flush(); last.Len() > 0 {
			yield(last, nil)
		}
	}
}
