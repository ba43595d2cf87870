package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/breaker"
	"github.com/gal-friday/marketdata/adapters/resilience"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

const name = "server"

// failure returns an error of the server, as adapters make them.
func failure(kind error, isRetryable bool) *ports.Error {
	return &ports.Error{Kind: kind, Op: "read bars", Store: name, Retryable: isRetryable}
}

// flaky is a store whose calls fail as fail says; it may be changed between calls. pieces is how many pieces a read
// yields before it fails.
type flaky struct {
	*memory.Store
	fail   func(ctx context.Context, call int) error
	pieces int
	calls  atomic.Int64
}

func (s *flaky) next(ctx context.Context) error { return s.fail(ctx, int(s.calls.Add(1))) }

func (s *flaky) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		err := s.next(ctx)
		if err == nil {
			s.Store.ReadBars(ctx, q)(yield)
			return
		}

		for range s.pieces {
			if !yield(ports.Piece[domain.Series]{Rows: domain.EmptySeries(q.Key)}, nil) {
				return
			}
		}
		yield(ports.Piece[domain.Series]{}, err)
	}
}

func (s *flaky) DeleteBars(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) (ports.WriteReport, error) {
	return ports.WriteReport{}, s.next(ctx)
}

// WriteBatch fails for the symbols that begin with X.
func (s *flaky) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := s.Store.WriteBatch(ctx, writes)
	err := s.next(ctx)
	for i, w := range writes {
		if strings.HasPrefix(string(w.Bars.Key().Symbol), "X") {
			results[i].Err = err
		}
	}

	return results
}

// newFlaky returns a store that fails with the errors, one for each call, and then succeeds.
func newFlaky(errs ...error) (*flaky, ports.Store) {
	s := &flaky{Store: memory.New(), fail: func(_ context.Context, call int) error {
		if call > len(errs) {
			return nil
		}

		return errs[call-1]
	}}

	return s, resilience.New(name, resilience.NewLimits(1<<30, 1_000)).Bars(s)
}

// always returns a store that fails with the error.
func always(err error) (*flaky, ports.Store) {
	s := &flaky{Store: memory.New(), fail: func(context.Context, int) error { return err }}
	return s, resilience.New(name, resilience.NewLimits(1<<30, 1_000)).Bars(s)
}

var query = ports.BarQuery{Key: gen.MinuteKey("BTC/USD"), Range: domain.AllYears()}

func read(ctx context.Context, s ports.Store) error {
	for _, err := range s.ReadBars(ctx, query) {
		if err != nil {
			return err
		}
	}

	return nil
}

// Of a read that fails there are three attempts in total, after pauses of at most 25 and 50 ms; a write has one.
func TestAttempts(t *testing.T) {
	t.Parallel()
	for kind, want := range map[error]int64{
		ports.ErrUnavailable: 3, ports.ErrOverloaded: 3, ports.ErrIncomplete: 3,
		ports.ErrInvalid: 1, ports.ErrAuth: 1, ports.ErrPermission: 1, ports.ErrSchema: 1, ports.ErrTooLarge: 1,
		ports.ErrCorruptData: 1, ports.ErrTimeout: 1, ports.ErrCanceled: 1, ports.ErrConflict: 1, ports.ErrInternal: 1,
	} {
		t.Run(kind.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				want := failure(kind, want > 1)
				began := time.Now()
				s, wrapped := always(want)
				if err := read(t.Context(), wrapped); !errors.Is(err, want) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > 75*time.Millisecond {
					t.Errorf("took %s", took)
				}
				if n := s.calls.Swap(0); n != map[bool]int64{true: 3, false: 1}[want.Retryable] {
					t.Errorf("%d reads", n)
				}

				if _, err := wrapped.DeleteBars(t.Context(), query.Key, query.Range); !errors.Is(err, want) {
					t.Errorf("got %v", err)
				}
				if n := s.calls.Load(); n != 1 {
					t.Errorf("%d writes", n)
				}
			})
		})
	}

	once, wrapped := newFlaky(failure(ports.ErrUnavailable, true))
	if err := read(t.Context(), wrapped); err != nil || once.calls.Load() != 2 {
		t.Errorf("got %v after %d reads", err, once.calls.Load())
	}
}

// A read that yielded a piece is not retried, and neither is one whose consumer broke off.
func TestNoRetryAfterFirstPiece(t *testing.T) {
	t.Parallel()
	s, wrapped := always(failure(ports.ErrUnavailable, true))
	s.pieces = 1
	if err := read(t.Context(), wrapped); !errors.Is(err, ports.ErrUnavailable) || s.calls.Load() != 1 {
		t.Errorf("got %v after %d reads", err, s.calls.Load())
	}

	for range wrapped.ReadBars(t.Context(), query) {
		break
	}
	if n := s.calls.Load(); n != 2 {
		t.Errorf("%d reads", n)
	}
}

