package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

var errOutage = errors.New("503 service unavailable")

// ledgeredPorts are the ports of a store with a ledger.
type ledgeredPorts interface {
	ports.Store
	ports.BatchReader
}

// ledgered is a store with its parts.
type ledgered struct {
	ledgeredPorts
	bars   *ledgertest.Bars
	ledger *faultyLedger
}

// newLedgered returns a store that renews its intents before each request, so that every request has a call that may
// fail.
func newLedgered() ledgered {
	memory := ledgertest.NewMemory()
	l := &faultyLedger{Ledger: memory, advance: memory.Advance}
	bars := ledgertest.NewBars()
	s := ingest.WithLedger("ledgered", "", bars, l)
	ingest.SetRenewAfter(s, 0)

	return ledgered{s, bars, l}
}

// faultyLedger is a ledger whose calls may fail, before or after they are done.
type faultyLedger struct {
	ledger.Ledger
	advance func(time.Duration)
	fault   atomic.Pointer[func(call string) error]
}

func (f *faultyLedger) fail(call string) error {
	if fault := f.fault.Load(); fault != nil {
		return (*fault)(call)
	}
	return nil
}

func (f *faultyLedger) ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]ledger.Record, error) {
	if err := f.fail("read ledger"); err != nil {
		return nil, err
	}
	return f.Ledger.ReadLedger(ctx, queries)
}

func (f *faultyLedger) BeginIntents(ctx context.Context, plans []ledger.IntentPlan) []ledger.BegunIntent {
	if err := f.fail("before begin"); err != nil {
		return slices.Repeat([]ledger.BegunIntent{{Err: err}}, len(plans))
	}
	begun := f.Ledger.BeginIntents(ctx, plans)
	failed := f.fail("after begin")
	for i := range begun {
		begun[i].Err = errors.Join(begun[i].Err, failed)
	}

	return begun
}

func (f *faultyLedger) RenewIntents(ctx context.Context, intents []ledger.Intent) error {
	if err := f.fail("renew"); err != nil {
		return err
	}
	return f.Ledger.RenewIntents(ctx, intents)
}

func (f *faultyLedger) FinishIntents(ctx context.Context, intents []ledger.FinishedIntent) []error {
	if err := f.fail("before finish"); err != nil {
		return slices.Repeat([]error{err}, len(intents))
	}
	finished := f.Ledger.FinishIntents(ctx, intents)
	failed := f.fail("after finish")
	for i := range finished {
		finished[i] = errors.Join(finished[i], failed)
	}

	return finished
}

func (f *faultyLedger) AbandonIntents(ctx context.Context, intents []ledger.Intent) error {
	if err := f.fail("abandon"); err != nil {
		return err
	}
	return f.Ledger.AbandonIntents(ctx, intents)
}

func (f *faultyLedger) ReadIdentity(ctx context.Context) (ledger.Identity, error) {
	if err := f.fail("read identity"); err != nil {
		return ledger.Identity{}, err
	}
	return f.Ledger.ReadIdentity(ctx)
}

func (f *faultyLedger) WriteIdentity(ctx context.Context, id ledger.Identity) error {
	call := "propose"
	if id.IsBound {
		call = "bind"
	}
	if err := f.fail("before " + call); err != nil {
		return err
	}

	return errors.Join(f.Ledger.WriteIdentity(ctx, id), f.fail("after "+call))
}

// minutes returns the range of the minutes [from, to).
func minutes(from, to int) domain.Range { return domain.Range{Start: minute(from), End: minute(to)} }

// barsOf returns a bar in each of the minutes [from, to), with prices of seed.
func barsOf(t testing.TB, from, to, seed int) domain.Series {
	t.Helper()
	return barsOfKey(t, minuteKey, from, to, seed)
}

