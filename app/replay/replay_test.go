package replay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var noon = time.Date(2024, 3, 9, 12, 0, 0, 0, time.UTC) // the day before New York sets its clocks

func key(symbol domain.Symbol, grid string) domain.SeriesKey {
	g, err := domain.ParseGrid(grid)
	if err != nil {
		panic(err)
	}

	return domain.SeriesKey{Symbol: symbol, Grid: g}
}

// bar returns a valid bar at the given price.
func bar(open time.Time, price int64) domain.Bar {
	d, err := domain.NewDecimal(price, 0)
	if err != nil {
		panic(err)
	}

	return domain.Bar{OpenTime: open, Open: d, High: d, Low: d, Close: d, Volume: d, Trades: 1}
}

// write stores the bars and declares coverage from the first to the last, or that nothing traded in the bar of noon.
func write(t rapid.TB, store *memory.Store, k domain.SeriesKey, bars ...domain.Bar) {
	t.Helper()
	s, err := domain.NewSeries(k, bars...)
	if err != nil {
		t.Fatal(err)
	}
	covered := s.Range()
	if covered.Empty() {
		covered = domain.Range{Start: k.Grid.Ceil(noon), End: k.Grid.Next(k.Grid.Ceil(noon))}
	}
	if _, err := ports.WriteBars(context.Background(), store, s, covered, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
}

// barsOf returns n consecutive bars from the first edge at noon or later.
func barsOf(k domain.SeriesKey, n int) []domain.Bar {
	bars := make([]domain.Bar, 0, n)
	for at := k.Grid.Ceil(noon); len(bars) < n; at = k.Grid.Next(at) {
		bars = append(bars, bar(at, int64(100+len(bars))))
	}

	return bars
}

func keysOf(m map[domain.SeriesKey][]domain.Bar) []domain.SeriesKey {
	var keys []domain.SeriesKey
	for k := range m {
		keys = append(keys, k)
	}

	slices.SortFunc(keys, domain.SeriesKey.Compare)

	return keys
}

// drawMarket draws random bars of random series.
func drawMarket(t *rapid.T) map[domain.SeriesKey][]domain.Bar {
	market := map[domain.SeriesKey][]domain.Bar{}
	for range rapid.IntRange(1, 7).Draw(t, "series") {
		k := key(
			rapid.SampledFrom([]domain.Symbol{"AAA/USD", "BBB/USD", "CCC/USD"}).Draw(t, "symbol"),
			rapid.SampledFrom([]string{"1m", "5m", "1h", "1d", "1d@America/New_York", "1M"}).Draw(t, "grid"))
		k.PriceType = rapid.SampledFrom([]domain.PriceType{domain.PriceTrade, domain.PriceBid}).Draw(t, "price type")
		var bars []domain.Bar
		for _, b := range barsOf(k, rapid.IntRange(1, 40).Draw(t, "bars")) {
			if rapid.IntRange(0, 3).Draw(t, "traded") > 0 {
				bars = append(bars, b)
			}
		}

		market[k] = bars
	}

	return market
}

func drawRange(t *rapid.T) domain.Range {
	start := rapid.IntRange(-1, 20).Draw(t, "start")
	end := rapid.SampledFrom([]int{21, 37, 60, 3000, 100_000, 3_000_000}).Draw(t, "end")

	return domain.Range{
		Start: noon.Add(time.Duration(start) * time.Minute),
		End:   noon.Add(time.Duration(end) * time.Minute),
	}
}

// sorted returns the events of the market in order; it is the model of a replay.
func sorted(market map[domain.SeriesKey][]domain.Bar, r domain.Range) []replay.Event {
	var events []replay.Event
	for k, bars := range market {
		for _, b := range bars {
			if r.Contains(b.OpenTime) {
				events = append(events, replay.Event{Key: k, Bar: b, At: k.Grid.Next(b.OpenTime)})
			}
		}
	}

	slices.SortFunc(events, func(a, b replay.Event) int {
		return cmp.Or(
			a.At.Compare(b.At),
			cmp.Compare(a.Key.Grid.Frequency().Nominal(), b.Key.Grid.Frequency().Nominal()),
			cmp.Compare(a.Key.Symbol, b.Key.Symbol),
			a.Key.Compare(b.Key),
		)
	})

	return events
}

func sameEvent(a, b replay.Event) bool {
	return a.Key == b.Key && a.Bar.Equal(b.Bar) && a.At.Equal(b.At)
}

// The events equal a sort of all bars, with chunks of any size. At each event the clock is at its instant, a fetch
// returns all closed bars and no other, and the lookahead returns the bar that follows.
func TestReplayShowsWhatWasKnown(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		market, within := drawMarket(t), drawRange(t)
		store := memory.New()
		for k, bars := range market {
			write(t, store, k, bars...)
			if err := store.PutSymbols(t.Context(), domain.NewSymbolMeta(k.Symbol)); err != nil {
				t.Fatal(err)
			}
		}

		simulated := clock.NewSimulated(within.Start)
		source := app.Source{Name: "memory", Bars: store, Catalog: store, Local: true}
		md, err := app.New([]app.Source{source}, simulated, nil, app.Config{})
		if err != nil {
			t.Fatal(err)
		}

		cfg := replay.Config{ChunkBars: rapid.IntRange(0, 5).Draw(t, "chunk")}
		keys := keysOf(market)
		p, err := replay.New(store, simulated, keys, within, cfg)
		if err != nil {
			t.Fatal(err)
		}

		future, err := replay.NewLookahead(store, simulated, within, cfg)
		if err != nil {
			t.Fatal(err)
		}

		var events []replay.Event
		for e, err := range p.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}

			events = append(events, e)
			if !simulated.Now().Equal(e.At) {
				t.Fatalf("the clock stands at %s at the event of %s", simulated.Now(), e.At)
			}

			k := rapid.SampledFrom(keys).Draw(t, "key")
			checkVisible(t, md, k, market[k], e.At)
			checkNext(t, future, k, inRange(market[k], within), e.At)
		}
		if want := sorted(market, within); !slices.EqualFunc(events, want, sameEvent) {
			t.Fatalf("got %v\nwant %v", events, want)
		}
	})
}

