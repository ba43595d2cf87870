package symbols

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Coverage returns the coverage of bars of the symbols, or of all symbols where none is given, ordered by store, key
// and start. A symbol without bars adds nothing. Bars that are not routed to the store that has them, and bars not
// closed at the clock's now, are left out.
func (c *Catalog) Coverage(ctx context.Context, symbols ...domain.Symbol) ([]ports.StoreExtent, error) {
	call := &access.Call{Op: "read coverage", Subject: access.JoinSymbols(symbols), Settings: c.settings}
	if err := access.ValidateSymbols(symbols); err != nil {
		return nil, access.Refusal(call.Op, "", err)
	}

	call.SetDefaultDeadline(ctx, c.stores)
	now := c.clock.Now()
	var all []ports.StoreExtent
	for _, store := range c.stores {
		if store.Bars == nil {
			continue
		}

		extents, err := access.Do(ctx, call.For(store), access.ReadExtents, symbols)
		if err != nil {
			return nil, err
		}

		for _, e := range store.RoutedExtents(extents) {
			if e.Range = cutAt(e.Range, e.Key.Grid.Floor(now)); !e.Range.Empty() {
				all = append(all, ports.StoreExtent{Store: store.Name, Extent: e})
			}
		}
	}

	return all, nil
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
	extents, err := c.Coverage(ctx, symbols...)
	if err != nil {
		return nil, err
	}

	latest := map[domain.SeriesKey]ports.Freshness{}
	for _, e := range extents {
		end := cutAt(e.Range, e.Key.Grid.Floor(now)).End
		if f, found := latest[e.Key]; !end.IsZero() && (!found || end.After(f.CoveredUntil)) {
			latest[e.Key] = ports.Freshness{
				Key: e.Key, Store: e.Store, CoveredUntil: end, Behind: now.Sub(end), Inferred: e.Inferred,
			}
		}
	}

	return slices.SortedFunc(maps.Values(latest), func(a, b ports.Freshness) int { return a.Key.Compare(b.Key) }), nil
}

// TickCoverage returns the coverage of trades and quotes of the symbols, or of all symbols where none is given, ordered
// by symbol, kind and start, cut at the clock's now. It is empty where no store of ticks is configured.
func (c *Catalog) TickCoverage(ctx context.Context, symbols ...domain.Symbol) ([]ports.StoreTickExtent, error) {
	call := &access.Call{
		Op: "read tick coverage", Subject: access.JoinSymbols(symbols), Store: c.stores.ForTicks(), Settings: c.settings,
	}
	if err := access.ValidateSymbols(symbols); err != nil {
		return nil, access.Refusal(call.Op, "", err)
	}
	if call.Store == nil {
		return nil, nil
	}

	call.SetDefaultDeadline(ctx, c.stores)
	extents, err := access.Do(ctx, call, access.ReadTickExtents, symbols)
	if err != nil {
		return nil, err
	}

	now := access.Instants{}.Floor(c.clock.Now())
	covered := make([]ports.StoreTickExtent, 0, len(extents))
	for _, e := range extents {
		if e.Range = cutAt(e.Range, now); !e.Range.Empty() {
			covered = append(covered, ports.StoreTickExtent{Store: call.Store.Name, TickExtent: e})
		}
	}

	return covered, nil
}
