package resilience_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/resilience"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

const mib = 1 << 20

// measured is a store whose reads and writes take a while. It counts those that run at once.
type measured struct {
	*memory.Store
	took          time.Duration
	reads, writes gauge
}

// gauge counts what runs at once.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) run(took time.Duration) {
	n := g.now.Add(1)
	for m := g.most.Load(); n > m && !g.most.CompareAndSwap(m, n); m = g.most.Load() {
	}
	time.Sleep(took)
	g.now.Add(-1)
}

func (s *measured) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		s.reads.run(s.took)
		s.Store.ReadBars(ctx, q)(yield)
	}
}

func (s *measured) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	s.writes.run(s.took)
	return s.Store.WriteBatch(ctx, writes)
}

// millionBars is a query of a range with room for a million bars.
func millionBars() ports.BarQuery {
	start := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	return ports.BarQuery{
		Key: gen.MinuteKey("BTC/USD"), Range: domain.Range{Start: start, End: start.Add(1_000_000 * time.Minute)},
	}
}

// drain reads everything with a deadline.
func drain(t *testing.T, s ports.Store, q ports.BarQuery, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, err := range s.ReadBars(ctx, q) {
		if err != nil {
			return err
		}
	}

	return nil
}

// Of twenty readers of a million bars, those run at once whose bars fit, over all servers together. Short reads go on
// beside them.
func TestBytesInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &measured{Store: memory.New(), took: time.Second}
		limits := resilience.NewLimits(256*mib, 1_000_000)
		stores := [2]ports.Store{resilience.New("a", limits).Bars(s), resilience.New("b", limits).Bars(s)}
		began := time.Now()
		var readers sync.WaitGroup
		for i := range 20 {
			readers.Go(func() {
				if err := drain(t, stores[i%2], millionBars(), 30*time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if most := s.reads.most.Load(); most != 4 { // of 53 MiB each
			t.Errorf("%d at once, want 4", most)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %s", took)
		}

		s.reads.most.Store(0)
		for range 100 {
			readers.Go(func() {
				q := millionBars()
				if q.Last = 1_000; drain(t, stores[0], q, time.Minute) != nil {
					t.Error("a short read was refused")
				}
			})
		}
		readers.Wait()
		if most := s.reads.most.Load(); most != 100 {
			t.Errorf("%d short reads at once", most)
		}
	})
}

// A call waits for half of its time, and is then refused before it was made. That is no failure of the server.
func TestShed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &measured{Store: memory.New(), took: time.Minute}
		policy := resilience.New(name, resilience.NewLimits(mib, 0))
		wrapped := policy.Bars(s)
		var first sync.WaitGroup
		first.Go(func() {
			if err := drain(t, wrapped, millionBars(), time.Hour); err != nil { // more than all bytes: it runs alone
				t.Error(err)
			}
		})
		synctest.Wait()
		for range 30 {
			began := time.Now()
			err := drain(t, wrapped, millionBars(), time.Second)
			from := (*ports.Error)(nil)
			if !errors.Is(err, ports.ErrOverloaded) || !errors.As(err, &from) || from.Phase != ports.PhaseAcquire ||
				from.Retryable || !strings.Contains(err.Error(), "1000000 rows waited 500ms") ||
				!strings.Contains(err.Error(), "max_in_flight_bytes") {
				t.Fatalf("got %v", err)
			}
			if took := time.Since(began); took != 500*time.Millisecond {
				t.Errorf("waited %s", took)
			}
		}
		if n := s.reads.most.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		for _, err := range wrapped.ReadBars(ctx, millionBars()) {
			if !errors.Is(err, ports.ErrCanceled) {
				t.Errorf("a caller that gave up got %v", err)
			}
		}
		first.Go(func() {
			if err := drain(t, wrapped, millionBars(), time.Hour); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		began := time.Now()
		_, err := ports.Collect(wrapped.Extents(t.Context(), ports.ExtentQuery{}))
		if took := time.Since(began); err != nil || took > 0 {
			t.Errorf("coverage beside a read that waits took %s, %v", took, err)
		}

		first.Wait()
		if err := drain(t, wrapped, millionBars(), 3*time.Minute); err != nil {
			t.Errorf("after the first read: %v", err)
		}
	})
}

// Writes get a quarter of the bytes, so that reads go on beside imports.
func TestWritesHaveAQuarter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &measured{Store: memory.New(), took: time.Second}
		wrapped := resilience.New(name, resilience.NewLimits(4*mib, 0)).Bars(s)
		bars := gen.Walk("BTC/USD", 9_000) // half of a quarter
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				_, err := ports.WriteBars(t.Context(), wrapped, bars, bars.Range(), ports.ConflictReplace)
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		q := millionBars()
		q.First = 50_000 // of three quarters
		if err := drain(t, wrapped, q, 1500*time.Millisecond); err != nil {
			t.Errorf("a read beside writes: %v", err)
		}

		writers.Wait()
		if most := s.writes.most.Load(); most != 2 {
			t.Errorf("%d writes at once, want 2", most)
		}
	})
}