func barsOfKey(t testing.TB, key domain.SeriesKey, from, to, seed int) domain.Series {
	t.Helper()
	b := domain.NewSeriesBuilder(key, 0)
	price := domain.MustDecimal(fmt.Sprintf("%d.5", seed))
	for n := from; n < to; n++ {
		bar := domain.Bar{
			OpenTime: minute(n), Open: price, High: price, Low: price, Close: price, Volume: price, Trades: int64(n),
		}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	return seriesOf(t, b)
}

func concat(t testing.TB, pieces ...domain.Series) domain.Series {
	t.Helper()
	all, err := domain.ConcatSeries(domain.EmptySeries(pieces[0].Key()), pieces)
	if err != nil {
		t.Fatal(err)
	}

	return all
}

// content is what a read yields.
type content struct {
	bars  domain.Series
	state *domain.SeriesState
}

func readContent(s ports.BarReader, r domain.Range) (c content, err error) {
	return readContentOf(s, minuteKey, r)
}

func readContentOf(s ports.BarReader, key domain.SeriesKey, r domain.Range) (c content, err error) {
	b := domain.NewSeriesBuilder(key, 0)
	for piece, err := range s.ReadBars(context.Background(), ports.BarQuery{Key: key, Range: r}) {
		if err != nil {
			return c, err
		}
		if piece.State != nil {
			c.state = piece.State
		}
		if piece.Rows.Len() > 0 {
			if err := b.AppendSeries(piece.Rows); err != nil {
				return c, err
			}
		}
	}
	c.bars, err = b.Series()

	return c, err
}

// wantState fails unless the store has exactly one of the alternatives in the minutes [0, 120), or does not cover the
// range of change and has the bars outside of it.
func wantState(t *testing.T, s ports.BarReader, change domain.Range, alternatives ...domain.Series) {
	t.Helper()
	got, err := readContentOf(s, alternatives[0].Key(), minutes(0, 120))
	if err != nil {
		t.Fatal(err)
	}

	covers := got.state.Covers(change)
	for _, want := range alternatives {
		if covers && got.bars.Equal(want) {
			return
		}
		uncovered := got.bars.Clip(change).Len() == 0 && len(domain.ClipRanges(got.state.Coverage, change)) == 0
		before, after := domain.Range{Start: minute(0), End: change.Start}, domain.Range{Start: change.End, End: minute(120)}
		if uncovered && got.bars.Clip(before).Equal(want.Clip(before)) && got.bars.Clip(after).Equal(want.Clip(after)) {
			return
		}
	}
	t.Fatalf("got %v with the coverage %v", got.bars, got.state.Coverage)
}

// TestWriteThatFails lets each request of a replacement and each call of the ledger fail. No reader ever sees a part of
// it as covered, and the same replacement again does it.
func TestWriteThatFails(t *testing.T) {
	t.Parallel()
	old, next := barsOf(t, 0, 120, 1), barsOf(t, 30, 60, 2)
	change := minutes(30, 90)
	want := concat(t, old.Slice(0, 30), next, old.Slice(90, 120))
	for _, step := range []string{
		"check", "before begin", "after begin", "renew", "delete", "write", "write rest", "read back", "before finish",
		"after finish",
	} {
		for _, abandons := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, abandons %t", step, abandons), func(t *testing.T) {
				t.Parallel()
				s := newLedgered()
				if _, err := ports.WriteBars(t.Context(), s, old, minutes(0, 120), ports.ConflictReplace); err != nil {
					t.Fatal(err)
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
				if _, err := s.ReplaceBars(t.Context(), next, change); !errors.Is(err, errOutage) {
					t.Fatalf("got the error %v", err)
				}
				s.ledger.advance(time.Minute) // a writer that died is not waited for

				wantState(t, s, change, old, want)
				s.bars.Request.Store(nil)
				s.ledger.fault.Store(nil)
				if _, err := s.ReplaceBars(t.Context(), next, change); err != nil {
					t.Fatal(err)
				}
				wantState(t, s, minutes(0, 120), want)
			})
		}
	}
}

