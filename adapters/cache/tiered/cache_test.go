package tiered_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/cache/tiered"
	"github.com/gal-friday/marketdata/tests/contract"
)

func level(tb testing.TB) *ristretto.Cache[int, int] {
	tb.Helper()
	c, err := ristretto.New(ristretto.Config[int, int]{
		MaxBytes: 1 << 20, Bytes: func(int, int) int64 { return 16 }, Text: strconv.Itoa,
	})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(c.Close)

	return c
}

func hour(int) time.Duration { return time.Hour }

func TestContract(t *testing.T) {
	t.Parallel()
	contract.Cache(t, func(tb testing.TB) contract.CacheSubject[int, int] {
		return contract.CacheSubject[int, int]{
			Cache: tiered.New(level(tb), level(tb), hour),
			Key:   func(i int) int { return i },
			Value: func(i int) int { return -i },
			Equal: func(a, b int) bool { return a == b },
		}
	}, true)
}

func TestBringsNear(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	near, far := level(t), level(t)
	c := tiered.New(near, far, hour)
	far.Put(ctx, 1, 11, time.Hour)
	if v, ok := c.Get(ctx, 1); !ok || v != 11 {
		t.Fatalf("got %d, %v", v, ok)
	}

	if v, ok := near.Get(ctx, 1); !ok || v != 11 {
		t.Errorf("not brought near: %d, %v", v, ok)
	}
}

// slow is a far cache whose answer waits until it is let go.
type slow struct {
	*ristretto.Cache[int, int]
	found, answer chan struct{}
}

func (s *slow) Get(ctx context.Context, key int) (int, bool) {
	v, ok := s.Cache.Get(ctx, key)
	close(s.found)
	<-s.answer
	return v, ok
}

// What was found before a write is not brought near after it.
func TestWriteBesideARead(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*tiered.Cache[int, int]){
		"delete": func(c *tiered.Cache[int, int]) { c.Delete(context.Background(), 1) },
		"put":    func(c *tiered.Cache[int, int]) { c.Put(context.Background(), 1, 12, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near := level(t)
			far := &slow{level(t), make(chan struct{}), make(chan struct{})}
			c := tiered.New(near, far, hour)
			far.Put(t.Context(), 1, 11, time.Hour)
			var reading sync.WaitGroup
			reading.Go(func() { c.Get(context.Background(), 1) })
			<-far.found
			write(c)
			close(far.answer)
			reading.Wait()
			if v, ok := near.Get(t.Context(), 1); ok && v == 11 {
				t.Error("what was there before the write was brought near")
			}
		})
	}
}
