package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// rows is an immutable piece of data in order: a Series, Trades or Quotes.
type rows[D any] interface {
	fmt.Stringer
	Len() int
	Slice(from, to int) D
	Clip(r domain.Range) D
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
	begins   func(d D) time.Time                // of the first row
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

		pieces := t.lookup(key).pieces
		switch {
		case first > 0:
			pieces = t.firstWithin(pieces, r, first)
		case last > 0:
			pieces = t.lastWithin(pieces, r, last)
		default:
			pieces = t.within(pieces, r)
		}

		for _, piece := range pieces {
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

// write inserts or overwrites the rows, in ascending pieces, and claims the range. Where it held none so far, as in a store that is
// loaded, the pieces are held as they are.
func (t *table[K, D]) write(ctx context.Context, key K, claim domain.Range, pieces ...D) (ports.WriteReport, error) {
	report, err := t.change(ctx, key, claim, pieces, func(h held[D], claim domain.Range) (held[D], ports.WriteReport, error) {
		h.claims = domain.MergeRanges(append([]domain.Range{claim}, h.claims...))
		if len(t.within(h.pieces, claim)) == 0 {
			var err error
			h.pieces, err = t.splice(h.pieces, claim, pieces...)
			return h, ports.WriteReport{Inserted: count(pieces)}, err
		}

		var total ports.WriteReport
		for _, d := range pieces {
			merged, report, err := t.upsert(d, t.within(h.pieces, d.Range()))
			if err == nil && report.Inserted+report.Changed > 0 {
				h.pieces, err = t.splice(h.pieces, d.Range(), merged)
			}
			if err != nil {
				return held[D]{}, report, err
			}

			total = total.Add(report)
		}

		return h, total, nil
	})
	return report, translate("write "+t.kind, t.text(key), err)
}

// replace puts the rows in the place of everything in r, and claims r; where there are none, it deletes both.
func (t *table[K, D]) replace(ctx context.Context, d D, r domain.Range) (ports.WriteReport, error) {
	key := t.keyOf(d)
	report, err := t.change(ctx, key, r, []D{d}, func(h held[D], r domain.Range) (held[D], ports.WriteReport, error) {
		there := t.within(h.pieces, r)
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

	return report, translate("replace "+t.kind, t.text(key), err)
}

// change lets apply make the next state under one key, and puts it in place whole. It refuses pieces that are not of the key, not in
// order, or not in r.
func (t *table[K, D]) change(
	ctx context.Context, key K, r domain.Range, pieces []D,
	apply func(held[D], domain.Range) (held[D], ports.WriteReport, error),
) (ports.WriteReport, error) {
	if err := t.validate(key); err != nil {
		return ports.WriteReport{}, err
	}

	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return ports.WriteReport{}, err
	}

	for i, d := range pieces {
		if d.Clip(r).Len() < d.Len() {
			return ports.WriteReport{}, fmt.Errorf("%s: %s does not cover the %s: %w", d, r, t.kind, domain.ErrInvalid)
		}
		if t.keyOf(d) != key || i > 0 && t.compare(pieces[i-1], pieces[i-1].Len()-1, d, 0) >= 0 {
			return ports.WriteReport{}, fmt.Errorf("%s: not the next of the %s %s: %w", d, t.text(key), t.kind, domain.ErrInvalid)
		}
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
