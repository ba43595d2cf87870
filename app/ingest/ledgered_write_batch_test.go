package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// batchKey returns the key of the nth series of a batch.
func batchKey(n int) domain.SeriesKey {
	return domain.SeriesKey{Symbol: domain.Symbol(fmt.Sprintf("S%d/B", n)), Grid: domain.Minute1.UTC()}
}

// appendsOf returns a write of the minutes [from, to) to each of n series.
func appendsOf(t testing.TB, n, from, to int) []ports.BarWrite {
	t.Helper()
	writes := make([]ports.BarWrite, n)
	for i := range writes {
		writes[i] = ports.BarWrite{Bars: barsOfKey(t, batchKey(i), from, to, i+1), Coverage: minutes(from, to)}
	}

	return writes
}

func writeAll(t testing.TB, s ports.BarWriter, writes []ports.BarWrite) {
	t.Helper()
	for i, result := range s.WriteBatch(t.Context(), writes) {
		if result.Err != nil {
			t.Fatalf("write %d: %v", i, result.Err)
		}
	}
}

// mixedBatch is a batch of three series: an append, a write over stored bars, and a new series. before and after have the
// bars of each series.
type mixedBatch struct {
	writes        []ports.BarWrite
	before, after []domain.Series
}

func newMixedBatch(t testing.TB) mixedBatch {
	t.Helper()
	appended, changed, added := batchKey(0), batchKey(1), batchKey(2)
	b := mixedBatch{before: []domain.Series{
		barsOfKey(t, appended, 0, 30, 1), barsOfKey(t, changed, 0, 120, 2), domain.EmptySeries(added),
	}}
	for _, w := range []domain.Series{
		barsOfKey(t, appended, 30, 60, 1), barsOfKey(t, changed, 30, 60, 3), barsOfKey(t, added, 30, 60, 4),
	} {
		b.writes = append(b.writes, ports.BarWrite{Bars: w, Coverage: w.Range(), OnConflict: ports.ConflictReplace})
	}
	b.after = []domain.Series{
		concat(t, b.before[0], b.writes[0].Bars),
		concat(t, b.before[1].Slice(0, 30), b.writes[1].Bars, b.before[1].Slice(60, 120)),
		b.writes[2].Bars,
	}

	return b
}

// TestBatchThatFails lets each request of a batch and each call of the ledger fail. Each series is as before or
// uncovered, or written where its write is done, and the same batch again writes all.
func TestBatchThatFails(t *testing.T) {
	t.Parallel()
	batch := newMixedBatch(t)
	for _, step := range []string{
		"check", "before begin", "after begin", "renew", "delete", "write", "write rest", "read back", "before finish",
		"after finish",
	} {
		for _, abandons := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, abandons %t", step, abandons), func(t *testing.T) {
				t.Parallel()
				s := newLedgered()
				for _, bars := range batch.before[:2] {
					if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictFail); err != nil {
						t.Fatal(err)
					}
				}

				fail := func(name string) error {
					if name == step || name == "abandon" && !abandons {
						return errOutage
					}
					return nil
				}
				request := func(_ context.Context, name string) error { return fail(name) }
				s.bars.Request.Store(&request)
				s.ledger.fault.Store(&fail)
				for i, result := range s.WriteBatch(t.Context(), batch.writes) {
					if !errors.Is(result.Err, errOutage) || result.Report != (ports.WriteReport{}) {
						t.Fatalf("write %d: got %+v, %v", i, result.Report, result.Err)
					}
				}
				s.bars.Request.Store(nil)
				s.ledger.fault.Store(nil)
				s.ledger.advance(time.Minute) // a writer that died is not waited for
				for i, w := range batch.writes {
					wantState(t, s, w.Coverage, batch.before[i], batch.after[i])
				}

				writeAll(t, s, batch.writes)
				for i, w := range batch.writes {
					got, err := readContentOf(s, w.Bars.Key(), minutes(0, 120))
					if err != nil || !got.bars.Equal(batch.after[i]) || !got.state.Covers(w.Coverage) {
						t.Errorf("series %d: got %v, %v", i, got.bars, err)
					}
				}
			})
		}
	}
}