// TestReaderBesideAReplacement reads after each request of a replacement: the range is waited for, and then uncovered.
func TestReaderBesideAReplacement(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	old, next := barsOf(t, 0, 120, 1), barsOf(t, 30, 60, 2)
	if _, err := ports.WriteBars(t.Context(), s, old, minutes(0, 120), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	reader := ingest.WithLedger("reader", "", s.bars, s.ledger)
	ingest.SetWait(reader, 5*time.Millisecond)
	if err := reader.CheckIdentity(t.Context()); err != nil { // because the first read would make a request of its own
		t.Fatal(err)
	}

	steps := 0
	request := func(context.Context, string) error {
		steps++
		wantState(t, reader, minutes(30, 90), old)
		return nil
	}
	s.bars.Request.Store(&request)
	if _, err := s.ReplaceBars(t.Context(), next, minutes(30, 90)); err != nil || steps != 5 {
		t.Fatal(steps, err)
	}
}

// TestReaderWaitsForAReplacement begins a read while a replacement is under way. It returns the bars of the replacement.
func TestReaderWaitsForAReplacement(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	if _, err := ports.WriteBars(t.Context(), s, barsOf(t, 0, 120, 1), minutes(0, 120), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	read := make(chan content, 1)
	request := func(_ context.Context, name string) error {
		if name == "delete" {
			go func() {
				c, _ := readContent(s, minutes(0, 120))
				read <- c
			}()
			time.Sleep(20 * time.Millisecond)
		}

		return nil
	}
	s.bars.Request.Store(&request)
	next := barsOf(t, 0, 120, 2)
	if _, err := s.ReplaceBars(t.Context(), next, minutes(0, 120)); err != nil {
		t.Fatal(err)
	}
	if c := <-read; !c.bars.Equal(next) || !c.state.Covers(minutes(0, 120)) {
		t.Errorf("got %v", c.bars)
	}
}

// TestAnswerWithoutSomeBars lets the store lose a bar of its answers. The read fails, and the next whole one is right.
func TestAnswerWithoutSomeBars(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	bars := barsOf(t, 0, 120, 1)
	if _, err := ports.WriteBars(t.Context(), s, bars, minutes(0, 120), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	lose := func(bars domain.Series) domain.Series { return bars.Slice(0, bars.Len()-1) }
	other := barsOf(t, 0, 120, 9)
	alter := func(domain.Series) domain.Series { return other }
	for _, fault := range []func(domain.Series) domain.Series{lose, alter} {
		s.bars.Lose.Store(&fault)
		for _, q := range []ports.BarQuery{
			{Key: minuteKey, Range: minutes(10, 20)}, {Key: minuteKey, Range: minutes(0, 120), First: 3},
			{Key: minuteKey, Range: minutes(0, 120), Last: 3},
		} {
			for piece, err := range s.ReadBars(t.Context(), q) {
				if piece.Rows.Len() > 0 || !errors.Is(err, ports.ErrCorruptData) {
					t.Errorf("got %v, %v", piece.Rows, err)
				}
			}
			for piece, err := range s.ReadBatch(t.Context(), []ports.BarQuery{q}) {
				if piece.Bars.Len() > 0 || !errors.Is(err, ports.ErrCorruptData) {
					t.Errorf("got %v, %v", piece.Bars, err)
				}
			}
		}
		if _, err := ports.WriteBars(t.Context(), s, barsOf(t, 5, 6, 3), minutes(5, 6), ports.ConflictReplace); !errors.Is(err, ports.ErrCorruptData) {
			t.Errorf("a write of a part of the block: %v", err)
		}
		s.bars.Lose.Store(nil)
	}
	wantState(t, s, minutes(0, 120), bars)
}

// TestReplacementMendsACorruptBlock replaces a block whose bars another program altered.
func TestReplacementMendsACorruptBlock(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	bars := barsOf(t, 0, 120, 1)
	if _, err := ports.WriteBars(t.Context(), s, bars, minutes(0, 120), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if err := s.bars.Put(t.Context(), barsOf(t, 7, 8, 9)); err != nil {
		t.Fatal(err)
	}
	if _, err := readContent(s, minutes(0, 120)); !errors.Is(err, ports.ErrCorruptData) {
		t.Fatalf("got the error %v", err)
	}

	part := barsOf(t, 5, 10, 1)
	if _, err := s.ReplaceBars(t.Context(), part, minutes(5, 10)); !errors.Is(err, ports.ErrCorruptData) {
		t.Errorf("a replacement that keeps bars of the block: %v", err)
	}
	if _, err := s.ReplaceBars(t.Context(), bars, minutes(0, 120)); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, minutes(0, 120), bars)
}

// TestWriteThatReadsAnotherBeginsAgain writes over bars that another writer replaced after their record was read. They
// are not corrupt.
func TestWriteThatReadsAnotherBeginsAgain(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	old, next := barsOf(t, 0, 120, 1), barsOf(t, 0, 120, 2)
	if _, err := ports.WriteBars(t.Context(), s, old, minutes(0, 120), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	replace := func(domain.Series) domain.Series {
		s.bars.Lose.Store(nil)
		if _, err := s.ReplaceBars(t.Context(), next, minutes(0, 120)); err != nil {
			t.Error(err)
		}

		return next
	}
	s.bars.Lose.Store(&replace)
	part := barsOf(t, 5, 10, 3)
	if _, err := ports.WriteBars(t.Context(), s, part, minutes(5, 10), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, minutes(5, 10), concat(t, next.Slice(0, 5), part, next.Slice(10, 120)))
}

// TestPausedWriterLosesItsIntent pauses a writer before each request until its intent has expired, and another one has
// written a part of the range. The paused one fails.
func TestPausedWriterLosesItsIntent(t *testing.T) {
	t.Parallel()
	old, next, other := barsOf(t, 0, 120, 1), barsOf(t, 30, 90, 2), barsOf(t, 50, 60, 3)
	for _, step := range []string{"renew", "before finish"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newLedgered()
			if _, err := ports.WriteBars(t.Context(), s, old, minutes(0, 120), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}

			paused := true
			second := ingest.WithLedger("second", "", s.bars, s.ledger)
			pause := func(name string) error {
				if name == step && paused {
					paused = false
					s.ledger.advance(time.Minute)
					if _, err := second.ReplaceBars(t.Context(), other, other.Range()); err != nil {
						t.Error(err)
					}
				}

				return nil
			}
			s.ledger.fault.Store(&pause)
			if _, err := s.ReplaceBars(t.Context(), next, minutes(30, 90)); !errors.Is(err, ports.ErrConflict) {
				t.Fatalf("the paused writer returned %v", err)
			}

			got, err := readContent(s, minutes(0, 120))
			if err != nil || !got.bars.Clip(minutes(50, 60)).Equal(other) || !got.bars.Clip(minutes(0, 30)).Equal(old.Slice(0, 30)) {
				t.Errorf("got %v, %v", got.bars, err)
			}
			if got.state.Covers(minutes(30, 31)) || got.bars.Clip(minutes(60, 90)).Len() > 0 {
				t.Errorf("the range of the paused writer is covered: %v", got.state.Coverage)
			}

			if _, err := s.ReplaceBars(t.Context(), next, minutes(30, 90)); err != nil {
				t.Fatal(err)
			}
			wantState(t, s, minutes(0, 120), concat(t, old.Slice(0, 30), next, old.Slice(90, 120)))
		})
	}
}

// TestWriterWaits writes a range of which a write is under way: it waits, and names that write when it gives up.
func TestWriterWaits(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	second := ingest.WithLedger("second", "", s.bars, s.ledger)
	ingest.SetWait(second, 5*time.Millisecond)
	var during error
	request := func(_ context.Context, name string) error {
		if name == "delete" {
			_, during = ports.WriteBars(t.Context(), second, barsOf(t, 5, 6, 2), minutes(5, 6), ports.ConflictReplace)
		}
		return nil
	}
	s.bars.Request.Store(&request)
	if _, err := ports.WriteBars(t.Context(), s, barsOf(t, 0, 10, 1), minutes(0, 10), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	var held *ledger.HeldError
	if !errors.Is(during, ports.ErrConflict) || !errors.As(during, &held) || !held.Range.Equal(minutes(0, 10)) {
		t.Errorf("got the error %v", during)
	}
}

// racingLedger runs other after its first read, before the reader goes on.
type racingLedger struct {
	ledger.Ledger
	other func()
}

func (r *racingLedger) ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]ledger.Record, error) {
	records, err := r.Ledger.ReadLedger(ctx, queries)
	if other := r.other; other != nil {
		r.other = nil
		other()
	}

	return records, err
}

// Two writers of a new series at once: the second finds bars that the ledger did not have when it read it. They are not
// of another program, and the write goes on.
func TestTwoFirstWriters(t *testing.T) {
	t.Parallel()
	first := newLedgered()
	racing := &racingLedger{Ledger: first.ledger, other: func() {
		if _, err := ports.WriteBars(t.Context(), first, barsOf(t, 0, 10, 1), minutes(0, 10), ports.ConflictFail); err != nil {
			t.Error(err)
		}
	}}
	second := ingest.WithLedger("ledgered", "", first.bars, racing)
	if _, err := ports.WriteBars(t.Context(), second, barsOf(t, 10, 20, 1), minutes(10, 20), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	got, err := readContent(first, minutes(0, 20))
	if err != nil || !got.bars.Equal(barsOf(t, 0, 20, 1)) {
		t.Errorf("got %v, %v", got.bars, err)
	}
}

// TestForeignBars reads bars that another program wrote: their coverage is inferred, and they have no state. A write that
// would uncover some of them is refused.
func TestForeignBars(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	foreign := barsOf(t, 0, 30, 1)
	if err := s.bars.Put(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}

	got, err := readContent(s, minutes(0, 120))
	extents, err2 := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{Symbols: []domain.Symbol{minuteKey.Symbol}}))
	if err := errors.Join(err, err2); err != nil || got.state != nil || !got.bars.Equal(foreign) {
		t.Fatalf("got %v, %v, %v", got.bars, got.state, err)
	}
	if len(extents) != 1 || !extents[0].Inferred || !extents[0].Range.Equal(minutes(0, 30)) {
		t.Errorf("got the extents %v", extents)
	}

	if _, err := ports.WriteBars(t.Context(), s, barsOf(t, 10, 40, 2), minutes(10, 40), ports.ConflictReplace); !errors.Is(err, ports.ErrConflict) {
		t.Errorf("got the error %v", err)
	}
	if _, err := s.ReplaceBars(t.Context(), barsOf(t, 0, 40, 2), minutes(0, 50)); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, minutes(0, 50), barsOf(t, 0, 40, 2))
	if extents, err = ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{})); err != nil || len(extents) != 1 || extents[0].Inferred {
		t.Errorf("got the extents %v, %v", extents, err)
	}
}

