package contract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickSymbolLaws are the laws on symbols: data is found under its own symbol only, a write registers its symbol, and a
// store does not change a caller's slices. (Ticks are immutable.)
func tickSymbolLaws[D data[D]](f form[D]) []law[Store] {
	catalog := func(check func(context.Context, Store) error) func(context.Context, Store) error {
		return func(ctx context.Context, s Store) error {
			if s.Catalog == nil || s.Symbols == nil {
				return notApplicableError("the store has no catalog")
			}
			return check(ctx, s)
		}
	}

	return []law[Store]{
		{
			name: "symbol/hostile_is_data",
			text: "every valid symbol has " + f.many + " of its own, even if a query language could misread it",
			check: func(ctx context.Context, s Store) error {
				for i, symbol := range hostile {
					if err := f.write(ctx, s, f.rows(symbol, 0, 2, i)); err != nil {
						return fmt.Errorf("%s of %q: %w", f.method("Write"), symbol, err)
					}
				}

				for i, symbol := range hostile {
					if err := errors.Join(
						f.want(ctx, s, everything(symbol), f.rows(symbol, 0, 2, i)),
						f.wantExtents(ctx, s, []domain.Symbol{symbol}, extent{symbol, span(0, 2)}),
					); err != nil {
						return err
					}
				}

				return nil
			},
		},
		{
			name: "symbol/impossible_is_data",
			text: "a text that is no symbol is refused as invalid or found empty: it never reaches another symbol, " +
				"and breaks nothing",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 5, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				for _, symbol := range impossible {
					n, err := f.count(ctx, s, everything(symbol))
					if n > 0 || err != nil && !errors.Is(err, ports.ErrInvalid) {
						return fmt.Errorf("%s of %q got %d rows and %s, want none or ErrInvalid", f.method("Read"), symbol, n, errorText(err))
					}

					found, err := f.extents(ctx, s, ports.ExtentQuery{Symbols: []domain.Symbol{symbol}})
					if len(found) > 0 || err != nil && !errors.Is(err, ports.ErrInvalid) {
						return fmt.Errorf("TickExtents of %q got %v and %s, want none or ErrInvalid", symbol, found, errorText(err))
					}
				}

				var of D // without a symbol

				return steps(
					func() error { return wantError(second(f.replace(ctx, s, of, always)), ports.ErrInvalid) },
					func() error { return wantError(second(f.put(ctx, s, of, span(0, 1))), ports.ErrInvalid) },
					func() error { return f.wantAll(ctx, s, d) },
				)
			},
		},
		{
			name: "symbol/unknown_is_empty",
			text: "a symbol that the store does not have has an empty result, not an error",
			check: func(ctx context.Context, s Store) error {
				const none = domain.Symbol("NO/SUCH")
				first, last := everything(none), everything(none)
				first.First, last.Last = 3, 3
				return steps(
					func() error { return f.wantNothing(ctx, s, none) },
					func() error { return f.write(ctx, s, f.run(0, 5, 1)) },
					func() error { return f.wantNothing(ctx, s, none) },
					func() error { return f.want(ctx, s, first, f.none(none)) },
					func() error { return f.want(ctx, s, last, f.none(none)) },
				)
			},
		},
		{
			name: "catalog/write_registers_symbol",
			text: "a write, a replacement and coverage without data each register their symbol, with the metadata " +
				"of its text",
			check: catalog(func(ctx context.Context, s Store) error {
				return steps(
					func() error { return f.write(ctx, s, f.rows("COINBASE:BTC/USD", 0, 3, 1)) },
					func() error { return second(f.replace(ctx, s, f.rows("B/USD", 0, 3, 1), span(0, 3))) },
					func() error { return f.declare(ctx, s, "A/USD", span(0, 10)) },
					func() error {
						return wantSymbols(ctx, s, ports.SymbolQuery{}, metas("A/USD", "B/USD", "COINBASE:BTC/USD")...)
					},
				)
			}),
		},
		{
			name: "catalog/write_keeps_what_is_known",
			text: "a write changes nothing that is known of its symbol",
			check: catalog(func(ctx context.Context, s Store) error {
				known := domain.SymbolMeta{Symbol: key.Symbol, Venue: "V", Base: "XBT", Quote: "USD", Tick: number(1), Lot: number(2)}
				return steps(
					func() error { return s.Symbols.PutSymbols(ctx, known) },
					func() error { return f.write(ctx, s, f.run(0, 3, 1)) },
					func() error { return f.write(ctx, s, f.run(0, 3, 2)) },
					func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, known) },
				)
			}),
		},
		{
			name: "catalog/refused_write_registers_nothing",
			text: "a write that is refused, a cancelled one and a deletion make no symbol known",
			check: catalog(func(ctx context.Context, s Store) error {
				gone, cancel := context.WithCancel(ctx)
				cancel()
				d := f.run(0, 3, 1)
				return steps(
					func() error { return wantError(second(f.put(ctx, s, d, span(0, 2))), ports.ErrInvalid) },
					func() error { return wantError(f.write(gone, s, d), context.Canceled) },
					func() error { return f.delete(ctx, s, always) },
					func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}) },
				)
			}),
		},
		{
			name: "caller/slices_unchanged",
			text: "a store never changes a slice of the caller",
			check: func(ctx context.Context, s Store) error {
				for _, symbol := range []domain.Symbol{"A/USD", "B/USD", "C/USD"} {
					if err := f.write(ctx, s, f.rows(symbol, 0, 3, 1)); err != nil {
						return err
					}
				}

				symbols := []domain.Symbol{"C/USD", "NO/SUCH", "A/USD", "C/USD", "B/USD"}
				before := slices.Clone(symbols)
				if _, err := f.extents(ctx, s, ports.ExtentQuery{Symbols: symbols}); err != nil {
					return err
				}
				if !slices.Equal(symbols, before) {
					return fmt.Errorf("TickExtents changed its Symbols: got %v, want %v", symbols, before)
				}

				return nil
			},
		},
	}
}