// A write is repeated if nothing of it was sent, and only for those series of a batch.
func TestWrites(t *testing.T) {
	t.Parallel()
	refused := failure(ports.ErrUnavailable, true)
	refused.Phase = ports.PhaseAcquire
	s, wrapped := newFlaky(refused, refused)
	if _, err := wrapped.DeleteBars(t.Context(), query.Key, query.Range); err != nil || s.calls.Load() != 3 {
		t.Errorf("got %v after %d writes", err, s.calls.Load())
	}

	s, wrapped = newFlaky(refused)
	var writes []ports.BarWrite
	for _, symbol := range []domain.Symbol{"A", "X", "B", "XX"} {
		bars := gen.Walk(symbol, 10)
		writes = append(writes, ports.BarWrite{Bars: bars, Coverage: bars.Range()})
	}
	for i, r := range wrapped.WriteBatch(t.Context(), writes) {
		// The store in memory has the bars of the first attempt.
		repeated := ports.WriteReport{Unchanged: 10}
		if i%2 == 0 {
			repeated = ports.WriteReport{Inserted: 10}
		}
		if r.Err != nil || r.Report != repeated {
			t.Errorf("write %d: got %+v", i, r)
		}
	}
	if n := s.calls.Load(); n != 2 {
		t.Errorf("%d batches", n)
	}

	s, wrapped = always(refused)
	for i, r := range wrapped.WriteBatch(t.Context(), writes) {
		if (i%2 == 1) != errors.Is(r.Err, refused) {
			t.Errorf("write %d: got %v", i, r.Err)
		}
	}
	if n := s.calls.Load(); n != 3 {
		t.Errorf("%d batches", n)
	}
}

// A retry waits as long as the server says, at most 2 s. There is none that could not end before the deadline.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		after, deadline, took time.Duration
		calls                 int64
	}{
		{after: time.Second, took: 2 * time.Second, calls: 3},
		{after: time.Hour, took: 4 * time.Second, calls: 3},
		{after: time.Second, deadline: time.Second + 40*time.Millisecond, calls: 1},
		{after: time.Second, deadline: 2 * time.Second, took: time.Second, calls: 2},
		{deadline: 40 * time.Millisecond, calls: 1},
	} {
		t.Run(fmt.Sprint(c.after, c.deadline), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.deadline > 0 {
					limited, cancel := context.WithTimeout(ctx, c.deadline)
					defer cancel()
					ctx = limited
				}
				overloaded := failure(ports.ErrOverloaded, true)
				overloaded.RetryAfter = c.after
				s, wrapped := always(overloaded)
				began := time.Now()
				if err := read(ctx, wrapped); !errors.Is(err, overloaded) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took != c.took || s.calls.Load() != c.calls {
					t.Errorf("%d reads took %s", s.calls.Load(), took)
				}
			})
		})
	}
}

// A caller that gives up during the pause gets its error at once.
func TestCanceledPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		overloaded := failure(ports.ErrOverloaded, true)
		overloaded.RetryAfter = time.Second
		s, wrapped := always(overloaded)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		began := time.Now()
		err := read(ctx, wrapped)
		if !errors.Is(err, ports.ErrCanceled) || !errors.Is(err, context.Canceled) || s.calls.Load() != 1 {
			t.Errorf("got %v after %d reads", err, s.calls.Load())
		}
		if took := time.Since(began); took != time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

// Of the calls under way, a tenth are retries, or three.
func TestBudget(t *testing.T) {
	t.Parallel()
	for callers, want := range map[int]int64{3: 3, 20: 3, 100: 11} {
		synctest.Test(t, func(t *testing.T) {
			unavailable := failure(ports.ErrOverloaded, true)
			unavailable.RetryAfter = time.Second // every first attempt ends before the first retry
			var retries atomic.Int64
			s := &flaky{Store: memory.New(), fail: func(ctx context.Context, call int) error {
				if call > callers {
					retries.Add(1)
					time.Sleep(time.Minute)
				}

				return unavailable
			}}
			// The callers have a policy each, so that no breaker opens.
			limits := resilience.NewLimits(1<<30, 1_000)
			var running sync.WaitGroup
			for range callers {
				running.Go(func() { _ = read(t.Context(), resilience.New(name, limits).Bars(s)) })
			}
			time.Sleep(30 * time.Second)
			if n := retries.Load(); n < want || n > want+2 { // the library compares before it adds
				t.Errorf("%d callers made %d retries at once, want %d", callers, n, want)
			}
			running.Wait()
		})
	}
}

// openErr makes calls until the breaker is open, and returns its error.
func openErr(t *testing.T, s *flaky, wrapped ports.Store) error {
	t.Helper()
	for range 21 {
		before := s.calls.Load()
		if err := read(t.Context(), wrapped); s.calls.Load() == before {
			return err
		}
	}

	t.Fatal("21 calls failed, and the breaker is closed")

	return nil
}

