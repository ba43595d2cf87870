package ports

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Cache stores values that the application can compute or read again. The application decides which values it stores
// and for how long. A cache returns no errors: a failure is a miss. Callers share the values and must not change them.
// A cache must be safe for concurrent use.
type Cache[K comparable, V any] interface {
	// Get returns the value of the last Put of the key, and true. It returns false if there is none: the value expired,
	// or was deleted or evicted. It must not return a value of another key, nor the value of an earlier Put.
	Get(ctx context.Context, key K) (V, bool)

	// Put stores the value for at most ttl, or not at all if ttl is not above 0. It may reject the value, and then it
	// must remove the previous value. A shared cache must reject the value if another process deleted the key after
	// this process's last miss, because the value may be older than that deletion.
	Put(ctx context.Context, key K, value V, ttl time.Duration)

	// Delete removes the values of the keys. A Get that begins after Delete returned is a miss, until the next Put.
	Delete(ctx context.Context, keys ...K)
}

// SymbolCache stores the results of catalogs.
type SymbolCache = Cache[domain.Symbol, SymbolEntry]

// SymbolEntry is the result of the catalogs for one symbol. It also stores that a symbol is unknown.
type SymbolEntry struct {
	Known       bool
	Meta        domain.SymbolMeta // if Known
	Suggestions []domain.Symbol   // if not Known: a few known symbols with similar names
}

// CachedBars is a piece of the result of a cached read.
type CachedBars struct {
	Bars   domain.Series
	Cached bool // the piece needed no read of the store

	// Validated means that the piece violates no quality rule, except possibly those that depend on the clock or on the
	// neighboring pieces.
	Validated bool
}

// Len returns the number of bars.
func (p CachedBars) Len() int { return p.Bars.Len() }

// CachedReader reads bars through a cache. It is safe for concurrent use.
type CachedReader interface {
	LocalCoverage

	// ReadCachedBars is BarReader.ReadBars with more information on each piece. What comes from a cache has a state. While
	// the store cannot be asked, the state may be up to maxStale old, and says so; its bars must be in a cache.
	ReadCachedBars(ctx context.Context, q BarQuery, maxStale time.Duration) Sequence[CachedBars]

	// SeriesState returns the state of the query's series, which may be a lease old, or up to maxStale while the store
	// cannot be asked. It has the blocks of the query's range; with First or Last perhaps only some at that end.
	SeriesState(ctx context.Context, q BarQuery, maxStale time.Duration) (*domain.SeriesState, error)

	// LocalState returns the state of the series and true, or false if none is believed and none is younger than
	// maxStale. It has some blocks, or none. It does not block.
	LocalState(key domain.SeriesKey, maxStale time.Duration) (*domain.SeriesState, bool)

	// LocalBars appends the whole result of ReadCachedBars to buf and returns it with its state and true. It returns
	// false, and no usable bars, if the result is not in the memory of this process. It does not block.
	LocalBars(buf []CachedBars, q BarQuery) ([]CachedBars, *domain.SeriesState, bool)

	// Invalidate ends the belief in the state of the series and in the coverage of its symbol.
	Invalidate(key domain.SeriesKey)

	// Prefetch loads the blocks that the queries need and the cache does not have, with batched reads if the store can
	// batch. It returns when the blocks are in the cache. It skips blocks beyond its limits and ignores errors, because a
	// later read loads the blocks that are missing.
	Prefetch(ctx context.Context, queries []BarQuery)

	// CachedRanges returns the parts of the range of q that need no read of the store, ascending and disjoint. It does
	// not change the cache.
	CachedRanges(ctx context.Context, q BarQuery) []domain.Range

	// Stats returns the counters of the cache since it was created.
	Stats() CacheStats
}

// Hint tells that bars or coverage of a series changed in a range. It may be late or lost: it only lets a cache see
// sooner what it sees anyway.
type Hint struct {
	Store domain.StoreName `json:"store"`
	Key   domain.SeriesKey `json:"key"`
	Range domain.Range     `json:"range"`
}

// Hints publishes hints to other processes. It must be safe for concurrent use.
type Hints interface {
	// Publish sends the changes to all subscribers in other processes. It returns an error if it cannot send them.
	Publish(ctx context.Context, changes ...Hint) error

	// Subscribe returns when the subscription is active. From then on the sequence yields every hint that other
	// processes publish, once, in the order of each publisher. It may leave out those published through the same value.
	// The last pair is an error: that of ctx, or of a lost connection, in which case hints may be missing. The
	// sequence is single use, and stopping the iteration ends the subscription.
	Subscribe(ctx context.Context) (iter.Seq2[Hint, error], error)
}
