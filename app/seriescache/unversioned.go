package seriescache

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// maxChanges bounds the changes that are kept apart. With more, everything that was read of the series is useless.
const maxChanges = 64

// unversioned is a ports.StateReader of a store that keeps no versions. It gives each series and its blocks versions of
// its own, which are made of the coverage and of a basis. A state has a block of unknown rows wherever the store has
// coverage, declared or inferred. It is safe for concurrent use.
type unversioned struct {
	next ports.Store
	ttl  time.Duration

	mu    sync.Mutex
	bases map[domain.SeriesKey]basis
}

// basis is the part of the versions of a series that is not its coverage. Versions are taken of the basis from before
// the coverage was read, so that what is read beside a change is of before it. It is immutable.
type basis struct {
	nonce   uint64    // ends with its time
	begun   time.Time // before the coverage was read for the first time with nonce
	changes []change  // since begun
}

// change is a write to some blocks.
type change struct {
	from, to int64 // blocks [from, to)
	nonce    uint64
}

func newUnversioned(next ports.Store, ttl time.Duration) *unversioned {
	return &unversioned{next: next, ttl: ttl, bases: map[domain.SeriesKey]basis{}}
}

// forget ends the versions of the series and of its blocks in r.
func (u *unversioned) forget(key domain.SeriesKey, r domain.Range) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b, found := u.bases[key]
	if !found {
		return
	}
	if len(b.changes) == maxChanges {
		delete(u.bases, key)
		return
	}

	from, to := domain.BarBlocks(key.Grid).Span(r)
	b.changes = append(slices.Clip(b.changes), change{from, to, rand.Uint64()})
	u.bases[key] = b
}

// forgetAll ends all versions.
func (u *unversioned) forgetAll() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.bases)
}

// ReadStates implements ports.StateReader. It reads the coverage of all series at once.
func (u *unversioned) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	bases := u.basesOf(queries)
	symbols := make([]domain.Symbol, len(queries))
	for i, q := range queries {
		symbols[i] = q.Key.Symbol
	}
	slices.Sort(symbols)

	extents, err := ports.Collect(u.next.Extents(ctx, ports.ExtentQuery{Symbols: slices.Compact(symbols)}))
	if err != nil {
		return nil, err
	}

	states := make([]*domain.SeriesState, len(queries))
	for i, q := range queries {
		ofSeries := extentsWhere(extents, func(k domain.SeriesKey) int { return k.Compare(q.Key) })
		state := bases[i].state(ofSeries, domain.BarBlocks(q.Key.Grid), q.State.Range)
		if state.Version != q.State.Known {
			states[i] = state
		}
	}

	return states, nil
}

// basesOf returns the basis of each series, a new one in place of one whose time is over.
func (u *unversioned) basesOf(queries []ports.SeriesQuery) []basis {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.bases)+len(queries) > maxLeases {
		clear(u.bases)
	}

	now := time.Now()
	bases := make([]basis, len(queries))
	for i, q := range queries {
		b := u.bases[q.Key]
		if monotonic, wall := elapsedSince(b.begun, now); max(monotonic, wall) >= u.ttl {
			b = basis{nonce: rand.Uint64(), begun: now}
			u.bases[q.Key] = b
		}
		bases[i] = b
	}

	return bases
}

// state returns the state of the series that has the extents, with the blocks of r.
func (b *basis) state(extents []domain.Extent, layout domain.BlockLayout, r domain.Range) *domain.SeriesState {
	first, end := layout.Span(domain.AllYears())
	state := &domain.SeriesState{Version: b.version(extents, layout, first, end)}
	for _, e := range extents {
		if !e.Inferred {
			state.Coverage = append(state.Coverage, e.Range)
		}

		from, to := layout.Span(e.Range.Intersect(r))
		if last, found := state.LastBlock(); found {
			from = max(from, last.Index+1)
		}
		for ; from < to; from++ {
			block := domain.BlockState{Index: from, Version: b.version(extents, layout, from, from+1)}
			state.Blocks = append(state.Blocks, block)
		}
	}

	return state
}

// version returns the version of the blocks [from, to): a nonce of the basis, and of the coverage and changes there.
func (b *basis) version(extents []domain.Extent, layout domain.BlockLayout, from, to int64) domain.Version {
	bounds := layout.Range(from, to)
	nonce := b.nonce
	for _, e := range extents {
		part := e.Range.Intersect(bounds)
		if part.Empty() {
			continue
		}

		start, end := part.Micros()
		for _, word := range [...]uint64{uint64(start), uint64(end)} {
			nonce = (nonce ^ word) * fnvPrime
			nonce ^= nonce >> 32
		}
		if e.Inferred {
			nonce = ^nonce
		}
	}
	for _, c := range b.changes {
		if c.from < to && from < c.to {
			nonce ^= c.nonce
		}
	}

	return domain.Version{Revision: 1, Nonce: nonce}
}

// fnvPrime is the prime of FNV-1a with 64 bits (http://www.isthe.com/chongo/tech/comp/fnv).
const fnvPrime = 1099511628211
