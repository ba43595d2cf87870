package ports

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Cache keeps values that can be had again. What to keep, and for how long, is the application's to say. A cache never fails: one
// that cannot answer has nothing. Values are shared with every caller: nobody may change them. Safe for concurrent use.
type Cache[K comparable, V any] interface {
	// Get returns the value that was last put under key, unless its time to live is over, or it was deleted, or given up for room.
	// It never returns a value of another key, nor one that was put before the last.
	Get(ctx context.Context, key K) (V, bool)

	// Put keeps the value for at most ttl; one of zero or less keeps nothing. It may keep nothing at any time, and then the value
	// that was there before is gone too.
	Put(ctx context.Context, key K, value V, ttl time.Duration)

	// Delete forgets what is kept under the keys. A Get that begins after it returns misses, until the next Put.
	Delete(ctx context.Context, keys ...K)
}

// SymbolCache keeps what catalogs said of symbols.
type SymbolCache = Cache[domain.Symbol, SymbolEntry]

// SymbolEntry is what was said of a symbol: also that it is not known.
type SymbolEntry struct {
	Known bool
	Meta  domain.SymbolMeta // where known
	Near  []domain.Symbol   // where not known: a few known ones like it
}
