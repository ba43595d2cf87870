package seriescache

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/gal-friday/marketdata/app/internal/singleflight"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

const (
	// runBlocks is the maximum number of blocks that one read of the store takes.
	runBlocks = 32

	// readsAtOnce is the maximum number of reads of the store that one query has under way.
	readsAtOnce = 4
)

// missing is a block that is in no cache.
type missing struct {
	domain.BlockState
	place int              // in the blocks that are loaded
	older blockcache.Block // that may be extended to the version, if it has bars
}

// isMatchedBy reports whether the block of a shared cache is the one that is missing.
func (m *missing) isMatchedBy(block blockcache.Block) bool {
	return block.Version == m.Version && block.Bars.Len() == m.Rows
}

// load returns the bars of the blocks, which are consecutive blocks of the state: from this process, from the shared
// cache, or from the store. It returns access.ErrStateChanged where the store has other versions.
func (r *reading) load(ctx context.Context, blocks []domain.BlockState) ([]blockcache.Bars, error) {
	pieces := make([]blockcache.Bars, len(blocks))
	absent := r.absentBlocks(blocks, pieces)
	for i, b := range blocks {
		if pieces[i].Cached {
			r.store.hit(r.store.blockKey(r.query.Key, b.Index))
		}
	}
	if len(absent) == 0 {
		return pieces, nil
	}

	err := r.loadAbsent(ctx, absent, pieces)
	if err == nil {
		r.maybeReadAhead(absent)
	}

	return pieces, err
}

// absentBlocks takes the blocks that are in the memory of this process. It returns the others.
func (r *reading) absentBlocks(blocks []domain.BlockState, pieces []blockcache.Bars) (absent []missing) {
	for i, b := range blocks {
		block, found := r.store.caches.Local.Get(r.store.blockKey(r.query.Key, b.Index))
		if !found || block.Version != b.Version {
			absent = append(absent, missing{BlockState: b, place: i, older: block})
			continue
		}

		pieces[i] = blockcache.Bars{Bars: block.Bars, Validated: block.Validated, Cached: true}
	}

	return absent
}

func (s *Store) blockKey(key domain.SeriesKey, index int64) blockcache.Key {
	return blockcache.Key{Store: s.cfg.Name, Series: key, Index: index}
}

// loadAbsent takes blocks from the shared cache, and reads the others.
func (r *reading) loadAbsent(ctx context.Context, absent []missing, pieces []blockcache.Bars) error {
	runs := splitRuns(r.takeShared(ctx, absent, pieces))
	return inParallel(len(runs), func(i int) error { return r.loadRun(ctx, runs[i], pieces) })
}

// takeShared takes blocks from the shared cache. It returns those that are not there. Their older bars may be extended:
// they are of the last block, at a version in the tail of the state.
func (r *reading) takeShared(ctx context.Context, absent []missing, pieces []blockcache.Bars) []missing {
	last, _ := r.state.LastBlock()
	left := absent[:0:0]
	for i, block := range r.store.sharedBlocks(ctx, r.query.Key, absent) {
		m := absent[i]
		if m.isMatchedBy(block) {
			r.store.stats.sharedHits.Add(1)
			r.store.caches.Local.Put(r.store.blockKey(r.query.Key, m.Index), block)
			pieces[m.place] = blockcache.Bars{Bars: block.Bars, Validated: block.Validated, Cached: true}
			continue
		}

		if block.Bars.Len() > m.older.Bars.Len() {
			m.older = block
		}
		if m.Index != last.Index || m.older.Bars.Len() >= m.Rows || !slices.Contains(r.state.Tail, m.older.Version.Nonce) {
			m.older = blockcache.Block{}
		}
		left = append(left, m)
	}

	return left
}

// sharedBlocks returns the missing blocks that the shared cache has.
func (s *Store) sharedBlocks(ctx context.Context, series domain.SeriesKey, absent []missing) []blockcache.Block {
	if s.caches.Shared == nil || len(absent) == 0 {
		return make([]blockcache.Block, len(absent))
	}

	keys := make([]blockcache.Key, len(absent))
	for i, m := range absent {
		keys[i] = s.blockKey(series, m.Index)
	}

	return s.caches.Shared.GetBlocks(ctx, keys)
}

// splitRuns divides the missing blocks into runs that are read at once: neighbors, except that a block that is extended
// is a run of its own.
func splitRuns(absent []missing) [][]missing {
	var runs [][]missing
	for i, m := range absent {
		n := len(runs) - 1
		if i == 0 || len(runs[n]) == runBlocks || absent[i-1].place+1 != m.place || m.older.Bars.Len() > 0 {
			runs = append(runs, nil)
			n++
		}
		runs[n] = append(runs[n], m)
	}

	return runs
}

// inParallel calls f with each number below n, readsAtOnce at a time. It returns the error of the lowest that has one.
func inParallel(n int, f func(i int) error) error {
	if n == 1 {
		return f(0)
	}

	errs := make([]error, n)
	slots := make(chan struct{}, readsAtOnce)
	var running sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		running.Go(func() {
			errs[i] = f(i)
			<-slots
		})
	}
	running.Wait()

	return cmp.Or(errs...)
}

// runKey identifies a read that several queries may share.
type runKey struct {
	series   domain.SeriesKey
	version  domain.Version // of the series
	from, to int64          // blocks [from, to)
	extends  uint64         // nonce of the version that is extended
}

// loadedRun is the blocks of a run, in its order.
type loadedRun []blockcache.Block

// loadRun reads a run of blocks, or shares the read of another query.
func (r *reading) loadRun(ctx context.Context, run []missing, pieces []blockcache.Bars) error {
	s := r.store
	key := runKey{
		series: r.query.Key, version: r.state.Version, extends: run[0].older.Version.Nonce,
		from: run[0].Index, to: run[len(run)-1].Index + 1,
	}
	loaded, shared, err := s.runs.Do(ctx, key, func(ctx context.Context) (loadedRun, error) {
		return r.runRead(run).do(ctx)
	})
	switch {
	case errors.Is(err, singleflight.ErrInterrupted):
		return s.interruption(ctx, "read bars", r.query.Key)
	case r.mayAvoid(err):
		return errBypass
	case err != nil:
		return err
	case shared:
		s.stats.coalesced.Add(int64(len(run)))
	}

	for i, m := range run {
		pieces[m.place] = blockcache.Bars{Bars: loaded[i].Bars, Validated: loaded[i].Validated}
	}

	return nil
}

// mayAvoid reports whether the error is of data that a read of the query alone may not meet: a block has more than the
// query wants, and a query with a limit may end before a corrupt bar. Lost bars are met again.
func (r *reading) mayAvoid(err error) bool {
	var rule *domain.RuleError
	switch {
	case errors.Is(err, ports.ErrTooLarge):
		return true
	case !errors.Is(err, ports.ErrCorruptData) || errors.Is(err, errMiscounted):
		return false
	case !errors.As(err, &rule):
		return true
	}

	return r.need() < math.MaxInt || !r.query.Range.Contains(rule.At)
}
