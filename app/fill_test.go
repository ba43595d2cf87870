package app_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// seconds has bars of seconds a century apart, and the clock stands a century after the last one.
func seconds(t *testing.T, cfg app.Config) (market, domain.SeriesKey, time.Time) {
	t.Helper()
	k := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Second1.UTC()}
	end := noon.AddDate(200, 0, 0)
	m := setup(t, end, cfg)
	first, second := bar(0), bar(1)
	second.OpenTime, second.Close = noon.AddDate(100, 0, 0), domain.MustDecimal("102")
	m.hold(t, must(domain.NewSeries(k, first, second)), domain.Range{Start: noon, End: end})

	return m, k, end
}

// TestLastFillsWhatItNeeds requests a few bars of a range with room for billions.
func TestLastFillsWhatItNeeds(t *testing.T) {
	t.Parallel()
	m, k, end := seconds(t, app.Config{})
	for name, r := range map[string]domain.DataRequest{
		"of everything":         {},
		"since a bar":           {Start: noon},
		"after the last bar":    {Start: noon.AddDate(150, 0, 0)},
		"between the bars":      {Start: noon.AddDate(20, 0, 0), End: noon.AddDate(90, 0, 0)},
		"up to the second bar":  {End: noon.AddDate(100, 0, 0).Add(time.Second)},
		"two before the second": {Start: noon.AddDate(50, 0, 0), End: noon.AddDate(100, 0, 0).Add(-2 * time.Second)},
	} {
		r.Key, r.Last, r.Fill = k, 10, domain.FillPrevious
		got, err := m.Fetch(t.Context(), r)
		last := end
		if !r.End.IsZero() {
			last = r.End
		}
		if err != nil || got.Series.Len() != 10 || got.Series.Range().End != last {
			t.Errorf("%s: %v: %v", name, got.Series, err)
			continue
		}

		wantClose := "102"
		if !last.After(noon.AddDate(100, 0, 0)) {
			wantClose = "101"
		}
		for i, b := range got.Series.All() {
			if i == 9 && name == "up to the second bar" {
				wantClose = "102"
			} else if name == "up to the second bar" {
				wantClose = "101"
			}
			if b.Close.String() != wantClose {
				t.Errorf("%s: bar %d closes at %s, want %s", name, i, b.Close, wantClose)
			}
		}
	}
}

// TestFillEndsWithTheContext ends the context after the bars were read, while billions of slots are to be filled.
func TestFillEndsWithTheContext(t *testing.T) {
	t.Parallel()
	m, k, _ := seconds(t, app.Config{MaxBars: new(0), MaxSlots: new(int64(0))})
	ctx, cancel := context.WithCancel(t.Context())
	s := &scripted{Store: m.store}
	s.read = func(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
		defer time.AfterFunc(10*time.Millisecond, cancel)
		return m.store.ReadBars(ctx, q).Rows()
	}
	md := around(t, s, s, m.clock, app.Config{MaxBars: new(0), MaxSlots: new(int64(0))})
	if _, err := md.Fetch(ctx, domain.DataRequest{Key: k, Fill: domain.FillPrevious}); !errors.Is(err, ports.ErrCanceled) {
		t.Errorf("fetch: %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	pieces, _ := m.Stream(ctx, domain.DataRequest{Key: k, Fill: domain.FillPrevious})
	n := 0
	for _, err := range pieces {
		if n++; n == 1 && err == nil {
			cancel()
			continue
		}
		if !errors.Is(err, ports.ErrCanceled) || n != 2 {
			t.Errorf("piece %d of a canceled stream: %v", n, err)
		}
	}
}

// TestFillEndsWithTheDefaultTimeout lets the time of a call without a deadline pass while it fills.
func TestFillEndsWithTheDefaultTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, k, _ := seconds(t, app.Config{})
		s := &scripted{Store: m.store}
		s.read = func(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
			return func(yield func(domain.Series, error) bool) {
				m.store.ReadBars(ctx, q).Rows()(yield)
				time.Sleep(time.Second) // the deadline passes as the read ends
			}
		}
		cfg := app.Config{MaxBars: new(0), MaxSlots: new(int64(0)), Timeout: time.Second, StoreTimeout: time.Minute}
		md := around(t, s, s, m.clock, cfg)
		if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: k, Fill: domain.FillPrevious}); !errors.Is(err, ports.ErrTimeout) {
			t.Errorf("got %v", err)
		}
	})
}

// TestFillIsLimited refuses more filled bars than a call returns, and says what to do.
func TestFillIsLimited(t *testing.T) {
	t.Parallel()
	m, k, _ := seconds(t, app.Config{MaxBars: new(1000), MaxSlots: new(int64(0))})
	_, err := m.Fetch(t.Context(), domain.DataRequest{Key: k, Fill: domain.FillPrevious})
	if !errors.Is(err, ports.ErrTooLarge) || !strings.Contains(err.Error(), "max_bars") || !strings.Contains(err.Error(), "pages or a stream") {
		t.Errorf("got %v", err)
	}
}

