package app_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// interrupted is a memory store that somebody changes before its nth read of trades, counted from 1.
type interrupted struct {
	*memory.Store
	reads  int
	before map[int]func()
}

func (s *interrupted) ReadTrades(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	s.reads++
	if change := s.before[s.reads]; change != nil {
		change()
	}

	return s.Store.ReadTrades(ctx, q)
}

// put writes the trades, which it declares all of the range.
func (s *interrupted) put(t *testing.T, r domain.Range, trades ...domain.Trade) {
	t.Helper()
	ticks := must(domain.NewTicks(key.Symbol, trades...))
	if _, err := s.WriteTrades(t.Context(), ticks, r, ports.ConflictReplace); err != nil {
		t.Error(err)
	}
}

// interruptedMarket is an application over a store of trades.
func interruptedMarket(t *testing.T) (*interrupted, *app.Service) {
	t.Helper()
	s := &interrupted{Store: memory.New(), before: map[int]func(){}}
	return s, over(t, clock.NewSimulated(at(60)), nil, app.Config{},
		app.Source{Name: "test", Bars: s.Store, Ticks: s, Catalog: s.Store})
}

// The coverage of trades that bars were planned with is deleted before the trades are read: the bars are not covered,
// and it is not so that nothing traded.
func TestTradesDeletedAfterThePlan(t *testing.T) {
	t.Parallel()
	s, md := interruptedMarket(t)
	s.put(t, span(0, 10), trade(at(1), 0), trade(at(7), 0))
	s.before[1] = func() {
		if _, err := s.DeleteTrades(t.Context(), key.Symbol, span(0, 5)); err != nil {
			t.Error(err)
		}
	}
	got, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(0), End: at(10)})
	if err != nil || got.Series.Len() != 1 || !slices.EqualFunc(got.Uncovered, []domain.Range{span(0, 5)}, domain.Range.Equal) {
		t.Errorf("%v, uncovered %v, %v", got.Series, got.Uncovered, err)
	}
}

// The first trades, with all of their last instant, are those of one state, also where an earlier one is written
// between the two reads.
func TestFirstTradesAreOfOneState(t *testing.T) {
	t.Parallel()
	s, md := interruptedMarket(t)
	s.put(t, span(0, 10), trade(at(1), 0), trade(at(1), 1))
	s.before[2] = func() { s.put(t, span(0, 1), trade(at(0), 0)) }
	got, err := md.FetchTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol, Start: at(0), First: 1})
	if err != nil || got.Ticks.Len() != 1 || !got.Ticks.Time(0).Equal(at(0)) {
		t.Errorf("%v, %v", got.Ticks, err)
	}
}

// An open start is the first covered instant of the state that the trades are read from.
func TestOpenStartIsThatOfTheState(t *testing.T) {
	t.Parallel()
	s, md := interruptedMarket(t)
	s.put(t, span(5, 10), trade(at(7), 0))
	s.before[1] = func() { s.put(t, span(0, 5), trade(at(1), 0)) }
	got, err := md.FetchTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol})
	if err != nil || got.Ticks.Len() != 2 || !got.Range.Start.Equal(at(0)) {
		t.Errorf("%v in %v, %v", got.Ticks, got.Range, err)
	}
}

// An open start whose end comes before everything that is covered has no data, and no place to continue.
func TestOpenStartBehindTheEnd(t *testing.T) {
	t.Parallel()
	s, md := interruptedMarket(t)
	s.put(t, span(5, 10), trade(at(7), 0))
	got, err := md.FetchTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol, End: at(1)})
	if err != nil || got.Ticks.Len() != 0 || !got.Range.Start.Equal(got.Range.End) || got.Next != (time.Time{}) {
		t.Errorf("%v in %v, next %v, %v", got.Ticks, got.Range, got.Next, err)
	}
}

// A store without versions is asked for its coverage again after a read, because it may have been deleted meanwhile.
func TestUnversionedCoverageIsReadAgain(t *testing.T) {
	t.Parallel()
	bars := sound(t, 0, 10)
	s, md := holding(t, bars, app.Config{})
	asked := 0
	s.extents = func(context.Context) ([]domain.Extent, error) {
		if asked++; asked == 1 {
			return []domain.Extent{{Key: key, Range: span(0, 10)}}, nil
		}

		return []domain.Extent{{Key: key, Range: span(5, 10)}}, nil
	}
	got, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(0), End: at(10)})
	if err != nil || !got.Series.Equal(bars.Clip(span(5, 10))) ||
		!slices.EqualFunc(got.Uncovered, []domain.Range{span(0, 5)}, domain.Range.Equal) {
		t.Errorf("%v, uncovered %v, %v", got.Series, got.Uncovered, err)
	}
}

// alsoInferred is a memory store that lists inferred coverage beside the declared one.
type alsoInferred struct {
	*memory.Store
	inferred domain.Extent
}

func (s alsoInferred) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		declared, err := ports.Collect(s.Store.Extents(ctx, q))
		return append(declared, s.inferred), err
	})
}

// A state has declared coverage only, so that inferred coverage of the same series is no change of it.
func TestInferredCoverageIsNotOfTheState(t *testing.T) {
	t.Parallel()
	s := alsoInferred{memory.New(), domain.Extent{Key: key, Range: span(5, 10), Inferred: true}}
	bars := sound(t, 0, 5)
	if _, err := ports.WriteBars(t.Context(), s, bars, span(0, 5), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	md := around(t, s, s, clock.NewSimulated(at(60)), app.Config{})
	got, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(0), End: at(10)})
	if err != nil || !got.Series.Equal(bars) || !slices.EqualFunc(got.Inferred, []domain.Range{span(5, 10)}, domain.Range.Equal) {
		t.Errorf("%v, inferred %v, %v", got.Series, got.Inferred, err)
	}
}
