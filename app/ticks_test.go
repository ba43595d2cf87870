package app_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tape is a store of the trades of one symbol; its pieces hold two trades each.
type tape struct {
	ports.TickStore // what is not overridden is not called
	trades          []domain.Trade
	claims          []domain.Range
}

func (s *tape) ReadTrades(_ context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	found := slices.DeleteFunc(slices.Clone(s.trades), func(t domain.Trade) bool { return !q.Range.Contains(t.Time) })
	if q.First > 0 {
		found = found[:min(q.First, len(found))]
	}
	if q.Last > 0 {
		found = found[max(0, len(found)-q.Last):]
	}

	return ports.Unversioned(func(yield func(domain.Trades, error) bool) {
		for two := range slices.Chunk(found, 2) {
			if !yield(domain.NewTicks(q.Symbol, two...)) {
				return
			}
		}
	})
}

func (s *tape) WriteTrades(
	_ context.Context, trades domain.Trades, claim domain.Range, _ ports.ConflictPolicy,
) (ports.WriteReport, error) {
	for _, t := range trades.All() {
		s.trades = append(s.trades, t)
	}
	s.claims = domain.MergeRanges(append(s.claims, claim))

	return ports.WriteReport{Inserted: trades.Len()}, nil
}

func (s *tape) TickExtents(context.Context, ports.ExtentQuery) iter.Seq2[domain.TickExtent, error] {
	return ports.OnePage(func() ([]domain.TickExtent, error) {
		var extents []domain.TickExtent
		for _, r := range s.claims {
			extents = append(extents, domain.TickExtent{Symbol: key.Symbol, Kind: domain.TickTrades, Range: r})
		}

		return extents, nil
	})
}

func trade(t time.Time, seq int64) domain.Trade {
	return domain.Trade{Time: t, Seq: seq, Price: domain.MustDecimal("100"), Size: domain.MustDecimal("1")}
}

// trading is an application at a time, over a tape of one known symbol.
func trading(t rapid.TB, now time.Time, cfg app.Config, trades ...domain.Trade) (*tape, *app.Service) {
	t.Helper()
	s := &tape{}
	ticks, err := domain.NewTicks(key.Symbol, trades...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteTrades(context.Background(), ticks, ticks.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	catalog := memory.New()
	if err := catalog.PutSymbols(context.Background(), domain.NewSymbolMeta(key.Symbol)); err != nil {
		t.Fatal(err)
	}

	return s, over(t, clock.NewSimulated(now), nil, cfg, app.Source{Name: "bars", Bars: catalog, Catalog: catalog}, app.Source{Name: "tape", Ticks: s})
}

func TestFetchTrades(t *testing.T) {
	t.Parallel()
	held := []domain.Trade{trade(at(0), 0), trade(at(1), 0), trade(at(1), 1), trade(at(1), 2), trade(at(3), 0), trade(at(5), 0)}
	after := func(m float64) time.Time { return at(m).Add(time.Microsecond) }
	for name, c := range map[string]struct {
		request domain.TickRequest
		from    int // of held
		to      int
		within  domain.Range
		next    time.Time
		clamped bool
	}{
		"all":               {domain.TickRequest{}, 0, 5, span(0, 5), at(5), false},
		"the end is out":    {domain.TickRequest{Start: at(0), End: at(3)}, 0, 4, span(0, 3), at(3), false},
		"beyond now":        {domain.TickRequest{Start: at(2), End: at(9)}, 4, 5, span(2, 5), at(5), true},
		"first":             {domain.TickRequest{First: 1}, 0, 1, domain.Range{Start: at(0), End: after(0)}, after(0), false},
		"first, an instant": {domain.TickRequest{First: 2}, 0, 4, domain.Range{Start: at(0), End: after(1)}, after(1), false},
		"last":              {domain.TickRequest{Last: 2}, 3, 5, span(1, 5), at(5), false},
	} {
		_, md := trading(t, at(5), app.Config{}, held...)
		c.request.Symbol = key.Symbol
		r, err := md.FetchTrades(t.Context(), c.request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}

		want, err := domain.NewTicks(key.Symbol, held[c.from:c.to]...)
		if err != nil {
			t.Fatal(err)
		}

		if !r.Ticks.Equal(want) || !r.Range.Equal(c.within) || !r.Next.Equal(c.next) || r.Clamped != c.clamped || r.Store != "tape" {
			t.Errorf("%s: got %s in %s, next %s, clamped %t, of %s; want %s in %s, next %s",
				name, r.Ticks, r.Range, r.Next, r.Clamped, r.Store, want, c.within, c.next)
		}
	}
}

// Pages that go on from Next are together the whole answer, each trade once, however many share an instant.
func TestPagesOfTradesAreTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var held []domain.Trade
		for m := range rapid.IntRange(1, 5).Draw(t, "instants") {
			for seq := range rapid.IntRange(0, 4).Draw(t, "trades") {
				held = append(held, trade(at(float64(m)), int64(seq)))
			}
		}

		_, md := trading(t, at(9), app.Config{}, held...)
		request := domain.TickRequest{Symbol: key.Symbol, First: rapid.IntRange(1, 5).Draw(t, "page")}
		var paged []domain.Trade
		for range len(held) + 1 {
			page, err := md.FetchTrades(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}

			for _, tick := range page.Ticks.All() {
				paged = append(paged, tick)
			}
			if page.Ticks.Len() < request.First {
				break
			}

			request.Start = page.Next
		}
		if !slices.EqualFunc(paged, held, domain.Trade.Equal) {
			t.Fatalf("pages are %v, want %v", paged, held)
		}
	})
}

