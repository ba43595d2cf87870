package blockcache

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Bars is a piece of the result of a cached read.
type Bars struct {
	Bars   domain.Series
	Cached bool // the piece needed no read of the store

	// Validated means that the piece violates no quality rule, except possibly those that depend on the clock or on the
	// neighboring pieces.
	Validated bool
}

// Len returns the number of bars.
func (p Bars) Len() int { return p.Bars.Len() }

// Reader reads bars through a cache. It is safe for concurrent use.
type Reader interface {
	ports.LocalCoverage

	// ReadCachedBars is ports.BarReader.ReadBars with more information on each piece. Pieces from a cache have a state.
	// While the store cannot be asked, the state may be up to maxStale old, and says so; its bars must be in a cache.
	ReadCachedBars(ctx context.Context, q ports.BarQuery, maxStale time.Duration) ports.Sequence[Bars]

	// SeriesState returns the state of the query's series, which may be a lease old, or up to maxStale while the store
	// cannot be asked. It has the blocks of the query's range; with First or Last perhaps only some at that end.
	SeriesState(ctx context.Context, q ports.BarQuery, maxStale time.Duration) (*domain.SeriesState, error)

	// LocalState returns the state of the series and true, or false if none is believed and none is younger than
	// maxStale. It has some blocks, or none. It does not block.
	LocalState(key domain.SeriesKey, maxStale time.Duration) (*domain.SeriesState, bool)

	// LocalBars appends the whole result of ReadCachedBars to buf and returns it with its state and true. It returns
	// false, and no usable bars, if the result is not in the memory of this process. It does not block.
	LocalBars(buf []Bars, q ports.BarQuery) ([]Bars, *domain.SeriesState, bool)

	// Invalidate ends the belief in the state of the series and in the coverage of its symbol.
	Invalidate(key domain.SeriesKey)

	// Prefetch loads the blocks that the queries need and the cache does not have, with batched reads if the store can
	// batch. It returns when the blocks are in the cache. It skips blocks beyond its limits and ignores errors, because a
	// later read loads the blocks that are missing.
	Prefetch(ctx context.Context, queries []ports.BarQuery)

	// CachedRanges returns the parts of the range of q that need no read of the store, ascending and disjoint. It does
	// not change the cache.
	CachedRanges(ctx context.Context, q ports.BarQuery) []domain.Range

	// Stats returns the counters of the cache since it was created.
	Stats() ports.CacheStats
}
