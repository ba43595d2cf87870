package app_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// kept is a cache that forgets nothing but by time.
type kept map[domain.Symbol]struct {
	entry ports.SymbolEntry
	until time.Time
}

func (k kept) Get(_ context.Context, s domain.Symbol) (ports.SymbolEntry, bool) {
	e, found := k[s]
	return e.entry, found && time.Now().Before(e.until)
}

func (k kept) Put(_ context.Context, s domain.Symbol, e ports.SymbolEntry, ttl time.Duration) {
	k[s] = struct {
		entry ports.SymbolEntry
		until time.Time
	}{e, time.Now().Add(ttl)}
}

func (k kept) Delete(_ context.Context, symbols ...domain.Symbol) {
	for _, s := range symbols {
		delete(k, s)
	}
}

// counting is a catalog that counts what it is asked about single symbols, and may be out.
type counting struct {
	*memory.Store
	asked int
	out   error
}

func (c *counting) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		if len(q.Symbols) > 0 {
			c.asked++
		}
		if c.out != nil {
			return nil, c.out
		}

		return ports.Collect(c.Store.Symbols(ctx, q))
	})
}

func TestSymbolsAreCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &counting{Store: memory.New()}
		md := over(t, clock.NewSimulated(at(60)), kept{}, app.Config{}, app.Source{Name: "test", Bars: c.Store, Catalog: c})
		check := func(what string, kind error, asked int) {
			t.Helper()
			if err := md.ValidateSymbol(t.Context(), key.Symbol); !errors.Is(err, kind) || c.asked != asked {
				t.Errorf("%s: got %v after %d questions, want %v after %d", what, err, c.asked, kind, asked)
			}
		}
		c.out = ports.ErrUnavailable
		check("an outage", ports.ErrUnavailable, 1)
		check("an outage is not kept", ports.ErrUnavailable, 2)
		c.out = nil
		check("a no", ports.ErrNotFound, 3)
		check("a no is kept", ports.ErrNotFound, 3)
		time.Sleep(10 * time.Second) // in the bubble's time
		check("for 10 s", ports.ErrNotFound, 4)
		if _, err := md.Ingest(t.Context(), sound(t, 0, 1), domain.Range{}, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		check("our own write ends it", nil, 5)
		time.Sleep(59 * time.Minute)
		c.out = ports.ErrUnavailable
		check("a yes is kept", nil, 5)
		time.Sleep(time.Minute)
		check("for 1 h", ports.ErrUnavailable, 6)
	})
}

// slow is a catalog that takes a second to answer, and counts its questions.
type slow struct {
	*memory.Store
	asked atomic.Int64
	out   error
}

func (c *slow) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		c.asked.Add(1)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if c.out != nil {
			return nil, c.out
		}

		return ports.Collect(c.Store.Symbols(ctx, q))
	})
}

// A thousand concurrent callers for an uncached symbol are one query of the catalog, also where the first is interrupted. An outage is each
// caller's own error.
func TestConcurrentCallersShareOneQuery(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]error{"known": nil, "outage": ports.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const callers = 1_000
				c := &slow{Store: memory.New(), out: out}
				if err := c.PutSymbols(t.Context(), domain.NewSymbolMeta(key.Symbol)); err != nil {
					t.Fatal(err)
				}

				cache, err := ristretto.NewSymbols(1 << 20)
				if err != nil {
					t.Fatal(err)
				}

				defer cache.Close()
				md := over(t, clock.NewSimulated(at(60)), cache, app.Config{}, app.Source{Name: "test", Bars: c.Store, Catalog: c})
				first, cancel := context.WithCancel(t.Context())
				var left error
				var asking sync.WaitGroup
				asking.Go(func() { left = md.ValidateSymbol(first, key.Symbol) })
				synctest.Wait()
				for range callers {
					asking.Go(func() {
						if err := md.ValidateSymbol(t.Context(), key.Symbol); !errors.Is(err, out) {
							t.Errorf("got %v", err)
						}
					})
				}

				synctest.Wait()
				cancel()
				asking.Wait()
				if !errors.Is(left, ports.ErrCanceled) {
					t.Errorf("the interrupted caller got %v", left)
				}
				if n := c.asked.Load(); out == nil && n != 1 {
					t.Errorf("%d queries of the catalog, want 1", n)
				}
			})
		})
	}
}

