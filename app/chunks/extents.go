package chunks

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/gal-friday/marketdata/app/internal/singleflight"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// maxExtents bounds what is known of all symbols together, in extents; with more, all is forgotten. It is some 16 MB.
const maxExtents = 1 << 17

// holdings is what the store said it holds, by symbol.
type holdings struct {
	states states // of all series of a symbol
	mu     sync.RWMutex
	known  map[domain.Symbol]holding
	count  int // extents, and one for each symbol
	asked  singleflight.Group[askedOnce, []domain.Extent]
}

// holding is what the store said of one symbol. Times are microseconds since 1970 of the machine's clock.
type holding struct {
	extents     []domain.Extent
	read, until ports.WallMicros
}

// askedOnce tells questions about one symbol apart by the writes before them.
type askedOnce struct {
	symbol  domain.Symbol
	version uint64
}

func (h *holdings) get(symbol domain.Symbol, v *view) ([]domain.Extent, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	kept, ok := h.known[symbol]
	if !ok || v.busy || kept.read <= v.whole || kept.until <= v.now {
		return nil, false
	}

	return kept.extents, true
}

func (h *holdings) put(symbol domain.Symbol, kept holding) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count+1+len(kept.extents) > maxExtents {
		clear(h.known)
		h.count = 0
	}
	if before, ok := h.known[symbol]; ok {
		h.count -= 1 + len(before.extents)
	}
	h.known[symbol] = kept
	h.count += 1 + len(kept.extents)
}

// allOf stands for all series of a symbol.
func allOf(symbol domain.Symbol) domain.SeriesKey { return domain.SeriesKey{Symbol: symbol} }

func (h *holdings) state(symbol domain.Symbol) *state { return h.states.of(allOf(symbol)) }

// viewOf is the state of all series of a symbol.
func (s *Store) viewOf(symbol domain.Symbol) view { return s.held.state(symbol).view(allOf(symbol)) }

// keepHeld keeps what the store said of the symbol, unless a write began or ended since the view was taken.
func (s *Store) keepHeld(v *view, symbol domain.Symbol, extents []domain.Extent) {
	until := wallNow() + jittered(s.cfg.ExtentTTL)
	v.keep(func() { s.held.put(symbol, holding{extents, v.stamp, until}) })
}

// LocalExtents is what the store said of the symbol a short while ago. Nobody may change it.
func (s *Store) LocalExtents(symbol domain.Symbol) ([]domain.Extent, bool) {
	if !s.live() {
		return nil, false
	}
	v := s.viewOf(symbol)

	return s.held.get(symbol, &v)
}

// Extents is what the store says it holds, or said a short while ago; however many ask of one symbol at once, it is asked once. Of
// all symbols it is asked each time.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	switch {
	case !s.live() || len(symbols) == 0:
		return s.next.Extents(ctx, symbols...)
	case len(symbols) == 1:
		extents, err := s.heldOf(ctx, symbols[0])
		return slices.Clone(extents), err
	}
	symbols = slices.Compact(slices.Sorted(slices.Values(symbols)))
	var all []domain.Extent
	var lacking []domain.Symbol
	for _, symbol := range symbols {
		v := s.viewOf(symbol)
		if extents, ok := s.held.get(symbol, &v); ok {
			all = append(all, extents...)
			continue
		}
		lacking = append(lacking, symbol)
	}
	if len(lacking) > 0 {
		asked, err := s.askAll(ctx, lacking)
		if err != nil {
			return nil, err
		}
		all = append(all, asked...)
		slices.SortStableFunc(all, func(a, b domain.Extent) int { return a.Key.Compare(b.Key) })
	}

	return all, nil
}

// askAll asks the store of all the symbols, and keeps what it says of each.
func (s *Store) askAll(ctx context.Context, symbols []domain.Symbol) ([]domain.Extent, error) {
	symbols = slices.Compact(slices.Sorted(slices.Values(symbols)))
	views := make([]view, len(symbols))
	for i, symbol := range symbols {
		views[i] = s.viewOf(symbol)
	}
	extents, err := s.next.Extents(ctx, symbols...)
	if err != nil {
		return nil, err
	}
	for i, symbol := range symbols {
		from, _ := slices.BinarySearchFunc(extents, symbol, func(e domain.Extent, s domain.Symbol) int { return cmp.Compare(e.Key.Symbol, s) })
		n := from
		for n < len(extents) && extents[n].Key.Symbol == symbol {
			n++
		}
		s.keepHeld(&views[i], symbol, slices.Clone(extents[from:n]))
	}

	return extents, nil
}

// heldOf is what the store says of the symbol, or said a short while ago. Nobody may change it.
func (s *Store) heldOf(ctx context.Context, symbol domain.Symbol) ([]domain.Extent, error) {
	v := s.viewOf(symbol)
	if extents, ok := s.held.get(symbol, &v); ok {
		return extents, nil
	}
	extents, _, err := s.held.asked.Do(ctx, askedOnce{symbol, v.version}, func(ctx context.Context) ([]domain.Extent, error) {
		return s.askHeld(ctx, symbol)
	})
	if errors.Is(err, singleflight.ErrInterrupted) {
		return nil, &ports.Error{
			Kind: ports.ContextKind(ctx.Err()), Op: "read extents", Store: s.cfg.Name, Subject: string(symbol), Err: ctx.Err(),
		}
	}

	return extents, err
}

// askHeld asks the store, and keeps what it says.
func (s *Store) askHeld(ctx context.Context, symbol domain.Symbol) (extents []domain.Extent, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ReadTimeout)
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)() //nolint:contextcheck // Close ends it too
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked("read extents", string(symbol), v)
		}
	}()

	v := s.viewOf(symbol)
	extents, err = s.next.Extents(ctx, symbol)
	if err == nil {
		s.keepHeld(&v, symbol, extents)
	}

	return extents, err
}

// forgetHeld is for what may no longer be as the store said.
func (s *Store) forgetHeld(symbol domain.Symbol) {
	s.held.state(symbol).touch(func(now ports.WallMicros, d *distrust) { d.whole = now })
}

// ofKey is the extents of one series.
func ofKey(extents []domain.Extent, key domain.SeriesKey) []domain.Extent {
	from, _ := slices.BinarySearchFunc(extents, key, func(e domain.Extent, key domain.SeriesKey) int { return e.Key.Compare(key) })
	n := from
	for n < len(extents) && extents[n].Key == key {
		n++
	}

	return extents[from:n]
}

// claimed reports whether one of the extents, of one series, claims all of the range.
func claimed(held []domain.Extent, r domain.Range) bool {
	return slices.ContainsFunc(held, func(e domain.Extent) bool { return !e.Inferred && e.Range.Covers(r) })
}

// claims is a fingerprint of what the extents, of one series, hold from start to end. Two differ where one holds, or only assumes to
// hold, what the other does not.
func claims(held []domain.Extent, start, end domain.Micros) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a, by words
	sum := uint64(offset)
	for _, e := range held {
		from, to := e.Range.Micros()
		from, to = max(from, start), min(to, end)
		if from >= to {
			continue
		}
		kind := uint64(0)
		if e.Inferred {
			kind = 1
		}
		for _, word := range [...]uint64{uint64(from), uint64(to), kind} {
			sum = (sum ^ word) * prime
			sum ^= sum >> 32
		}
	}

	return sum
}
