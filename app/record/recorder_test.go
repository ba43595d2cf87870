package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/record"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/fingerprint"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// newRecorder returns a Recorder around an application over the store, at one hour past noon.
func newRecorder(t testing.TB, store *memory.Store) *record.Recorder {
	t.Helper()
	source := app.Source{Name: "memory", Bars: store, Ticks: store, Catalog: store, Local: true}
	md, err := app.New([]app.Source{source}, clock.NewSimulated(noon.Add(time.Hour)), nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	return record.New(md)
}

// request makes a request of each kind, and one that fails.
func request(t testing.TB, r *record.Recorder) {
	t.Helper()
	ctx := t.Context()
	_, err := r.Fetch(ctx, domain.DataRequest{
		Key: gen.MinuteKey("AAA/USD"), Start: noon.Add(-time.Minute), End: noon.Add(24 * time.Hour),
	})
	ticks := domain.TickRequest{Symbol: "AAA/USD"}
	_, tradesErr := r.FetchTrades(ctx, ticks)
	_, quotesErr := r.FetchQuotes(ctx, ticks)
	if err := errors.Join(err, tradesErr, quotesErr); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fetch(ctx, domain.DataRequest{Key: gen.MinuteKey("ZZZ/USD")}); !errors.Is(err, ports.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
}

func TestRecorderRecordsEveryRequest(t *testing.T) {
	t.Parallel()
	store := threeSeries(t, 20)
	trade := domain.Trade{Time: noon, Price: domain.MustDecimal("1"), Size: domain.MustDecimal("2")}
	trades, err := domain.NewTicks("AAA/USD", trade)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.WriteTrades(t.Context(), trades, trades.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	r := newRecorder(t, store)
	request(t, r)
	entries := r.Report().Entries
	if len(entries) != 4 {
		t.Fatalf("%d entries", len(entries))
	}

	bars := entries[0]
	whole := domain.Range{Start: noon.Add(-time.Minute), End: noon.Add(time.Hour)}
	covered := domain.Range{Start: noon, End: noon.Add(20 * time.Minute)}
	if bars.Count != 20 || !bars.Clamped || !bars.Range.Equal(whole) || !bars.Now.Equal(whole.End) ||
		!slices.EqualFunc(bars.Uncovered, whole.Subtract([]domain.Range{covered}), domain.Range.Equal) ||
		len(bars.Provenance) != 1 || bars.Provenance[0].Store != "memory" || bars.Fingerprint == (fingerprint.Digest{}) {
		t.Errorf("bars: %+v", bars)
	}

	if e := entries[1]; e.Request.Trades == nil || e.Count != 1 || e.Store != "memory" ||
		e.Fingerprint == entries[2].Fingerprint {
		t.Errorf("trades: %+v", e)
	}
	if e := entries[2]; e.Request.Quotes == nil || e.Count != 0 {
		t.Errorf("quotes: %+v", e)
	}
	if e := entries[3]; !strings.Contains(e.Error, "ZZZ/USD") {
		t.Errorf("failed: %+v", e)
	}
}

// FetchMany records the entries that Fetch records for each request. Latest is recorded, too.
func TestRecorderRecordsBatches(t *testing.T) {
	t.Parallel()
	store := threeSeries(t, 20)
	r := newRecorder(t, store)
	requests := []domain.DataRequest{
		{Key: gen.MinuteKey("AAA/USD"), Last: 3}, {Key: gen.MinuteKey("ZZZ/USD")}, {Key: gen.MinuteKey("BBB/USD")},
	}
	for _, request := range requests {
		_, _ = r.Fetch(t.Context(), request) // one fails
	}

	results := r.FetchMany(t.Context(), requests)
	if len(results) != 3 || results[0].Result.Series.Len() != 3 || !errors.Is(results[1].Err, ports.ErrNotFound) {
		t.Fatalf("got %+v", results)
	}

	entries := r.Report().Entries
	if len(entries) != 6 {
		t.Fatalf("%d entries", len(entries))
	}

	single, many := record.Report{Entries: entries[:3]}, record.Report{Entries: entries[3:]}
	for _, d := range many.Diff(single) {
		t.Error(d)
	}
	latest, err := r.Latest(t.Context(), "AAA/USD", "CCC/USD")
	if err != nil || len(latest) != 2 {
		t.Fatalf("got %v, %v", latest, err)
	}

	e := r.Report().Entries[6]
	if e.Count != 2 || !slices.Equal(e.Freshness, latest) || !e.Now.Equal(noon.Add(time.Hour)) ||
		!slices.Equal(e.Request.Latest.Symbols, []domain.Symbol{"AAA/USD", "CCC/USD"}) {
		t.Errorf("latest: %+v", e)
	}
}

// Diff compares the freshness of series.
func TestDiffOfLatest(t *testing.T) {
	t.Parallel()
	play := func(bars int) record.Report {
		store := threeSeries(t, bars)
		r := newRecorder(t, store)
		if _, err := r.Latest(t.Context()); err != nil {
			t.Fatal(err)
		}

		return r.Report()
	}
	early := play(20)
	if d := play(20).Diff(early); len(d) > 0 {
		t.Errorf("the same: %v", d)
	}
	d := play(21).Diff(early)
	if len(d) != 1 || len(d[0].Fields) != 1 || d[0].Fields[0].Name != "freshness" ||
		!strings.HasPrefix(d[0].String(), "changed latest []") {
		t.Errorf("fresher: %v", d)
	}
}

// Diff does not compare whether bars came from a cache or from the store.
func TestDiffIgnoresTheCache(t *testing.T) {
	t.Parallel()
	store, k := memory.New(), gen.MinuteKey("AAA/USD")
	write(t, store, gen.FlatBars(k, noon, 20))
	near, err := ristretto.NewBlocks(1 << 20)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(near.Close)
	now := clock.NewSimulated(noon.Add(time.Hour))
	cached, err := seriescache.New(seriescache.Dependencies{
		Store: store, States: store, Caches: seriescache.Caches{Local: near}, Clock: now,
	}, seriescache.Config{Name: "memory"})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(cached.Close)
	md, err := app.New([]app.Source{{Name: "memory", Bars: cached, Cache: cached, Catalog: store}}, now, nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	play := func() record.Report {
		r := record.New(md)
		if _, err := r.Fetch(t.Context(), domain.DataRequest{Key: k, Last: 5}); err != nil {
			t.Fatal(err)
		}

		return r.Report()
	}
	first := play()
	again := play()
	if first.Entries[0].Provenance[0].Cached || !again.Entries[0].Provenance[0].Cached {
		t.Fatalf("not from the store and then from the cache:\n%+v\n%+v", first.Entries[0], again.Entries[0])
	}

	for _, d := range again.Diff(first) {
		t.Error(d)
	}
}

// Diff compares the provenance: bars resampled from trades differ from bars resampled from bars.
func TestDiffComparesProvenance(t *testing.T) {
	t.Parallel()
	origin := domain.Origin{Store: "memory", Grid: domain.Minute1.UTC(), Bars: 3}
	report := func(o domain.Origin) record.Report {
		request := record.Request{Bars: &domain.DataRequest{}}
		return record.Report{Entries: []record.Entry{{Request: request, Provenance: []domain.Origin{o}}}}
	}

	for name, change := range map[string]func(*domain.Origin){
		"store": func(o *domain.Origin) { o.Store = "another" },
		"grid":  func(o *domain.Origin) { o.Grid = domain.Hour1.UTC() },
		"ticks": func(o *domain.Origin) { o.Ticks = domain.TickTrades },
		"range": func(o *domain.Origin) { o.Range.End = noon },
		"bars":  func(o *domain.Origin) { o.Bars++ },
	} {
		other := origin
		change(&other)
		d := report(other).Diff(report(origin))
		if len(d) != 1 || len(d[0].Fields) != 1 || d[0].Fields[0].Name != "provenance" {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	store := threeSeries(t, 20)
	r := newRecorder(t, store)
	request(t, r)
	if _, err := r.Latest(t.Context()); err != nil {
		t.Fatal(err)
	}

	want := r.Report()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}

	var got record.Report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}

	again, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}

	if string(again) != string(text) || len(got.Diff(want)) > 0 || len(want.Diff(got)) > 0 {
		t.Errorf("got %s\nwant %s\ndiff %v", again, text, got.Diff(want))
	}
}

// A strategy may change the slices of a result; the recorded entry does not change.
func TestReportIsACopy(t *testing.T) {
	t.Parallel()
	store := threeSeries(t, 20)
	r := newRecorder(t, store)
	result, err := r.Fetch(t.Context(), domain.DataRequest{Key: gen.MinuteKey("AAA/USD"), Start: noon.Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}

	before := r.Report()
	result.Uncovered[0], result.Provenance[0].Store = domain.Range{}, "another"
	if after := r.Report(); !reflect.DeepEqual(before, after) || after.Entries[0].Provenance[0].Store != "memory" {
		t.Errorf("%+v", after)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	last := func(symbol domain.Symbol, n int) domain.DataRequest {
		return domain.DataRequest{Key: gen.MinuteKey(symbol), Last: n}
	}
	play := func(change func(*memory.Store), requests ...domain.DataRequest) record.Report {
		store := threeSeries(t, 20)
		if change != nil {
			change(store)
		}
		r := newRecorder(t, store)
		for _, request := range requests {
			if _, err := r.Fetch(ctx, request); err != nil {
				t.Fatal(err)
			}
		}

		return r.Report()
	}
	one, two, three := last("AAA/USD", 1), last("BBB/USD", 5), last("CCC/USD", 5)
	early := play(nil, one, two, two, three)
	revised := func(store *memory.Store) {
		other := gen.FlatBars(gen.MinuteKey("BBB/USD"), noon.Add(17*time.Minute), 1).At(0)
		other.Volume = domain.MustDecimal("99")
		bars, err := domain.NewSeries(gen.MinuteKey("BBB/USD"), other)
		if err != nil {
			t.Fatal(err)
		}

		write(t, store, bars)
	}
	gone := func(store *memory.Store) {
		within := domain.Range{Start: noon.Add(17 * time.Minute), End: noon.Add(18 * time.Minute)}
		if _, err := store.DeleteBars(ctx, gen.MinuteKey("BBB/USD"), within); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		report record.Report
		want   []string // for each difference a prefix and the names of the fields
	}{
		"same":          {report: play(nil, one, two, two, three)},
		"another order": {report: play(nil, three, two, one, two)},
		"revised": {
			report: play(revised, one, two, two, three),
			want:   slices.Repeat([]string{"changed bars BBB: fingerprint"}, 2),
		},
		"gone": {
			report: play(gone, two, two, one, three),
			want:   slices.Repeat([]string{"changed bars BBB: range uncovered provenance fingerprint"}, 2),
		},
		"fewer": {report: play(nil, two, three), want: []string{"missing bars AAA:", "missing bars BBB:"}},
		"more":  {report: play(nil, three, one, one, two, two), want: []string{"added bars AAA:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range c.report.Diff(early) {
				text := string(d.Change) + " bars " + string(d.Request.Bars.Key.Symbol[:3]) + ":"
				if line := d.String(); !strings.HasPrefix(line, string(d.Change)+" bars "+d.Request.Bars.Key.String()) {
					t.Errorf("text %q", line)
				}
				for _, f := range d.Fields {
					text += " " + f.Name
					if f.Was == f.Is {
						t.Errorf("%s was and is %s", f.Name, f.Is)
					}
				}

				got = append(got, text)
			}

			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRecorderIsConcurrent(t *testing.T) {
	t.Parallel()
	store := threeSeries(t, 20)
	r := newRecorder(t, store)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if _, err := r.Fetch(t.Context(), domain.DataRequest{Key: gen.MinuteKey("AAA/USD"), Last: 3}); err != nil {
					t.Error(err)
				}
				r.Report()
			}
		})
	}

	all.Wait()
	if n := len(r.Report().Entries); n != 400 {
		t.Errorf("%d entries", n)
	}
}
