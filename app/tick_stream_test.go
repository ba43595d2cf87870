package app_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/pagetoken"
	"github.com/gal-friday/marketdata/ports"
)

// tickMarket is an application over a store of trades, which reads so few rows at a time.
func tickMarket(t rapid.TB, rows int, now time.Time, trades ports.TickStore) *app.Service {
	t.Helper()
	sources := []app.Source{{Name: "bars", Bars: memory.New(), Catalog: known(t)}, {Name: "ticks", Ticks: trades}}
	md, err := app.NewStepping(rows, sources, clock.NewSimulated(now), app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	return md
}

// collectTicks puts the pieces of a stream together.
func collectTicks(t rapid.TB, pieces iter.Seq2[domain.Trades, error]) domain.Trades {
	t.Helper()
	b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
	for piece, err := range pieces {
		if err == nil && piece.Len() == 0 {
			err = errors.New("an empty piece")
		}
		if err == nil {
			err = b.AppendTicks(piece)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	ticks, err := b.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	return ticks
}

// drawTrades writes trades of a few instants around midnight, many of one instant, and covers parts of them.
func drawTrades(t *rapid.T, store ports.TradeWriter) {
	t.Helper()
	for m := range rapid.IntRange(0, 6).Draw(t, "instants") {
		if rapid.IntRange(0, 3).Draw(t, "covered") == 0 {
			continue
		}

		b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
		for seq := range rapid.IntRange(0, 9).Draw(t, "trades") {
			if err := b.Append(trade(at(float64(717+m)), int64(seq))); err != nil {
				t.Fatal(err)
			}
		}

		trades, err := b.Ticks()
		if err == nil {
			_, err = store.WriteTrades(context.Background(), trades, span(float64(717+m), float64(718+m)), ports.ConflictReplace)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func drawTickRequest(t *rapid.T) domain.TickRequest {
	t.Helper()
	r := domain.TickRequest{Symbol: key.Symbol}
	if rapid.Bool().Draw(t, "starts") {
		r.Start = at(float64(rapid.IntRange(715, 720).Draw(t, "start")))
	}
	if rapid.Bool().Draw(t, "ends") {
		r.End = at(float64(rapid.IntRange(720, 726).Draw(t, "end")))
	}

	return r
}

// A stream has the trades of FetchTrades and, beside them, its result, in pieces of any size, over stores with versions
// and without.
func TestStreamTradesIsFetchTrades(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var store ports.TickStore = memory.New()
		if rapid.Bool().Draw(t, "unversioned") {
			store = &tape{}
		}
		drawTrades(t, store)
		r := drawTickRequest(t)
		switch rapid.IntRange(0, 3).Draw(t, "limit") {
		case 0:
			r.First = rapid.IntRange(1, 20).Draw(t, "first")
		case 1:
			r.Last = rapid.IntRange(1, 20).Draw(t, "last")
		}

		md := tickMarket(t, rapid.IntRange(1, 12).Draw(t, "rows"), at(724), store)
		want, err := md.FetchTrades(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}

		pieces, result := md.StreamTrades(t.Context(), r)
		if got := collectTicks(t, pieces); !got.Equal(want.Ticks) {
			t.Fatalf("%s: streamed %s, want %s", r, got, want.Ticks)
		}
		got := result()
		if got.Ticks.Len() != 0 || got.Ticks.Symbol() != key.Symbol {
			t.Fatalf("beside the stream are the ticks %s", got.Ticks)
		}
		if got.Ticks, want.Ticks = (domain.Trades{}), (domain.Trades{}); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: beside the stream\n%+v, want\n%+v", r, got, want)
		}
	})
}

// Pages of any size, resumed by tokens, sum to the trades and to the result of one FetchTrades.
func TestTokensResumeTrades(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		store := memory.New()
		drawTrades(t, store)
		r, md := drawTickRequest(t), tickMarket(t, 5, at(724), store)
		want, err := md.FetchTrades(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}

		b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
		var uncovered []domain.Range
		page := r
		for more := true; more; {
			page.First, page.Paged = rapid.IntRange(1, 12).Draw(t, "size"), true
			got, err := md.FetchTrades(t.Context(), page)
			if err == nil {
				err = b.AppendTicks(got.Ticks)
			}
			if err != nil {
				t.Fatalf("%s: %v", page, err)
			}

			uncovered = domain.MergeRanges(append(uncovered, got.Uncovered...))
			more = got.Ticks.Len() >= page.First
			token, err := pagetoken.NewTicks(domain.TickTrades, r, got.Next, got.Checkpoint)
			if err == nil {
				page, err = token.ResumeTicks(domain.TickTrades, r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}

		got, err := b.Ticks()
		if err != nil || !got.Equal(want.Ticks) {
			t.Fatalf("%s: pages are %s, %v; want %s", r, got, err, want.Ticks)
		}
		if !slices.EqualFunc(uncovered, domain.MergeRanges(want.Uncovered), domain.Range.Equal) {
			t.Fatalf("%s: the pages have %v uncovered, want %v", r, uncovered, want.Uncovered)
		}
	})
}

// writeTrades writes trades of the minute with the sequence numbers from and on.
func writeTrades(t rapid.TB, store ports.TradeWriter, minute float64, seqs ...int64) {
	t.Helper()
	b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
	for _, seq := range seqs {
		if err := b.Append(trade(at(minute), seq)); err != nil {
			t.Fatal(err)
		}
	}

	trades, err := b.Ticks()
	if err == nil {
		_, err = store.WriteTrades(context.Background(), trades, span(minute, minute+1), ports.ConflictReplace)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Trades that a recorder appends while a stream runs are part of it where the range has them, and no conflict.
func TestStreamTradesBesideARecorder(t *testing.T) {
	t.Parallel()
	store := memory.New()
	for m := range 10 {
		writeTrades(t, store, float64(m), 0, 1, 2)
	}

	md, minute := tickMarket(t, 4, at(100), store), 10
	pieces, result := md.StreamTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol, End: at(20)})
	got := collectTicks(t, func(yield func(domain.Trades, error) bool) {
		for piece, err := range pieces {
			if !yield(piece, err) {
				return
			}
			writeTrades(t, store, float64(minute), 0, 1, 2)
			minute++
		}
	})

	if minute < 20 || got.Len() != 60 || len(result().Uncovered) > 0 || !result().Next.Equal(at(20)) {
		t.Errorf("%s up to minute %d, beside it %+v", got, minute, result())
	}
}

// A stream ends where trades change that it yielded, also those of an instant that ends a piece.
func TestStreamTradesOfTwoStatesIsAConflict(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(context.Context, *memory.Store) error{
		"a trade before the end": func(ctx context.Context, s *memory.Store) error {
			ticks, err := domain.NewTicks(key.Symbol, trade(at(0.5), 0))
			if err != nil {
				return err
			}
			_, err = s.WriteTrades(ctx, ticks, ticks.Range(), ports.ConflictReplace)

			return err
		},
		"deleted trades": func(ctx context.Context, s *memory.Store) error {
			_, err := s.DeleteTrades(ctx, key.Symbol, span(0, 1))
			return err
		},
		"lost coverage without trades": func(ctx context.Context, s *memory.Store) error {
			_, err := s.DeleteTrades(ctx, key.Symbol, span(0.25, 0.75))
			return err
		},
	} {
		store := memory.New()
		for m := range 10 {
			writeTrades(t, store, float64(m), 0, 1, 2)
		}

		pieces, result := tickMarket(t, 4, at(100), store).StreamTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol})
		yielded := 0
		var last error
		for piece, err := range pieces {
			if yielded == 0 {
				if err := change(t.Context(), store); err != nil {
					t.Fatal(err)
				}
			}
			yielded += piece.Len()
			last = err
		}
		if !errors.Is(last, ports.ErrConflict) || yielded != 4 || !result().Now.IsZero() {
			t.Errorf("%s: %d trades, then %v", name, yielded, last)
		}
	}
}

// A store without versions must cover the same before and after a stream.
func TestStreamTradesOfAnUnversionedStore(t *testing.T) {
	t.Parallel()
	store, md := trading(t, at(9), app.Config{}, trade(at(0), 0), trade(at(1), 0))
	pieces, _ := md.StreamTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol})
	var last error
	for _, err := range pieces {
		store.claims = []domain.Range{span(0, 0.5)}
		last = err
	}
	if !errors.Is(last, ports.ErrConflict) {
		t.Errorf("%v", last)
	}
}

