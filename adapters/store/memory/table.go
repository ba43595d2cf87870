package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// rows is an immutable piece of data in order: a Series, Trades or Quotes.
type rows[D any] interface {
	fmt.Stringer
	Len() int
	Slice(from, to int) D
	Within(r domain.Range) D
	Range() domain.Range
	Equal(o D) bool
}

// table is what the store has of one kind of data, by key.
type table[K comparable, D rows[D]] struct {
	store *Store
	kind  string // "bars"
	held  map[K]held[D]

	keyOf    func(d D) K
	validate func(key K) error
	symbol   func(key K) domain.Symbol
	text     func(key K) string                 // for errors
	compare  func(a D, i int, b D, j int) int   // the order of row i of a and row j of b; 0 where they are one
	join     func(key K, pieces []D) (D, error) // one of ascending pieces
}

// held is what the store has under one key. Nobody changes it; a write makes another.
type held[D rows[D]] struct {
	pieces []D            // ascending, disjoint, none empty
	claims []domain.Range // ascending, disjoint, not touching
}

func (t *table[K, D]) lookup(key K) held[D] {
	t.store.mu.RLock()
	defer t.store.mu.RUnlock()
	return t.held[key]
}

// claims yields every claim on the symbols, or on all, in no order. The caller holds the store's lock.
func (t *table[K, D]) claims(symbols []domain.Symbol) iter.Seq2[K, domain.Range] {
	return func(yield func(K, domain.Range) bool) {
		for key, h := range t.held {
			if len(symbols) > 0 && !slices.Contains(symbols, t.symbol(key)) {
				continue
			}
			for _, r := range h.claims {
				if !yield(key, r) {
					return
				}
			}
		}
	}
}

// read yields what the table held when the range began, in the pieces it is held in, without copying a row.
func (t *table[K, D]) read(ctx context.Context, key K, r domain.Range, first, last int) iter.Seq2[D, error] {
	var used atomic.Bool
	return func(yield func(D, error) bool) {
		fail := func(err error) {
			var none D
			yield(none, translate("read "+t.kind, t.text(key), err))
		}
		if used.Swap(true) {
			fail(errUsed)
			return
		}
		if err := ctx.Err(); err != nil {
			fail(err)
			return
		}
		for _, piece := range limit(within(t.lookup(key).pieces, r), first, last) {
			if !yield(piece, nil) {
				return
			}
			if err := ctx.Err(); err != nil {
				fail(err)
				return
			}
		}
	}
}

// write inserts or overwrites the rows, and claims the range.
func (t *table[K, D]) write(ctx context.Context, d D, claim domain.Range) (ports.WriteReport, error) {
	report, err := t.change(ctx, d, claim, func(h held[D], claim domain.Range) (held[D], ports.WriteReport, error) {
		merged, report, err := t.upsert(d, within(h.pieces, d.Range()))
		if err != nil {
			return held[D]{}, report, err
		}
		if report.Inserted+report.Changed > 0 {
			h.pieces, err = t.splice(h.pieces, d.Range(), merged)
		}
		h.claims = domain.MergeRanges(append([]domain.Range{claim}, h.claims...))
		return h, report, err
	})
	return report, translate("write "+t.kind, t.text(t.keyOf(d)), err)
}

// replace puts the rows in the place of everything in r, and claims r; where there are none, it deletes both.
func (t *table[K, D]) replace(ctx context.Context, d D, r domain.Range) (ports.WriteReport, error) {
	report, err := t.change(ctx, d, r, func(h held[D], r domain.Range) (held[D], ports.WriteReport, error) {
		there := within(h.pieces, r)
		_, report, err := t.upsert(d, there)
		if err != nil {
			return held[D]{}, report, err
		}
		report.Deleted = count(there) - report.Changed - report.Unchanged
		if report.Inserted+report.Changed+report.Deleted > 0 {
			h.pieces, err = t.splice(h.pieces, r, d)
		}
		if d.Len() == 0 {
			h.claims = subtract(h.claims, r)
		} else {
			h.claims = domain.MergeRanges(append([]domain.Range{r}, h.claims...))
		}
		return h, report, err
	})
	return report, translate("replace "+t.kind, t.text(t.keyOf(d)), err)
}

// change lets apply make the next state under one key, and puts it in place whole.
func (t *table[K, D]) change(
	ctx context.Context, d D, r domain.Range,
	apply func(held[D], domain.Range) (held[D], ports.WriteReport, error),
) (ports.WriteReport, error) {
	key := t.keyOf(d)
	if err := t.validate(key); err != nil {
		return ports.WriteReport{}, err
	}
	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return ports.WriteReport{}, err
	}
	if d.Within(r).Len() < d.Len() {
		return ports.WriteReport{}, fmt.Errorf("%s: %s does not cover the %s: %w", d, r, t.kind, domain.ErrInvalid)
	}
	s := t.store
	s.writing.Lock()
	defer s.writing.Unlock()
	next, report, err := apply(t.lookup(key), r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return ports.WriteReport{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(next.pieces)+len(next.claims) == 0 {
		delete(t.held, key)
		return report, nil
	}
	t.held[key] = next
	if symbol := t.symbol(key); s.symbols[symbol].Symbol == "" {
		s.symbols[symbol] = domain.NewSymbolMeta(symbol)
	}
	return report, nil
}
