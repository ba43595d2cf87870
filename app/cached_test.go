package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// tidy is a test that cleans up.
type tidy interface {
	rapid.TB
	Cleanup(f func())
}

// cachedSource puts a cache before the bars of the source.
func cachedSource(t tidy, s app.Source, c ports.Clock, cfg seriescache.Config) (app.Source, *seriescache.Store) {
	t.Helper()
	near, err := ristretto.NewBlocks(16 << 20)
	if err != nil {
		t.Fatal(err)
	}

	cfg.Name, cfg.Batch = s.Name, batching{s.Bars}
	var states ports.StateReader // nil where the reads yield no states
	switch store := s.Bars.(type) {
	case *memory.Store:
		states = store
	case *asked:
		states = store
	case *outage:
		states = store
	}
	cached, err := seriescache.New(seriescache.Dependencies{
		Store: s.Bars, States: states, Caches: seriescache.Caches{Local: near}, Clock: c,
	}, cfg)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		cached.Close()
		near.Close()
	})
	s.Bars, s.Cache = cached, cached

	return s, cached
}

// batching reads many series of a store.
type batching struct{ next ports.BarReader }

func (b batching) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	return func(yield func(ports.BatchBars, error) bool) {
		for i, q := range queries {
			for p, err := range b.next.ReadBars(ctx, q) {
				if !yield(ports.BatchBars{Query: i, Bars: p.Rows, State: p.State}, err) {
					return
				}
			}
		}
	}
}

// withoutCached is what a Result says, but for its Series and for what came from a cache.
func withoutCached(t rapid.TB, r domain.Result) string {
	t.Helper()
	r.Series = domain.EmptySeries(key)
	r.Provenance = slices.Clone(r.Provenance)
	for i := range r.Provenance {
		r.Provenance[i].Cached = false
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

// Whatever is asked, written, deleted, here and by others who tell, while time passes: through the cache every answer is the one
// without it, word for word.
func TestAnswersThroughTheCache(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt)
		source, cache := cachedSource(rt, app.Source{Name: "test", Bars: w.store, Catalog: w.store}, w.clock, seriescache.Config{})
		cached := over(rt, w.clock, nil, app.Config{}, source)
		drawn := func(rt *rapid.T) domain.DataRequest {
			r := w.drawRequest(rt)
			if r.First == 0 && r.Last == 0 && !r.Start.IsZero() && rapid.Bool().Draw(rt, "fills") {
				r.Fill = domain.FillPrevious
			}
			if g, ok := rapid.SampledFrom([]domain.Grid{{}, domain.Minute5.UTC(), domain.Hour1.UTC(), domain.Week1.UTC()}).Draw(rt, "made"), true; ok && g != (domain.Grid{}) {
				r.Key.Grid = g
			}

			return r
		}
		rt.Repeat(map[string]func(*rapid.T){
			"fetch": func(rt *rapid.T) {
				r := drawn(rt)
				want, wantErr := w.Fetch(rt.Context(), r)
				got, err := cached.Fetch(rt.Context(), r)
				sameAnswer(rt, r, got, err, want, wantErr)
			},
			"fetch many": func(rt *rapid.T) {
				requests := []domain.DataRequest{drawn(rt), drawn(rt), drawn(rt)}
				want := w.FetchMany(rt.Context(), requests)
				for i, got := range cached.FetchMany(rt.Context(), requests) {
					sameAnswer(rt, requests[i], got.Result, got.Err, want[i].Result, want[i].Err)
				}
			},
			"stream": func(rt *rapid.T) {
				r := drawn(rt)
				want, wantErr := w.Fetch(rt.Context(), r)
				pieces, result := cached.Stream(rt.Context(), r)
				b := domain.NewSeriesBuilder(r.Key, 0)
				var err error
				for p, failed := range pieces {
					if err = failed; err == nil {
						err = b.AppendSeries(p)
					}
				}

				got := result()
				if err == nil {
					got.Series, err = b.Series()
				}
				sameAnswer(rt, r, got, err, want, wantErr)
			},
			"write": func(rt *rapid.T) {
				at := rapid.IntRange(0, edgesDrawn-3).Draw(rt, "at")
				b := bar(0)
				b.OpenTime, b.Trades = w.edges[at], int64(rapid.IntRange(1, 5).Draw(rt, "trades"))
				s, err := domain.NewSeries(w.key, b)
				if err != nil {
					rt.Fatal(err)
				}

				claim := domain.Range{Start: w.edges[at], End: w.edges[at+rapid.IntRange(1, 2).Draw(rt, "claim")]}
				if _, err := cached.Ingest(rt.Context(), s, claim, ports.ConflictReplace); err != nil && !errors.Is(err, ports.ErrNotClosed) {
					rt.Fatal(err)
				}
			},
			"delete": func(rt *rapid.T) {
				from := rapid.IntRange(0, edgesDrawn-3).Draw(rt, "from")
				r := domain.Range{Start: w.edges[from], End: w.edges[from+2]}
				if _, err := cached.Delete(rt.Context(), w.key, r); err != nil {
					rt.Fatal(err)
				}
			},
			"others write": func(rt *rapid.T) {
				from := rapid.IntRange(0, edgesDrawn-5).Draw(rt, "from")
				b := bar(0)
				b.OpenTime, b.Trades = w.edges[from], 9
				s, err := domain.NewSeries(w.key, b)
				if err != nil {
					rt.Fatal(err)
				}

				r := domain.Range{Start: w.edges[from], End: w.edges[from+4]}
				if _, err := w.store.ReplaceBars(rt.Context(), s, r); err != nil {
					rt.Fatal(err)
				}

				cache.Invalidate(w.key)
			},
			"time passes": func(rt *rapid.T) {
				w.clock.Advance(time.Duration(rapid.IntRange(1, 7).Draw(rt, "bars")) * w.key.Grid.Frequency().Nominal())
			},
		})
	})
}

