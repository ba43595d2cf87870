package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// hostile are valid symbols that a store could misread as a pattern or a part of a query.
var hostile = []domain.Symbol{
	"--", "/", ":", "..", "../../ETC/PASSWD", "_", "A_C", "ABC", "A.C", "A-C", "NULL", "NAN", "TRUE", "SELECT", "0", "00", "1E5", "0X10",
	"-1", "A:B", "A:B/C", "A/B:C", "A:B:C", "BTC/USDT:USDT-240628-70000-C", domain.Symbol(strings.Repeat("Z", domain.MaxSymbolLength)),
	domain.Symbol(strings.Repeat("Z", domain.MaxSymbolLength-1)),
	"^GSPC", "ES=F", "EURUSD=X", "BRK.B", "kPEPE", "KPEPE", "$SPX", "$1", "$", "1INCH/USDT", "M&M.NS", "@ES#", "#", "NQ1!", "BAC+L",
	"abc", "aBC", "a_c", "null", "=", "A=B", "A==", "a/b", "z", "^", "_A", "&", "!", "+", "@",
}

// impossible are invalid symbols, because a caller may not have validated them.
var impossible = []domain.Symbol{
	"X' OR '1'='1", `X" OR 1=1 --`, "X'; DROP TABLE bars; --", "%", "*", "?", "BTC/%", "BTC\x00/USD", "BTC/USD ", "BTC=USD,X=1", "A B", "A(B)", "[A]", "{A}",
	`BTC\/USD`, "BTC\n/USD", "/.*/", "É", "A;B", "A|B", "<A>", "`A`", "~", "",
}

