package contract

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// extentLaws are the laws on declared coverage.
var extentLaws = []law[Store]{
	{
		name: "extents/coverage_is_stored",
		text: "coverage is stored as declared, also beyond the first and the last bar, and is not inferred",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error {
					return second(ports.WriteBars(ctx, s.Bars, bars(key, start, 5, 1), span(-100, 200), ports.ConflictReplace))
				},
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(-100, 200)}) },
			)
		},
	},
	{
		name: "extents/touching_merge",
		text: "declared ranges that touch, overlap or contain one another are one extent",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error { return declare(ctx, s, key, span(0, 10), span(10, 20), span(15, 30), span(5, 25)) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(0, 30)}) },
				func() error { return declare(ctx, s, key, span(40, 50), span(-10, 0)) },
				func() error {
					return wantExtents(ctx, s, nil,
						domain.Extent{Key: key, Range: span(-10, 30)}, domain.Extent{Key: key, Range: span(40, 50)})
				},
				func() error { return declare(ctx, s, key, span(30, 40)) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(-10, 50)}) },
			)
		},
	},
	{
		name: "extents/apart_stay_apart",
		text: "declared ranges with a gap between them are two extents, for any bars",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 20, 1)
			return steps(
				func() error { return write(ctx, s, b.Slice(11, 20)) },
				func() error { return write(ctx, s, b.Slice(0, 10)) },
				func() error {
					return wantExtents(ctx, s, nil,
						domain.Extent{Key: key, Range: span(0, 10)}, domain.Extent{Key: key, Range: span(11, 20)})
				},
			)
		},
	},
	{
		name: "extents/coverage_without_bars",
		text: "coverage without a bar is stored: nothing traded there",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error { return declare(ctx, s, key, span(5, 15)) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(5, 15)}) },
				func() error { return wantBars(ctx, s, all(key), domain.EmptySeries(key)) },
			)
		},
	},
	{
		name: "extents/empty_coverage",
		text: "an empty range declares no coverage",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error { return declare(ctx, s, key, span(5, 5)) },
				func() error { return wantExtents(ctx, s, nil) },
				func() error { return declare(ctx, s, key, span(0, 10), span(20, 20)) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(0, 10)}) },
			)
		},
	},
	{
		name: "extents/by_key",
		text: "coverage is per key, ordered by key and then by start",
		check: func(ctx context.Context, s Store) error {
			eth, dash := minuteKey("ETH/USD"), minuteKey("BTC-USD")
			hour := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Hour1.UTC()}
			bid := domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceBid}
			half := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Second30.UTC()}
			var want []domain.Extent
			for _, k := range []domain.SeriesKey{dash, half, key, bid, hour, eth} { // in the order of SeriesKey.Compare
				want = append(want, domain.Extent{Key: k, Range: span(0, 60)}, domain.Extent{Key: k, Range: span(120, 180)})
			}
			for i := range want { // written in another order
				e := want[(i*5+7)%len(want)]
				if err := declare(ctx, s, e.Key, e.Range); err != nil {
					return err
				}
			}

			return wantExtents(ctx, s, nil, want...)
		},
	},
	{
		name: "extents/behind_a_symbol",
		text: "the extents behind a symbol are those of the later symbols, bytewise; a sequence may be broken off, and " +
			"ranged over again",
		check: func(ctx context.Context, s Store) error {
			var stored []domain.Extent
			for _, symbol := range []domain.Symbol{"BTC-USD", "BTC/USD", "BTC/USDT", "ETH/USD"} {
				e := domain.Extent{Key: minuteKey(symbol), Range: span(0, 10)}
				if stored = append(stored, e); declare(ctx, s, e.Key, e.Range) != nil {
					return declare(ctx, s, e.Key, e.Range)
				}
			}

			some := []domain.Symbol{"ETH/USD", "BTC/USD"}
			later := s.Bars.Extents(ctx, ports.ExtentQuery{After: "BTC/USD"})
			for range later {
				break
			}

			return steps(
				func() error { return wantListing(later, stored[2:]...) },
				func() error { return wantListing(later, stored[2:]...) },
				func() error {
					query := ports.ExtentQuery{After: "BTC/USD", Symbols: some}
					return wantListing(s.Bars.Extents(ctx, query), stored[3])
				},
				func() error { return wantListing(s.Bars.Extents(ctx, ports.ExtentQuery{After: "ETH/USD"})) },
			)
		},
	},
	{
		name: "extents/local_lookup",
		text: "coverage that is looked up without blocking is that of the sequence",
		check: func(ctx context.Context, s Store) error {
			local, isLocal := portOf[ports.LocalCoverage](s.Bars)
			if !isLocal {
				return notApplicableError("the store looks no coverage up without blocking")
			}

			for _, symbol := range []domain.Symbol{key.Symbol, "ETH/USD"} {
				if err := declare(ctx, s, minuteKey(symbol), span(0, 10), span(20, 30)); err != nil {
					return err
				}
			}
			for _, symbol := range []domain.Symbol{"ETH/USD", "NO/SUCH", key.Symbol} {
				q := ports.ExtentQuery{Symbols: []domain.Symbol{symbol}}
				if found, isBelieved := local.LocalExtents(symbol, 0); isBelieved {
					if err := wantListing(s.Bars.Extents(ctx, q), found...); err != nil {
						return err
					}
				}
			}

			return nil
		},
	},
	{
		name: "extents/of_the_symbols_asked",
		text: "the extents of named symbols are those of all their series only; an unknown symbol adds none, a " +
			"repeated one adds once",
		check: func(ctx context.Context, s Store) error {
			bid := domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceBid}
			eth := minuteKey("ETH/USD")
			for _, k := range []domain.SeriesKey{key, bid, eth, minuteKey("BTC/USDT"), minuteKey("BTC/US")} {
				if err := declare(ctx, s, k, span(0, 10)); err != nil {
					return err
				}
			}

			btc := []domain.Extent{{Key: key, Range: span(0, 10)}, {Key: bid, Range: span(0, 10)}}

			return steps(
				func() error { return wantExtents(ctx, s, []domain.Symbol{"BTC/USD"}, btc...) },
				func() error { return wantExtents(ctx, s, []domain.Symbol{"NO/SUCH"}) },
				func() error {
					return wantExtents(ctx, s, []domain.Symbol{"ETH/USD", "NO/SUCH", "BTC/USD", "ETH/USD"},
						append(btc, domain.Extent{Key: eth, Range: span(0, 10)})...)
				},
			)
		},
	},
	{
		name: "extents/bounds_are_exact",
		text: "the bounds of an extent are those declared, to the microsecond, in UTC",
		check: func(ctx context.Context, s Store) error {
			zone := time.FixedZone("behind", -3*60*60)
			r := domain.Range{Start: start.Add(time.Microsecond).In(zone), End: minutes(10).Add(999_999 * time.Microsecond).In(zone)}
			if err := declare(ctx, s, key, r); err != nil {
				return err
			}
			if err := wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: r}); err != nil {
				return err
			}

			stored, err := ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{}))
			if err != nil {
				return err
			}

			for _, t := range []time.Time{stored[0].Range.Start, stored[0].Range.End} {
				if t.Location() != time.UTC {
					return fmt.Errorf("Extents got the bound %s in the location %q, want UTC", t, t.Location())
				}
			}

			return nil
		},
	},
}

// declare declares coverage of the ranges, without bars.
func declare(ctx context.Context, s Store, k domain.SeriesKey, ranges ...domain.Range) error {
	for _, r := range ranges {
		if _, err := ports.WriteBars(ctx, s.Bars, domain.EmptySeries(k), r, ports.ConflictReplace); err != nil {
			return err
		}
	}

	return nil
}
