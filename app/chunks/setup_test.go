package chunks_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	key   = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	start = time.UnixMicro(7000 * 4096 * 60_000_000).UTC() // where a chunk begins, in 2024
)

// chunkOf is the range of n chunks from the i-th after start.
func chunkOf(i, n int) domain.Range {
	const length = 4096 * time.Minute
	return domain.Range{Start: start.Add(time.Duration(i) * length), End: start.Add(time.Duration(i+n) * length)}
}

// makeBars is n bars in a row from the minute on, whose numbers tell their minute and the seed.
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

// counting is a store that counts its reads, and does to them what a test wants.
type counting struct {
	next    *memory.Store
	reads   atomic.Int64
	bars    atomic.Int64
	extents atomic.Int64

	mu     sync.Mutex
	before func(ctx context.Context, q ports.BarQuery) error // nil does nothing
	after  func()                                            // nil does nothing
	write  func() error                                      // nil does nothing; an error ends a write after it was done
	held   func()                                            // after extents were read; nil does nothing
}

func (s *counting) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		s.reads.Add(1)
		s.mu.Lock()
		before, after := s.before, s.after
		s.mu.Unlock()
		if before != nil {
			if err := before(ctx, q); err != nil {
				yield(ports.Piece[domain.Series]{}, err)
				return
			}
		}
		for p, err := range s.next.ReadBars(ctx, q) {
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

func (s *counting) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	report, err := s.next.WriteBars(ctx, bars, claim)
	if s.write != nil && err == nil {
		err = s.write()
	}

	return report, err
}

func (s *counting) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.next.ReplaceBars(ctx, bars, r)
}

func (s *counting) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	s.extents.Add(1)
	held, err := s.next.Extents(ctx, symbols...)
	if s.held != nil {
		s.held()
	}

	return held, err
}

// subject is a chunk cache over a memory store, years after the bars.
type subject struct {
	*chunks.Store
	under *counting
	cache ports.SeriesCache
	clock *clock.Simulated
}

// tester is a test, or one check of a property: what a check opened is closed at the end of the check.
type tester interface {
	rapid.TB
	Cleanup(f func())
}

func setup(tb tester, cfg chunks.Config) *subject {
	tb.Helper()
	cache, err := ristretto.NewSeries(0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cache.Close)

	return setupWith(tb, cfg, cache, nil)
}

func setupWith(tb tester, cfg chunks.Config, cache ports.SeriesCache, notices ports.Invalidations) *subject {
	tb.Helper()
	if cfg.Name == "" {
		cfg.Name = "memory"
	}
	s := &subject{under: &counting{next: memory.New()}, cache: cache, clock: clock.NewSimulated(start.AddDate(10, 0, 0))}
	var err error
	if s.Store, err = chunks.New(s.under, chunks.Caches{Near: cache}, notices, s.clock, cfg); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)

	return s
}

// put writes past the cache.
func (s *subject) put(tb testing.TB, bars domain.Series) {
	tb.Helper()
	if _, err := s.under.next.WriteBars(tb.Context(), bars, bars.Range()); err != nil {
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
func (s *subject) same(tb testing.TB, q ports.BarQuery) {
	tb.Helper()
	want, err := collect(tb.Context(), s.under.next, q)
	if err != nil {
		tb.Fatal(err)
	}
	got, err := collect(tb.Context(), s, q)
	if err != nil {
		tb.Fatal(err)
	}
	if !got.Equal(want) {
		tb.Fatalf("%s first %d last %d: got %s, want %s", q.Range, q.First, q.Last, got, want)
	}
}

func query(r domain.Range) ports.BarQuery { return ports.BarQuery{Key: key, Range: r} }

func minutes(from, to int) domain.Range {
	return domain.Range{Start: start.Add(time.Duration(from) * time.Minute), End: start.Add(time.Duration(to) * time.Minute)}
}

// reads wants the store to have been read so often.
func (s *subject) reads(tb testing.TB, want int64) {
	tb.Helper()
	if got := s.under.reads.Load(); got != want {
		tb.Fatalf("%d reads of the store, want %d", got, want)
	}
}

func none() *int { return new(0) }