// TestEachSeriesOfABatchHasItsOwnError refuses some writes of a batch, each for its own reason, and does the others.
func TestEachSeriesOfABatchHasItsOwnError(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	writeAll(t, s, appendsOf(t, 2, 0, 60))
	if err := s.bars.Put(t.Context(), barsOfKey(t, batchKey(2), 0, 30, 9)); err != nil {
		t.Fatal(err)
	}
	held := ledger.IntentPlan{Key: batchKey(3), Range: minutes(0, 60), Read: minutes(0, 60), Owner: "another writer"}
	if begun := s.ledger.BeginIntents(t.Context(), []ledger.IntentPlan{held}); begun[0].Err != nil {
		t.Fatal(begun[0].Err)
	}

	other := ingest.WithLedger("other", "", s.bars, s.ledger)
	ingest.SetWait(other, time.Millisecond)
	writes := appendsOf(t, 6, 30, 90)
	writes[1].Bars = barsOfKey(t, batchKey(1), 30, 90, 7)
	writes[5] = writes[4]
	results := other.WriteBatch(t.Context(), writes)
	for i, kind := range []error{nil, ports.ErrConflict, ports.ErrConflict, ports.ErrConflict, nil, ports.ErrInvalid} {
		if !errors.Is(results[i].Err, kind) {
			t.Errorf("write %d: got the error %v, want %v", i, results[i].Err, kind)
		}
	}
	var holder *ledger.HeldError
	var conflict *ports.ConflictError
	if !errors.As(results[1].Err, &conflict) || !errors.As(results[3].Err, &holder) || holder.Owner != "another writer" {
		t.Errorf("got the errors %v and %v", results[1].Err, results[3].Err)
	}
	if want := (ports.WriteReport{Inserted: 30, Unchanged: 30}); results[0].Report != want {
		t.Errorf("got the report %+v, want %+v", results[0].Report, want)
	}
	if want := (ports.WriteReport{Inserted: 60}); results[4].Report != want {
		t.Errorf("got the report %+v, want %+v", results[4].Report, want)
	}
}

// TestABusySeriesHoldsNoOtherUp writes a batch of which one series is busy. Another writer can write the other series
// meanwhile, and the batch is done when the busy series is free.
func TestABusySeriesHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	second := ingest.WithLedger("second", "", s.bars, s.ledger)
	ingest.SetWait(second, time.Millisecond)
	busy := ledger.IntentPlan{Key: batchKey(1), Range: minutes(0, 60), Read: minutes(0, 60), Owner: "another writer"}
	begun := s.ledger.BeginIntents(t.Context(), []ledger.IntentPlan{busy})
	if begun[0].Err != nil {
		t.Fatal(begun[0].Err)
	}

	batch := make(chan []ports.WriteResult)
	first := make(chan struct{}, 1)
	request := func(_ context.Context, name string) error {
		if name == "read back" {
			select {
			case first <- struct{}{}:
			default:
			}
		}

		return nil
	}
	s.bars.Request.Store(&request)
	writes := appendsOf(t, 3, 0, 60)
	go func() { batch <- s.WriteBatch(t.Context(), writes) }()
	<-first
	for retry := 0; ; retry++ { // the batch may be about to finish the first intents
		_, err := ports.WriteBars(t.Context(), second, barsOfKey(t, batchKey(0), 0, 60, 5), minutes(0, 60), ports.ConflictReplace)
		if err == nil {
			break
		}
		if retry == 1000 {
			t.Fatal(err)
		}
	}
	select {
	case results := <-batch:
		t.Fatalf("the batch did not wait: %v", results)
	default:
	}

	if err := s.ledger.AbandonIntents(t.Context(), []ledger.Intent{begun[0].Intent}); err != nil {
		t.Fatal(err)
	}
	for i, result := range <-batch {
		if result.Err != nil || result.Report != (ports.WriteReport{Inserted: 60}) {
			t.Errorf("write %d: got %+v, %v", i, result.Report, result.Err)
		}
	}
	wantState(t, s, minutes(0, 60), barsOfKey(t, batchKey(0), 0, 60, 5))
	wantState(t, s, minutes(0, 60), barsOfKey(t, batchKey(1), 0, 60, 2))
}

// TestBatchCalls counts the calls of the ledger and of the store. They do not depend on the number of series.
func TestBatchCalls(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 10, 100, 1000} {
		s := newLedgered()
		ingest.SetRenewAfter(s.ledgeredPorts.(*ingest.LedgeredStore), time.Minute)
		var calls []string
		record := func(name string) error {
			calls = append(calls, name)
			return nil
		}
		request := func(_ context.Context, name string) error { return record(name) }
		s.ledger.fault.Store(&record)
		s.bars.Request.Store(&request)
		fill := []string{
			"before begin", "after begin", "delete", "write", "write rest", "read back", "before finish", "after finish",
		}
		for round, plan := range [][]string{
			{
				"check", "read identity", "identity", "before propose", "after propose", "read identity", "identity",
				"set identity", "before bind", "after bind", "read identity", "identity", "read ledger", "extents",
			},
			{"check", "read ledger"},
		} {
			calls = nil
			writeAll(t, s, appendsOf(t, n, 60*round, 60*round+60))
			if want := slices.Concat(plan, fill); !slices.Equal(calls, want) {
				t.Errorf("%d series, round %d: got the calls %q, want %q", n, round, calls, want)
			}
		}
	}
}

