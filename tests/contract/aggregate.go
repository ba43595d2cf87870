package contract

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TradeAggregator tests a store that aggregates its trades to bars against every law of ports.TradeAggregator.
func TradeAggregator(t *testing.T, open Open, p Profile) {
	t.Helper()
	aggregateSuite.run(t, open, p)
}

// aggregateGrids are fixed grids, and calendar grids in zones with and without daylight saving.
var aggregateGrids = []string{
	"1s", "7m", "1h", "5h", "1d", "3d", "1w", "1M", "12M",
	"1d@America/New_York", "1w@Europe/London", "1M@Asia/Kolkata", "3M@America/New_York", "1d@Pacific/Apia",
}

// aggregateLaws are the laws of ports.TradeAggregator.
var aggregateLaws = []law[Store]{
	{
		name: "aggregate/equals_resampling",
		text: "on a grid of any length and zone, across daylight saving, the bars are those that domain.Resampler " +
			"makes of the trades",
		check: func(ctx context.Context, s Store) error {
			// A prime number of seconds apart, so that they fall anywhere: around the days on which clocks change, and
			// before 1970.
			var pieces []domain.Trades
			for _, from := range []string{"1969-12-28", "2011-12-27", "2024-03-08", "2024-10-25"} {
				at := must(time.Parse(time.DateOnly, from))
				pieces = append(pieces, tradesEvery(at, 4409*time.Second, 150))
			}

			trades := joinTrades(pieces...)
			if err := putTrades(ctx, s, trades); err != nil {
				return err
			}

			for _, grid := range aggregateGrids {
				if err := wantAggregate(ctx, s, gridKey(grid), trades.Range(), trades); err != nil {
					return err
				}
			}

			return nil
		},
	},
	{
		name: "aggregate/opens_and_closes",
		text: "a bar opens with the least of its trades by time and number and closes with the greatest, whenever " +
			"they were written",
		check: func(ctx context.Context, s Store) error {
			trades := tradesEvery(start, 0, 40) // of one instant
			for _, r := range [][2]int{{20, 40}, {0, 20}} {
				if err := putTrades(ctx, s, trades.Slice(r[0], r[1])); err != nil {
					return err
				}
			}

			return wantAggregate(ctx, s, key, always, trades)
		},
	},
	{
		name: "aggregate/without_trades_is_absent",
		text: "a bar without a trade is absent, and a range or a symbol without trades has an empty result",
		check: func(ctx context.Context, s Store) error {
			trades := joinTrades(tradesEvery(start, time.Second, 10), tradesEvery(minutes(100), time.Second, 10))
			return steps(
				func() error { return putTrades(ctx, s, trades) },
				func() error { return wantAggregate(ctx, s, key, span(0, 200), trades) },
				func() error { return wantAggregate(ctx, s, key, span(10, 90), trades) },
				func() error { return wantAggregate(ctx, s, minuteKey("ETH/USD"), always, domain.Trades{}) },
			)
		},
	},
	{
		name: "aggregate/range_is_of_open_times",
		text: "the bars are those that open in the range, each complete, also if the bounds of the range are off " +
			"the grid",
		check: func(ctx context.Context, s Store) error {
			trades := tradesEvery(start, 11*time.Second, 600)
			if err := putTrades(ctx, s, trades); err != nil {
				return err
			}

			const us = time.Microsecond
			for _, grid := range []string{"5m", "1d", "1d@America/New_York"} {
				for _, r := range []domain.Range{
					span(0, 60), span(3, 58), span(5, 5), span(29, 31), {Start: minutes(5).Add(us), End: minutes(10).Add(us)},
					{Start: minutes(5).Add(-us), End: minutes(10).Add(-us)}, {Start: minutes(30), End: minutes(30).Add(us)},
				} {
					if err := wantAggregate(ctx, s, gridKey(grid), r, trades); err != nil {
						return err
					}
				}
			}

			return nil
		},
	},
	{
		name: "aggregate/widest_range_is_everything",
		text: "a range from the year 1 to the year 9999 is everything, on a calendar's grid too",
		check: func(ctx context.Context, s Store) error {
			trades := joinTrades(tradesEvery(start, time.Hour, 100), tradesEvery(start.AddDate(1, 0, 0), time.Hour, 100))
			if err := putTrades(ctx, s, trades); err != nil {
				return err
			}

			widest := domain.Range{
				Start: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC),
				End:   time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC),
			}
			for _, grid := range []string{"1s", "1w", "1d@America/New_York"} {
				if err := wantAggregate(ctx, s, gridKey(grid), widest, trades); err != nil {
					return err
				}
			}

			unknown := domain.SeriesKey{Symbol: "ETH/USD", Grid: gridKey("1d@America/New_York").Grid}

			return wantAggregate(ctx, s, unknown, widest, domain.Trades{})
		},
	},
	{
		name: "aggregate/exact",
		text: "prices and sums of sizes are exact, of as many digits as a number has",
		check: func(ctx context.Context, s Store) error {
			trades := tradesOf(decimals("0.000000000000000001", "0.1", "0.2", "12345678901234567890.123456789012345678",
				"9223372036854775807", "1", "40000000000000000000", "0.3", "0"))
			return steps(
				func() error { return putTrades(ctx, s, trades) },
				func() error { return wantAggregate(ctx, s, gridKey("1h"), always, trades) },
			)
		},
	},
	{
		name: "aggregate/overflow",
		text: "a volume of more digits than a number has is ErrCorruptData, never a bar",
		check: func(ctx context.Context, s Store) error {
			trades := tradesOf(decimals("99999999999999999999", "99999999999999999999"))
			if err := putTrades(ctx, s, trades); err != nil {
				return err
			}

			return wantNoBar(ctx, s)
		},
	},
	{
		name: "aggregate/corrupt",
		text: "a trade that no Trades can hold is ErrCorruptData, never part of a bar",
		check: func(ctx context.Context, s Store) error {
			plant := s.Corrupt[DefectTradeSize]
			if plant == nil {
				return notApplicableError("the harness plants no defect " + string(DefectTradeSize))
			}

			trades := tradesEvery(start, time.Second, 10)

			return steps(
				func() error { return putTrades(ctx, s, trades) },
				func() error { return plant(ctx, gridKey("1h"), trades.Time(5)) },
				func() error { return wantNoBar(ctx, s) },
			)
		},
	},
	{
		name: "aggregate/of_trade_prices",
		text: "bars of another price than that of trades are ErrInvalid",
		check: func(ctx context.Context, s Store) error {
			for _, kind := range []domain.PriceType{domain.PriceBid, domain.PriceMid} {
				k := key
				k.PriceType = kind
				_, err := aggregate(ctx, s, k, always)
				if err := wantError(err, ports.ErrInvalid); err != nil {
					return err
				}
			}

			return nil
		},
	},
	{
		name: "aggregate/single_use",
		text: "the sequence is single use, and stopping the iteration affects no other read",
		check: func(ctx context.Context, s Store) error {
			trades := tradesEvery(start, time.Minute, 3*manyBars)
			if err := putTrades(ctx, s, trades); err != nil {
				return err
			}

			sequence := s.Aggregator.AggregateTrades(ctx, key, always).Rows()
			for _, err := range sequence {
				if err != nil {
					return err
				}
				break
			}

			var again error
			for piece, err := range sequence {
				if piece.Len() > 0 {
					return fmt.Errorf("a second range over AggregateTrades got %s, want an error", piece)
				}
				again = err
			}

			return steps(
				func() error { return wantError(again, ports.ErrInvalid) },
				func() error { return wantAggregate(ctx, s, key, always, trades) },
			)
		},
	},
	{
		name: "aggregate/cancelled",
		text: "a cancelled call is an error that wraps the context's, before the first bar and between two pieces",
		check: func(ctx context.Context, s Store) error {
			trades := tradesEvery(start, time.Minute, 3*manyBars)
			if err := putTrades(ctx, s, trades); err != nil {
				return err
			}

			gone, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := aggregate(gone, s, key, always); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("AggregateTrades, cancelled before the call, got %s, want context.Canceled", errorText(err))
			}

			inside, cancel := context.WithCancel(ctx)
			defer cancel()
			var last error
			for _, err := range s.Aggregator.AggregateTrades(inside, key, always).Rows() {
				cancel()
				last = err
			}
			if !errors.Is(last, context.Canceled) {
				return fmt.Errorf("AggregateTrades, cancelled at its first piece, got %s at its end, want context.Canceled", errorText(last))
			}

			return nil
		},
	},
}

