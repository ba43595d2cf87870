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

// rows is an immutable, ordered piece of data: a Series, Trades or Quotes.
type rows[D any] interface {
	fmt.Stringer
	Len() int
	Slice(from, to int) D
	Clip(r domain.Range) D
	Range() domain.Range
	Equal(o D) bool
}

// table stores one kind of data by key.
type table[K comparable, D rows[D]] struct {
	store   *Store
	kind    string // "bars", for errors
	entries map[K]entry[D]

	keyOf     func(d D) K
	validate  func(key K) error
	symbolOf  func(key K) domain.Symbol
	keyText   func(key K) string                 // for errors
	startTime func(d D) time.Time                // the time of the first row
	compare   func(a D, i int, b D, j int) int   // compares row i of a with row j of b; 0 if they have the same key
	concat    func(key K, pieces []D) (D, error) // concatenates ascending pieces
}

// entry is the state of one key. It is immutable: a write makes a new one.
type entry[D rows[D]] struct {
	pieces   []D            // ascending, disjoint, none of them empty
	coverage []domain.Range // ascending, disjoint, not touching
}

func (t *table[K, D]) lookup(key K) entry[D] {
	t.store.mu.RLock()
	defer t.store.mu.RUnlock()
	return t.entries[key]
}

// coverage yields the covered ranges of the symbols, or of every symbol if there are none, in no order. The caller must
// hold the mutex of the store.
func (t *table[K, D]) coverage(symbols []domain.Symbol) iter.Seq2[K, domain.Range] {
	return func(yield func(K, domain.Range) bool) {
		for key, e := range t.entries {
			if len(symbols) > 0 && !slices.Contains(symbols, t.symbolOf(key)) {
				continue
			}
			for _, r := range e.coverage {
				if !yield(key, r) {
					return
				}
			}
		}
	}
}

// read yields the rows that are stored when the iteration begins, in the stored pieces, without copying a row. At most
// one of first and last may be above 0. A second iteration yields an error.
func (t *table[K, D]) read(ctx context.Context, key K, r domain.Range, first, last int) iter.Seq2[D, error] {
	var used atomic.Bool
	return func(yield func(D, error) bool) {
		fail := func(err error) {
			var none D
			yield(none, translate("read "+t.kind, t.keyText(key), err))
		}
		if used.Swap(true) {
			fail(errUsed)
			return
		}
		if err := ctx.Err(); err != nil {
			fail(err)
			return
		}

		for _, piece := range t.selectPieces(key, r, first, last) {
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

// selectPieces returns the stored rows in r: all of them, or the first or last ones.
func (t *table[K, D]) selectPieces(key K, r domain.Range, first, last int) []D {
	pieces := t.lookup(key).pieces
	switch {
	case first > 0:
		return t.firstRows(pieces, r, first)
	case last > 0:
		return t.lastRows(pieces, r, last)
	}

	return t.clipPieces(pieces, r)
}

// write inserts or overwrites the rows, in ascending pieces, and declares the coverage. If no row is stored in the
// coverage, the pieces are stored as they are.
func (t *table[K, D]) write(
	ctx context.Context, key K, coverage domain.Range, pieces ...D,
) (ports.WriteReport, error) {
	report, err := t.update(ctx, key, coverage, pieces, func(e entry[D], coverage domain.Range) (
		entry[D], ports.WriteReport, error,
	) {
		e.coverage = domain.MergeRanges(append([]domain.Range{coverage}, e.coverage...))
		if len(t.clipPieces(e.pieces, coverage)) == 0 {
			var err error
			e.pieces, err = t.splicePieces(e.pieces, coverage, pieces...)
			return e, ports.WriteReport{Inserted: countRows(pieces)}, err
		}

		return t.mergePieces(e, pieces)
	})

	return report, translate("write "+t.kind, t.keyText(key), err)
}

// mergePieces returns the entry with the pieces merged over its rows.
func (t *table[K, D]) mergePieces(e entry[D], pieces []D) (entry[D], ports.WriteReport, error) {
	var total ports.WriteReport
	for _, d := range pieces {
		merged, report, err := t.merge(d, t.clipPieces(e.pieces, d.Range()))
		if err == nil && report.Inserted+report.Changed > 0 {
			e.pieces, err = t.splicePieces(e.pieces, d.Range(), merged)
		}
		if err != nil {
			return entry[D]{}, report, err
		}

		total = total.Add(report)
	}

	return e, total, nil
}

// replace replaces everything in r by the rows and declares r as covered. No rows delete the rows and the coverage.
func (t *table[K, D]) replace(ctx context.Context, d D, r domain.Range) (ports.WriteReport, error) {
	key := t.keyOf(d)
	report, err := t.update(ctx, key, r, []D{d}, func(e entry[D], r domain.Range) (
		entry[D], ports.WriteReport, error,
	) {
		stored := t.clipPieces(e.pieces, r)
		_, report, err := t.merge(d, stored)
		if err != nil {
			return entry[D]{}, report, err
		}

		report.Deleted = countRows(stored) - report.Changed - report.Unchanged
		if report.Inserted+report.Changed+report.Deleted > 0 {
			e.pieces, err = t.splicePieces(e.pieces, r, d)
		}
		if d.Len() == 0 {
			e.coverage = subtractRange(e.coverage, r)
		} else {
			e.coverage = domain.MergeRanges(append([]domain.Range{r}, e.coverage...))
		}

		return e, report, err
	})

	return report, translate("replace "+t.kind, t.keyText(key), err)
}

// update replaces the entry of the key by the one that next returns. It returns an error if a piece has another key, is
// out of order or is not in r. next must not change the entry that it is given.
func (t *table[K, D]) update(
	ctx context.Context, key K, r domain.Range, pieces []D,
	next func(entry[D], domain.Range) (entry[D], ports.WriteReport, error),
) (ports.WriteReport, error) {
	r, err := t.checkPieces(key, r, pieces)
	if err != nil {
		return ports.WriteReport{}, err
	}

	s := t.store
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	e, report, err := next(t.lookup(key), r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return ports.WriteReport{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(e.pieces)+len(e.coverage) == 0 {
		delete(t.entries, key)
		return report, nil
	}

	t.entries[key] = e
	if symbol := t.symbolOf(key); s.symbols[symbol].Symbol == "" {
		s.symbols[symbol] = domain.NewSymbolMeta(symbol)
	}

	return report, nil
}

// checkPieces returns r in its normal form, or an error if the key, the range or a piece is invalid.
func (t *table[K, D]) checkPieces(key K, r domain.Range, pieces []D) (domain.Range, error) {
	if err := t.validate(key); err != nil {
		return domain.Range{}, err
	}

	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return domain.Range{}, err
	}

	for i, d := range pieces {
		if d.Clip(r).Len() < d.Len() {
			return domain.Range{}, fmt.Errorf("%s: the range %s does not cover the %s: %w",
				d, r, t.kind, domain.ErrInvalid)
		}
		if t.keyOf(d) != key || i > 0 && t.compare(pieces[i-1], pieces[i-1].Len()-1, d, 0) >= 0 {
			return domain.Range{}, fmt.Errorf("%s: does not follow the previous %s of %s: %w",
				d, t.kind, t.keyText(key), domain.ErrInvalid)
		}
	}

	return r, nil
}
