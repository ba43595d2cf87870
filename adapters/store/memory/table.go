package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
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
	keys    map[domain.Symbol][]K // the keys of the entries, ascending

	keyOf       func(d D) K
	empty       func(key K) D // without a row
	layout      func(key K) domain.BlockLayout
	validate    func(key K) error
	symbolOf    func(key K) domain.Symbol
	compareKeys func(a, b K) int                   // compares two keys of a symbol
	keyText     func(key K) string                 // for errors
	startTime   func(d D) time.Time                // the time of the first row
	compare     func(a D, i int, b D, j int) int   // compares row i of a with row j of b; 0 if they have the same key
	concat      func(key K, pieces []D) (D, error) // concatenates ascending pieces
}

// entry is the state of one key. It is immutable: a write makes a new one.
type entry[D rows[D]] struct {
	pieces []D // ascending, disjoint, none of them empty
	state  *domain.SeriesState
}

// unwritten is the state of a key that was never written.
var unwritten = &domain.SeriesState{}

func (t *table[K, D]) lookup(key K) entry[D] {
	t.store.mu.RLock()
	defer t.store.mu.RUnlock()
	if e, found := t.entries[key]; found {
		return e
	}

	return entry[D]{state: unwritten}
}

// eachExtent calls f with the covered ranges of the selected symbols, ordered by symbol, key and start. The caller must
// hold the mutex of the store.
func (t *table[K, D]) eachExtent(q ports.ExtentQuery, f func(key K, r domain.Range)) {
	symbols := q.Symbols
	if len(symbols) == 0 {
		symbols = slices.AppendSeq(make([]domain.Symbol, 0, len(t.keys)), maps.Keys(t.keys))
		slices.Sort(symbols)
	} else if len(symbols) > 1 {
		symbols = slices.Compact(slices.Sorted(slices.Values(symbols)))
	}

	for _, symbol := range symbols {
		if symbol <= q.After {
			continue
		}
		for _, key := range t.keys[symbol] {
			for _, r := range t.entries[key].state.Coverage {
				f(key, r)
			}
		}
	}
}

// read yields the rows that are stored when the iteration begins, in the stored pieces, without copying a row. At most
// one of first and last may be above 0. A second iteration yields an error.
func (t *table[K, D]) read(ctx context.Context, key K, r domain.Range, first, last int) ports.Sequence[D] {
	var used atomic.Bool
	return func(yield func(ports.Piece[D], error) bool) {
		fail := func(err error) {
			yield(ports.Piece[D]{}, translate("read "+t.kind, t.keyText(key), err))
		}
		if used.Swap(true) {
			fail(errUsed)
			return
		}
		if err := ctx.Err(); err != nil {
			fail(err)
			return
		}

		e := t.lookup(key)
		parts := t.selectPieces(e.pieces, r, first, last)
		if len(parts) == 0 {
			yield(ports.Piece[D]{Rows: t.empty(key), State: e.state}, nil)
			return
		}

		state := e.state
		for _, part := range parts {
			if !yield(ports.Piece[D]{Rows: part, State: state}, nil) {
				return
			}
			if err := ctx.Err(); err != nil {
				fail(err)
				return
			}
			state = nil
		}
	}
}

// selectPieces returns the rows in r: all of them, or the first or last ones.
func (t *table[K, D]) selectPieces(pieces []D, r domain.Range, first, last int) []D {
	switch {
	case first > 0:
		return t.firstRows(pieces, r, first)
	case last > 0:
		return t.lastRows(pieces, r, last)
	}

	return t.clipPieces(pieces, r)
}