// checkVisible fails unless a fetch returns every stored bar that is closed at now, and no bar that is not closed. The
// fetch may also return bars resampled from finer ones.
func checkVisible(t *rapid.T, md ports.HistoricalDataProvider, k domain.SeriesKey, bars []domain.Bar, now time.Time) {
	result, err := md.Fetch(t.Context(), domain.DataRequest{Key: k})
	if err != nil {
		t.Fatal(err)
	}

	visible := map[time.Time]domain.Bar{}
	for _, b := range result.Series.All() {
		if k.Grid.Next(b.OpenTime).After(now) {
			t.Fatalf("at %s the bar %s %s is visible", now, k, b)
		}
		visible[b.OpenTime] = b
	}

	for _, b := range bars {
		if closed := !k.Grid.Next(b.OpenTime).After(now); closed && !visible[b.OpenTime].Equal(b) {
			t.Fatalf("at %s the bar %s %s is closed, and visible is %s", now, k, b, visible[b.OpenTime])
		}
	}
}

// checkNext fails unless the lookahead returns the first of the bars that opens at now or later.
func checkNext(t *rapid.T, future *replay.Lookahead, k domain.SeriesKey, bars []domain.Bar, now time.Time) {
	got, found, err := future.Next(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}

	i := slices.IndexFunc(bars, func(b domain.Bar) bool { return !b.OpenTime.Before(now) })
	if found != (i >= 0) || found && !got.Equal(bars[i]) {
		t.Fatalf("at %s the next bar of %s is %v %s, want number %d", now, k, found, got, i)
	}
}

func inRange(bars []domain.Bar, within domain.Range) []domain.Bar {
	return slices.DeleteFunc(slices.Clone(bars), func(b domain.Bar) bool { return !within.Contains(b.OpenTime) })
}

// Steps yields the bars of Events, grouped by instant.
func TestStepsAreTheEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		market, within := drawMarket(t), drawRange(t)
		store := memory.New()
		for k, bars := range market {
			write(t, store, k, bars...)
		}
		simulated := clock.NewSimulated(within.Start)
		p, err := replay.New(store, simulated, keysOf(market), within, replay.Config{})
		if err != nil {
			t.Fatal(err)
		}

		var events []replay.Event
		last := within.Start
		for step, err := range p.Steps(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !step.At.After(last) || len(step.Bars) == 0 || !simulated.Now().Equal(step.At) {
				t.Fatalf("a step of %d series at %s after %s, clock %s",
					len(step.Bars), step.At, last, simulated.Now())
			}

			last = step.At
			for _, c := range step.Bars {
				events = append(events, replay.Event{Key: c.Key, Bar: *c.Bar, At: step.At})
			}
		}
		if want := sorted(market, within); !slices.EqualFunc(events, want, sameEvent) {
			t.Fatalf("got %v\nwant %v", events, want)
		}
	})
}

