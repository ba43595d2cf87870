package app_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var (
	key  = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	noon = time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
)

// at is so many minutes after noon.
func at(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }

// span is from and to in minutes after noon.
func span(from, to float64) domain.Range { return domain.Range{Start: at(from), End: at(to)} }

// bar is a sound bar that opens so many minutes after noon.
func bar(minute int) domain.Bar {
	return domain.Bar{
		OpenTime: at(float64(minute)),
		Open:     domain.MustDecimal("100"), High: domain.MustDecimal("102.5"), Low: domain.MustDecimal("99"),
		Close: domain.MustDecimal("101"), Volume: domain.MustDecimal("3"), Trades: 7,
	}
}

// badBar breaks a fatal rule: its high is below its low.
func badBar(minute int) domain.Bar {
	b := bar(minute)
	b.High, b.Low = b.Low, b.High
	return b
}

func series(t testing.TB, bars ...domain.Bar) domain.Series {
	t.Helper()
	s, err := domain.NewSeries(key, bars...)
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// sound is the bars of the minutes from to to.
func sound(t testing.TB, from, to int) domain.Series {
	t.Helper()
	bars := make([]domain.Bar, 0, to-from)
	for m := from; m < to; m++ {
		bars = append(bars, bar(m))
	}

	return series(t, bars...)
}

// market is an application over a memory store.
type market struct {
	*app.Service
	store *memory.Store
	clock *clock.Simulated
}

// setup returns an application at a time, whose memory store holds nothing.
func setup(t rapid.TB, now time.Time, cfg app.Config) market {
	t.Helper()
	m := market{store: memory.New(), clock: clock.NewSimulated(now)}
	m.Service = around(t, m.store, m.store, m.clock, cfg)
	return m
}

// around is the application over any ports, without a cache.
func around(t rapid.TB, store ports.Store, symbols ports.SymbolCatalog, c ports.Clock, cfg app.Config) *app.Service {
	t.Helper()
	return over(t, c, nil, cfg, app.Source{Name: "test", Bars: store, Catalog: symbols})
}

// over is the application over any sources.
func over(t rapid.TB, c ports.Clock, cache ports.SymbolCache, cfg app.Config, sources ...app.Source) *app.Service {
	t.Helper()
	md, err := app.New(sources, c, cache, cfg)
	if err != nil {
		t.Fatal(err)
	}

	return md
}

// hold puts bars into the store as they are, past the application's refusals.
func (m market) hold(t testing.TB, bars domain.Series, claim domain.Range) {
	t.Helper()
	if _, err := ports.WriteBars(t.Context(), m.store, bars, claim, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
}

// scripted is a memory store of which single calls can be replaced.
type scripted struct {
	*memory.Store
	read    func(context.Context, ports.BarQuery) iter.Seq2[domain.Series, error]
	write   func(context.Context) (ports.WriteReport, error)
	extents func(context.Context) ([]domain.Extent, error)
	symbols func(context.Context) ([]domain.SymbolMeta, error)
}

func (s *scripted) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	if s.read != nil {
		return ports.Unversioned(s.read(ctx, q))
	}
	if s.extents != nil { // the extents are not those of the state
		return ports.Unversioned(s.Store.ReadBars(ctx, q).Rows())
	}

	return s.Store.ReadBars(ctx, q)
}

func (s *scripted) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	if s.write == nil {
		return s.Store.WriteBatch(ctx, writes)
	}

	results := make([]ports.WriteResult, len(writes))
	for i := range results {
		results[i].Report, results[i].Err = s.write(ctx)
	}

	return results
}

func (s *scripted) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		if s.extents != nil {
			return s.extents(ctx)
		}
		return ports.Collect(s.Store.Extents(ctx, q))
	})
}

func (s *scripted) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		if s.symbols != nil {
			return s.symbols(ctx)
		}
		return ports.Collect(s.Store.Symbols(ctx, q))
	})
}

// holding is a scripted store that holds the bars and claims their range, and the application over it at noon and an hour.
func holding(t testing.TB, bars domain.Series, cfg app.Config) (*scripted, *app.Service) {
	t.Helper()
	s := &scripted{Store: memory.New()}
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	return s, around(t, s, s, clock.NewSimulated(at(60)), cfg)
}

// pieces is an answer in the pieces given.
func pieces(all ...domain.Series) func(context.Context, ports.BarQuery) iter.Seq2[domain.Series, error] {
	return func(context.Context, ports.BarQuery) iter.Seq2[domain.Series, error] {
		return func(yield func(domain.Series, error) bool) {
			for _, s := range all {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// extents is an answer of the extents given.
func extents(all ...domain.Extent) func(context.Context) ([]domain.Extent, error) {
	return func(context.Context) ([]domain.Extent, error) { return all, nil }
}

// stepping is the application over the store at noon and an hour, with so few rows read at a time.
func stepping(t testing.TB, rows int, s *scripted) *app.Service {
	t.Helper()
	md, err := app.NewStepping(rows, []app.Source{{Name: "test", Bars: s, Catalog: s}}, clock.NewSimulated(at(60)), app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	return md
}