// keyLaws are the laws on keys and times: a series is found under its own key only, and times are instants.
var keyLaws = []law[Store]{
	{
		name: "symbol/hostile_is_data",
		text: "every valid symbol is a series of its own, even if a query language could misread it",
		check: func(ctx context.Context, s Store) error {
			for i, symbol := range hostile {
				if err := write(ctx, s, bars(minuteKey(symbol), start, 2, i)); err != nil {
					return fmt.Errorf("WriteBatch of %q: %w", symbol, err)
				}
			}

			for i, symbol := range hostile {
				k := minuteKey(symbol)
				b := bars(k, start, 2, i)
				if err := errors.Join(
					wantBars(ctx, s, all(k), b),
					wantExtents(ctx, s, []domain.Symbol{symbol}, domain.Extent{Key: k, Range: b.Range()}),
				); err != nil {
					return err
				}
			}

			return nil
		},
	},
	{
		name: "symbol/impossible_is_data",
		text: "a text that is no symbol is refused as invalid or found empty: it never reaches another series, and " +
			"breaks nothing",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 5, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for _, symbol := range impossible {
				k := minuteKey(symbol)
				if n, err := broken(ctx, s, all(k)); n > 0 || err != nil && !errors.Is(err, ports.ErrInvalid) {
					return fmt.Errorf("ReadBars %q got %d bars and %s, want none or ErrInvalid", symbol, n, errorText(err))
				}

				found, err := ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{symbol}}))
				if len(found) > 0 || err != nil && !errors.Is(err, ports.ErrInvalid) {
					return fmt.Errorf("Extents of %q got %v and %s, want none or ErrInvalid", symbol, found, errorText(err))
				}

				_, err = s.Bars.DeleteBars(ctx, k, always)
				if err != nil && !errors.Is(err, ports.ErrInvalid) {
					return fmt.Errorf("DeleteBars %q got %s, want none or ErrInvalid", symbol, errorText(err))
				}
			}

			return wantBars(ctx, s, all(key), b)
		},
	},
	{
		name: "symbol/unknown_is_empty",
		text: "a series that the store does not have has an empty result, not an error",
		check: func(ctx context.Context, s Store) error {
			none := minuteKey("NO/SUCH")
			half := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Second30.UTC()}
			return steps(
				func() error { return wantNothing(ctx, s, none) },
				func() error { return write(ctx, s, bars(key, start, 5, 1)) },
				func() error { return wantNothing(ctx, s, none) },
				func() error { return wantBars(ctx, s, all(half), domain.EmptySeries(half)) },
				func() error {
					return wantBars(ctx, s, ports.BarQuery{Key: none, Range: always, First: 3}, domain.EmptySeries(none))
				},
				func() error {
					return wantBars(ctx, s, ports.BarQuery{Key: none, Range: always, Last: 3}, domain.EmptySeries(none))
				},
			)
		},
	},
	{
		name:  "grid/frequencies_are_two_series",
		text:  "bars of one symbol on different grids are different series; a minute is not a month",
		check: apart(gridKey("1m"), gridKey("1M"), gridKey("1s"), gridKey("5m"), gridKey("1h"), gridKey("1d"), gridKey("7d"), gridKey("1w")),
	},
	{
		name:  "grid/zones_are_two_series",
		text:  "a day in New York and a day in UTC are two series, though some of their bars open together",
		check: apart(gridKey("1d"), gridKey("1d@America/New_York"), gridKey("1d@Europe/London"), gridKey("1d@Africa/Abidjan")),
	},
	{
		name: "kind/bid_and_trade_are_two_series",
		text: "bars of different price kinds are different series",
		check: apart(key,
			domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceBid},
			domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceAsk},
			domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceMid},
			domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceMark},
			domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceIndex},
		),
	},
	{
		name: "grid/calendar_bars",
		text: "bars of days, weeks and months keep their edges, across changes of daylight saving time too",
		check: func(ctx context.Context, s Store) error {
			for _, k := range []domain.SeriesKey{gridKey("1d@America/New_York"), gridKey("1w@Europe/London"), gridKey("1M"), gridKey("3d")} {
				b := bars(k, start, 400, 1)
				if err := steps(
					func() error { return write(ctx, s, b) },
					func() error { return wantBars(ctx, s, all(k), b) },
				); err != nil {
					return err
				}
			}

			return nil
		},
	},
	{
		name: "time/utc",
		text: "open times come in UTC",
		check: func(ctx context.Context, s Store) error {
			b := barAt(start.In(time.FixedZone("ahead", 9*60*60)), 1)
			if err := write(ctx, s, series(key, b)); err != nil {
				return err
			}

			got, err := read(ctx, s, all(key))
			if err != nil {
				return err
			}
			if got.Len() != 1 || !got.OpenTime(0).Equal(start) || got.OpenTime(0).Location() != time.UTC {
				return fmt.Errorf("got %s, want the bar of %s", got, start)
			}

			return nil
		},
	},
	{
		name: "time/far_from_now",
		text: "a bar may open in 1900, at the very second of 1970-01-01, or in 2199",
		check: func(ctx context.Context, s Store) error {
			at := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
			day := gridKey("1d")
			b := series(day, barAt(at(1900), 1), barAt(at(1970).AddDate(0, 0, -1), 2), barAt(at(1970), 3), barAt(at(2199), 4))
			era := domain.Range{Start: at(1800), End: at(2200)}

			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, ports.BarQuery{Key: day, Range: era}, b) },
				func() error { return wantBars(ctx, s, ports.BarQuery{Key: day, Range: always}, b.Slice(2, 4)) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: day, Range: b.Range()}) },
			)
		},
	},
}

func gridKey(grid string) domain.SeriesKey {
	return domain.SeriesKey{Symbol: key.Symbol, Grid: must(domain.ParseGrid(grid))}
}

// apart writes bars of each key, overwrites and deletes those of some keys, and checks every series.
func apart(keys ...domain.SeriesKey) func(context.Context, Store) error {
	return func(ctx context.Context, s Store) error {
		for i, k := range keys {
			if err := write(ctx, s, bars(k, start, 5, 100*i)); err != nil {
				return err
			}
		}
		if _, err := s.Bars.DeleteBars(ctx, keys[0], always); err != nil {
			return err
		}
		if err := wantBars(ctx, s, all(keys[0]), domain.EmptySeries(keys[0])); err != nil {
			return err
		}

		for i, k := range keys[1:] {
			b := bars(k, start, 5, 100*(i+1))
			if err := wantBars(ctx, s, all(k), b); err != nil {
				return err
			}
		}

		return nil
	}
}
