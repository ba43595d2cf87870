package seriescache

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// maxChanges bounds the changes that are kept apart. With more, everything that was read of the series is useless.
const maxChanges = 64

// unversioned is a source over a store that keeps no versions. It gives each series and its blocks versions of its own.
// That of a block ends when the coverage of the block changes, when the block is forgotten, or with its time. A state
// has a block of unknown rows wherever the store has coverage, declared or inferred. It is safe for concurrent use.
type unversioned struct {
	next ports.Store
	ttl  time.Duration

	mu       sync.Mutex // guards the versions, too
	revision int64      // of the last version
	versions map[domain.SeriesKey]*ownVersion
}

// ownVersion is the version that this process gave a series. The zero version is none.
type ownVersion struct {
	version domain.Version
	extents []domain.Extent // of the series

	base    uint64    // part of the nonce of every block
	begun   time.Time // before the coverage was read for the first time with base
	changes []change  // since begun

	// epoch is raised with each change, because coverage that is being read then may be of before.
	epoch uint64
}

// change is a write to some blocks.
type change struct {
	from, to int64 // blocks [from, to)
	nonce    uint64
}

func newUnversioned(next ports.Store, ttl time.Duration) *unversioned {
	return &unversioned{next: next, ttl: ttl, versions: map[domain.SeriesKey]*ownVersion{}}
}

// forget ends the versions of the series and of its blocks in r.
func (u *unversioned) forget(key domain.SeriesKey, r domain.Range) {
	u.mu.Lock()
	defer u.mu.Unlock()
	v := u.versions[key]
	if v == nil {
		return
	}

	v.epoch++
	v.version = domain.Version{}
	from, to := domain.BarBlocks(key.Grid).Span(r)
	if v.changes = append(v.changes, change{from, to, rand.Uint64()}); len(v.changes) > maxChanges {
		*v = ownVersion{epoch: v.epoch}
	}
}

// forgetSeries ends the versions of the series and of all its blocks.
func (u *unversioned) forgetSeries(key domain.SeriesKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if v := u.versions[key]; v != nil {
		*v = ownVersion{epoch: v.epoch + 1}
	}
}

// forgetAll ends all versions.
func (u *unversioned) forgetAll() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, v := range u.versions {
		*v = ownVersion{epoch: v.epoch + 1}
	}
}

// ReadStates implements ports.StateReader. It reads the coverage of all series at once.
func (u *unversioned) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	epochs := u.epochs(queries)
	symbols := make([]domain.Symbol, len(queries))
	for i, q := range queries {
		symbols[i] = q.Key.Symbol
	}
	slices.Sort(symbols)

	begun := time.Now()
	extents, err := ports.Collect(u.next.Extents(ctx, ports.ExtentQuery{Symbols: slices.Compact(symbols)}))
	if err != nil {
		return nil, err
	}

	states := make([]*domain.SeriesState, len(queries))
	for i, q := range queries {
		version := u.version(q.Key, ownVersion{extents: extentsOf(extents, q.Key), begun: begun, epoch: epochs[i]})
		if version.version != q.State.Known {
			states[i] = version.state(q.Key.Grid, q.State.Range)
		}
	}

	return states, nil
}

// epochs returns the epoch of each series.
func (u *unversioned) epochs(queries []ports.SeriesQuery) []uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.versions)+len(queries) > maxLeases {
		clear(u.versions)
	}

	epochs := make([]uint64, len(queries))
	for i, q := range queries {
		if u.versions[q.Key] == nil {
			u.versions[q.Key] = &ownVersion{}
		}
		epochs[i] = u.versions[q.Key].epoch
	}

	return epochs
}