func sameAnswer(t rapid.TB, r domain.DataRequest, got domain.Result, err error, want domain.Result, wantErr error) {
	t.Helper()
	if (err == nil) != (wantErr == nil) || err != nil && !errors.Is(kindOf(err), kindOf(wantErr)) {
		t.Fatalf("%s: got %v, want %v", r, err, wantErr)
	}
	if err != nil {
		return
	}
	if !got.Series.Equal(want.Series) {
		t.Fatalf("%s: got %s, want %s", r, got.Series, want.Series)
	}
	if got, want := withoutCached(t, got), withoutCached(t, want); got != want {
		t.Fatalf("%s: got\n%s, want\n%s", r, got, want)
	}
}

func kindOf(err error) error {
	if e := (*ports.Error)(nil); errors.As(err, &e) {
		return e.Kind
	}
	return nil
}

// asked counts what a store is asked.
type asked struct {
	store                 *memory.Store
	bars, states, extents atomic.Int64
	after                 func() // when bars were read; nil does nothing
}

func (s *asked) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		s.bars.Add(1)
		for p, err := range s.store.ReadBars(ctx, q) {
			if !yield(p, err) {
				return
			}
		}

		if s.after != nil {
			s.after()
		}
	}
}

// unversioned is a store that yields no states.
type unversioned struct{ *asked }

func (s unversioned) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(s.asked.ReadBars(ctx, q).Rows())
}

func (s *asked) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	return s.store.WriteBatch(ctx, writes)
}

func (s *asked) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	return s.store.DeleteBars(ctx, key, r)
}

func (s *asked) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.store.ReplaceBars(ctx, bars, r)
}

func (s *asked) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	s.states.Add(1)
	return s.store.ReadStates(ctx, queries)
}

func (s *asked) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		s.extents.Add(1)
		return ports.Collect(s.store.Extents(ctx, q))
	})
}

// cachedMinutes is an application over a cached store, held bars of 600 minutes in it, at midnight.
func cachedMinutes(t testing.TB, cfg seriescache.Config) (*asked, *seriescache.Store, *app.Service) {
	t.Helper()
	store := memory.New()
	made := make([]domain.Bar, 600)
	for m := range made {
		made[m] = bar(m)
		made[m].Volume = domain.MustDecimal(strconv.Itoa(m + 1))
	}

	bars := series(t, made...)
	if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	under := &asked{store: store}
	c := clock.NewSimulated(at(720))
	source, cache := cachedSource(t, app.Source{Name: "test", Bars: under, Catalog: store}, c, cfg)

	return under, cache, over(t, c, nil, app.Config{}, source)
}

// A second call asks no store for anything, and says so; so do other ranges of the same chunk.
func TestSecondCallAsksNobody(t *testing.T) {
	t.Parallel()
	under, _, md := cachedMinutes(t, seriescache.Config{})
	for i, r := range []domain.DataRequest{{Start: at(0), End: at(500)}, {Start: at(0), End: at(500)}, {Start: at(100), End: at(600)}} {
		r.Key = key
		got, err := md.Fetch(t.Context(), r)
		if err != nil || got.Series.Len() != 500 || len(got.Provenance) != 1 || got.Provenance[0].Cached != (i > 0) {
			t.Fatalf("call %d: %s, provenance %+v, %v", i, got.Series, got.Provenance, err)
		}
		if i == 0 {
			continue
		}

		if bars, states, extents := under.bars.Load(), under.states.Load(), under.extents.Load(); bars != 1 || states != 1 || extents != 0 {
			t.Errorf("call %d: %d reads of bars, want 1; %d of states, want 1; %d of coverage, want none", i, bars, states, extents)
		}
	}
}

