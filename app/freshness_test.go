package app_test

import (
	"context"
	"errors"
	"iter"
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

// outage is a store that cannot be asked while down is set.
type outage struct {
	*asked
	down error
}

func (s *outage) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	if s.down != nil {
		return func(yield func(ports.Piece[domain.Series], error) bool) { yield(ports.Piece[domain.Series]{}, s.down) }
	}
	return s.asked.ReadBars(ctx, q)
}

func (s *outage) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	if s.down != nil {
		return nil, s.down
	}
	return s.asked.ReadStates(ctx, queries)
}

func (s *outage) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		if s.down != nil {
			return nil, s.down
		}
		return ports.Collect(s.asked.Extents(ctx, q))
	})
}

// newOutage is an application over a cached store with 600 minutes.
func newOutage(t *testing.T) (*outage, *app.Service) {
	t.Helper()
	store := memory.New()
	bars := sound(t, 0, 600)
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	under := &outage{asked: &asked{store: store}}
	c := clock.NewSimulated(at(720))
	source, _ := cachedSource(t, app.Source{Name: "test", Bars: under, Catalog: store}, c, seriescache.Config{})

	return under, over(t, c, nil, app.Config{}, source)
}

// TestFreshAsksTheStore writes what nobody is told of: a request sees it at once only if it is fresh.
func TestFreshAsksTheStore(t *testing.T) {
	t.Parallel()
	hours := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Hour1.UTC()}
	for name, k := range map[string]domain.SeriesKey{"stored": key, "resampled": hours} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			under, md := newOutage(t)
			trades := func(r domain.DataRequest) int64 {
				t.Helper()
				got, err := md.Fetch(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}

				return got.Series.At(0).Trades
			}
			r := domain.DataRequest{Key: k, Start: at(0), End: at(120)}
			before := trades(r)
			b := sound(t, 0, 1).At(0)
			b.Trades += 1_000
			changed := series(t, b)
			if _, err := ports.WriteBars(t.Context(), under.store, changed, changed.Range(), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}

			if got := trades(r); got != before {
				t.Errorf("within the lease: %d trades, want %d", got, before)
			}
			fresh := r
			fresh.Fresh = true
			states := under.states.Load()
			if got := trades(fresh); got != before+1_000 {
				t.Errorf("fresh: %d trades, want %d", got, before+1_000)
			}
			if n := under.states.Load() - states; n < 1 || n > 2 { // of the series, and of that which it is resampled from
				t.Errorf("%d states were read", n)
			}
			if results := md.FetchMany(t.Context(), []domain.DataRequest{fresh, r}); results[0].Err != nil || results[1].Err != nil {
				t.Error(results)
			}
		})
	}
}

// TestMaxStale has a store that is down: only a request that allows it gets an older result, which says how old it is.
func TestMaxStale(t *testing.T) {
	t.Parallel()
	hours := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Hour1.UTC()}
	for name, k := range map[string]domain.SeriesKey{"stored": key, "resampled": hours} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				under, md := newOutage(t)
				r := domain.DataRequest{Key: k, Start: at(0), End: at(120), MaxStale: time.Minute}
				want, err := md.Fetch(t.Context(), r)
				if err != nil || want.StaleFor != 0 {
					t.Fatalf("%s, stale for %s, %v", want.Series, want.StaleFor, err)
				}

				under.down = &ports.Error{Kind: ports.ErrUnavailable, Op: "read", Err: errors.New("connection refused")}
				time.Sleep(50 * time.Second)
				got, err := md.Fetch(t.Context(), r)
				if err != nil || !got.Series.Equal(want.Series) || got.StaleFor != 50*time.Second {
					t.Errorf("%s, stale for %s, %v", got.Series, got.StaleFor, err)
				}

				strict := r
				strict.MaxStale = 0
				other := r
				other.Start, other.End = at(-10_000), at(-9_000) // nothing of it is in the cache
				time.Sleep(11 * time.Second)
				for _, r := range []domain.DataRequest{strict, r, other} {
					if got, err := md.Fetch(t.Context(), r); !errors.Is(err, ports.ErrUnavailable) {
						t.Errorf("max stale %s: %s, %v", r.MaxStale, got.Series, err)
					}
				}

				under.down = &ports.Error{Kind: ports.ErrCorruptData, Op: "read", Err: errors.New("broken")}
				r.MaxStale = time.Hour
				if _, err := md.Fetch(t.Context(), r); !errors.Is(err, ports.ErrCorruptData) {
					t.Errorf("corrupt data is no outage: %v", err)
				}

				under.down = nil
				if got, err := md.Fetch(t.Context(), r); err != nil || got.StaleFor != 0 {
					t.Errorf("stale for %s, %v", got.StaleFor, err)
				}
			})
		})
	}
}