// TestFillLeavesDroppedBarsEmpty drops bars: something traded in their slots, so neither they nor the slots up to the next bar are filled.
func TestFillLeavesDroppedBarsEmpty(t *testing.T) {
	t.Parallel()
	m := setup(t, at(12), app.Config{})
	m.hold(t, series(t, bar(0), badBar(2), bar(5), bar(8), badBar(9)), span(0, 12))
	want := []int{0, 1, 5, 6, 7, 8}
	for name, c := range map[string]struct {
		request domain.DataRequest
		want    []int
	}{
		"all":             {domain.DataRequest{}, want},
		"first":           {domain.DataRequest{First: 4}, want[:4]},
		"last":            {domain.DataRequest{Last: 3}, want[3:]},
		"last of all":     {domain.DataRequest{Last: 6}, want},
		"after a dropped": {domain.DataRequest{Start: at(3)}, want[2:]},
		"at a dropped":    {domain.DataRequest{Start: at(2), Last: 5}, want[2:]},
		"at the end":      {domain.DataRequest{Start: at(10)}, nil},
		"before":          {domain.DataRequest{Start: at(1), First: 1}, want[1:2]},
	} {
		c.request.Key, c.request.Fill, c.request.Quality = key, domain.FillPrevious, domain.QualityDrop
		got, err := m.Fetch(t.Context(), c.request)
		var minutes []int
		for _, b := range got.Series.All() {
			minutes = append(minutes, int(b.OpenTime.Sub(noon)/time.Minute))
		}
		if err != nil || !slices.Equal(minutes, c.want) {
			t.Errorf("%s: minutes %v, want %v: %v", name, minutes, c.want, err)
		}
		for _, dropped := range got.Quality.Dropped {
			if slices.ContainsFunc(got.Filled, func(r domain.Range) bool { return r.Contains(dropped) }) {
				t.Errorf("%s: %s is dropped and filled: %v", name, dropped, got.Filled)
			}
		}
		if name == "all" && len(got.Quality.Dropped) != 2 {
			t.Errorf("dropped %v", got.Quality.Dropped)
		}

		pieces, result := m.Stream(t.Context(), c.request)
		for _, err := range pieces {
			if err != nil {
				t.Errorf("%s: stream: %v", name, err)
			}
		}
		if !slices.Equal(result().Filled, got.Filled) {
			t.Errorf("%s: a stream fills %v, want %v", name, result().Filled, got.Filled)
		}
	}
}

// TestFillAtTheHeadStaysWithinTheCoverage requests bars from between two others. The one before the range fills its head,
// unless a part of the way there is not covered.
func TestFillAtTheHeadStaysWithinTheCoverage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		covered domain.Range // with the bar before the request
		want    int
	}{
		"covered all the way": {span(0, 5), 6},
		"an uncovered gap":    {span(0, 4), 4},
	} {
		m := setup(t, at(12), app.Config{})
		m.hold(t, series(t, bar(0)), c.covered)
		m.hold(t, series(t, bar(8)), span(5, 12))
		got, err := m.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(6), Fill: domain.FillPrevious})
		if err != nil || got.Series.Len() != c.want {
			t.Errorf("%s: %v, want %d bars: %v", name, got.Series, c.want, err)
		}
	}
}

// TestLimitedAggregatesWithinMaxBars finds as many bars as one call returns, although a step that looks for them has more.
func TestLimitedAggregatesWithinMaxBars(t *testing.T) {
	t.Parallel()
	const most = 10
	store := memory.New()
	b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
	for minute := range 200 {
		if minute >= 120 && minute < 195 { // so that the first steps from the end find little
			continue
		}
		if err := b.Append(domain.Trade{Time: at(float64(minute)), Price: domain.MustDecimal("1"), Size: domain.MustDecimal("1")}); err != nil {
			t.Fatal(err)
		}
	}
	trades := must(b.Ticks())
	if _, err := store.WriteTrades(t.Context(), trades, span(0, 200), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	md := over(t, clock.NewSimulated(at(200)), nil, app.Config{MaxBars: new(most)},
		app.Source{Name: "test", Bars: store, Ticks: store, Catalog: store, Aggregate: store})
	for _, r := range []domain.DataRequest{{Last: most}, {First: most}, {Start: at(115), First: most}} {
		r.Key = key
		if got, err := md.Fetch(t.Context(), r); err != nil || got.Series.Len() != most {
			t.Errorf("%s: %d bars: %v", r, got.Series.Len(), err)
		}
	}
	if _, err := md.Fetch(t.Context(), domain.DataRequest{Key: key}); !errors.Is(err, ports.ErrTooLarge) {
		t.Errorf("more than one call returns: %v", err)
	}
	pieces, _ := md.Stream(t.Context(), domain.DataRequest{Key: key})
	for _, err := range pieces {
		if err != nil {
			t.Errorf("stream: %v", err)
		}
	}
}