// version returns the version of a series whose coverage was read: the kept one if it is still right, else a new one.
func (u *unversioned) version(key domain.SeriesKey, read ownVersion) ownVersion {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := u.versions[key]
	isCurrent := kept != nil && kept.epoch == read.epoch
	if isCurrent && kept.version != (domain.Version{}) && kept.isYoung(read.begun, u.ttl) &&
		slices.Equal(kept.extents, read.extents) {
		return *kept
	}

	if read.base = rand.Uint64(); isCurrent && kept.base != 0 && kept.isYoung(read.begun, u.ttl) {
		read.base, read.begun, read.changes = kept.base, kept.begun, slices.Clip(kept.changes)
	}
	read.version = domain.Version{Revision: u.revision}.Next()
	read.extents = slices.Clone(read.extents)
	u.revision++
	if isCurrent {
		*kept = read
	}

	return read
}

// isYoung reports whether the versions of blocks may still be used at now.
func (v *ownVersion) isYoung(now time.Time, ttl time.Duration) bool {
	return now.Sub(v.begun) < ttl && now.Round(0).Sub(v.begun.Round(0)) < ttl
}

// state returns the state of the series with the blocks of r.
func (v *ownVersion) state(grid domain.Grid, r domain.Range) *domain.SeriesState {
	state := &domain.SeriesState{Version: v.version}
	layout := domain.BarBlocks(grid)
	for _, e := range v.extents {
		if !e.Inferred {
			state.Coverage = append(state.Coverage, e.Range)
		}

		from, to := layout.Span(e.Range.Intersect(r))
		if last, found := state.LastBlock(); found {
			from = max(from, last.Index+1)
		}
		for ; from < to; from++ {
			state.Blocks = append(state.Blocks, domain.BlockState{Index: from, Version: v.block(layout, from)})
		}
	}

	return state
}

// block returns the version of a block: that of the series with a nonce of the coverage and the changes of the block.
func (v *ownVersion) block(layout domain.BlockLayout, index int64) domain.Version {
	bounds := layout.Range(index, index+1)
	nonce := v.base
	for _, e := range v.extents {
		part := e.Range.Intersect(bounds)
		if part.Empty() {
			continue
		}

		from, to := part.Micros()
		for _, word := range [...]uint64{uint64(from), uint64(to)} {
			nonce = (nonce ^ word) * fnvPrime
			nonce ^= nonce >> 32
		}
		if e.Inferred {
			nonce = ^nonce
		}
	}
	for _, c := range v.changes {
		if c.from <= index && index < c.to {
			nonce ^= c.nonce
		}
	}

	return domain.Version{Revision: 1, Nonce: nonce}
}

// fnvPrime is the prime of FNV-1a with 64 bits (http://www.isthe.com/chongo/tech/comp/fnv).
const fnvPrime = 1099511628211

// extentsOf returns the extents of one series, of extents that are ordered by key.
func extentsOf(extents []domain.Extent, key domain.SeriesKey) []domain.Extent {
	compare := func(e domain.Extent, key domain.SeriesKey) int { return e.Key.Compare(key) }
	from, _ := slices.BinarySearchFunc(extents, key, compare)
	n := from
	for n < len(extents) && extents[n].Key == key {
		n++
	}

	return extents[from:n]
}

// ReadBars implements ports.BarReader. Coverage and versions in the range before and after the read must be the same;
// else the last pair is access.ErrStateChanged.
func (u *unversioned) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		query := []ports.SeriesQuery{{Key: q.Key, State: ports.StateQuery{Range: q.Range.Hull(q.State.Range)}}}
		before, err := u.ReadStates(ctx, query)
		if err != nil {
			yield(ports.Piece[domain.Series]{}, err)
			return
		}
		if !yield(ports.Piece[domain.Series]{Rows: domain.EmptySeries(q.Key), State: before[0]}, nil) {
			return
		}

		for piece, err := range u.next.ReadBars(ctx, q) {
			if !yield(piece, err) || err != nil {
				return
			}
		}

		after, err := u.ReadStates(ctx, query)
		if err == nil && !before[0].SameWithin(after[0], domain.BarBlocks(q.Key.Grid), q.Range) {
			err = access.ErrStateChanged
		}
		if err != nil {
			yield(ports.Piece[domain.Series]{}, err)
		}
	}
}