// scripted is a reader whose n-th read fails. It counts the reads, and those that are open.
type scripted struct {
	next        ports.BarReader
	failing     int // the number of the read that fails after its bars; 0 is none
	reads, open int
	queries     []ports.BarQuery
}

var errBroken = errors.New("broken")

func (s *scripted) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		s.reads++
		s.queries = append(s.queries, q)
		fails := s.reads == s.failing
		s.open++
		defer func() { s.open-- }()
		for piece, err := range s.next.ReadBars(ctx, q) {
			if !yield(piece, err) {
				return
			}
		}

		if fails {
			yield(ports.Piece[domain.Series]{}, &ports.Error{Kind: ports.ErrUnavailable, Op: "read", Err: errBroken})
		}
	}
}

// threeSeries returns a store with three series of one-minute bars, their keys and their range.
func threeSeries(t testing.TB, bars int) (*memory.Store, []domain.SeriesKey, domain.Range) {
	t.Helper()
	store := memory.New()
	var keys []domain.SeriesKey
	for _, symbol := range []domain.Symbol{"CCC/USD", "AAA/USD", "BBB/USD"} {
		k := key(symbol, "1m")
		write(t, store, k, barsOf(k, bars)...)
		keys = append(keys, k)
	}

	return store, keys, domain.Range{Start: noon, End: noon.Add(time.Duration(bars) * time.Minute)}
}

// newReplay returns a replay over a simulated clock that starts at noon.
func newReplay(
	t testing.TB, store ports.BarReader, keys []domain.SeriesKey, r domain.Range, cfg replay.Config,
) *replay.Replay {
	t.Helper()
	p, err := replay.New(store, clock.NewSimulated(noon), keys, r, cfg)
	if err != nil {
		t.Fatal(err)
	}

	return p
}

// An error of the store is the last pair, after complete instants only. No read is open while a bar is yielded.
func TestErrorIsLast(t *testing.T) {
	t.Parallel()
	// Three series make three reads a chunk, of five bars each.
	for failing, want := range map[int]int{1: 0, 3: 0, 4: 3 * 5, 5: 3 * 5, 7: 3 * 10} {
		t.Run(fmt.Sprintf("read %d", failing), func(t *testing.T) {
			t.Parallel()
			store, keys, within := threeSeries(t, 20)
			reader := &scripted{next: store, failing: failing}
			events, last := 0, error(nil)
			p := newReplay(t, reader, keys, within, replay.Config{ChunkBars: 5})
			for _, err := range p.Events(t.Context()) {
				if last != nil {
					t.Fatal("a pair after the error")
				}
				if reader.open != 0 {
					t.Fatal("a read is open")
				}

				if last = err; err == nil {
					events++
				}
			}

			if events != want || !errors.Is(last, errBroken) || !errors.Is(last, ports.ErrUnavailable) {
				t.Errorf("%d events, then %v; want %d", events, last, want)
			}
		})
	}
}

func TestBreakFrees(t *testing.T) {
	t.Parallel()
	store, keys, within := threeSeries(t, 20)
	reader := &scripted{next: store}
	for range newReplay(t, reader, keys, within, replay.Config{ChunkBars: 5}).Events(t.Context()) {
		break
	}
	if reader.open != 0 || reader.reads != 3 {
		t.Errorf("%d reads open, %d made", reader.open, reader.reads)
	}
}

func TestSecondUseIsAnError(t *testing.T) {
	t.Parallel()
	store, keys, within := threeSeries(t, 1)
	p := newReplay(t, store, keys, within, replay.Config{})
	for _, err := range p.Steps(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}

	var errs []error
	for _, err := range p.Events(t.Context()) {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], ports.ErrInvalid) {
		t.Errorf("second use: %v", errs)
	}
}

