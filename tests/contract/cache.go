package contract

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// CacheSubject is a cache that was opened for one law, with the keys and values of the laws.
type CacheSubject[K comparable, V any] struct {
	Cache ports.Cache[K, V]
	Key   func(i int) K     // key i; different numbers give different keys
	Value func(i int) V     // value i; different numbers give different values
	Equal func(a, b V) bool // reports whether two values are equal
}

// Cache tests a cache against every law of ports.Cache. open must return an empty cache for at least a hundred values,
// and register its closing with tb.Cleanup. inBubble must be true only if the cache measures the time to live in this
// process; the law on the time to live then runs in a synctest bubble.
func Cache[K comparable, V any](t *testing.T, open func(tb testing.TB) CacheSubject[K, V], inBubble bool) {
	t.Helper()
	cacheSuite[K, V]().run(t, open, Profile{})

	if inBubble {
		t.Run("cache/expires", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				if err := checkExpiry(t.Context(), s); err != nil {
					t.Fatalf("broken law: a value is not returned after its time to live\n%v", err)
				}
			})
		})
	}
}

// putStored puts value i under key i until the cache stores it. It fails after 100 attempts, because a cache may reject
// a value but must not reject all.
func (s CacheSubject[K, V]) putStored(ctx context.Context, i int, ttl time.Duration) error {
	const tries = 100
	for range tries {
		s.Cache.Put(ctx, s.Key(i), s.Value(i), ttl)
		if v, ok := s.Cache.Get(ctx, s.Key(i)); ok {
			if !s.Equal(v, s.Value(i)) {
				return fmt.Errorf("Get after Put got %v, want %v", v, s.Value(i))
			}
			return nil
		}
	}

	return fmt.Errorf("Get got nothing after %d times Put into a cache with free capacity, want the value", tries)
}

// checkExpiry checks that a value is returned until the end of its time to live and not after it.
func checkExpiry[K comparable, V any](ctx context.Context, s CacheSubject[K, V]) error {
	if err := s.putStored(ctx, 0, time.Minute); err != nil {
		return err
	}

	time.Sleep(time.Minute - time.Second)
	if _, ok := s.Cache.Get(ctx, s.Key(0)); !ok {
		return fmt.Errorf("Get, a second before the end of a time to live of 1 minute, got nothing, want the value")
	}

	time.Sleep(time.Second + time.Millisecond)
	if v, ok := s.Cache.Get(ctx, s.Key(0)); ok {
		return fmt.Errorf("Get after the time to live of 1 minute got %v, want nothing", v)
	}

	return nil
}

func cacheLaws[K comparable, V any]() []law[CacheSubject[K, V]] {
	return []law[CacheSubject[K, V]]{
		{
			name: "cache/empty_misses",
			text: "a key without a put is a miss",
			check: func(ctx context.Context, s CacheSubject[K, V]) error {
				if v, ok := s.Cache.Get(ctx, s.Key(0)); ok {
					return fmt.Errorf("Get of an empty cache got %v, want nothing", v)
				}
				return nil
			},
		},
		{
			name: "cache/returns_what_was_put",
			text: "a stored value is returned as it was put, under its own key only",
			check: func(ctx context.Context, s CacheSubject[K, V]) error {
				const n = 20
				for i := range n {
					if err := s.putStored(ctx, i, time.Hour); err != nil {
						return err
					}
				}

				for i := range 2 * n {
					if v, ok := s.Cache.Get(ctx, s.Key(i)); ok && (i >= n || !s.Equal(v, s.Value(i))) {
						return fmt.Errorf("Get of key %d got %v, want its own value or nothing", i, v)
					}
				}

				return nil
			},
		},
		{
			name: "cache/last_put_wins",
			text: "a value that was put before the last one is never returned",
			check: func(ctx context.Context, s CacheSubject[K, V]) error {
				for i := range 100 {
					s.Cache.Put(ctx, s.Key(0), s.Value(i), time.Hour)
					if v, ok := s.Cache.Get(ctx, s.Key(0)); ok && !s.Equal(v, s.Value(i)) {
						return fmt.Errorf("Get after Put of value %d got %v, want that value or nothing", i, v)
					}
				}

				return nil
			},
		},
		{
			name: "cache/delete_forgets",
			text: "a deleted key is a miss at once, and can be put again",
			check: func(ctx context.Context, s CacheSubject[K, V]) error {
				for i := range 50 {
					s.Cache.Put(ctx, s.Key(i), s.Value(i), time.Hour)
					s.Cache.Delete(ctx, s.Key(i), s.Key(i+1))
					if v, ok := s.Cache.Get(ctx, s.Key(i)); ok {
						return fmt.Errorf("Get of key %d after Delete got %v, want nothing", i, v)
					}
				}

				return s.putStored(ctx, 0, time.Hour)
			},
		},
		{
			name: "cache/no_time_keeps_nothing",
			text: "a time to live of zero or less stores nothing and removes the previous value",
			check: func(ctx context.Context, s CacheSubject[K, V]) error {
				for _, ttl := range []time.Duration{0, -time.Second} {
					if err := s.putStored(ctx, 0, time.Hour); err != nil {
						return err
					}

					s.Cache.Put(ctx, s.Key(0), s.Value(1), ttl)
					if v, ok := s.Cache.Get(ctx, s.Key(0)); ok {
						return fmt.Errorf("Get after Put with a time to live of %s got %v, want nothing", ttl, v)
					}
				}

				return nil
			},
		},
		{
			name: "cache/concurrent",
			text: "many goroutines may use it at once, and each key has only its own values",
			check: func(ctx context.Context, s CacheSubject[K, V]) error {
				use := func(ctx context.Context) error {
					for i := range 500 {
						s.Cache.Put(ctx, s.Key(i%10), s.Value(i%10), time.Hour)
						if v, ok := s.Cache.Get(ctx, s.Key((i+1)%10)); ok && !s.Equal(v, s.Value((i+1)%10)) {
							return fmt.Errorf("Get of key %d got %v, want its own value or nothing", (i+1)%10, v)
						}

						if i%50 == 0 {
							s.Cache.Delete(ctx, s.Key(i%10))
						}
					}

					return nil
				}

				return runAll(ctx, use, use, use, use)
			},
		},
	}
}
