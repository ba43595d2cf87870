package contract

import (
	"context"
	"fmt"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// callerLaws are the laws on data that the caller shares with the store.
var callerLaws = []law[Store]{
	{
		name: "caller/slices_unchanged",
		text: "a store never changes a slice of the caller",
		check: func(ctx context.Context, s Store) error {
			for _, symbol := range []domain.Symbol{"A/USD", "B/USD", "C/USD"} {
				if err := write(ctx, s, bars(minuteKey(symbol), start, 3, 1)); err != nil {
					return err
				}
			}

			symbols := []domain.Symbol{"C/USD", "NO/SUCH", "A/USD", "C/USD", "B/USD"}
			before := slices.Clone(symbols)
			if _, err := ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{Symbols: symbols})); err != nil {
				return err
			}
			if !slices.Equal(symbols, before) {
				return fmt.Errorf("Extents changed its Symbols: got %v, want %v", symbols, before)
			}

			return nil
		},
	},
	{
		name: "caller/series_stay",
		text: "a later operation of the store never changes a Series that was written or read",
		check: func(ctx context.Context, s Store) error {
			written := bars(key, start, 10, 1)
			if err := write(ctx, s, written); err != nil {
				return err
			}

			got, err := read(ctx, s, all(key))
			if err != nil {
				return err
			}

			var pieces []domain.Series // not copied
			for piece, err := range s.Bars.ReadBars(ctx, all(key)).Rows() {
				if err != nil {
					return err
				}
				pieces = append(pieces, piece)
			}

			return steps(
				func() error { return write(ctx, s, bars(key, start, 10, 60)) },
				func() error { return second(s.Bars.DeleteBars(ctx, key, span(3, 6))) },
				func() error { return sameBars(written, bars(key, start, 10, 1)) },
				func() error { return sameBars(got, written) },
				func() error { return sameBars(join(pieces...), written) },
			)
		},
	},
}
