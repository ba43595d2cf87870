package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.TradeAggregator = (*Store)(nil)

// AggregateTrades implements ports.TradeAggregator. SQLite has no decimals: its sums are floats or 64-bit integers, its order that of
// floats or of texts. It finds the trades, and what is exact is done here while they come, a piece at a time; SQLite runs in this
// process, so no trade goes further than it would to an aggregate of its own.
func (s *Store) AggregateTrades(ctx context.Context, key domain.SeriesKey, r domain.Range) iter.Seq2[domain.Series, error] {
	return stream(ctx, "aggregate trades", key.String(), func(yield func(domain.Series) bool) error {
		err := s.aggregateTrades(ctx, key, r, yield)
		if errors.Is(err, domain.ErrOverflow) {
			err = fmt.Errorf("%w: %w", ports.ErrCorruptData, err)
		}
		if err == nil {
			err = ctx.Err()
		}

		return err
	})
}

func (s *Store) aggregateTrades(ctx context.Context, key domain.SeriesKey, r domain.Range, yield func(domain.Series) bool) error {
	resampler, err := domain.NewResampler(key)
	if err != nil {
		return err
	}
	if key.PriceType != domain.PriceTrade {
		return fmt.Errorf("bars of the %s price are not made of trades: %w", key.PriceType, domain.ErrInvalid)
	}

	more := true
	var failed error
	err = tradeTable.read(ctx, s.read, ports.TickQuery{Symbol: key.Symbol, Range: key.Grid.Align(r)}, func(trades domain.Trades) bool {
		var bars domain.Series
		if bars, failed = resampler.AddTrades(trades); failed != nil {
			return false
		}

		more = bars.Len() == 0 || yield(bars)
		return more
	})
	if err := errors.Join(failed, err); err != nil || !more {
		return err
	}

	if last := resampler.Flush(); last.Len() > 0 {
		yield(last)
	}
	return nil
}