// tickConcurrentLaws are the laws on concurrent callers. Run them with the race detector.
func tickConcurrentLaws[D data[D]](f form[D]) []law[Store] {
	return []law[Store]{
		{
			name: "concurrent/reads_share_nothing",
			text: "two reads iterated in turns each yield their own result",
			check: func(ctx context.Context, s Store) error {
				symbols := [2]domain.Symbol{"BTC/USD", "ETH/USD"}
				var next [2]func() (D, error, bool)
				var got [2][]D
				for i, symbol := range symbols {
					d := f.long(symbol, i)
					third := d.Len() / 3
					for from := 0; from < d.Len(); from += third {
						if err := f.write(ctx, s, d.Slice(from, from+third)); err != nil {
							return err
						}
					}

					pull, stop := iter.Pull2(f.stream(ctx, s, everything(symbol)).Rows())
					defer stop()
					next[i] = pull
				}

				for more := true; more; {
					more = false
					for i := range next {
						piece, err, ok := next[i]()
						if err != nil {
							return err
						}

						if ok {
							got[i] = append(got[i], piece)
						}
						more = more || ok
					}
				}

				for i, symbol := range symbols {
					whole, err := f.join(symbol, slices.All(got[i]))
					if err != nil {
						return err
					}
					if err := f.same(whole, f.long(symbol, i)); err != nil {
						return err
					}
				}

				return nil
			},
		},
		{
			name: "concurrent/write_during_read",
			text: "a read that pauses between pieces stops neither another read nor a write of the same symbol",
			check: func(ctx context.Context, s Store) error {
				d := f.long(key.Symbol, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				over := f.run(manyBars, manyBars+10, 7)
				var inside error
				for _, err := range f.stream(ctx, s, in(always)).Rows() {
					if err != nil {
						return err
					}

					inside = steps(
						func() error { return f.write(ctx, s, over) },
						func() error { return f.want(ctx, s, in(f.minutes(over)), over) },
					)

					break
				}
				if inside != nil {
					return inside
				}

				return f.wantAll(ctx, s, f.joined(d, over))
			},
		},
		{
			name: "concurrent/readers_and_writers",
			text: "concurrent readers and writers of several symbols all get complete results of their own symbol",
			race: true,
			check: func(ctx context.Context, s Store) error {
				const rounds = 20
				var calls []func(context.Context) error
				for i := range 4 {
					symbol := domain.Symbol(fmt.Sprintf("COIN%d/USD", i))
					d := f.rows(symbol, 0, 4*rounds, 1000*i)
					n := d.Len() / rounds
					calls = append(calls, func(ctx context.Context) error {
						for at := 0; at < d.Len(); at += n {
							piece := d.Slice(at, at+n)
							if err := f.write(ctx, s, piece); err != nil {
								return err
							}

							last := everything(symbol)
							last.Last = n
							if err := f.want(ctx, s, last, piece); err != nil {
								return fmt.Errorf("after %s returned: %w", f.method("Write"), err)
							}
						}

						return nil
					}, func(ctx context.Context) error {
						for range rounds {
							got, err := f.read(ctx, s, everything(symbol))
							if err != nil {
								return err
							}
							if err := f.same(got, d.Slice(0, min(got.Len(), d.Len()))); err != nil {
								return fmt.Errorf("%s beside writers: %w", f.method("Read"), err)
							}
							if _, err := f.extents(ctx, s, ports.ExtentQuery{Symbols: []domain.Symbol{symbol}}); err != nil {
								return err
							}
						}

						return nil
					})
				}

				return runAll(ctx, calls...)
			},
		},
		{
			name: "concurrent/writers_of_one_symbol",
			text: "concurrent writers of one symbol lose no data and no coverage",
			race: true,
			check: func(ctx context.Context, s Store) error {
				const writers, rounds, each = 4, 15, 4
				d := f.run(0, writers*rounds*each, 1)
				var calls []func(context.Context) error
				for w := range writers {
					calls = append(calls, func(ctx context.Context) error {
						for n := range rounds {
							at := each * (n*writers + w)
							if err := f.write(ctx, s, d.Clip(span(at, at+each))); err != nil {
								return err
							}
						}

						return nil
					})
				}

				return steps(
					func() error { return runAll(ctx, calls...) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, f.minutes(d)) },
				)
			},
		},
	}
}
