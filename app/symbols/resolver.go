package symbols

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/singleflight"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/sorting"
	"github.com/gal-friday/marketdata/ports"
)

// unknownTTL is the longest that "not known" is kept, because other processes may write the symbol.
const unknownTTL = 10 * time.Second

// Resolver queries the catalogs of all stores as if they were one, and caches the answer for single symbols. It is
// safe for concurrent use.
type Resolver struct {
	stores   access.Stores
	cache    ports.SymbolCache // nil caches nothing
	ttl      time.Duration     // of a known symbol
	settings *access.Settings

	writes  atomic.Int64 // by this process
	flights singleflight.Group[flightKey, ports.SymbolEntry]
}

// flightKey tells queries of one symbol apart by the writes of this process before them.
type flightKey struct {
	symbol domain.Symbol
	writes int64
}

// NewResolver returns a Resolver over the catalogs of the stores. A known symbol is cached for ttl; a nil cache caches
// nothing.
func NewResolver(
	stores access.Stores, cache ports.SymbolCache, ttl time.Duration, settings *access.Settings,
) *Resolver {
	return &Resolver{stores: stores, cache: cache, ttl: ttl, settings: settings}
}

// Resolve returns the metadata of the one symbol given, by the first catalog that knows it. It is ErrNotFound, with
// similar names, where none does. A catalog that cannot be queried is its own error.
func (r *Resolver) Resolve(ctx context.Context, call *access.Call, one []domain.Symbol) (domain.SymbolMeta, error) {
	entry, err := r.entry(ctx, call, one)
	if err == nil {
		err = r.CheckKnown(call, one[0], entry)
	}
	if err != nil {
		return domain.SymbolMeta{}, err
	}

	return entry.Meta, nil
}

// CheckKnown returns the ErrNotFound of a symbol that no catalog knows. It names the stores without a catalog, because
// their symbols must be registered in the catalog of another store.
func (r *Resolver) CheckKnown(call *access.Call, symbol domain.Symbol, entry ports.SymbolEntry) error {
	if entry.Known {
		return nil
	}

	text := ""
	if len(entry.Suggestions) > 0 {
		text += "; did you mean " + joinNames(entry.Suggestions) + "?"
	} else {
		text += ", nor a similar one; import its data first"
	}
	if names := r.withoutCatalog(); len(names) > 0 {
		text += fmt.Sprintf("; if it is in %s, which has no catalog, register it in that of %s",
			strings.Join(names, " or "), r.catalog().Name)
	}

	return &ports.Error{
		Kind: ports.ErrNotFound, Op: call.Op, Subject: call.Subject.String(),
		Err: fmt.Errorf("symbol %q %w%s", string(symbol), ports.ErrNotFound, text),
	}
}

// withoutCatalog returns the names of the stores of bars, trades or quotes that have no catalog.
func (r *Resolver) withoutCatalog() []string {
	var names []string
	for _, s := range r.stores {
		if s.Catalog == nil && (s.Bars != nil || s.Ticks != nil) {
			names = append(names, string(s.Name))
		}
	}

	return names
}

// Resolution is the entry of one symbol among several, or the error of its own queries.
type Resolution struct {
	Entry ports.SymbolEntry
	Err   error
}

