package ingest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// TestReaderDoesNotWaitForAnIntentElsewhere reads beside a replacement of another part of the series.
func TestReaderDoesNotWaitForAnIntentElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLedgered()
		all := barsOf(t, 0, 120, 1)
		if _, err := ports.WriteBars(t.Context(), s, all, minutes(0, 120), ports.ConflictFail); err != nil {
			t.Fatal(err)
		}

		var waited atomic.Int64
		request := func(_ context.Context, name string) error {
			if name != "delete" {
				return nil
			}

			start := time.Now()
			got, err := readContent(s, minutes(0, 30))
			waited.Store(int64(time.Since(start)) + 1)
			if err == nil && !got.bars.Equal(all.Slice(0, 30)) {
				err = errors.New("other bars were read")
			}

			return err
		}
		s.bars.Request.Store(&request)
		if _, err := s.ReplaceBars(t.Context(), barsOf(t, 60, 120, 2), minutes(60, 120)); err != nil {
			t.Fatal(err)
		}
		if waited.Load() != 1 {
			t.Errorf("the reader waited for %s", time.Duration(waited.Load()-1))
		}
	})
}

// sparseBlocks returns a store with one bar in each of n blocks, at its start, and the bars.
func sparseBlocks(t *testing.T, n int) (ledgered, domain.Series) {
	t.Helper()
	layout := domain.BarBlocks(secondKey.Grid)
	b := domain.NewSeriesBuilder(secondKey, n)
	for i := range int64(n) {
		if err := b.Append(domain.Bar{OpenTime: layout.Range(i, i+1).Start, Trades: i + 1}); err != nil {
			t.Fatal(err)
		}
	}

	s, bars := newLedgered(), seriesOf(t, b)
	if _, err := ports.WriteBars(t.Context(), s, bars, layout.Range(0, int64(n)), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	return s, bars
}

// readBeside reads the bars in the range, and calls write when the first one was yielded.
func readBeside(t *testing.T, s ledgered, r domain.Range, write func()) (bars domain.Series, err error) {
	t.Helper()
	b := domain.NewSeriesBuilder(secondKey, 0)
	for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: secondKey, Range: r}) {
		if err != nil {
			return bars, err
		}
		if b.Len() == 0 {
			write()
		}
		if err := b.AppendSeries(piece.Rows); err != nil {
			t.Fatal(err)
		}
	}

	return seriesOf(t, b), nil
}

// TestLongReadBesideAWriter reads more blocks than are in memory at once, while other bars are written. The result is
// that before the writes, or a conflict.
func TestLongReadBesideAWriter(t *testing.T) {
	t.Parallel()
	s, bars := sparseBlocks(t, 70)
	replace := func(i int) {
		bar := bars.Slice(i, i+1)
		other := bar.At(0)
		other.Trades += 100
		changed, err := domain.NewSeries(secondKey, other)
		if err == nil {
			_, err = ports.WriteBars(t.Context(), s, changed, bar.Range(), ports.ConflictReplace)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	within := bars.Slice(0, 68).Range()
	got, err := readBeside(t, s, within, func() {
		replace(69) // outside of the read
		loses := true
		lose := func(bars domain.Series) domain.Series { // one answer lacks its bars
			if loses {
				loses = false
				return bars.Slice(0, 0)
			}

			return bars
		}
		s.bars.Lose.Store(&lose)
	})
	if err != nil || !got.Equal(bars.Slice(0, 68)) {
		t.Errorf("beside a write elsewhere: got %v, %v", got, err)
	}

	_, err = readBeside(t, s, within, func() { replace(0); replace(66) })
	if !errors.Is(err, ports.ErrConflict) {
		t.Errorf("beside a write of what was yielded: %v", err)
	}
}

// unhashed is a ledger whose hashes nobody verified.
type unhashed struct{ ledger.Ledger }

func (l unhashed) ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]ledger.Record, error) {
	records, err := l.Ledger.ReadLedger(ctx, queries)
	for i := range records {
		records[i].Hashes = make([]ledger.BlockHash, len(records[i].Hashes))
	}

	return records, err
}

