package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Catalog tells which symbols are known, what is known of them, and what is held of them.
type Catalog struct {
	stores  stores
	symbols *lookup
	clock   ports.Clock
	cfg     *Config // with defaults
}

var (
	_ ports.SymbolProvider   = (*Catalog)(nil)
	_ ports.CoverageProvider = (*Catalog)(nil)
)

// Symbols returns the symbols selected, ordered. One that is not known is absent; that is no error. A catalog that cannot be asked
// is one that names it.
func (c *Catalog) Symbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	by := &caller{op: "list symbols", subject: namesOf(q.Symbols), cfg: c.cfg}
	if err := validateSymbols(q.Symbols); err != nil {
		return nil, refusal(by.op, "", err)
	}
	if q.Limit < 0 {
		return nil, refusal(by.op, "", fmt.Errorf("limit %d: give 1 or more, or 0 for all: %w", q.Limit, ports.ErrInvalid))
	}

	by.bound(ctx, c.stores)
	return c.symbols.symbols(ctx, by, q)
}

// ValidateSymbol is nil for a symbol that is known.
func (c *Catalog) ValidateSymbol(ctx context.Context, symbol domain.Symbol) error {
	by := &caller{op: "validate symbol", subject: text(symbol), cfg: c.cfg}
	if err := symbol.Validate(); err != nil {
		return refusal(by.op, "", err)
	}

	by.bound(ctx, c.stores)
	_, err := c.symbols.known(ctx, by, []domain.Symbol{symbol})
	return err
}

// Coverage returns which bars are held of the symbols, or of all where none is given, ordered by store, key and start. A symbol
// that is not held adds nothing; that is no error. Nor does what a store holds of frequencies that it is not asked for, nor of bars
// that are not over at the clock's now.
func (c *Catalog) Coverage(ctx context.Context, symbols ...domain.Symbol) ([]ports.StoreExtent, error) {
	by := &caller{op: "read coverage", subject: namesOf(symbols), cfg: c.cfg}
	if err := validateSymbols(symbols); err != nil {
		return nil, refusal(by.op, "", err)
	}

	by.bound(ctx, c.stores)
	now := c.clock.Now()
	var all []ports.StoreExtent
	for _, s := range c.stores {
		if s.Bars == nil {
			continue
		}

		held, err := call(ctx, by.at(s), barExtents, symbols)
		if err != nil {
			return nil, err
		}

		for _, e := range s.taken(held) {
			if e.Range = until(e.Range, e.Key.Grid.Floor(now)); !e.Range.Empty() {
				all = append(all, ports.StoreExtent{Store: s.Name, Extent: e})
			}
		}
	}

	return all, nil
}

// until is what of r lies before the end.
func until(r domain.Range, end time.Time) domain.Range {
	if r.End.After(end) {
		r.End = end
	}
	if r.Start.After(r.End) {
		return domain.Range{}
	}

	return r
}

// Latest tells how fresh each series of the symbols is, or of all where none is given, ordered by key: what is claimed or assumed of
// it up to the clock's now, in the store that holds the latest of it.
func (c *Catalog) Latest(ctx context.Context, symbols ...domain.Symbol) ([]ports.Freshness, error) {
	now := c.clock.Now().UTC()
	held, err := c.Coverage(ctx, symbols...)
	if err != nil {
		return nil, err
	}

	latest := map[domain.SeriesKey]ports.Freshness{}
	for _, e := range held {
		end := until(e.Range, e.Key.Grid.Floor(now)).End
		if f, found := latest[e.Key]; !end.IsZero() && (!found || end.After(f.CoveredUntil)) {
			latest[e.Key] = ports.Freshness{Key: e.Key, Store: e.Store, CoveredUntil: end, Behind: now.Sub(end), Inferred: e.Inferred}
		}
	}

	return slices.SortedFunc(maps.Values(latest), func(a, b ports.Freshness) int { return a.Key.Compare(b.Key) }), nil
}

// TickCoverage returns which trades and quotes are held of the symbols, or of all where none is given, ordered by symbol, kind and
// start; nothing where no store holds any, and nothing of now or later.
func (c *Catalog) TickCoverage(ctx context.Context, symbols ...domain.Symbol) ([]ports.StoreTickExtent, error) {
	by := &caller{op: "read tick coverage", subject: namesOf(symbols), store: c.stores.ofTicks(), cfg: c.cfg}
	if err := validateSymbols(symbols); err != nil {
		return nil, refusal(by.op, "", err)
	}
	if by.store == nil {
		return nil, nil
	}

	by.bound(ctx, c.stores)
	extents, err := call(ctx, by, tickExtents, symbols)
	if err != nil {
		return nil, err
	}

	now := instants{}.Floor(c.clock.Now())
	held := make([]ports.StoreTickExtent, 0, len(extents))
	for _, e := range extents {
		if e.Range = until(e.Range, now); !e.Range.Empty() {
			held = append(held, ports.StoreTickExtent{Store: by.store.Name, TickExtent: e})
		}
	}

	return held, nil
}

// refusal is the error of a call that cost no input or output.
func refusal(op, subject string, cause error) error {
	kind := ports.ErrInvalid
	if errors.Is(cause, ports.ErrTooLarge) {
		kind = ports.ErrTooLarge
	}
	return &ports.Error{Kind: kind, Op: op, Subject: subject, Err: cause}
}

// validateSymbols reports every symbol that is none.
func validateSymbols(symbols []domain.Symbol) error {
	var faults []error
	for _, s := range symbols {
		if err := s.Validate(); err != nil {
			faults = append(faults, err)
		}
	}

	return errors.Join(faults...)
}

// namesOf names the symbols of a call in its errors.
func namesOf(symbols []domain.Symbol) text {
	const named = 3
	t := names(symbols[:min(named, len(symbols))])
	if more := len(symbols) - named; more > 0 {
		t += fmt.Sprintf(", and %d more", more)
	}

	return text(t)
}
