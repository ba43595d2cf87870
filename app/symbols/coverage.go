package symbols

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Coverage yields the coverage of bars of the symbols, or of all symbols where none is given, ordered by store, key and
// start. A symbol without bars adds nothing. Bars that are not routed to the store that has them, and bars not closed
// at the clock's now, are left out.
func (c *Catalog) Coverage(ctx context.Context, symbols ...domain.Symbol) iter.Seq2[ports.StoreExtent, error] {
	call := access.Call{Op: "read coverage", Subject: access.JoinSymbols(symbols), Settings: c.settings}
	return func(yield func(ports.StoreExtent, error) bool) {
		if err := access.ValidateSymbols(symbols); err != nil {
			yield(ports.StoreExtent{}, access.Refusal(call.Op, "", err))
			return
		}

		now := c.clock.Now()
		for _, store := range c.stores {
			if store.Bars == nil {
				continue
			}

			for e, err := range pages(ctx, c, call.For(store), access.ReadExtentPage, symbols) {
				if err != nil {
					yield(ports.StoreExtent{}, err)
					return
				}
				if !store.Serves(e.Key.Grid) {
					continue
				}

				e.Range = cutAt(e.Range, e.Key.Grid.Floor(now))
				if !e.Range.Empty() && !yield(ports.StoreExtent{Store: store.Name, Extent: e}, nil) {
					return
				}
			}
		}
	}
}

// pages yields a listing of a store, which is asked for each page anew.
func pages[T any](
	ctx context.Context, c *Catalog, call *access.Call,
	read access.Operation[ports.ExtentQuery, access.Page[T]], symbols []domain.Symbol,
) iter.Seq2[T, error] {
	return ports.Paged("", func(after domain.Symbol) ([]T, domain.Symbol, error) {
		one := *call // with a deadline of its own
		one.SetDefaultDeadline(ctx, c.stores)
		page, err := access.Do(ctx, &one, read, ports.ExtentQuery{Symbols: symbols, After: after})

		return page.Values, page.Last, err
	})
}

// cutAt returns the part of r before the end.
func cutAt(r domain.Range, end time.Time) domain.Range {
	if r.End.After(end) {
		r.End = end
	}
	if r.Start.After(r.End) {
		return domain.Range{}
	}

	return r
}

// Latest returns how far each series of the symbols is covered up to the clock's now, or of all symbols where none is
// given, ordered by key. It names the store that covers the series furthest.
func (c *Catalog) Latest(ctx context.Context, symbols ...domain.Symbol) ([]ports.Freshness, error) {
	now := c.clock.Now().UTC()
	latest := map[domain.SeriesKey]ports.Freshness{}
	for e, err := range c.Coverage(ctx, symbols...) {
		if err != nil {
			return nil, err
		}

		end := cutAt(e.Range, e.Key.Grid.Floor(now)).End
		if f, found := latest[e.Key]; !end.IsZero() && (!found || end.After(f.CoveredUntil)) {
			latest[e.Key] = ports.Freshness{
				Key: e.Key, Store: e.Store, CoveredUntil: end, Behind: now.Sub(end), Inferred: e.Inferred,
			}
		}
	}

	return slices.SortedFunc(maps.Values(latest), func(a, b ports.Freshness) int { return a.Key.Compare(b.Key) }), nil
}

// TickCoverage yields the coverage of trades and quotes of the symbols, or of all symbols where none is given, ordered
// by symbol, kind and start, cut at the clock's now. It is empty where no store of ticks is configured.
func (c *Catalog) TickCoverage(
	ctx context.Context, symbols ...domain.Symbol,
) iter.Seq2[ports.StoreTickExtent, error] {
	call := &access.Call{
		Op: "read tick coverage", Subject: access.JoinSymbols(symbols), Store: c.stores.ForTicks(), Settings: c.settings,
	}

	return func(yield func(ports.StoreTickExtent, error) bool) {
		if err := access.ValidateSymbols(symbols); err != nil {
			yield(ports.StoreTickExtent{}, access.Refusal(call.Op, "", err))
			return
		}
		if call.Store == nil {
			return
		}

		now := access.Instants{}.Floor(c.clock.Now())
		for e, err := range pages(ctx, c, call, access.ReadTickExtentPage, symbols) {
			if err != nil {
				yield(ports.StoreTickExtent{}, err)
				return
			}

			e.Range = cutAt(e.Range, now)
			covered := ports.StoreTickExtent{Store: call.Store.Name, TickExtent: e}
			if !e.Range.Empty() && !yield(covered, nil) {
				return
			}
		}
	}
}
