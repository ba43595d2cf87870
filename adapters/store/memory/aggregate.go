package memory

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.TradeAggregator = (*Store)(nil)

// AggregateTrades implements ports.TradeAggregator. It aggregates the trades that are stored when the iteration begins.
func (s *Store) AggregateTrades(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) ports.Sequence[domain.Series] {
	trades := s.trades.read(ctx, key.Symbol, key.Grid.Align(r), 0, 0)
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		fail := func(err error) {
			yield(ports.Piece[domain.Series]{}, translate("aggregate trades", key.String(), err))
		}
		resampler, err := domain.NewResampler(key)
		if err == nil && key.PriceType != domain.PriceTrade {
			err = fmt.Errorf("bars of the %s price cannot be aggregated from trades: %w",
				key.PriceType, domain.ErrInvalid)
		}
		if err != nil {
			fail(err)
			return
		}

		for piece, err := range trades {
			if err != nil {
				yield(ports.Piece[domain.Series]{}, err)
				return
			}

			bars, err := resampler.AddTrades(piece.Rows)
			if err != nil {
				fail(err)
				return
			}
			if bars.Len() == 0 {
				bars = domain.EmptySeries(key)
			}
			if (bars.Len() > 0 || piece.State != nil) &&
				!yield(ports.Piece[domain.Series]{Rows: bars, State: piece.State}, nil) {
				return
			}
		}

		if last := resampler.Flush(); last.Len() > 0 {
			yield(ports.Piece[domain.Series]{Rows: last}, nil)
		}
	}
}