// lastError plays to the end; it returns the number of events and the error.
func lastError(ctx context.Context, p *replay.Replay) (events int, last error) {
	for _, err := range p.Events(ctx) {
		if err != nil {
			return events, err
		}
		events++
	}

	return events, nil
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	store, keys, within := threeSeries(t, 20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := newReplay(t, store, keys, within, replay.Config{})
	steps := 0
	for _, err := range p.Steps(ctx) {
		if err != nil {
			if steps != 2 || !errors.Is(err, ports.ErrCanceled) || !errors.Is(err, context.Canceled) {
				t.Errorf("after %d steps: %v", steps, err)
			}
			return
		}
		if steps++; steps == 2 {
			cancel()
		}
	}

	t.Error("no error")
}

// A clock past the end of the first bar is an error, because it would show a strategy the future.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	store, keys, within := threeSeries(t, 5)
	p, err := replay.New(store, clock.NewSimulated(noon.Add(time.Hour)), keys, within, replay.Config{})
	if err != nil {
		t.Fatal(err)
	}

	events, err := lastError(t.Context(), p)
	if events != 0 || !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("%d events, %v", events, err)
	}
}

func TestQualityPolicies(t *testing.T) {
	t.Parallel()
	k := key("BTC/USD", "1m")
	bars := barsOf(k, 6)
	bars[2].High, bars[2].Low = bars[0].Low, bars[4].High // high is below low
	for _, c := range []struct {
		policy domain.QualityPolicy
		events int
		err    error
		report domain.QualityReport
	}{
		{policy: domain.QualityFail, events: 2, err: ports.ErrCorruptData},
		{
			policy: domain.QualityDrop, events: 5,
			report: domain.QualityReport{Bars: 6, Dropped: []time.Time{bars[2].OpenTime}},
		},
		{policy: domain.QualityFlag, events: 6, report: domain.QualityReport{Bars: 6}},
	} {
		t.Run(c.policy.String(), func(t *testing.T) {
			t.Parallel()
			store := memory.New()
			write(t, store, k, bars...)
			within := domain.Range{Start: noon, End: noon.Add(time.Hour)}
			cfg := replay.Config{Quality: c.policy, ChunkBars: 2}
			p := newReplay(t, store, []domain.SeriesKey{k}, within, cfg)
			events, err := lastError(t.Context(), p)
			if events != c.events || !errors.Is(err, c.err) {
				t.Fatalf("%d events, %v", events, err)
			}
			if c.err != nil {
				return
			}

			got := p.Quality()[k]
			if got.Policy != c.policy || got.Bars != c.report.Bars || len(got.Findings) == 0 ||
				!slices.Equal(got.Dropped, c.report.Dropped) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A store that returns bars outside the query is an internal error.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	k := key("BTC/USD", "1m")
	for name, result := range map[string]domain.Series{
		"another key": series(t, key("ETH/USD", "1m"), barsOf(k, 1)...),
		"too early":   series(t, k, bar(noon.Add(-time.Minute), 100)),
		"too late":    series(t, k, bar(noon.Add(time.Hour), 100)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := domain.Range{Start: noon, End: noon.Add(time.Hour)}
			p := newReplay(t, fixed{result}, []domain.SeriesKey{k}, within, replay.Config{})
			if _, err := lastError(t.Context(), p); !errors.Is(err, ports.ErrInternal) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func series(t testing.TB, k domain.SeriesKey, bars ...domain.Bar) domain.Series {
	t.Helper()
	s, err := domain.NewSeries(k, bars...)
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// fixed is a reader that returns one series for every query.
type fixed struct{ series domain.Series }

func (f fixed) ReadBars(context.Context, ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(func(yield func(domain.Series, error) bool) { yield(f.series, nil) })
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	store, keys, within := threeSeries(t, 1)
	backwards := domain.Range{Start: within.End, End: within.Start}
	for name, c := range map[string]struct {
		keys []domain.SeriesKey
		r    domain.Range
		cfg  replay.Config
	}{
		"no series":   {r: within},
		"twice":       {keys: append(keys, keys[0]), r: within},
		"bad key":     {keys: []domain.SeriesKey{{Symbol: "B,C"}}, r: within},
		"bad range":   {keys: keys, r: backwards},
		"bad quality": {keys: keys, r: within, cfg: replay.Config{Quality: 9}},
		"bad chunk":   {keys: keys, r: within, cfg: replay.Config{ChunkBars: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := replay.New(store, clock.NewSimulated(noon), c.keys, c.r, c.cfg)
			if !errors.Is(err, ports.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}

	_, err := replay.NewLookahead(store, clock.NewSimulated(noon), backwards, replay.Config{})
	if !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("lookahead over a bad range: %v", err)
	}
}

// A Lookahead implements no interface that a strategy takes. A failed call may be repeated. Skipped bars are not read.
func TestLookahead(t *testing.T) {
	t.Parallel()
	store, keys, within := threeSeries(t, 20)
	simulated := clock.NewSimulated(noon)
	reader := &scripted{next: store, failing: 1}
	future, err := replay.NewLookahead(reader, simulated, within, replay.Config{ChunkBars: 3})
	if err != nil {
		t.Fatal(err)
	}

	if _, ok := any(future).(ports.HistoricalDataProvider); ok {
		t.Error("a lookahead can be passed to a strategy")
	}
	if _, ok := any(future).(ports.BarReader); ok {
		t.Error("a lookahead is a reader")
	}
	if _, _, err := future.Next(t.Context(), domain.SeriesKey{}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
	if _, _, err := future.Next(t.Context(), keys[0]); !errors.Is(err, errBroken) {
		t.Errorf("broken read: %v", err)
	}
	for _, minutes := range []float64{0, 0.5, 1, 15, 19, 19.5, 30} {
		if err := simulated.Set(noon.Add(time.Duration(minutes * float64(time.Minute)))); err != nil {
			t.Fatal(err)
		}

		b, found, err := future.Next(t.Context(), keys[0])
		if err != nil {
			t.Fatal(err)
		}

		opens := keys[0].Grid.Ceil(simulated.Now())
		if want := opens.Before(within.End); found != want || found && !b.OpenTime.Equal(opens) {
			t.Errorf("at minute %g: %t %s", minutes, found, b)
		}
	}

	if reader.reads > 5 {
		t.Errorf("%d reads: %v", reader.reads, reader.queries)
	}
}

// still is a clock without a cost.
type still struct{}

func (still) Set(time.Time) error { return nil }

// The number of allocations does not grow with the number of bars, apart from the reads of chunks.
func TestNoAllocationABar(t *testing.T) {
	cost := func(bars int) float64 {
		store, keys, within := threeSeries(t, bars)
		return testing.AllocsPerRun(5, func() {
			p, err := replay.New(store, still{}, keys, within, replay.Config{ChunkBars: 100_000})
			if err != nil {
				t.Fatal(err)
			}

			for _, err := range p.Events(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if few, many := cost(500), cost(5000); many > few+30 {
		t.Errorf("%g allocations for 1500 bars, %g for 15000", few, many)
	}
}

// TestReplayIsOfOneState writes while a replay is under way: bars that were played must not change, later blocks may.
func TestReplayIsOfOneState(t *testing.T) {
	t.Parallel()
	const blocks = 3
	for name, c := range map[string]struct {
		minute   int // that is written during the replay
		conflict bool
	}{"played": {0, true}, "to be played": {blocks*domain.MaxBlockBars - 1, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, k := memory.New(), key("AAA/USD", "1m")
			start, _ := domain.BarBlocks(k.Grid).Bounds(domain.BarBlocks(k.Grid).Index(domain.MicrosFloor(noon)))
			bars := minuteBars(t, k, start.Time(), blocks*domain.MaxBlockBars, 1)
			if _, err := ports.WriteBars(t.Context(), store, bars, bars.Range(), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}

			r, err := replay.New(store, clock.NewSimulated(start.Time()), []domain.SeriesKey{k}, bars.Range(), replay.Config{ChunkBars: 1_000})
			if err != nil {
				t.Fatal(err)
			}

			played, failed := 0, error(nil)
			for _, err := range r.Events(t.Context()) {
				if failed = err; err != nil {
					break
				}
				if played++; played == 1_500 {
					at := start.Time().Add(time.Duration(c.minute) * time.Minute)
					changed := minuteBars(t, k, at, 1, 2)
					if _, err := ports.WriteBars(t.Context(), store, changed, changed.Range(), ports.ConflictReplace); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c.conflict != errors.Is(failed, ports.ErrConflict) || !c.conflict && (failed != nil || played != bars.Len()) {
				t.Errorf("%d events, %v", played, failed)
			}
		})
	}
}

// minuteBars returns n bars from start on, all with the price.
func minuteBars(t *testing.T, k domain.SeriesKey, start time.Time, n int, price int64) domain.Series {
	t.Helper()
	p, err := domain.NewDecimal(price, 0)
	if err != nil {
		t.Fatal(err)
	}

	b := domain.NewSeriesBuilder(k, n)
	for i := range n {
		at := start.Add(time.Duration(i) * time.Minute)
		if err := b.Append(domain.Bar{OpenTime: at, Open: p, High: p, Low: p, Close: p, Volume: p}); err != nil {
			t.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return s
}