// Failures of the server open the breaker. It refuses calls at once, and says since when and why; one call is a probe.
func TestOpenBreaker(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		failure(ports.ErrUnavailable, true), failure(ports.ErrOverloaded, false), failure(ports.ErrTimeout, false),
	} {
		synctest.Test(t, func(t *testing.T) {
			s, wrapped := always(err)
			refused := openErr(t, s, wrapped)
			from := (*ports.Error)(nil)
			if !errors.Is(refused, ports.ErrUnavailable) || !errors.As(refused, &from) || from.Store != name ||
				!from.Retryable || from.RetryAfter == 0 || from.RetryAfter > breaker.FirstPause ||
				!strings.Contains(refused.Error(), "since 2000-01-01T00:00:0") ||
				!strings.Contains(refused.Error(), err.Error()) {
				t.Errorf("got %v (%+v)", refused, from)
			}
			if calls := s.calls.Load(); calls > 21 {
				t.Errorf("%d calls", calls)
			}

			s.fail = func(context.Context, int) error { return nil }
			time.Sleep(from.RetryAfter)
			if err := read(t.Context(), wrapped); err != nil {
				t.Errorf("after the server recovered: %v", err)
			}
		})
	}
}

// What callers cause neither opens the breaker nor closes it.
func TestCallersFaults(t *testing.T) {
	t.Parallel()
	exhausted := failure(ports.ErrOverloaded, false)
	exhausted.Phase = ports.PhaseAcquire
	for what, err := range map[string]error{
		"invalid": failure(ports.ErrInvalid, false), "pool": exhausted, "internal": failure(ports.ErrInternal, false),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, wrapped := always(err)
				for range 100 {
					if got := read(t.Context(), wrapped); !errors.Is(got, err) {
						t.Fatalf("got %v", got)
					}
				}
				if n := s.calls.Load(); n != 100 {
					t.Errorf("%d of 100 calls", n)
				}
			})
		})
	}
}

// A deadline of the caller counts for nothing, and a limit of our own as a failure. A probe that its caller cancels is
// followed by another one.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, wrapped := always(nil)
		s.fail = func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return &ports.Error{Kind: ports.ContextKind(ctx.Err()), Err: ctx.Err()}
		}
		call := func(cause error) error {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, cause)
			defer cancel()
			return read(ctx, wrapped)
		}
		for range 100 {
			if err := call(nil); !errors.Is(err, ports.ErrTimeout) {
				t.Fatalf("got %v", err)
			}
		}
		for range 20 {
			if err := call(errors.New("our limit")); !errors.Is(err, ports.ErrTimeout) {
				t.Fatalf("got %v", err)
			}
		}
		if err := call(nil); !errors.Is(err, ports.ErrUnavailable) {
			t.Fatalf("after 20 limits of our own: %v", err)
		}

		time.Sleep(breaker.FirstPause)
		if err := call(nil); !errors.Is(err, ports.ErrTimeout) {
			t.Fatalf("the probe: %v", err)
		}
		s.fail = func(context.Context, int) error { return nil }
		if err := call(nil); err != nil {
			t.Errorf("the probe after it: %v", err)
		}
	})
}

// A stream that yields is a probe that succeeded, whatever its consumer does then.
func TestStreamEndsProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, wrapped := always(failure(ports.ErrUnavailable, false))
		openErr(t, s, wrapped)
		time.Sleep(breaker.FirstPause)
		s.pieces = 1
		for _, err := range wrapped.ReadBars(t.Context(), query) {
			if err != nil {
				break
			}
			s.fail = func(context.Context, int) error { return nil }
			if err := read(t.Context(), wrapped); err != nil {
				t.Errorf("beside the stream: %v", err)
			}
		}
	})
}

// The diagnosis of a store has its open breaker.
func TestHealth(t *testing.T) {
	t.Parallel()
	s, _ := always(failure(ports.ErrUnavailable, false))
	p := resilience.New(name, resilience.NewLimits(1<<30, 1_000))
	checker := p.Health(healthy{}).(ports.ProblemReporter)
	if problems, err := checker.Problems(t.Context()); err != nil || len(problems) != 0 {
		t.Errorf("got %v, %v", problems, err)
	}

	openErr(t, s, p.Bars(s))
	problems, err := checker.Problems(t.Context())
	if err != nil || len(problems) != 1 || problems[0].State != ports.HealthDegraded ||
		!strings.Contains(problems[0].Detail, "unavailable") {
		t.Errorf("got %+v, %v", problems, err)
	}
}

type healthy struct{}

func (healthy) Check(context.Context) error { return nil }

// Many callers of a server that fails and recovers get bars or its errors, and bars when it has recovered.
func TestHammer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, wrapped := always(nil)
		s.fail = func(_ context.Context, call int) error {
			if call/500%2 == 0 {
				return failure(ports.ErrUnavailable, true)
			}

			return nil
		}
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 2_000 {
					if err := read(t.Context(), wrapped); err != nil && !errors.Is(err, ports.ErrUnavailable) {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		callers.Wait()

		s.fail = func(context.Context, int) error { return nil }
		time.Sleep(breaker.MaxPause)
		if err := read(t.Context(), wrapped); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	s := memory.New()
	for what, store := range map[string]ports.Store{
		"bare": s, "policy": resilience.New(name, resilience.NewLimits(1<<30, 1_000)).Bars(s),
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(b.Context(), store); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
