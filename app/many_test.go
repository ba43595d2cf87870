package app_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// counted is a memory store that counts its calls.
type counted struct {
	*memory.Store
	extents, symbols atomic.Int64
}

func (c *counted) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		c.extents.Add(1)
		return ports.Collect(c.Store.Extents(ctx, q))
	})
}

func (c *counted) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		c.symbols.Add(1)
		return ports.Collect(c.Store.Symbols(ctx, q))
	})
}

// manySymbols is a market of symbols, of which the i-th has so many minutes.
func manySymbols(t *testing.T, n int) (*counted, []domain.DataRequest) {
	t.Helper()
	c := &counted{Store: memory.New()}
	var requests []domain.DataRequest
	for i := range n {
		k := domain.SeriesKey{Symbol: domain.Symbol("S" + strings.Repeat("X", i) + "/USD"), Grid: key.Grid}
		var bars []domain.Bar
		for m := range i + 1 {
			bars = append(bars, bar(m))
		}
		s, err := domain.NewSeries(k, bars...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ports.WriteBars(t.Context(), c, s, s.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		requests = append(requests, domain.DataRequest{Key: k})
	}

	return c, requests
}

func TestFetchMany(t *testing.T) {
	t.Parallel()
	c, requests := manySymbols(t, 20)
	md := around(t, c, c, clock.NewSimulated(at(60)), app.Config{})
	slices.Reverse(requests)
	answers := md.FetchMany(t.Context(), requests)
	if len(answers) != len(requests) || c.extents.Load() != 1 || c.symbols.Load() != 1 {
		t.Fatalf("%d answers, %d looks at what is held, %d at the catalog", len(answers), c.extents.Load(), c.symbols.Load())
	}

	for i, a := range answers {
		if a.Err != nil || a.Result.Series.Key() != requests[i].Key || a.Result.Series.Len() != 20-i {
			t.Errorf("answer %d: %s, %v", i, a.Result.Series, a.Err)
		}
	}

	if answers := md.FetchMany(t.Context(), nil); len(answers) != 0 {
		t.Errorf("no request, and %d answers", len(answers))
	}
}

// Each request fails for itself.
func TestFetchManyFailsOneByOne(t *testing.T) {
	t.Parallel()
	c, requests := manySymbols(t, 3)
	md := around(t, c, c, clock.NewSimulated(at(60)), app.Config{})
	requests[0].First = -1
	unknown := domain.DataRequest{Key: domain.SeriesKey{Symbol: "SX/EUR", Grid: key.Grid}}
	answers := md.FetchMany(t.Context(), append(requests, unknown))
	for i, kind := range []error{ports.ErrInvalid, nil, nil, ports.ErrNotFound} {
		if a := answers[i]; !errors.Is(a.Err, kind) || kind == nil && a.Result.Series.Len() != i+1 || kind != nil && a.Result.Series.Len() > 0 {
			t.Errorf("answer %d: %s, %v", i, a.Result.Series, a.Err)
		}
	}

	if err := answers[3].Err; !strings.Contains(err.Error(), "did you mean SX/USD") {
		t.Error(err)
	}
}

// A store that cannot say what it holds is asked once, and fails them all.
func TestFetchManyAsksABrokenStoreOnce(t *testing.T) {
	t.Parallel()
	c, requests := manySymbols(t, 9)
	asked := atomic.Int64{}
	broken := &scripted{Store: c.Store, extents: func(context.Context) ([]domain.Extent, error) {
		asked.Add(1)
		return nil, ports.ErrUnavailable
	}}
	md := around(t, broken, broken, clock.NewSimulated(at(60)), app.Config{})
	for i, a := range md.FetchMany(t.Context(), requests) {
		if !errors.Is(a.Err, ports.ErrUnavailable) {
			t.Errorf("answer %d: %v", i, a.Err)
		}
	}

	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for i, a := range md.FetchMany(gone, requests) {
		if !errors.Is(a.Err, ports.ErrCanceled) {
			t.Errorf("answer %d of a caller who gave up: %v", i, a.Err)
		}
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	near, far := memory.New(), memory.New()
	md := over(t, clock.NewSimulated(at(30.5)), nil, app.Config{},
		app.Source{Name: "near", Bars: near, Catalog: near}, app.Source{Name: "far", Bars: far})
	put := func(store *memory.Store, k domain.SeriesKey, r domain.Range) {
		if _, err := ports.WriteBars(t.Context(), store, domain.EmptySeries(k), r, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}
	other := domain.SeriesKey{Symbol: "ETH/USD", Grid: key.Grid}
	hidden := domain.SeriesKey{Symbol: "XRP/USD", Grid: key.Grid}
	put(near, key, span(0, 10))
	put(near, key, span(12, 20))
	put(far, key, span(5, 25))
	put(near, other, span(0, 60)) // beyond now
	put(near, hidden, span(31, 60))
	want := []ports.Freshness{
		{Key: key, Store: "far", CoveredUntil: at(25), Behind: 5*time.Minute + 30*time.Second},
		{Key: other, Store: "near", CoveredUntil: at(30), Behind: 30 * time.Second},
	}
	if got, err := md.Latest(t.Context()); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if got, err := md.Latest(t.Context(), other.Symbol, hidden.Symbol); err != nil || !slices.Equal(got, want[1:]) {
		t.Errorf("got %v, %v; want %v", got, err, want[1:])
	}
	if _, err := md.Latest(t.Context(), "E,H"); !errors.Is(err, ports.ErrInvalid) {
		t.Error(err)
	}
}

// TestFetchManyBesideAFailedSearch has one unknown symbol, for which no similar names can be searched.
func TestFetchManyBesideAFailedSearch(t *testing.T) {
	t.Parallel()
	c, requests := manySymbols(t, 3)
	broken := &brokenSearch{counted: c}
	md := around(t, broken, broken, clock.NewSimulated(at(60)), app.Config{})
	unknown := domain.DataRequest{Key: domain.SeriesKey{Symbol: "UNKNOWN/USD", Grid: key.Grid}}
	for i, a := range md.FetchMany(t.Context(), append(requests, unknown)) {
		switch {
		case i < len(requests) && (a.Err != nil || a.Result.Series.Len() != i+1):
			t.Errorf("request %d: %v", i, a.Err)
		case i == len(requests) && (!errors.Is(a.Err, ports.ErrUnavailable) || !strings.Contains(a.Err.Error(), "UNKNOWN/USD")):
			t.Errorf("unknown symbol: %v", a.Err)
		}
	}
}

// brokenSearch cannot list symbols by pattern.
type brokenSearch struct{ *counted }

func (b *brokenSearch) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	if q.Pattern == "" {
		return b.counted.Symbols(ctx, q)
	}

	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		return nil, &ports.Error{Kind: ports.ErrUnavailable, Err: errors.New("no search")}
	})
}