func TestTicksRefused(t *testing.T) {
	t.Parallel()
	_, md := trading(t, at(5), app.Config{MaxBars: new(2), Settle: time.Minute}, trade(at(0), 0), trade(at(1), 0), trade(at(1), 1))
	for name, c := range map[string]struct {
		request domain.TickRequest
		kind    error
	}{
		"no symbol":      {domain.TickRequest{}, ports.ErrInvalid},
		"unknown symbol": {domain.TickRequest{Symbol: "BTC/USX"}, ports.ErrNotFound},
		"first":          {domain.TickRequest{Symbol: key.Symbol, First: 3}, ports.ErrTooLarge},
		"too many":       {domain.TickRequest{Symbol: key.Symbol}, ports.ErrTooLarge},
	} {
		if _, err := md.FetchTrades(t.Context(), c.request); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
	}

	for name, c := range map[string]struct {
		at    time.Time
		claim domain.Range
		kind  error
	}{
		"settled":     {at: at(3.5)},
		"not settled": {at: at(4.5), kind: ports.ErrNotClosed},
		"claim":       {at: at(3.5), claim: span(3, 5), kind: ports.ErrNotClosed},
		"not covered": {at: at(3.5), claim: span(1, 2), kind: ports.ErrInvalid},
	} {
		ticks, err := domain.NewTicks(key.Symbol, trade(c.at, 0))
		if err != nil {
			t.Fatal(err)
		}

		_, err = md.IngestTrades(t.Context(), ticks, c.claim, ports.ConflictReplace)
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}

	none := setup(t, at(5), app.Config{})
	none.hold(t, sound(t, 0, 1), span(0, 1))
	if _, err := none.FetchQuotes(t.Context(), domain.TickRequest{Symbol: key.Symbol}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("no store of quotes: %v", err)
	}
	if held, err := ports.Collect(none.TickCoverage(t.Context())); err != nil || held != nil {
		t.Errorf("coverage without a store: %v, %v", held, err)
	}
	held, err := ports.Collect(md.TickCoverage(t.Context(), key.Symbol))
	if err != nil || len(held) != 2 || held[0].Store != "tape" {
		t.Errorf("coverage %v, %v", held, err)
	}
}