// ResolveAll returns the resolutions of the symbols. The catalogs are queried once for all that are not cached, and a
// failure of that is the error. A symbol that none knows is queried again, for similar names; a failure of that
// concerns this symbol alone.
func (r *Resolver) ResolveAll(
	ctx context.Context, call *access.Call, symbols []domain.Symbol,
) (map[domain.Symbol]Resolution, error) {
	entries := make(map[domain.Symbol]Resolution, len(symbols))
	var missing []domain.Symbol
	for _, s := range symbols {
		if entry, cached := r.get(ctx, s); cached {
			entries[s] = Resolution{Entry: entry}
		} else {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return entries, nil
	}

	writes := r.writes.Load()
	metas, err := r.list(ctx, call, ports.SymbolQuery{Symbols: missing})
	if err != nil {
		return nil, err
	}

	for _, m := range metas {
		entry := ports.SymbolEntry{Known: true, Meta: m}
		entries[m.Symbol] = Resolution{Entry: entry}
		r.put(ctx, m.Symbol, entry, writes)
	}
	for _, s := range missing {
		if entries[s].Entry.Known {
			continue
		}

		own := *call
		own.Subject = access.Text(s)
		entry, err := r.entry(ctx, &own, []domain.Symbol{s})
		entries[s] = Resolution{entry, err}
	}

	return entries, nil
}

// Invalidate forgets the symbol after a write of this process.
func (r *Resolver) Invalidate(ctx context.Context, symbol domain.Symbol) {
	r.writes.Add(1)
	if r.cache != nil {
		r.cache.Delete(context.WithoutCancel(ctx), symbol)
	}
}

// entry returns the entry of the symbol, cached or queried. Concurrent callers share one query of the catalogs; where
// it fails each of them queries for itself, because the failure may be the first caller's deadline.
func (r *Resolver) entry(ctx context.Context, call *access.Call, one []domain.Symbol) (ports.SymbolEntry, error) {
	if r.cache == nil {
		return r.query(ctx, call, one)
	}
	if entry, cached := r.get(ctx, one[0]); cached {
		return entry, nil
	}

	limited, cancel := call.WithTimeout(ctx, r.settings.StoreTimeout)
	defer cancel()
	key := flightKey{one[0], r.writes.Load()}
	entry, shared, err := r.flights.Do(limited, key, func(ctx context.Context) (ports.SymbolEntry, error) {
		entry, err := r.query(ctx, call, []domain.Symbol{key.symbol})
		if err == nil {
			r.put(ctx, key.symbol, entry, key.writes)
		}

		return entry, err
	})

	switch {
	case errors.Is(err, singleflight.ErrInterrupted):
		return ports.SymbolEntry{}, call.For(r.catalog()).Interrupted(limited, nil)
	case err != nil && shared:
		return r.query(ctx, call, one)
	}

	return entry, err
}

// catalog returns the first store with a catalog, which errors name.
func (r *Resolver) catalog() *access.Store {
	return r.stores[slices.IndexFunc(r.stores, func(s *access.Store) bool { return s.Catalog != nil })]
}

// get returns the cached entry of the symbol.
func (r *Resolver) get(ctx context.Context, symbol domain.Symbol) (ports.SymbolEntry, bool) {
	if r.cache == nil {
		return ports.SymbolEntry{}, false
	}

	return r.cache.Get(ctx, symbol)
}

// put caches an entry that was queried when this process had made so many writes.
func (r *Resolver) put(ctx context.Context, symbol domain.Symbol, entry ports.SymbolEntry, writes int64) {
	if r.cache == nil {
		return
	}

	ttl := r.ttl
	if !entry.Known {
		ttl = min(ttl, unknownTTL)
	}
	r.cache.Put(ctx, symbol, entry, ttl)
	if r.writes.Load() != writes { // the entry may have been older than the write when it was put
		r.cache.Delete(ctx, symbol)
	}
}

// query queries one catalog after the other until one knows the symbol.
func (r *Resolver) query(ctx context.Context, call *access.Call, one []domain.Symbol) (ports.SymbolEntry, error) {
	q := ports.SymbolQuery{Symbols: one}
	for _, s := range r.stores {
		if s.Catalog == nil {
			continue
		}
		if s.LocalCatalog != nil {
			if meta, isKnown := s.LocalCatalog.LocalSymbol(one[0]); isKnown {
				return ports.SymbolEntry{Known: true, Meta: meta}, nil
			}
			continue
		}

		metas, err := access.Do(ctx, call.For(s), access.ReadSymbols, q)
		if err != nil {
			return ports.SymbolEntry{}, err
		}

		for _, m := range metas {
			if m.Symbol == one[0] {
				return ports.SymbolEntry{Known: true, Meta: m}, nil
			}
		}
	}

	suggestions, err := r.suggest(ctx, call, one[0])

	return ports.SymbolEntry{Suggestions: suggestions}, err
}

// suggest returns known symbols similar to the one given, or else to its upper case: the same instrument at another
// venue or as part of a name, else the same base, else the same first letters of an instrument, at any venue.
func (r *Resolver) suggest(ctx context.Context, call *access.Call, symbol domain.Symbol) ([]domain.Symbol, error) {
	found, err := r.findSimilar(ctx, call, symbol)
	if upper := domain.Symbol(strings.ToUpper(string(symbol))); err == nil && len(found) == 0 && upper != symbol {
		return r.findSimilar(ctx, call, upper)
	}

	return found, err
}

func (r *Resolver) findSimilar(ctx context.Context, call *access.Call, symbol domain.Symbol) ([]domain.Symbol, error) {
	const maxSuggestions, prefixLen = 5, 2
	instrument := symbol.Instrument()
	base := cmp.Or(domain.NewSymbolMeta(symbol).Base, instrument)
	prefix := base[:min(prefixLen, len(base))]
	for _, patterns := range [...][]string{
		{"*" + instrument + "*"}, {"*" + base + "*"}, {prefix + "*", "*:" + prefix + "*"},
	} {
		var found []domain.Symbol
		for _, pattern := range patterns {
			metas, err := r.list(ctx, call, ports.SymbolQuery{Pattern: pattern, Limit: maxSuggestions})
			if err != nil {
				return nil, err
			}

			for _, m := range metas {
				found = append(found, m.Symbol)
			}
		}
		if len(found) > 0 {
			sorting.Func(found, cmp.Compare)
			found = slices.Compact(found)
			return found[:min(maxSuggestions, len(found))], nil
		}
	}

	return nil, nil
}

// list returns the symbols that all catalogs together know, ordered. The first catalog that knows a symbol decides its
// metadata.
func (r *Resolver) list(ctx context.Context, call *access.Call, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	var all []domain.SymbolMeta
	for _, s := range r.stores {
		if s.Catalog == nil {
			continue
		}

		metas, err := access.Do(ctx, call.For(s), access.ReadSymbols, q)
		if err != nil {
			return nil, err
		}

		all = append(all, metas...)
	}

	sorting.StableFunc(all, func(a, b domain.SymbolMeta) int { return cmp.Compare(a.Symbol, b.Symbol) })
	all = slices.CompactFunc(all, func(a, b domain.SymbolMeta) bool { return a.Symbol == b.Symbol })
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
	}

	return all, nil
}

// joinNames lists symbols in a message.
func joinNames(symbols []domain.Symbol) string {
	texts := make([]string, len(symbols))
	for i, s := range symbols {
		texts[i] = string(s)
	}

	return strings.Join(texts, ", ")
}