// A thousand callers at once, of a series nobody asked for: one read of bars.
func TestManyCallersOneQuery(t *testing.T) {
	t.Parallel()
	under, _, md := cachedMinutes(t, seriescache.Config{})
	var callers sync.WaitGroup
	for i := range 1_000 {
		callers.Go(func() {
			r := domain.DataRequest{Key: key, Start: at(float64(i % 50)), End: at(550)}
			if got, err := md.Fetch(t.Context(), r); err != nil || got.Series.Len() != 550-i%50 {
				t.Error(got.Series, err)
			}
		})
	}

	callers.Wait()
	if n := under.bars.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

// What somebody else deleted while it was read is not taken for a time without trades.
func TestDeletedWhileRead(t *testing.T) {
	t.Parallel()
	under, cache, md := cachedMinutes(t, seriescache.Config{})
	gone := span(0, 300)
	r := domain.DataRequest{Key: key, Start: at(0), End: at(500)}
	for name, ask := range map[string]func() (domain.Result, error){
		"fetch": func() (domain.Result, error) { return md.Fetch(t.Context(), r) },
		"stream": func() (domain.Result, error) {
			pieces, result := md.Stream(t.Context(), r)
			b := domain.NewSeriesBuilder(key, 0)
			for p, err := range pieces {
				if err == nil {
					err = b.AppendSeries(p)
				}
				if err != nil {
					return domain.Result{}, err
				}
			}

			got := result()
			var err error
			got.Series, err = b.Series()

			return got, err
		},
	} {
		if _, err := ports.WriteBars(t.Context(), under.store, sound(t, 0, 300), gone, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		cache.Invalidate(key)
		if _, err := ports.Collect(md.Coverage(t.Context(), key.Symbol)); err != nil { // now it is known what is held
			t.Fatal(err)
		}
		if _, err := under.store.DeleteBars(t.Context(), key, gone); err != nil { // nobody is told
			t.Fatal(err)
		}

		got, err := ask()
		if err != nil || got.Series.Len() != 200 || !slices.Equal(got.Uncovered, []domain.Range{gone}) {
			t.Errorf("%s: %s, uncovered %v, %v", name, got.Series, got.Uncovered, err)
		}
	}
}

// TestCoverageNeverStandsStill has a store without versions whose coverage changes during every read.
func TestCoverageNeverStandsStill(t *testing.T) {
	t.Parallel()
	under, _, _ := cachedMinutes(t, seriescache.Config{})
	c := clock.NewSimulated(at(720))
	source, _ := cachedSource(t, app.Source{Name: "test", Bars: unversioned{under}, Catalog: under.store}, c, seriescache.Config{})
	md := over(t, c, nil, app.Config{}, source)
	end := 500.0
	under.after = func() { // whatever is read, its last minutes are gone by then
		if _, err := under.store.DeleteBars(context.WithoutCancel(t.Context()), key, span(end-10, end)); err != nil {
			t.Error(err)
		}
		end -= 10
	}
	_, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(0), End: at(500)})
	if !errors.Is(err, ports.ErrConflict) || !strings.Contains(err.Error(), "repeat the request") {
		t.Errorf("got %v", err)
	}
}

// Emptiness that was read when nobody claimed it is not believed under a claim that somebody else made since, and told nobody.
func TestOldEmptinessUnderANewClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		under, _, md := cachedMinutes(t, seriescache.Config{})
		r := domain.DataRequest{Key: key, Start: at(0), End: at(700)}
		fetch := func() domain.Result {
			t.Helper()
			got, err := md.Fetch(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}

			return got
		}
		if got := fetch(); got.Series.Len() != 600 || len(got.Uncovered) != 1 {
			t.Fatalf("%s, uncovered %v", got.Series, got.Uncovered)
		}

		late := sound(t, 600, 700)
		if _, err := ports.WriteBars(t.Context(), under.store, late, late.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		for range 30 {
			if got := fetch(); got.Series.Len() != 700 && len(got.Uncovered) == 0 {
				t.Fatalf("%s, and nothing uncovered", got.Series)
			}
			time.Sleep(time.Second)
		}

		if got := fetch(); got.Series.Len() != 700 {
			t.Errorf("after half a minute: %s, uncovered %v", got.Series, got.Uncovered)
		}
	})
}

