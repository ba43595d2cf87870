package ingest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// agingBars is a store with a retention policy, which it may fail to tell. It drops nothing by itself.
type agingBars struct {
	*ledgertest.Bars
	age   time.Duration
	asked int
	err   error
}

func (a *agingBars) Retention(context.Context) (time.Duration, error) {
	a.asked++
	return a.age, a.err
}

var secondKey = domain.SeriesKey{Symbol: "A/B", Grid: domain.Second1.UTC()}

// newAging returns a store with a bar in each of the blocks [0, n), and the range of each block. The oldest bar that the
// policy keeps lies in the middle of block 2.
func newAging(t *testing.T, n int) (s *ingest.LedgeredStore, bars *agingBars, blocks []domain.Range) {
	t.Helper()
	layout := domain.BarBlocks(secondKey.Grid)
	first := layout.Index(domain.MicrosFloor(time.Now())) - int64(n)
	b := domain.NewSeriesBuilder(secondKey, 0)
	for i := range int64(n) {
		blocks = append(blocks, layout.Range(first+i, first+i+1))
		bar := domain.Bar{OpenTime: blocks[i].Start, Trades: i}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	bars = &agingBars{Bars: ledgertest.NewBars()}
	s = ingest.WithLedger("aging", "", bars, ledgertest.NewMemory())
	coverage := blocks[0].Hull(blocks[n-1])
	if _, err := ports.WriteBars(t.Context(), s, seriesOf(t, b), coverage, ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	bars.age = time.Since(blocks[2].Start.Add(blocks[2].End.Sub(blocks[2].Start) / 2))
	time.Sleep(time.Minute) // until the policy is asked again

	return s, bars, blocks
}

// stateOf returns the state of the series, nil if it has the known version.
func stateOf(t *testing.T, s *ingest.LedgeredStore, r domain.Range, known domain.Version) *domain.SeriesState {
	t.Helper()
	query := ports.SeriesQuery{Key: secondKey, State: ports.StateQuery{Range: r, Known: known}}
	states, err := s.ReadStates(t.Context(), []ports.SeriesQuery{query})
	if err != nil {
		t.Fatal(err)
	}

	return states[0]
}

// TestVersionChangesWithTheRetention reads a series while its blocks get too old: each has another version, so that no
// cache takes the state before for the present one.
func TestVersionChangesWithTheRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, blocks := newAging(t, 6)
		within := blocks[0].Hull(blocks[5])
		first := stateOf(t, s, within, domain.Version{})
		if len(first.Coverage) != 1 || !first.Coverage[0].Start.Equal(blocks[3].Start) || len(first.Blocks) != 3 {
			t.Fatalf("covered %v with the blocks %v, want those from %s", first.Coverage, first.Blocks, blocks[3])
		}
		if again := stateOf(t, s, within, first.Version); again != nil {
			t.Errorf("the known state came as %+v", again)
		}

		time.Sleep(blocks[0].End.Sub(blocks[0].Start))
		next := stateOf(t, s, within, first.Version)
		if next == nil || next.Version.Revision <= first.Version.Revision || len(next.Blocks) != 2 {
			t.Fatalf("a block later: %+v after %+v", next, first)
		}
		time.Sleep(2 * blocks[0].End.Sub(blocks[0].Start))
		if last := stateOf(t, s, within, next.Version); len(last.Coverage)+len(last.Blocks)+len(last.Tail) > 0 {
			t.Errorf("three blocks later: %+v", last)
		}
	})
}

// TestRetentionIsAskedSeldom reads while the policy cannot be asked: it is believed as it was.
func TestRetentionIsAskedSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, bars, blocks := newAging(t, 6)
		within := blocks[0].Hull(blocks[5])
		stateOf(t, s, within, domain.Version{})
		bars.asked, bars.err = 0, errOutage
		for range 10 {
			if state := stateOf(t, s, within, domain.Version{}); len(state.Blocks) != 3 {
				t.Fatalf("got %+v", state)
			}
			time.Sleep(11 * time.Second)
		}
		if bars.asked != 1 {
			t.Errorf("asked %d times in two minutes", bars.asked)
		}

		unasked := ingest.WithLedger("unasked", "", bars, ledgertest.NewMemory())
		query := []ports.SeriesQuery{{Key: secondKey}}
		if _, err := unasked.ReadStates(t.Context(), query); !errors.Is(err, errOutage) {
			t.Errorf("a policy that was never told: %v", err)
		}
	})
}

