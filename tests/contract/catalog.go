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

// catalogLaws are the laws on the symbols of a catalog and on the writes that register them.
var catalogLaws = []law[Store]{
	{
		name: "catalog/every_field_round_trips",
		text: "an entry that was put is returned with every field, decimals to the digit",
		check: func(ctx context.Context, s Store) error {
			full := domain.SymbolMeta{
				Symbol: "COINBASE:BTC/USD", Venue: "Coinbase 'Pro'; --", Base: "BTC", Quote: "USD",
				Tick: must(domain.ParseDecimal("0.000000000000000001")),
				Lot:  must(domain.ParseDecimal("12345678901234567890.123456789012345678")), Zone: "America/New_York",
			}
			bare := domain.SymbolMeta{Symbol: "X"}

			return steps(
				func() error { return s.Symbols.PutSymbols(ctx, full, bare) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, full, bare) },
			)
		},
	},
	{
		name: "catalog/put_replaces",
		text: "a put replaces every field of the previous entry, also by its zero value",
		check: func(ctx context.Context, s Store) error {
			full := domain.SymbolMeta{Symbol: "A/B", Venue: "V", Base: "A", Quote: "B", Tick: number(1), Lot: number(2), Zone: "Europe/London"}
			bare := domain.SymbolMeta{Symbol: "A/B"}
			return steps(
				func() error { return s.Symbols.PutSymbols(ctx, full) },
				func() error { return s.Symbols.PutSymbols(ctx, bare) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, bare) },
				func() error { return s.Symbols.PutSymbols(ctx, full) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, full) },
			)
		},
	},
	{
		name: "catalog/put_all_or_none",
		text: "a put of which one is invalid is refused as invalid, and none of it is stored; a put of none is no " +
			"error",
		check: func(ctx context.Context, s Store) error {
			good := domain.NewSymbolMeta("A/B")
			for _, bad := range []domain.SymbolMeta{
				{Symbol: "A,B"}, {}, {Symbol: "C/D", Tick: number(-1)}, {Symbol: "C/D", Zone: "Atlantis/Center"},
			} {
				if err := wantError(s.Symbols.PutSymbols(ctx, good, bad), ports.ErrInvalid); err != nil {
					return fmt.Errorf("PutSymbols %+v: %w", bad, err)
				}
			}

			return steps(
				func() error { return s.Symbols.PutSymbols(ctx) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}) },
			)
		},
	},
	{
		name: "catalog/ordered_by_symbol",
		text: "symbols come ordered bytewise",
		check: func(ctx context.Context, s Store) error {
			ordered := []domain.Symbol{"-", "A", "A-B", "A.B", "A/B", "A0", "A:B", "AB", "A_B", "B", "_A"}
			put := metas(ordered...)
			slices.Reverse(put)
			return steps(
				func() error { return s.Symbols.PutSymbols(ctx, put...) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, metas(ordered...)...) },
			)
		},
	},
	{
		name: "catalog/exactly_these",
		text: "requested symbols that the catalog has are returned once each; an unknown symbol is absent and no error",
		check: func(ctx context.Context, s Store) error {
			asked := []domain.Symbol{"C", "NO/SUCH", "A", "C"}
			before := slices.Clone(asked)
			return steps(
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{Symbols: asked}) },
				func() error { return s.Symbols.PutSymbols(ctx, metas("A", "AB", "B", "C")...) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{Symbols: asked}, metas("A", "C")...) },
				func() error {
					if !slices.Equal(asked, before) {
						return fmt.Errorf("Symbols changed the caller's slice: got %v, want %v", asked, before)
					}
					return nil
				},
			)
		},
	},
	{
		name: "catalog/pattern",
		text: "in a pattern * is any run of bytes and ? any one byte, and the pattern is of the whole symbol",
		check: func(ctx context.Context, s Store) error {
			return patterns(ctx, s, []domain.Symbol{"BTC/EUR", "BTC/USD", "BTC/USDT", "COINBASE:BTC/USD", "ETH/BTC", "ETH/USD"},
				pattern{"", []domain.Symbol{"BTC/EUR", "BTC/USD", "BTC/USDT", "COINBASE:BTC/USD", "ETH/BTC", "ETH/USD"}},
				pattern{"*", []domain.Symbol{"BTC/EUR", "BTC/USD", "BTC/USDT", "COINBASE:BTC/USD", "ETH/BTC", "ETH/USD"}},
				pattern{"BTC/*", []domain.Symbol{"BTC/EUR", "BTC/USD", "BTC/USDT"}},
				pattern{"*/USD", []domain.Symbol{"BTC/USD", "COINBASE:BTC/USD", "ETH/USD"}},
				pattern{"???/USD", []domain.Symbol{"BTC/USD", "ETH/USD"}},
				pattern{"BTC/USD", []domain.Symbol{"BTC/USD"}},
				pattern{"BTC/USD?", []domain.Symbol{"BTC/USDT"}},
				pattern{"*BTC*", []domain.Symbol{"BTC/EUR", "BTC/USD", "BTC/USDT", "COINBASE:BTC/USD", "ETH/BTC"}},
				pattern{"*:*", []domain.Symbol{"COINBASE:BTC/USD"}},
				pattern{"BTC", nil},
				pattern{"?", nil},
			)
		},
	},
	{
		name: "catalog/pattern_bytes_are_themselves",
		text: "every other byte of a pattern is itself: none is a wildcard, an escape or a quote, and case matters",
		check: func(ctx context.Context, s Store) error {
			return patterns(ctx, s, []domain.Symbol{"A-C", "A.C", "ABC", "A_C"},
				pattern{"A_C", []domain.Symbol{"A_C"}},
				pattern{"A.C", []domain.Symbol{"A.C"}},
				pattern{"A%", nil}, pattern{"%", nil}, pattern{"A[B]C", nil}, pattern{"A[*]C", nil}, pattern{"A[^X]C", nil},
				pattern{`A\_C`, nil}, pattern{`A\*`, nil}, pattern{`\?BC`, nil}, pattern{"a*", nil}, pattern{"a_c", nil},
				pattern{"' OR '1'='1", nil}, pattern{"A.+", nil}, pattern{"A{B,.}C", nil}, pattern{"A|B", nil}, pattern{"^A", nil},
				pattern{"(A)*", nil}, pattern{"A*$", nil}, pattern{"A[", nil},
			)
		},
	},
	{
		name: "catalog/pattern_of_these",
		text: "a pattern together with named symbols selects the named symbols that it matches",
		check: func(ctx context.Context, s Store) error {
			q := ports.SymbolQuery{Symbols: []domain.Symbol{"A/USD", "B/EUR", "NO/USD"}, Pattern: "*/USD"}
			return steps(
				func() error { return s.Symbols.PutSymbols(ctx, metas("A/USD", "B/EUR", "C/USD")...) },
				func() error { return wantSymbols(ctx, s, q, metas("A/USD")...) },
			)
		},
	},
	{
		name: "catalog/behind_a_symbol",
		text: "the symbols behind one are the later ones, bytewise, also of a pattern and within a limit; a sequence may " +
			"be broken off, and ranged over again",
		check: func(ctx context.Context, s Store) error {
			if err := s.Symbols.PutSymbols(ctx, metas("A-B", "A/B", "A/C", "A/D", "B/C")...); err != nil {
				return err
			}

			later := s.Catalog.Symbols(ctx, ports.SymbolQuery{After: "A/B"})
			for range later {
				break
			}

			return steps(
				func() error { return wantListing(later, metas("A/C", "A/D", "B/C")...) },
				func() error { return wantListing(later, metas("A/C", "A/D", "B/C")...) },
				func() error {
					return wantSymbols(ctx, s, ports.SymbolQuery{After: "A/B", Limit: 2}, metas("A/C", "A/D")...)
				},
				func() error {
					return wantSymbols(ctx, s, ports.SymbolQuery{After: "A/C", Pattern: "*/C"}, metas("B/C")...)
				},
				func() error {
					q := ports.SymbolQuery{After: "A/B", Symbols: []domain.Symbol{"A/D", "A-B", "A/B"}}
					return wantSymbols(ctx, s, q, metas("A/D")...)
				},
			)
		},
	},
	{
		name: "catalog/many_symbols",
		text: "20,001 symbols come in order, also within a limit",
		check: func(ctx context.Context, s Store) error {
			many := manySymbols()
			return steps(
				func() error { return s.Symbols.PutSymbols(ctx, many...) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, many...) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{Limit: 15_000}, many[:15_000]...) },
			)
		},
	},
	{
		name: "extents/of_many_symbols",
		text: "the extents of a few of 20,001 symbols come in order",
		check: func(ctx context.Context, s Store) error {
			many := manySymbols()
			if err := s.Symbols.PutSymbols(ctx, many...); err != nil {
				return err
			}

			var want []domain.Extent
			for _, i := range []int{0, 9_998, 9_999, 10_000, 10_001, 20_000} {
				e := domain.Extent{Key: minuteKey(many[i].Symbol), Range: span(0, 10)}
				if err := declare(ctx, s, e.Key, e.Range); err != nil {
					return err
				}
				want = append(want, e)
			}

			return wantListing(s.Bars.Extents(ctx, ports.ExtentQuery{}), want...)
		},
	},
	{
		name: "catalog/local_lookup",
		text: "a symbol that is looked up without blocking is that of the sequence",
		check: func(ctx context.Context, s Store) error {
			local, isLocal := portOf[ports.LocalCatalog](s.Catalog)
			if !isLocal {
				return notApplicableError("the catalog looks no symbol up without blocking")
			}
			if err := s.Symbols.PutSymbols(ctx, metas("A/B", "A/C")...); err != nil {
				return err
			}

			for _, symbol := range []domain.Symbol{"A/C", "NO/SUCH", "A/B"} {
				var want []domain.SymbolMeta
				if meta, isKnown := local.LocalSymbol(symbol); isKnown {
					want = append(want, meta)
				}
				if err := wantSymbols(ctx, s, ports.SymbolQuery{Symbols: []domain.Symbol{symbol}}, want...); err != nil {
					return err
				}
			}

			return nil
		},
	},
	{
		name: "catalog/limit",
		text: "a limit returns the first symbols of the result; 0 means no limit",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error { return s.Symbols.PutSymbols(ctx, metas("D", "B/USD", "C/USD", "A/USD")...) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{Limit: 2}, metas("A/USD", "B/USD")...) },
				func() error {
					return wantSymbols(ctx, s, ports.SymbolQuery{Limit: 9}, metas("A/USD", "B/USD", "C/USD", "D")...)
				},
				func() error {
					q := ports.SymbolQuery{Symbols: []domain.Symbol{"D", "C/USD", "B/USD"}, Pattern: "*/*", Limit: 1}
					return wantSymbols(ctx, s, q, metas("B/USD")...)
				},
			)
		},
	},
	{
		name: "catalog/write_registers_symbol",
		text: "a write of bars, a replacement by bars and coverage without bars each register their symbol, with " +
			"the metadata of its text",
		check: func(ctx context.Context, s Store) error {
			in := bars(minuteKey("B/USD"), start, 3, 1)
			return steps(
				func() error { return write(ctx, s, bars(minuteKey("COINBASE:BTC/USD"), start, 3, 1)) },
				func() error { return second(s.Bars.ReplaceBars(ctx, in, in.Range())) },
				func() error { return declare(ctx, s, minuteKey("A/USD"), span(0, 10)) },
				func() error {
					return wantSymbols(ctx, s, ports.SymbolQuery{}, metas("A/USD", "B/USD", "COINBASE:BTC/USD")...)
				},
			)
		},
	},
	{
		name: "catalog/write_keeps_what_is_known",
		text: "a write of bars changes nothing that is known of its symbol",
		check: func(ctx context.Context, s Store) error {
			known := domain.SymbolMeta{Symbol: "BTC/USD", Venue: "V", Base: "XBT", Quote: "USD", Tick: number(1), Lot: number(2)}
			return steps(
				func() error { return s.Symbols.PutSymbols(ctx, known) },
				func() error { return write(ctx, s, bars(key, start, 3, 1)) },
				func() error { return write(ctx, s, bars(key, start, 3, 2)) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, known) },
			)
		},
	},
	{
		name: "catalog/refused_write_registers_nothing",
		text: "a write that is refused, a cancelled one and a deletion make no symbol known",
		check: func(ctx context.Context, s Store) error {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			b := bars(key, start, 3, 1)
			return steps(
				func() error {
					return wantError(second(ports.WriteBars(ctx, s.Bars, b, span(0, 2), ports.ConflictReplace)), ports.ErrInvalid)
				},
				func() error { return wantError(write(gone, s, b), context.Canceled) },
				func() error { return second(s.Bars.DeleteBars(ctx, key, always)) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}) },
			)
		},
	},
	{
		name: "catalog/removed_symbol_is_unknown",
		text: "a removed symbol is unknown until the next write or put, which finds nothing of before; one that is unknown " +
			"can be removed",
		check: func(ctx context.Context, s Store) error {
			remover, err := removerOf(s)
			if err != nil {
				return err
			}

			known, b := metas("BTC/USD", "BTC/USDT"), bars(key, start, 3, 1)
			known[0].Tick = number(1)

			return steps(
				func() error { return remover.RemoveSymbol(ctx, "NO/SUCH") },
				func() error { return s.Symbols.PutSymbols(ctx, known...) },
				func() error { return write(ctx, s, b) },
				func() error { return second(s.Bars.DeleteBars(ctx, key, always)) },
				func() error { return remover.RemoveSymbol(ctx, key.Symbol) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, known[1]) },
				func() error { return remover.RemoveSymbol(ctx, key.Symbol) },
				func() error { return wantBars(ctx, s, all(key), domain.EmptySeries(key)) },
				func() error { return write(ctx, s, b.Slice(1, 2)) },
				func() error { return wantBars(ctx, s, all(key), b.Slice(1, 2)) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Slice(1, 2).Range()}) },
				func() error {
					return wantSymbols(ctx, s, ports.SymbolQuery{}, metas("BTC/USD", "BTC/USDT")...)
				},
			)
		},
	},
	{
		name: "catalog/symbol_with_data_stays",
		text: "a symbol with bars, or with coverage without bars, is not removed: the conflict names every series",
		check: func(ctx context.Context, s Store) error {
			remover, err := removerOf(s)
			if err != nil {
				return err
			}

			bid := domain.SeriesKey{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceBid}
			wantLeft := func(series ...string) error {
				err := remover.RemoveSymbol(ctx, key.Symbol)
				var inUse *ports.SymbolInUseError
				if !errors.As(err, &inUse) || !errors.Is(err, ports.ErrConflict) || !slices.Equal(inUse.Series, series) {
					return fmt.Errorf("remove %s: got %s; want a conflict with %q", key.Symbol, errorText(err), series)
				}

				return nil
			}
			grid := key.Grid.String()

			return steps(
				func() error { return write(ctx, s, bars(key, start, 3, 1)) },
				func() error { return declare(ctx, s, bid, span(0, 10)) },
				func() error { return wantLeft("bid "+grid, "trade "+grid) },
				func() error { return wantBars(ctx, s, all(key), bars(key, start, 3, 1)) },
				func() error { return second(s.Bars.DeleteBars(ctx, key, always)) },
				func() error { return wantLeft("bid " + grid) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, metas(key.Symbol)...) },
			)
		},
	},
	{
		name: "catalog/hostile_is_data",
		text: "every valid symbol can be put and found, even if a query language could misread it; an invalid " +
			"symbol finds nothing",
		check: func(ctx context.Context, s Store) error {
			if err := s.Symbols.PutSymbols(ctx, metas(hostile...)...); err != nil {
				return err
			}

			for _, symbol := range hostile {
				if err := wantSymbols(ctx, s, ports.SymbolQuery{Symbols: []domain.Symbol{symbol}}, metas(symbol)...); err != nil {
					return err
				}
			}

			for _, symbol := range impossible {
				found, err := ports.Collect(s.Catalog.Symbols(ctx, ports.SymbolQuery{Symbols: []domain.Symbol{symbol}}))
				if len(found) > 0 || err != nil && !errors.Is(err, ports.ErrInvalid) {
					return fmt.Errorf("Symbols of %q got %v and %s, want none or ErrInvalid", symbol, found, errorText(err))
				}
			}

			return nil
		},
	},
	{
		name: "catalog/cancelled_call_is_an_error",
		text: "a call with a cancelled context returns the context's error and does nothing",
		check: func(ctx context.Context, s Store) error {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			_, err := ports.Collect(s.Catalog.Symbols(gone, ports.SymbolQuery{}))
			return steps(
				func() error { return wantError(err, context.Canceled) },
				func() error { return wantError(s.Symbols.PutSymbols(gone, metas("A/B")...), context.Canceled) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}) },
			)
		},
	},
	{
		name: "catalog/concurrent",
		text: "concurrent puts and queries return complete entries, and lose none",
		race: true,
		check: func(ctx context.Context, s Store) error {
			var calls []func(context.Context) error
			var symbols []domain.Symbol
			for i := range 4 {
				symbol := domain.Symbol(fmt.Sprintf("COIN%d/USD", i))
				symbols = append(symbols, symbol)
				calls = append(calls, func(ctx context.Context) error {
					for range 20 {
						if err := s.Symbols.PutSymbols(ctx, metas(symbol)...); err != nil {
							return err
						}
						if err := wantSymbols(ctx, s, ports.SymbolQuery{Symbols: []domain.Symbol{symbol}}, metas(symbol)...); err != nil {
							return err
						}
					}

					return nil
				})
			}

			return steps(
				func() error { return runAll(ctx, calls...) },
				func() error { return wantSymbols(ctx, s, ports.SymbolQuery{}, metas(symbols...)...) },
			)
		},
	},
}