func TestStreamTradesRefuses(t *testing.T) {
	t.Parallel()
	_, md := trading(t, at(5), app.Config{MaxBars: new(2)}, trade(at(0), 0), trade(at(1), 0), trade(at(1), 1))
	for name, c := range map[string]struct {
		request domain.TickRequest
		kind    error
	}{
		"no symbol":      {domain.TickRequest{}, ports.ErrInvalid},
		"unknown symbol": {domain.TickRequest{Symbol: "BTC/USX"}, ports.ErrNotFound},
		"first":          {domain.TickRequest{Symbol: key.Symbol, First: 3}, ports.ErrTooLarge},
		"last":           {domain.TickRequest{Symbol: key.Symbol, Last: 3}, ports.ErrTooLarge},
	} {
		pieces, _ := md.StreamTrades(t.Context(), c.request)
		for piece, err := range pieces {
			if !errors.Is(err, c.kind) || piece.Len() > 0 {
				t.Errorf("%s: %s, %v", name, piece, err)
			}
		}
	}

	request := domain.TickRequest{Symbol: key.Symbol}
	pieces, _ := md.StreamTrades(t.Context(), request)
	if got := collectTicks(t, pieces); got.Len() != 3 {
		t.Errorf("beyond the limit of a fetch: %s", got)
	}
	for _, err := range pieces {
		if !errors.Is(err, ports.ErrInvalid) {
			t.Errorf("ranged over again: %v", err)
		}
	}
	if _, err := md.FetchTrades(t.Context(), request); err == nil || !strings.Contains(err.Error(), "request a shorter range, pages or a stream") {
		t.Errorf("too many: %v", err)
	}
}