// TestCountTellsOfLostBars reads blocks without a hash, of which a bar was lost.
func TestCountTellsOfLostBars(t *testing.T) {
	t.Parallel()
	bars := ledgertest.NewBars()
	s := ingest.WithLedger("unhashed", "", bars, unhashed{ledgertest.NewMemory()})
	all := barsOf(t, 0, 20, 1)
	if _, err := ports.WriteBars(t.Context(), s, all, minutes(0, 20), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	if got, err := readContent(s, minutes(0, 20)); err != nil || !got.bars.Equal(all) {
		t.Fatalf("got %v, %v", got.bars, err)
	}

	lose := func(bars domain.Series) domain.Series { return bars.Slice(0, bars.Len()-1) }
	bars.Lose.Store(&lose)
	if got, err := readContent(s, minutes(0, 20)); !errors.Is(err, ports.ErrCorruptData) {
		t.Errorf("got %v, %v", got.bars, err)
	}
}

// tear makes the reads of the bars find a row that is no bar, until mend returns true.
func tear(bars *ledgertest.Bars, mend func() bool) {
	torn := func(q ports.BarQuery) error {
		if mend() {
			return nil
		}

		rule := &domain.RuleError{Key: q.Key, At: q.Range.Start, Rule: domain.RuleIncomplete, Detail: "the field low is missing"}

		return &ports.Error{Kind: ports.ErrCorruptData, Op: "read bars", Store: "bars", Subject: q.Key.String(), Err: rule}
	}
	bars.Tear.Store(&torn)
}

// TestTornRowWithoutAWriterIsCorrupt reads and writes where a row is no bar. Nobody writes there, as the ledger tells,
// so that the error, which names the rule, comes at once.
func TestTornRowWithoutAWriterIsCorrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLedgered()
		all := barsOf(t, 0, 120, 1)
		if _, err := ports.WriteBars(t.Context(), s, all, minutes(0, 120), ports.ConflictFail); err != nil {
			t.Fatal(err)
		}

		tear(s.bars, func() bool { return false })
		began := time.Now()
		_, readErr := readContent(s, minutes(0, 120))
		_, limitedErr := ports.Collect(s.ReadBars(t.Context(), ports.BarQuery{Key: minuteKey, Range: minutes(0, 120), Last: 3}).Rows())
		_, writeErr := ports.WriteBars(t.Context(), s, barsOf(t, 60, 61, 2), minutes(60, 61), ports.ConflictReplace)
		for _, err := range []error{readErr, limitedErr, writeErr} {
			var rule *domain.RuleError
			if !errors.Is(err, ports.ErrCorruptData) || !errors.As(err, &rule) || rule.Rule != domain.RuleIncomplete {
				t.Error(err)
			}
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("the errors came after %s", waited)
		}
	})
}

// TestTornRowOfAWriterIsReadAgain reads a row between the two requests of a writer: the series has a new version then,
// at which the row is a bar.
func TestTornRowOfAWriterIsReadAgain(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	before, after := barsOf(t, 0, 120, 1), barsOf(t, 0, 120, 2)
	if _, err := ports.WriteBars(t.Context(), s, before, minutes(0, 120), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	reads := 0
	tear(s.bars, func() bool {
		if reads++; reads == 2 { // of the reader, after its record and the read beside that
			s.bars.Tear.Store(nil)
			if _, err := ports.WriteBars(t.Context(), s, after, minutes(0, 120), ports.ConflictReplace); err != nil {
				t.Error(err)
			}
		}

		return false
	})
	if got, err := readContent(s, minutes(0, 120)); err != nil || !got.bars.Equal(after) {
		t.Errorf("got %v, %v", got.bars, err)
	}
}

// TestUncoverTakesWholeBlocks uncovers some minutes. Their block is uncovered whole, because its bars are not read.
func TestUncoverTakesWholeBlocks(t *testing.T) {
	t.Parallel()
	s := ingest.WithLedger("ledgered", "", ledgertest.NewBars(), ledgertest.NewMemory())
	if _, err := ports.WriteBars(t.Context(), s, barsOf(t, 0, 120, 1), minutes(0, 120), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	uncovered, err := ports.UncoverBars(t.Context(), s, minuteKey, minutes(5, 10))
	if err != nil || !uncovered.Covers(minutes(0, 120)) {
		t.Errorf("uncovered %v, %v", uncovered, err)
	}
	if got, err := readContent(s, minutes(0, 120)); err != nil || got.bars.Len()+len(got.state.Coverage) > 0 {
		t.Errorf("got %v with the coverage %v, %v", got.bars, got.state, err)
	}
}