// metas returns the metadata that follows from the texts of the symbols.
func metas(symbols ...domain.Symbol) []domain.SymbolMeta {
	var m []domain.SymbolMeta
	for _, s := range symbols {
		m = append(m, domain.NewSymbolMeta(s))
	}

	return m
}

// pattern is a pattern and the symbols it matches.
type pattern struct {
	text string
	want []domain.Symbol
}

func patterns(ctx context.Context, s Store, known []domain.Symbol, cases ...pattern) error {
	if err := s.Symbols.PutSymbols(ctx, metas(known...)...); err != nil {
		return err
	}

	for _, c := range cases {
		if err := wantSymbols(ctx, s, ports.SymbolQuery{Pattern: c.text}, metas(c.want...)...); err != nil {
			return err
		}
	}

	return nil
}

// wantSymbols compares the result of a query.
func wantSymbols(ctx context.Context, s Store, q ports.SymbolQuery, want ...domain.SymbolMeta) error {
	got, err := ports.Collect(s.Catalog.Symbols(ctx, q))
	if err != nil {
		return wantNoError("Symbols", err)
	}
	if !slices.EqualFunc(got, want, domain.SymbolMeta.Equal) {
		return fmt.Errorf("Symbols %+v:\n got %+v\nwant %+v", q, got, want)
	}

	return nil
}

// manySymbols returns 20,001 symbols in order, so many that no store reads them at once.
func manySymbols() []domain.SymbolMeta {
	many := make([]domain.SymbolMeta, 20_001)
	for i := range many {
		many[i] = domain.NewSymbolMeta(domain.Symbol(fmt.Sprintf("S%05d/USD", i)))
	}

	return many
}

// wantListing compares the texts of all values of a sequence.
func wantListing[T any](values iter.Seq2[T, error], want ...T) error {
	got, err := ports.Collect(values)
	if err != nil {
		return wantNoError("the listing", err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("got the list %v, want %v", got, want)
	}

	return nil
}

// removerOf returns the store as a remover of symbols.
func removerOf(s Store) (ports.SymbolRemover, error) {
	remover, ok := portOf[ports.SymbolRemover](s.Symbols)
	if !ok {
		return nil, notApplicableError("the catalog removes no symbols")
	}
	if r, isRecorded := s.Symbols.(recordedSymbols); isRecorded {
		return recordedRemover{remover, r.calls}, nil
	}

	return remover, nil
}
