package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.TradeAggregator = (*Store)(nil)

// AggregateTrades implements ports.TradeAggregator. It aggregates in this process instead of SQL, because SQLite has no
// exact decimals: it sums floats or 64-bit integers and compares floats or text. That costs no extra copy, because
// SQLite runs in this process too.
func (s *Store) AggregateTrades(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) ports.Sequence[domain.Series] {
	return singleUse(ctx, "aggregate trades", key.String(), func(yield func(ports.Piece[domain.Series]) bool) error {
		resampler, err := domain.NewResampler(key)
		if err != nil {
			return err
		}
		if key.PriceType != domain.PriceTrade {
			return fmt.Errorf("trades cannot be aggregated to bars of the %s price: %w", key.PriceType, domain.ErrInvalid)
		}

		q := ports.TickQuery{Symbol: key.Symbol, Range: key.Grid.Align(r)}
		pieces := statePieces[domain.Series]{empty: domain.EmptySeries(key), yield: yield}
		err = pieces.read(ctx, s, tradeTable.stateQuery(q), func(series storedSeries) error {
			return aggregateTrades(ctx, series, q, resampler, pieces.put)
		})
		if errors.Is(err, domain.ErrOverflow) {
			err = corruptError(err)
		}

		return err
	})
}

// aggregateTrades yields the bars of the trades that q selects.
func aggregateTrades(
	ctx context.Context, series storedSeries, q ports.TickQuery, resampler *domain.Resampler,
	yield func(domain.Series) bool,
) error {
	more := true
	var resampleErr error
	err := tradeTable.read(ctx, series, q, func(trades domain.Trades) bool {
		var bars domain.Series
		if bars, resampleErr = resampler.AddTrades(trades); resampleErr != nil {
			return false
		}

		more = bars.Len() == 0 || yield(bars)

		return more
	})
	if err := errors.Join(resampleErr, err); err != nil || !more {
		return err
	}

	if last := resampler.Flush(); last.Len() > 0 {
		yield(last)
	}

	return nil
}