// write inserts the rows, in ascending pieces, and declares the coverage. If no row is stored in the coverage, the
// pieces are stored as they are.
func (t *table[K, D]) write(
	ctx context.Context, key K, coverage domain.Range, onConflict ports.ConflictPolicy, pieces ...D,
) (ports.WriteReport, error) {
	if err := onConflict.Validate(); err != nil {
		return ports.WriteReport{}, translate("write "+t.kind, t.keyText(key), err)
	}

	report, err := t.update(ctx, key, coverage, pieces, func(old entry[D], r domain.Range) (c change[D], err error) {
		c.coverage = domain.MergeRanges(append([]domain.Range{r}, old.state.Coverage...))
		if len(t.clipPieces(old.pieces, r)) == 0 {
			c.report.Inserted = countRows(pieces)
			c.pieces, err = t.splicePieces(old.pieces, r, pieces...)
			return c, err
		}

		c.pieces, c.report, err = t.mergePieces(old.pieces, pieces, onConflict)

		return c, err
	})

	return report, translate("write "+t.kind, t.keyText(key), err)
}

// mergePieces returns the stored pieces with the given ones merged into their rows.
func (t *table[K, D]) mergePieces(
	stored, pieces []D, onConflict ports.ConflictPolicy,
) ([]D, ports.WriteReport, error) {
	var total ports.WriteReport
	var conflicts ports.ConflictError
	for _, d := range pieces {
		merged, err := t.merge(d, t.clipPieces(stored, d.Range()), onConflict)
		if err != nil {
			return nil, total, err
		}

		total = total.Add(merged.report)
		conflicts.Add(merged.conflicts.First, merged.conflicts.Rows)
		if merged.report.Inserted+merged.report.Changed > 0 {
			if stored, err = t.splicePieces(stored, d.Range(), merged.rows); err != nil {
				return nil, total, err
			}
		}
	}
	if conflicts.Rows > 0 {
		return nil, total, &conflicts
	}

	return stored, total, nil
}

// replace replaces everything in r by the rows, at least one, and declares r as covered.
func (t *table[K, D]) replace(ctx context.Context, d D, r domain.Range) (ports.WriteReport, error) {
	const op = "replace "
	key := t.keyOf(d)
	if d.Len() == 0 {
		return ports.WriteReport{}, translate(op+t.kind, t.keyText(key), ports.ErrNothingToReplace)
	}

	report, err := t.update(ctx, key, r, []D{d}, func(old entry[D], r domain.Range) (c change[D], err error) {
		stored := t.clipPieces(old.pieces, r)
		merged, err := t.merge(d, stored, ports.ConflictReplace)
		if err != nil {
			return c, err
		}

		c.report = merged.report
		c.report.Deleted = countRows(stored) - c.report.Changed - c.report.Unchanged
		c.coverage = domain.MergeRanges(append([]domain.Range{r}, old.state.Coverage...))
		if c.pieces = old.pieces; c.changesRows() {
			c.pieces, err = t.splicePieces(old.pieces, r, d)
		}

		return c, err
	})

	return report, translate(op+t.kind, t.keyText(key), err)
}

// delete removes the rows in r and their coverage.
func (t *table[K, D]) delete(ctx context.Context, key K, r domain.Range) (ports.WriteReport, error) {
	report, err := t.update(ctx, key, r, nil, func(old entry[D], r domain.Range) (c change[D], err error) {
		c.report.Deleted = countRows(t.clipPieces(old.pieces, r))
		c.coverage = subtractRange(old.state.Coverage, r)
		c.pieces, err = t.splicePieces(old.pieces, r)

		return c, err
	})

	return report, translate("delete "+t.kind, t.keyText(key), err)
}

// change is the outcome of a write.
type change[D rows[D]] struct {
	pieces   []D
	coverage []domain.Range
	report   ports.WriteReport
}

func (c change[D]) changesRows() bool {
	return c.report.Inserted+c.report.Changed+c.report.Deleted > 0
}