// TestAppendReadsNoBlock appends to a block without reading it.
func TestAppendReadsNoBlock(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	if _, err := ports.WriteBars(t.Context(), s, barsOf(t, 0, 60, 1), minutes(0, 60), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	panics := func(domain.Series) domain.Series { panic("a block was read") }
	s.bars.Lose.Store(&panics)
	if _, err := ports.WriteBars(t.Context(), s, barsOf(t, 60, 120, 1), minutes(60, 120), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	s.bars.Lose.Store(nil)
	wantState(t, s, minutes(0, 120), barsOf(t, 0, 120, 1))
	got, err := readContent(s, minutes(0, 120))
	if err != nil || len(got.state.Tail) != 2 {
		t.Errorf("the tail is %x, %v", got.state.Tail, err)
	}
}

// TestConcurrentWritersAndReaders checks that every read is the state after some of the writes. Each writer replaces its
// own half with the bars of the next number, so a read must have one number in each half, that never falls.
func TestConcurrentWritersAndReaders(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	const rounds = 60
	halves := [2]domain.Range{minutes(0, 60), minutes(60, 120)}
	done := make(chan error, len(halves))
	for i, half := range halves {
		go func() {
			writer := ingest.WithLedger("writer", "", s.bars, s.ledger)
			for n := range rounds {
				if _, err := writer.ReplaceBars(t.Context(), barsOf(t, 60*i, 60*i+60, n+1), half); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}

	var read [2]error
	finished := make(chan struct{})
	readers := make(chan struct{}, len(read))
	for i := range read {
		go func() {
			read[i] = readUntil(t, s, halves, finished)
			readers <- struct{}{}
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
	close(finished)
	<-readers
	<-readers
	if err := errors.Join(read[:]...); err != nil {
		t.Error(err)
	}
}

// readUntil reads until finished is closed, and checks each result.
func readUntil(t *testing.T, s ports.BarReader, halves [2]domain.Range, finished chan struct{}) error {
	t.Helper()
	var last [2]domain.Series
	for {
		select {
		case <-finished:
			return nil
		default:
		}

		got, err := readContent(s, minutes(0, 120))
		if errors.Is(err, ports.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		for i, half := range halves {
			bars := got.bars.Clip(half)
			switch covered := got.state.Covers(half); {
			case !covered && bars.Len() == 0:
			case !covered || bars.Len() != 60 || !bars.At(0).Close.Equal(bars.At(59).Close):
				return fmt.Errorf("got %v with the coverage %v", bars, got.state.Coverage)
			case last[i].Len() > 0 && bars.At(0).Close.Cmp(last[i].At(0).Close) < 0:
				return fmt.Errorf("got the bars of write %s after those of %s", bars.At(0).Close, last[i].At(0).Close)
			default:
				last[i] = bars
			}
		}
	}
}