// TestBatchOfManySeries writes more series than go together. Each is written, and a panic is the error of those that
// were written with it.
func TestBatchOfManySeries(t *testing.T) {
	t.Parallel()
	const n = 11_000
	l := newLedgered()
	writeAll(t, l, appendsOf(t, n, 0, 1))
	writeAll(t, l, appendsOf(t, n, 1, 2))
	for _, i := range []int{0, 4_999, 5_000, 9_999, 10_000, n - 1} {
		want := barsOfKey(t, batchKey(i), 0, 2, i+1)
		got, err := readContentOf(l, batchKey(i), minutes(0, 2))
		if err != nil || !got.bars.Equal(want) || !got.state.Covers(minutes(0, 2)) {
			t.Errorf("series %d: %v, %v", i, got.bars, err)
		}
	}

	var writes atomic.Int64
	crash := func(_ context.Context, name string) error {
		if name == "write" && writes.Add(1) == 1 {
			panic("the first write")
		}
		return nil
	}
	l.bars.Request.Store(&crash)
	failed := 0
	for i, result := range l.WriteBatch(t.Context(), appendsOf(t, n, 2, 3)) {
		got, err := readContentOf(l, batchKey(i), minutes(2, 3))
		if err != nil || got.state.Covers(minutes(2, 3)) != (result.Err == nil) {
			t.Fatalf("series %d: %v, %v after %v", i, got.bars, err, result.Err)
		}
		if result.Err != nil {
			failed++
		}
		if p := (*ports.PanicError)(nil); result.Err != nil && !errors.As(result.Err, &p) {
			t.Fatalf("series %d: %v", i, result.Err)
		}
	}
	if failed == 0 || failed == n {
		t.Errorf("%d series failed", failed)
	}
}

// TestReplacementIsTooLarge replaces one bar too many: nothing is asked, and the error says where to split.
func TestReplacementIsTooLarge(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	var requests atomic.Int64
	request := func(context.Context, string) error {
		requests.Add(1)
		return nil
	}
	s.bars.Request.Store(&request)
	const n = 1_000_001
	b := domain.NewSeriesBuilder(minuteKey, n)
	for i := range n {
		if err := b.Append(domain.Bar{OpenTime: minute(i), Trades: 1}); err != nil {
			t.Fatal(err)
		}
	}
	bars := seriesOf(t, b)
	_, err := s.ReplaceBars(t.Context(), bars, bars.Range())
	if want := minute(n - 1).Format(time.RFC3339); !errors.Is(err, ports.ErrTooLarge) ||
		!strings.Contains(err.Error(), want) || requests.Load() > 0 {
		t.Errorf("got the error %v after %d requests", err, requests.Load())
	}
	if _, err := s.ReplaceBars(t.Context(), bars.Slice(0, 10), minutes(0, 10)); err != nil {
		t.Error(err)
	}
}

// TestBatchesAreLikeThoseOfMemory writes random batches to a store and to one in memory, under every policy. Reports,
// errors, bars and coverage are the same.
func TestBatchesAreLikeThoseOfMemory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s, m := newLedgered(), memory.New()
		for range rapid.IntRange(1, 8).Draw(rt, "batches") {
			var writes []ports.BarWrite
			for i := range 4 {
				from := rapid.IntRange(0, 20).Draw(rt, "from")
				to := from + rapid.IntRange(0, 10).Draw(rt, "bars")
				seed := rapid.IntRange(1, 2).Draw(rt, "seed")
				w := ports.BarWrite{Bars: barsOfKey(t, batchKey(i), from, to, seed), Coverage: minutes(from, to+2)}
				w.OnConflict = ports.ConflictPolicy(rapid.IntRange(0, 2).Draw(rt, "policy"))
				if rapid.IntRange(0, 4).Draw(rt, "is written") > 0 {
					writes = append(writes, w)
				}
			}

			got, want := s.WriteBatch(context.Background(), writes), m.WriteBatch(context.Background(), writes)
			for i := range want {
				if got[i].Report != want[i].Report || (got[i].Err == nil) != (want[i].Err == nil) {
					rt.Fatalf("write %d of %v: got %+v, want %+v", i, writes, got[i], want[i])
				}
			}
			for i := range 4 {
				a, err1 := readContentOf(s, batchKey(i), minutes(0, 60))
				b, err2 := readContentOf(m, batchKey(i), minutes(0, 60))
				if err := errors.Join(err1, err2); err != nil || !a.bars.Equal(b.bars) ||
					!slices.EqualFunc(a.state.Coverage, b.state.Coverage, domain.Range.Equal) {
					rt.Fatalf("series %d: got %v %v, want %v %v, %v", i, a.bars, a.state, b.bars, b.state, err)
				}
			}
		}
	})
}