// endlessTrades is a store of a trade in each millisecond, made when they are asked for.
type endlessTrades struct {
	ports.TickStore // what is not overridden is not called
	covered         domain.Range
}

func (s endlessTrades) TickExtents(context.Context, ports.ExtentQuery) iter.Seq2[domain.TickExtent, error] {
	return ports.OnePage(func() ([]domain.TickExtent, error) {
		return []domain.TickExtent{{Symbol: key.Symbol, Kind: domain.TickTrades, Range: s.covered}}, nil
	})
}

func (s endlessTrades) ReadTrades(_ context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	return ports.Unversioned(func(yield func(domain.Trades, error) bool) {
		b := domain.NewTicksBuilder[domain.Trade](q.Symbol)
		made := trade(q.Range.Start, 0)
		for ; made.Time.Before(q.Range.End) && (q.First == 0 || b.Len() < q.First); made.Time = made.Time.Add(time.Millisecond) {
			if err := b.Append(made); err != nil {
				yield(domain.Trades{}, err)
				return
			}
		}

		yield(b.Ticks())
	})
}

// Three million trades pass through less than 32 MiB.
func TestStreamTradesInBoundedMemory(t *testing.T) {
	const trades, most = 3_000_000, 32 << 20
	store := endlessTrades{covered: domain.Range{Start: noon, End: noon.Add(trades * time.Millisecond)}}
	md := over(t, clock.NewSimulated(store.covered.End), nil, app.Config{},
		app.Source{Name: "bars", Bars: memory.New(), Catalog: known(t)}, app.Source{Name: "ticks", Ticks: store})
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, n := uint64(0), 0
	pieces, _ := md.StreamTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol})
	for piece, err := range pieces {
		if err != nil {
			t.Fatal(err)
		}

		n += piece.Len()
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc)
	}

	if used := int64(peak) - int64(before.HeapAlloc); n != trades || used > most {
		t.Errorf("%d trades in %d MiB", n, used>>20)
	}
}

// known is a catalog of the symbol.
func known(t rapid.TB) *memory.Store {
	t.Helper()
	catalog := memory.New()
	if err := catalog.PutSymbols(context.Background(), domain.NewSymbolMeta(key.Symbol)); err != nil {
		t.Fatal(err)
	}

	return catalog
}