// update replaces the entry of the key by the change that next returns. It returns an error if a piece has another key,
// is out of order or is not in r. next must not change the entry that it is given.
func (t *table[K, D]) update(
	ctx context.Context, key K, r domain.Range, pieces []D, next func(entry[D], domain.Range) (change[D], error),
) (ports.WriteReport, error) {
	r, err := t.checkPieces(key, r, pieces)
	if err != nil {
		return ports.WriteReport{}, err
	}

	s := t.store
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	old := t.lookup(key)
	c, err := next(old, r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return ports.WriteReport{}, err
	}
	if !c.changesRows() && slices.EqualFunc(c.coverage, old.state.Coverage, domain.Range.Equal) {
		return c.report, nil
	}

	e := entry[D]{pieces: c.pieces, state: t.nextState(key, old, c, r)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := t.entries[key]; !exists {
		symbol := t.symbolOf(key)
		t.keys[symbol] = append(t.keys[symbol], key)
		keys := t.keys[symbol]
		for i := len(keys) - 1; i > 0 && t.compareKeys(keys[i-1], keys[i]) > 0; i-- {
			keys[i-1], keys[i] = keys[i], keys[i-1]
		}
	}
	t.entries[key] = e
	if symbol := t.symbolOf(key); s.symbols[symbol].Symbol == "" {
		s.symbols[symbol] = domain.NewSymbolMeta(symbol)
	}

	return c.report, nil
}

// nextState returns the state after a change in r.
func (t *table[K, D]) nextState(key K, old entry[D], c change[D], r domain.Range) *domain.SeriesState {
	state := &domain.SeriesState{Version: old.state.Version.Next(), Coverage: c.coverage, Blocks: old.state.Blocks}
	if !c.changesRows() {
		state.Tail = old.state.Tail
		return state
	}

	state.Blocks = t.nextBlocks(t.layout(key), old, c.pieces, r, state.Version)
	state.Tail = t.nextTail(old, c, state)

	return state
}

// nextTail returns the tail of a state after a change of rows.
func (t *table[K, D]) nextTail(old entry[D], c change[D], state *domain.SeriesState) []uint64 {
	last, found := state.LastBlock()
	before, foundBefore := old.state.LastBlock()
	switch {
	case !found:
		return nil
	case foundBefore && last == before:
		return old.state.Tail
	case last.Version != state.Version:
		return nil // rows behind it were deleted
	case foundBefore && last.Index == before.Index && t.onlyAppends(old.pieces, c):
		return domain.PushTail(old.state.Tail, state.Version.Nonce)
	}

	return []uint64{state.Version.Nonce}
}

// onlyAppends reports whether the change only adds rows behind the last of the old pieces, of which there is at least
// one. Rows at the instant of the last one count as not behind it.
func (t *table[K, D]) onlyAppends(old []D, c change[D]) bool {
	behind := t.clipPieces(c.pieces, domain.Range{Start: old[len(old)-1].Range().End, End: maxTime})
	return c.report.Changed+c.report.Deleted == 0 && c.report.Inserted == countRows(behind)
}

// nextBlocks returns the blocks of the pieces, which differ from the old ones in r only. A block whose rows changed has
// the new version.
func (t *table[K, D]) nextBlocks(
	layout domain.BlockLayout, old entry[D], pieces []D, r domain.Range, version domain.Version,
) []domain.BlockState {
	first, end := layout.Span(r.Intersect(t.span(old.pieces, pieces)))
	from := sort.Search(len(old.state.Blocks), func(i int) bool { return old.state.Blocks[i].Index >= first })
	to := sort.Search(len(old.state.Blocks), func(i int) bool { return old.state.Blocks[i].Index >= end })
	before, after := old.state.Blocks[:from:from], old.state.Blocks[to:]

	touched := old.state.Blocks[from:to]
	blocks := before
	for i := first; i < end; i++ {
		bounds := layout.Range(i, i+1)
		rows := t.clipPieces(pieces, bounds)
		block := domain.BlockState{Index: i, Rows: countRows(rows), Version: version}
		if len(touched) > 0 && touched[0].Index == i {
			if equalRows(rows, t.clipPieces(old.pieces, bounds)) {
				block = touched[0]
			}
			touched = touched[1:]
		}
		if len(rows) > 0 {
			blocks = append(blocks, block)
		}
	}

	return append(blocks, after...)
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
