package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// unknownTTL is the longest that a catalog's no is kept: the symbol may be written by others.
const unknownTTL = 10 * time.Second

// lookup asks the catalogs of all stores as if they were one, and keeps what they say of single symbols.
type lookup struct {
	stores stores
	cache  ports.SymbolCache // nil keeps nothing
	cfg    *Config           // with defaults
	writes atomic.Int64      // of ours, so far

	mu     sync.Mutex
	asking map[askedFor]*asking
}

// askedFor tells questions about one symbol apart by our writes before them.
type askedFor struct {
	symbol domain.Symbol
	writes int64
}

// asking is a question under way. entry and err are set when done is closed.
type asking struct {
	done  chan struct{}
	entry ports.SymbolEntry
	err   error
}

// known is what is known of the one symbol given, by the first catalog that does. It is ErrNotFound, with near names, where none does; one
// that cannot be asked is its own error.
func (l *lookup) known(ctx context.Context, by *caller, one []domain.Symbol) (domain.SymbolMeta, error) {
	entry, err := l.entry(ctx, by, one)
	if err == nil {
		err = unknown(by, one[0], entry)
	}
	if err != nil {
		return domain.SymbolMeta{}, err
	}

	return entry.Meta, nil
}

// unknown is the error of a symbol that is not known.
func unknown(by *caller, symbol domain.Symbol, entry ports.SymbolEntry) error {
	if entry.Known {
		return nil
	}

	text := fmt.Sprintf("symbol %q is not known", string(symbol))
	if len(entry.Suggestions) > 0 {
		text += "; did you mean " + names(entry.Suggestions) + "?"
	} else {
		text += ", nor is one like it; import its data first"
	}

	return &ports.Error{Kind: ports.ErrNotFound, Op: by.op, Subject: by.subject.String(), Err: errors.New(text)}
}

// many is what is known of the symbols. What is not kept is asked for at once; only for one that no catalog knows they are asked
// again, for near names.
func (l *lookup) many(ctx context.Context, by *caller, symbols []domain.Symbol) (map[domain.Symbol]ports.SymbolEntry, error) {
	entries := make(map[domain.Symbol]ports.SymbolEntry, len(symbols))
	var asked []domain.Symbol
	for _, s := range symbols {
		if l.cache != nil {
			if entry, kept := l.cache.Get(ctx, s); kept {
				entries[s] = entry
				continue
			}
		}
		asked = append(asked, s)
	}
	if len(asked) == 0 {
		return entries, nil
	}

	writes := l.writes.Load()
	metas, err := l.symbols(ctx, by, ports.SymbolQuery{Symbols: asked})
	if err != nil {
		return nil, err
	}

	for _, m := range metas {
		entry := ports.SymbolEntry{Known: true, Meta: m}
		entries[m.Symbol] = entry
		l.keep(ctx, m.Symbol, entry, writes)
	}

	for _, s := range asked {
		if !entries[s].Known {
			if entries[s], err = l.entry(ctx, by, []domain.Symbol{s}); err != nil {
				return nil, err
			}
		}
	}

	return entries, nil
}

// entry is what the catalogs say of the symbol, or said a short while ago. However many ask at once, the catalogs are asked once; where
// the one who asked gave up, the next does, and where they failed, each for himself.
func (l *lookup) entry(ctx context.Context, by *caller, one []domain.Symbol) (ports.SymbolEntry, error) {
	if l.cache == nil {
		return l.ask(ctx, by, one)
	}
	for {
		if entry, kept := l.cache.Get(ctx, one[0]); kept {
			return entry, nil
		}

		key := askedFor{one[0], l.writes.Load()}
		a, first := l.join(key)
		if first {
			l.answer(ctx, by, key, a)
			return a.entry, a.err
		}
		if err := l.await(ctx, by, a); err != nil {
			return ports.SymbolEntry{}, err
		}

		switch {
		case a.err == nil:
			return a.entry, nil
		case !errors.Is(a.err, ports.ErrCanceled) && !errors.Is(a.err, ports.ErrTimeout):
			return l.ask(ctx, by, one)
		}
	}
}

// join finds the question, or makes it, for the first to answer.
func (l *lookup) join(key askedFor) (a *asking, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a = l.asking[key]; a != nil {
		return a, false
	}

	if l.asking == nil {
		l.asking = map[askedFor]*asking{}
	}
	a = &asking{done: make(chan struct{})}
	l.asking[key] = a

	return a, true
}