// The number of the design: a cached answer out of one chunk costs ten allocations at most, and no store.
func TestCachedFetchAllocates(t *testing.T) {
	_, _, md := cachedMinutes(t, seriescache.Config{})
	r := domain.DataRequest{Key: key, Start: at(0), End: at(500)}
	fetch := func() {
		if got, err := md.Fetch(t.Context(), r); err != nil || got.Series.Len() != 500 {
			t.Error(got.Series, err)
		}
	}
	fetch()
	if got := testing.AllocsPerRun(100, fetch); got > 10 {
		t.Errorf("%.0f allocations, at most 10", got)
	}
}

func BenchmarkCachedFetch(b *testing.B) {
	_, _, md := cachedMinutes(b, seriescache.Config{})
	r := domain.DataRequest{Key: key, Start: at(0), End: at(500)}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := md.Fetch(b.Context(), r); err != nil || got.Series.Len() != 500 {
			b.Fatal(got.Series, err)
		}
	}
}

// Explain tells what a cache has of a plan.
func TestExplainTellsWhatIsCached(t *testing.T) {
	t.Parallel()
	_, _, md := cachedMinutes(t, seriescache.Config{})
	r := domain.DataRequest{Key: key, Start: at(0), End: at(500)}
	for _, want := range []string{"", ", all cached"} {
		p, err := md.Explain(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}

		if text := p.String(); strings.Contains(text, "cached") != (want != "") || !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
		if _, err := md.Fetch(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// explaining is a store whose server tells how it reads.
type explaining struct {
	*memory.Store
	asked ports.BarQuery
}

func (e *explaining) ExplainRead(_ context.Context, q ports.BarQuery) (ports.ReadPlan, error) {
	e.asked = q
	return ports.ReadPlan{Lines: []string{"Seq Scan on bars"}, Advice: []string{"run ANALYZE bars"}}, nil
}

func TestExplainAsksTheServer(t *testing.T) {
	t.Parallel()
	s := &explaining{Store: memory.New()}
	bars := sound(t, 0, 60)
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{}, app.Source{Name: "test", Bars: s, Catalog: s, Explain: s})
	p, err := md.Explain(t.Context(), domain.DataRequest{Key: key, Last: 7})
	if err != nil {
		t.Fatal(err)
	}

	for _, line := range []string{"Seq Scan on bars\n", "advice: run ANALYZE bars\n"} {
		if !strings.Contains(p.String(), line) {
			t.Errorf("%q is not in\n%s", line, p)
		}
	}

	if s.asked.Key != key || s.asked.Last != 7 {
		t.Errorf("asked of %+v", s.asked)
	}
	hours := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Hour1.UTC()} // made of the minutes
	if _, err := md.Explain(t.Context(), domain.DataRequest{Key: hours, Last: 7}); err != nil || s.asked.Key != key || s.asked.Last != 0 {
		t.Errorf("asked of %+v, %v", s.asked, err)
	}
}

// nowhere carries no hints: nobody can be heard.
type nowhere struct{}

func (nowhere) Publish(context.Context, ...blockcache.Hint) error { return errors.New("nowhere") }

func (nowhere) Subscribe(context.Context) (iter.Seq2[blockcache.Hint, error], error) {
	return nil, errors.New("nowhere")
}

// A cache that cannot be used, since nobody can be heard, makes its store degraded; one that has not tried yet does not.
func TestDiagnoseTellsOfDeafness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, err := ristretto.NewBlocks(1 << 20)
		if err != nil {
			t.Fatal(err)
		}

		defer near.Close()
		store, c := memory.New(), clock.NewSimulated(at(0))
		cached, err := seriescache.New(seriescache.Dependencies{
			Store: store, States: store, Caches: seriescache.Caches{Local: near}, Hints: nowhere{}, Clock: c,
		}, seriescache.Config{Name: "test"})
		if err != nil {
			t.Fatal(err)
		}

		defer cached.Close()
		md := over(t, c, nil, app.Config{}, app.Source{Name: "test", Bars: cached, Catalog: store, Cache: cached})
		wants := func(state ports.Health) {
			t.Helper()
			d, err := md.Diagnose(t.Context())
			if err != nil || d.State() != state || d.Stores[0].Cache == nil || (d.Stores[0].Reason != "") != (state != ports.HealthOK) {
				t.Errorf("%+v, %v; want %s", d.Stores, err, state)
			}
		}
		wants(ports.HealthOK)
		ctx, cancel := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { _ = cached.Watch(ctx) })
		synctest.Wait()
		wants(ports.HealthDegraded)
		cancel()
		following.Wait()
	})
}
