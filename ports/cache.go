package ports

import (
	"context"
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