func TestCatalogsAreJoined(t *testing.T) {
	t.Parallel()
	first, second := &counting{Store: memory.New()}, &counting{Store: memory.New()}
	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{},
		app.Source{Name: "first", Bars: first, Catalog: first}, app.Source{Name: "second", Catalog: second})
	put := func(c *counting, symbol domain.Symbol, zone string) {
		m := domain.NewSymbolMeta(symbol)
		m.Zone = zone
		if err := c.PutSymbols(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	put(first, "BTC/USD", "Europe/Berlin")
	put(second, "BTC/USD", "America/New_York")
	put(second, "ADA/USD", "")
	put(second, "ETH/USD", "")
	metas, err := ports.Collect(md.Symbols(t.Context(), ports.SymbolQuery{Pattern: "*USD", Limit: 2}))
	if err != nil || len(metas) != 2 || metas[0].Symbol != "ADA/USD" || metas[1].Zone != "Europe/Berlin" {
		t.Errorf("got %v, %v", metas, err)
	}
	if err := md.ValidateSymbol(t.Context(), "ETH/USD"); err != nil {
		t.Error(err)
	}
	second.out = &ports.Error{Kind: ports.ErrUnavailable, Op: "symbols"}
	for name, ask := range map[string]func() error{
		"all":      func() error { _, err := ports.Collect(md.Symbols(t.Context(), ports.SymbolQuery{})); return err },
		"validate": func() error { return md.ValidateSymbol(t.Context(), "ETH/USD") },
		"describe": func() error { _, err := md.Describe(t.Context(), "ETH/USD"); return err },
		"fetch": func() error {
			_, err := md.Fetch(t.Context(), domain.DataRequest{Key: domain.SeriesKey{Symbol: "ETH/USD", Grid: key.Grid}})
			return err
		},
	} {
		if err := ask(); !errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrNotFound) || !strings.HasPrefix(err.Error(), "second: ") {
			t.Errorf("%s during an outage of the second: %v", name, err)
		}
	}

	if err := md.ValidateSymbol(t.Context(), "B,C"); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("no symbol: %v", err)
	}
}

