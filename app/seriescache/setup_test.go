package seriescache_test

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	key   = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	start = time.UnixMicro(7000 * 4096 * 60_000_000).UTC() // where a block begins, in 2024
)

// makeBars returns n consecutive bars from the minute on, whose numbers tell their minute and the seed.
func makeBars(tb testing.TB, minute, n, seed int) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(key, n)
	for i := minute; i < minute+n; i++ {
		price, err := domain.NewDecimal(int64(10_000_000+100*i+seed), 2)
		if err != nil {
			tb.Fatal(err)
		}

		err = b.Append(domain.Bar{
			OpenTime: start.Add(time.Duration(i) * time.Minute), Open: price, High: price, Low: price, Close: price, Volume: price,
			Trades: int64(seed),
		})
		if err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func minutes(from, to int) domain.Range {
	return domain.Range{Start: start.Add(time.Duration(from) * time.Minute), End: start.Add(time.Duration(to) * time.Minute)}
}

func query(r domain.Range) ports.BarQuery { return ports.BarQuery{Key: key, Range: r} }

func none() *int { return new(0) }

// counting is a store that counts its reads, and does to them what a test wants.
type counting struct {
	*memory.Store
	reads, bars, states, extents atomic.Int64

	mu           sync.Mutex
	beforeRead   func(ctx context.Context, q ports.BarQuery) error // nil does nothing
	afterRead    func()                                            // after a piece; nil does nothing
	afterExtents func()                                            // before coverage is returned; nil does nothing
}

func (s *counting) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		s.reads.Add(1)
		s.mu.Lock()
		before, after := s.beforeRead, s.afterRead
		s.mu.Unlock()
		if before != nil {
			if err := before(ctx, q); err != nil {
				yield(ports.Piece[domain.Series]{}, err)
				return
			}
		}
		for p, err := range s.Store.ReadBars(ctx, q) {
			s.bars.Add(int64(p.Rows.Len()))
			if after != nil {
				after()
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func (s *counting) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	s.states.Add(1)
	return s.Store.ReadStates(ctx, queries)
}

func (s *counting) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		s.extents.Add(1)
		extents, err := ports.Collect(s.Store.Extents(ctx, q))
		if s.afterExtents != nil {
			s.afterExtents()
		}

		return extents, err
	})
}

// ReadBatch reads query by query, with the states.
func (s *counting) ReadBatch(ctx context.Context, queries []ports.BarQuery) batch {
	return func(yield func(ports.BatchBars, error) bool) {
		s.reads.Add(1)
		for i, q := range queries {
			for p, err := range s.Store.ReadBars(ctx, q) {
				s.bars.Add(int64(p.Rows.Len()))
				if !yield(ports.BatchBars{Query: i, Bars: p.Rows, State: p.State}, err) {
					return
				}
			}
		}
	}
}

// unversioned is a store that yields no states.
type unversioned struct{ ports.Store }

func (s unversioned) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(s.Store.ReadBars(ctx, q).Rows())
}

// subject is a cache over a memory store, years after the bars.
type subject struct {
	*seriescache.Store
	under *counting
	local blockcache.Cache
}

// tester is a test, or one check of a property.
type tester interface {
	rapid.TB
	Cleanup(f func())
	Context() context.Context
}

// options are the dependencies of a subject that differ from test to test.
type options struct {
	seriescache.Config
	shared      blockcache.SharedCache
	hints       blockcache.Hints
	under       *counting // nil is a new store
	clock       ports.Clock
	store       source // nil is under
	unversioned bool

	statesUnused bool // the store yields states, but the cache is not told to use them
}

// source is a store that keeps versions.
type source interface {
	ports.Store
	ports.StateReader
}

func setup(tb tester, o options) *subject {
	tb.Helper()
	local, err := ristretto.NewBlocks(256 << 20)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(local.Close)
	if o.under == nil {
		o.under = &counting{Store: memory.New()}
	}
	if o.clock == nil {
		o.clock = clock.NewSimulated(start.AddDate(10, 0, 0))
	}
	if o.Name = "memory"; o.Batch == nil {
		o.Batch = o.under
	}
	d := seriescache.Dependencies{
		Store: o.under, States: o.under, Hints: o.hints, Clock: o.clock,
		Caches: seriescache.Caches{Local: local, Shared: o.shared},
	}
	if o.store != nil {
		d.Store, d.States = o.store, o.store
	}
	if o.statesUnused {
		d.States = nil
	}
	if o.unversioned {
		d.Store, d.States = unversioned{o.under}, nil
	}

	s := &subject{under: o.under, local: local}
	if s.Store, err = seriescache.New(d, o.Config); err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(s.Close)

	return s
}

// put writes past the cache.
func (s *subject) put(tb testing.TB, bars domain.Series) {
	tb.Helper()
	if _, err := ports.WriteBars(tb.Context(), s.under, bars, bars.Range(), ports.ConflictReplace); err != nil {
		tb.Fatal(err)
	}
}

// write writes through the cache.
func (s *subject) write(tb testing.TB, bars domain.Series) {
	tb.Helper()
	if _, err := ports.WriteBars(tb.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		tb.Fatal(err)
	}
}

func collect(ctx context.Context, r ports.BarReader, q ports.BarQuery) (domain.Series, error) {
	b := domain.NewSeriesBuilder(q.Key, 0)
	for p, err := range r.ReadBars(ctx, q).Rows() {
		if err != nil {
			return domain.Series{}, err
		}
		if err := b.AppendSeries(p); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

// same reads the query through the cache and from the store and wants equal bars.
func (s *subject) same(tb tester, q ports.BarQuery) {
	tb.Helper()
	got, err := collect(tb.Context(), s, q)
	if err != nil {
		tb.Fatal(err)
	}
	want, err := collect(tb.Context(), s.under.Store, q)
	if err != nil {
		tb.Fatal(err)
	}
	if !got.Equal(want) {
		tb.Fatalf("%s first %d last %d: got %s, want %s", q.Range, q.First, q.Last, got, want)
	}
}

// wantReads wants so many reads of bars from the store.
func (s *subject) wantReads(tb testing.TB, want int64) {
	tb.Helper()
	if got := s.under.reads.Load(); got != want {
		tb.Fatalf("%d reads of the store, want %d", got, want)
	}
}