// TestWriteUncoversWhatRetentionDropped writes into a block that lost bars: the block is uncovered first, with the bars
// that are left of it.
func TestWriteUncoversWhatRetentionDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, bars, blocks := newAging(t, 6)
		nothing := ledger.BarSet{Bars: domain.EmptySeries(secondKey), Range: blocks[0].Hull(blocks[2])}
		if err := bars.SetBars(t.Context(), []ledger.BarSet{nothing}, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}

		middle := domain.Range{Start: blocks[2].Start.Add(time.Hour), End: blocks[3].Start}
		bar, err := domain.NewSeries(secondKey, domain.Bar{OpenTime: middle.Start, Trades: 9})
		if err != nil {
			t.Fatal(err)
		}
		report, err := ports.WriteBars(t.Context(), s, bar, middle, ports.ConflictFail)
		if err != nil || report.Inserted != 1 {
			t.Fatalf("got %+v, %v", report, err)
		}

		bars.age = 0 // the ledger alone tells what is covered
		time.Sleep(time.Minute)
		state := stateOf(t, s, blocks[0].Hull(blocks[5]), domain.Version{})
		want := []domain.Range{blocks[0].Hull(blocks[1]), middle.Hull(blocks[5])}
		if len(state.Coverage) != 2 || !state.Coverage[0].Equal(want[0]) || !state.Coverage[1].Equal(want[1]) {
			t.Errorf("covered %v, want %v", state.Coverage, want)
		}
		read := ports.BarQuery{Key: secondKey, Range: blocks[2].Hull(blocks[5])}
		got := 0
		for piece, err := range s.ReadBars(t.Context(), read) {
			if err != nil {
				t.Fatal(err)
			}
			got += piece.Rows.Len()
		}
		if got != 4 {
			t.Errorf("read %d bars, want the new one and three of later blocks", got)
		}
	})
}

// TestAppendsNeedNoRetention appends to a block that begins before the retention. That uncovers nothing, because a
// recorder would uncover its last bars with every new one.
func TestAppendsNeedNoRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, bars, blocks := newAging(t, 6)
		bars.age = 2 * time.Minute
		for range 3 {
			time.Sleep(time.Minute)
			written := domain.Range{Start: time.Now().Add(-time.Minute), End: time.Now()}
			nothing := domain.EmptySeries(secondKey)
			if _, err := ports.WriteBars(t.Context(), s, nothing, written, ports.ConflictFail); err != nil {
				t.Fatal(err)
			}
			if state := stateOf(t, s, written, domain.Version{}); len(state.Coverage) > 0 {
				t.Errorf("a block before the retention is covered: %v", state.Coverage)
			}
		}

		bars.age = 0 // the ledger alone tells what is covered
		time.Sleep(time.Minute)
		minutes := domain.Range{Start: time.Now().Add(-4 * time.Minute), End: time.Now().Add(-time.Minute)}
		all := blocks[0].Hull(blocks[5])
		if state := stateOf(t, s, all, domain.Version{}); !state.Covers(all) || !state.Covers(minutes) {
			t.Errorf("covered %v, want %s and %s", state.Coverage, all, minutes)
		}
	})
}

// TestShorterRetentionIsNoticed reads right after the policy became shorter and dropped a block. The block is not
// covered any more, and not corrupt.
func TestShorterRetentionIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, bars, blocks := newAging(t, 6)
		within := blocks[3].Hull(blocks[5])
		stateOf(t, s, within, domain.Version{})
		bars.age = time.Since(blocks[3].Start.Add(time.Minute))
		nothing := ledger.BarSet{Bars: domain.EmptySeries(secondKey), Range: blocks[3]}
		if err := bars.SetBars(t.Context(), []ledger.BarSet{nothing}, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}

		got, err := readContentOf(s, secondKey, within)
		if err != nil || got.bars.Len() != 2 || got.state.Covers(blocks[3]) {
			t.Errorf("got %v with the coverage %v, %v", got.bars, got.state, err)
		}
	})
}

// TestRetentionHasAMargin reads a block that begins right behind the bars that the policy drops. It is not covered,
// because the clock of the store may be ahead.
func TestRetentionHasAMargin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, bars, blocks := newAging(t, 6)
		bars.age = time.Since(blocks[3].Start) + 30*time.Second
		state := stateOf(t, s, blocks[0].Hull(blocks[5]), domain.Version{})
		if len(state.Coverage) != 1 || !state.Coverage[0].Start.Equal(blocks[4].Start) {
			t.Errorf("covered %v, want from %s", state.Coverage, blocks[4])
		}
	})
}