// answer asks the catalogs for all who wait.
func (l *lookup) answer(ctx context.Context, by *caller, key askedFor, a *asking) {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.asking, key)
		close(a.done)
	}()
	if a.entry, a.err = l.ask(ctx, by, []domain.Symbol{key.symbol}); a.err == nil {
		l.keep(ctx, key.symbol, a.entry, key.writes)
	}
}

// await waits for the answer, as long as a call of a store may take.
func (l *lookup) await(ctx context.Context, by *caller, a *asking) error {
	ctx, cancel := by.limit(ctx, l.cfg.StoreTimeout)
	defer cancel()
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		i := slices.IndexFunc(l.stores, func(s *store) bool { return s.Catalog != nil })
		return by.at(l.stores[i]).interrupted(ctx, nil)
	}
}

// keep puts what the catalogs said, asked when there had been so many writes of ours.
func (l *lookup) keep(ctx context.Context, symbol domain.Symbol, entry ports.SymbolEntry, writes int64) {
	if l.cache == nil {
		return
	}

	ttl := l.cfg.SymbolTTL
	if !entry.Known {
		ttl = min(ttl, unknownTTL)
	}
	l.cache.Put(ctx, symbol, entry, ttl)
	if l.writes.Load() != writes { // what was said may have been old when it was put
		l.cache.Delete(ctx, symbol)
	}
}

// forget is for our own writes: what was kept of the symbol may no longer hold.
func (l *lookup) forget(ctx context.Context, symbol domain.Symbol) {
	l.writes.Add(1)
	if l.cache != nil {
		l.cache.Delete(context.WithoutCancel(ctx), symbol)
	}
}

// ask asks one catalog after the other until one knows the symbol.
func (l *lookup) ask(ctx context.Context, by *caller, one []domain.Symbol) (ports.SymbolEntry, error) {
	q := ports.SymbolQuery{Symbols: one}
	for _, s := range l.stores {
		if s.Catalog == nil {
			continue
		}

		metas, err := call(ctx, by.at(s), symbolsOf, q)
		if err != nil {
			return ports.SymbolEntry{}, err
		}

		for _, m := range metas {
			if m.Symbol == one[0] {
				return ports.SymbolEntry{Known: true, Meta: m}, nil
			}
		}
	}

	near, err := l.near(ctx, by, one[0])
	return ports.SymbolEntry{Suggestions: near}, err
}

// near is a few known symbols like the one given: the same instrument at another venue or as part of a name, else the same base,
// else the same first letters of an instrument, at any venue.
func (l *lookup) near(ctx context.Context, by *caller, symbol domain.Symbol) ([]domain.Symbol, error) {
	const listed, letters = 5, 2
	instrument := symbol.Instrument()
	base := cmp.Or(domain.NewSymbolMeta(symbol).Base, instrument)
	begins := base[:min(letters, len(base))]
	for _, patterns := range [...][]string{{"*" + instrument + "*"}, {"*" + base + "*"}, {begins + "*", "*:" + begins + "*"}} {
		var found []domain.Symbol
		for _, pattern := range patterns {
			metas, err := l.symbols(ctx, by, ports.SymbolQuery{Pattern: pattern, Limit: listed})
			if err != nil {
				return nil, err
			}

			for _, m := range metas {
				found = append(found, m.Symbol)
			}
		}
		if len(found) > 0 {
			slices.Sort(found)
			found = slices.Compact(found)
			return found[:min(listed, len(found))], nil
		}
	}

	return nil, nil
}

// symbols is what all catalogs together know, ordered. Of what several know, the first one's word counts.
func (l *lookup) symbols(ctx context.Context, by *caller, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	var all []domain.SymbolMeta
	for _, s := range l.stores {
		if s.Catalog == nil {
			continue
		}

		metas, err := call(ctx, by.at(s), symbolsOf, q)
		if err != nil {
			return nil, err
		}

		all = append(all, metas...)
	}

	slices.SortStableFunc(all, func(a, b domain.SymbolMeta) int { return cmp.Compare(a.Symbol, b.Symbol) })
	all = slices.CompactFunc(all, func(a, b domain.SymbolMeta) bool { return a.Symbol == b.Symbol })
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
	}

	return all, nil
}

// names lists symbols in a message.
func names(symbols []domain.Symbol) string {
	texts := make([]string, len(symbols))
	for i, s := range symbols {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}