// Statistics look at the 30 days before now, from the bars that cover them best, and at nothing that is not over.
func TestDescribe(t *testing.T) {
	t.Parallel()
	m := setup(t, at(120.5), app.Config{})
	hold := func(g domain.Grid, low, high, volume string, opens ...time.Time) {
		t.Helper()
		k := domain.SeriesKey{Symbol: key.Symbol, Grid: g}
		b := domain.NewSeriesBuilder(k, len(opens))
		for _, open := range opens {
			l, h := domain.MustDecimal(low), domain.MustDecimal(high)
			if err := b.Append(domain.Bar{OpenTime: open, Open: l, High: h, Low: l, Close: h, Volume: domain.MustDecimal(volume)}); err != nil {
				t.Fatal(err)
			}
		}

		s, err := b.Series()
		if err != nil {
			t.Fatal(err)
		}

		m.hold(t, s, s.Range())
	}
	ago := at(0).AddDate(0, 0, -31)
	hold(domain.Minute1.UTC(), "5", "6", "1", ago, at(0), at(119), at(120)) // the last is not over
	hold(domain.Second30.UTC(), "1", "2", "9", at(0))
	hold(domain.Day1.UTC(), "1", "99", "9", noon.Truncate(24*time.Hour).AddDate(0, 0, -1))
	d, err := m.Describe(t.Context(), key.Symbol)
	if err != nil {
		t.Fatal(err)
	}

	s := d.Statistics
	if d.Base != "BTC" || s.Bars != 2 || s.Grid != key.Grid || s.MinPrice.String() != "5" || s.MaxPrice.String() != "6" || s.Volume.String() != "2" || s.Quotes != 0 {
		t.Errorf("got %+v", d)
	}
	if !s.Window.End.Equal(at(120.5)) || !s.Window.Start.Equal(at(120.5).AddDate(0, 0, -30)) {
		t.Errorf("window %s", s.Window)
	}
	hold(domain.Hour1.UTC(), "3", "4", "5", ago, at(60)) // covers as much, but for the half minute
	if d, err = m.Describe(t.Context(), key.Symbol); err != nil || d.Statistics.Grid != domain.Hour1.UTC() || d.Statistics.MaxPrice.String() != "4" {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := m.Describe(t.Context(), "NO/SUCH"); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

// Describe reads by the routing of Fetch: where two stores take the same frequency, bars in the second count.
func TestDescribeRoutesLikeFetch(t *testing.T) {
	t.Parallel()
	first, second := memory.New(), memory.New()
	bars := sound(t, 0, 60)
	if _, err := ports.WriteBars(t.Context(), second, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{},
		app.Source{Name: "first", Bars: first, Catalog: first}, app.Source{Name: "second", Bars: second, Catalog: second})
	result, err := md.Fetch(t.Context(), domain.DataRequest{Key: key})
	if err != nil || result.Series.Len() != 60 {
		t.Fatalf("fetched %d bars, %v", result.Series.Len(), err)
	}

	d, err := md.Describe(t.Context(), key.Symbol)
	if err != nil || d.Statistics.Bars != 60 {
		t.Errorf("described by %d bars, %v; want 60", d.Statistics.Bars, err)
	}
}

// TestDescribeIsOfTrades describes a symbol of which more bid bars are stored than bars of trades.
func TestDescribeIsOfTrades(t *testing.T) {
	t.Parallel()
	m := setup(t, at(240), app.Config{})
	m.hold(t, sound(t, 0, 120), span(0, 120))
	bids := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Hour1.UTC(), PriceType: domain.PriceBid}
	m.hold(t, must(domain.NewSeries(bids, bar(0))), span(0, 240))
	d, err := m.Describe(t.Context(), key.Symbol)
	if err != nil || d.Statistics.Grid != domain.Minute1.UTC() || d.Statistics.Bars != 120 {
		t.Errorf("got %+v, %v", d.Statistics, err)
	}
}

// readOnly is a catalog without the writer of its store.
type readOnly struct{ ports.SymbolCatalog }

// The first catalog takes the metadata, also of a symbol that another one knows, and the cache forgets what it had.
func TestSetSymbols(t *testing.T) {
	t.Parallel()
	first, second := memory.New(), memory.New()
	cache, err := ristretto.NewSymbols(1 << 20)
	if err != nil {
		t.Fatal(err)
	}

	defer cache.Close()
	md := over(t, clock.NewSimulated(at(60)), cache, app.Config{},
		app.Source{Name: "first", Bars: first, Catalog: first}, app.Source{Name: "second", Catalog: second})
	old := domain.NewSymbolMeta("BTC/USD")
	old.Zone = "Europe/Berlin"
	if err := second.PutSymbols(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if d, err := md.Describe(t.Context(), "BTC/USD"); err != nil || d.Zone != "Europe/Berlin" {
		t.Fatalf("before: %+v, %v", d, err)
	}

	known, fresh := old, domain.NewSymbolMeta("ETH/USD")
	known.Tick, fresh.Lot = domain.MustDecimal("0.01"), domain.MustDecimal("0.001")
	if err := md.SetSymbols(t.Context(), known, fresh); err != nil {
		t.Fatal(err)
	}

	for _, want := range []domain.SymbolMeta{known, fresh} {
		if d, err := md.Describe(t.Context(), want.Symbol); err != nil || !d.Equal(want) {
			t.Errorf("%+v, %v; want %+v", d.SymbolMeta, err, want)
		}
	}
	if metas, err := ports.Collect(second.Symbols(t.Context(), ports.SymbolQuery{})); err != nil || len(metas) != 1 {
		t.Errorf("the second catalog has %v, %v", metas, err)
	}
}

func TestSetSymbolsRefuses(t *testing.T) {
	t.Parallel()
	store := memory.New()
	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{}, app.Source{Name: "first", Bars: store, Catalog: store})
	good, bad := domain.NewSymbolMeta("BTC/USD"), domain.NewSymbolMeta("ETH/USD")
	bad.Zone = "Mars/Olympus"
	if err := md.SetSymbols(t.Context(), good, bad); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("an unknown zone: %v", err)
	}
	if metas, err := ports.Collect(store.Symbols(t.Context(), ports.SymbolQuery{})); err != nil || len(metas) != 0 {
		t.Errorf("a refused write stored %v, %v", metas, err)
	}

	others := over(t, clock.NewSimulated(at(60)), nil, app.Config{},
		app.Source{Name: "others", Bars: store, Catalog: readOnly{store}})
	if err := others.SetSymbols(t.Context(), good); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("a catalog of another program: %v", err)
	}
}