// tradesEvery returns n trades of key's symbol at the given distance. Their prices and sizes differ.
func tradesEvery(from time.Time, apart time.Duration, n int) domain.Trades {
	b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
	for i := range n {
		price := 10_000 + 7919*i%4001 // neither the first nor the last is the highest
		mustDo(b.Append(domain.Trade{Time: from.Add(time.Duration(i) * apart), Seq: int64(i),
			Price: number(price), Size: number(i + 1), Side: domain.Side(i % 3)}))
	}

	return must(b.Ticks())
}

// tradesOf returns one trade for each number, which is its price and its size, a second apart.
func tradesOf(numbers []domain.Decimal) domain.Trades {
	b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
	for i, n := range numbers {
		mustDo(b.Append(domain.Trade{Time: start.Add(time.Duration(i) * time.Second), Price: n, Size: n}))
	}

	return must(b.Ticks())
}

func joinTrades(pieces ...domain.Trades) domain.Trades { return tradeForm.joined(pieces...) }

func putTrades(ctx context.Context, s Store, trades domain.Trades) error {
	_, err := s.Ticks.WriteTrades(ctx, trades, trades.Range(), ports.ConflictReplace)
	return err
}

// aggregate returns the bars of an aggregation, and checks the form of the sequence.
func aggregate(ctx context.Context, s Store, k domain.SeriesKey, r domain.Range) (domain.Series, error) {
	return collect(k, s.Aggregator.AggregateTrades(ctx, k, r))
}

// wantAggregate compares an aggregation with the bars that domain.Resampler makes of the stored trades.
func wantAggregate(ctx context.Context, s Store, k domain.SeriesKey, r domain.Range, stored domain.Trades) error {
	resampler := must(domain.NewResampler(k))
	most := must(resampler.AddTrades(stored.Clip(k.Grid.Align(r))))
	want := join(domain.EmptySeries(k), most, resampler.Flush())
	got, err := aggregate(ctx, s, k, r)
	if err != nil {
		return err
	}
	if err := sameBars(got, want); err != nil {
		return fmt.Errorf("AggregateTrades %s in %s: %w", k, r, err)
	}

	return nil
}

// wantNoBar fails unless the hour of the trades is ErrCorruptData.
func wantNoBar(ctx context.Context, s Store) error {
	got, err := aggregate(ctx, s, gridKey("1h"), always)
	if err == nil {
		return fmt.Errorf("AggregateTrades got %s, want the error corrupt data", got)
	}

	return wantError(err, ports.ErrCorruptData)
}
