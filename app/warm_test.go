package app_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// stuck is a store whose second question about what it holds is answered as a test wants.
type stuck struct {
	ports.Store
	asked  atomic.Int64
	second func()
	write  error
}

func (s *stuck) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		if s.asked.Add(1) == 2 {
			s.second()
		}
		return ports.Collect(s.Store.Extents(ctx, q))
	})
}

func (s *stuck) WriteBatch(context.Context, []ports.BarWrite) []ports.WriteResult {
	return []ports.WriteResult{{Err: s.write}}
}

// Warming is as safe from a store that hangs or panics as every other call of it.
func TestWarmingABrokenStore(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(release chan struct{}){
		"hangs":  func(release chan struct{}) { <-release },
		"panics": func(chan struct{}) { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				bars := sound(t, 0, 10)
				if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictReplace); err != nil {
					t.Fatal(err)
				}

				release := make(chan struct{})
				defer close(release)
				under := &stuck{Store: store, second: func() { second(release) }, write: errors.New("connection lost")}
				c := clock.NewSimulated(at(720))
				source, cache := cachedSource(t, app.Source{Name: "test", Bars: under, Catalog: store}, c, seriescache.Config{})
				md := over(t, c, nil, app.Config{}, source)
				if _, err := ports.WriteBars(t.Context(), cache, bars, bars.Range(), ports.ConflictReplace); err == nil { // now nothing is kept for a while
					t.Fatal("no error")
				}

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				r := domain.DataRequest{Key: key, Start: at(0), End: at(10)}
				md.FetchMany(ctx, []domain.DataRequest{r, r})
				if took := time.Since(began); took > 1050*time.Millisecond {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
