package ingest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

// today is the clock's now in tests of retention, and long after every bar of them.
var today = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// deletions is a dataset that records its deletions, and fails after some of them if left is not negative.
type deletions[S any] struct {
	ingest.Dataset[S]
	ranges []domain.Range
	left   int
}

var errInterrupted = errors.New("interrupted")

// Delete implements ingest.Dataset.
func (d *deletions[S]) Delete(ctx context.Context, r domain.Range) (ports.WriteReport, error) {
	if d.left == 0 {
		return ports.WriteReport{}, errInterrupted
	}

	d.left--
	d.ranges = append(d.ranges, r)

	return d.Dataset.Delete(ctx, r)
}

// openToday returns the application over an empty store, with the clock at today.
func openToday(t fataler) *app.Service {
	md, err := backtest.New(memory.New(), clock.NewSimulated(today), app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	return md
}

// TestRetain deletes up to a time, is interrupted now and then, and is repeated. The bars that ended by then are gone and
// uncovered; the others, and their coverage, are as before.
func TestRetain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ctx, md := context.Background(), openToday(t)
		grid, err := domain.ParseGrid(rapid.SampledFrom([]string{
			"1m", "1h", "1d", "1M", "1d@America/New_York", "1M@America/New_York",
		}).Draw(t, "grid"))
		if err != nil {
			t.Fatal(err)
		}

		key := domain.SeriesKey{Symbol: "A/B", Grid: grid}
		layout := domain.BarBlocks(grid)
		days := 1 + 80*layout.LengthMicros()/(24*time.Hour).Microseconds() // more than one part
		drawTime := func(label string) time.Time {
			back := rapid.Int64Range(0, min(days, 365*300)).Draw(t, label+" days")
			minutes := rapid.Int64Range(0, 1440).Draw(t, label+" minutes")
			return today.AddDate(0, 0, -int(back)).Add(-time.Duration(minutes) * time.Minute)
		}
		for range rapid.IntRange(0, 5).Draw(t, "ranges") {
			at := grid.Floor(drawTime("bar").AddDate(-1, 0, 0))
			bars := gen.FlatBars(key, at, rapid.IntRange(1, 5).Draw(t, "bars"))
			if _, err := md.Ingest(ctx, bars, domain.Range{}, ports.ConflictKeep); err != nil {
				t.Fatal(err)
			}
		}

		before := drawTime("limit").AddDate(-1, 0, 0)
		checkRetain(t, md, key, before, rapid.IntRange(0, 3).Draw(t, "deletions"))
	})
}

// checkRetain calls Retain, which is interrupted after some deletions, until it succeeds.
func checkRetain(t *rapid.T, md *app.Service, key domain.SeriesKey, before time.Time, deletionsPerCall int) {
	ctx, rows := context.Background(), ingest.BarsOf(md, key)
	all := domain.AllYears()
	old := domain.Range{Start: all.Start, End: key.Grid.Floor(before)}
	kept := domain.Range{Start: old.End, End: today}
	coverage, err := rows.Coverage(ctx)
	if err != nil {
		t.Fatal(err)
	}

	want := readBars(t, rows, kept)
	expired := readBars(t, rows, old).Len()

	d := &deletions[domain.Series]{Dataset: rows, left: deletionsPerCall}
	deleted := 0
	for {
		report, err := ingest.Retain(ctx, d, before)
		deleted += report.Deleted
		if err == nil {
			break
		}
		if !errors.Is(err, errInterrupted) {
			t.Fatal(err)
		}
		checkNotCovered(t, md, key, report.Range)
		d.left = deletionsPerCall + 1
	}

	got, err := rows.Coverage(ctx)
	if want := domain.ClipRanges(coverage, kept); err != nil || !sameRanges(got, want) {
		t.Fatalf("up to %s: covered are %v, %v; want %v", before, got, err, want)
	}
	if got := readBars(t, rows, kept); !got.Equal(want) || deleted != expired {
		t.Fatalf("%d bars deleted, kept are %s; want %d and %s", deleted, got, expired, want)
	}
	for i, r := range d.ranges {
		if i > 0 && r.Start.Before(d.ranges[i-1].End) || r.End.After(old.End) {
			t.Fatalf("%s is deleted after %s, up to %s", r, d.ranges[max(i-1, 0)], old.End)
		}
	}

	report, err := ingest.Retain(ctx, d, before)
	if err != nil || report != (ingest.RetainReport{}) {
		t.Fatalf("a second call returns %+v, %v", report, err)
	}
}

// readBars returns the bars of a range.
func readBars(t fataler, rows ingest.Dataset[domain.Series], r domain.Range) domain.Series {
	b := domain.NewSeriesBuilder(minuteKey, 0)
	coverage, err := rows.Coverage(context.Background())
	if err != nil {
		t.Fatal(err)
	}

	for i, covered := range domain.ClipRanges(coverage, r) {
		page, err := rows.Read(context.Background(), covered, 0)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			b = domain.NewSeriesBuilder(page.Rows.Key(), 0)
		}
		if err := b.AppendSeries(page.Rows); err != nil {
			t.Fatal(err)
		}
	}

	return seriesOf(t, b)
}

// checkNotCovered fetches a range that was deleted.
func checkNotCovered(t fataler, md *app.Service, key domain.SeriesKey, r domain.Range) {
	if r.Empty() {
		return
	}

	const days = 300 // the slots of a result are limited
	r.Start = later(r.Start, r.End.AddDate(0, 0, -days))
	result, err := md.Fetch(context.Background(), domain.DataRequest{Key: key, Start: r.Start, End: r.End})
	want := key.Grid.Align(r)
	if err != nil || result.Series.Len() > 0 || len(result.Uncovered) != 1 || !result.Uncovered[0].Equal(want) {
		t.Fatal("in", r, "there is", result.Series, result.Uncovered, err)
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func sameRanges(a, b []domain.Range) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}

	return true
}

// Retain deletes in parts that end at the edges of blocks, and leaves out parts without coverage.
func TestRetainDeletesInParts(t *testing.T) {
	t.Parallel()
	md := openToday(t)
	first := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{first, first.AddDate(1, 0, 0), first.AddDate(2, 0, 0)} {
		covered := domain.Range{Start: at, End: at.AddDate(0, 0, 100)}
		if _, err := md.Ingest(t.Context(), gen.FlatBars(minuteKey, at, 3), covered, ports.ConflictFail); err != nil {
			t.Fatal(err)
		}
	}

	before := first.AddDate(2, 0, 0).Add(90 * time.Second)
	d := &deletions[domain.Series]{Dataset: ingest.BarsOf(md, minuteKey), left: -1}
	report, err := ingest.Retain(t.Context(), d, before)
	want := domain.Range{Start: first, End: before.Truncate(time.Minute)}
	if err != nil || report.Deleted != 7 || !report.Range.Equal(want) {
		t.Errorf("got %+v, %v; want 7 bars in %s", report, err, want)
	}

	layout := domain.BarBlocks(minuteKey.Grid)
	for i, r := range d.ranges {
		if r.End.Sub(r.Start) > 80*24*time.Hour {
			t.Errorf("part %s is too long", r)
		}
		start, _ := layout.Bounds(layout.Index(domain.MicrosFloor(r.End)))
		if i < len(d.ranges)-1 && !start.Time().Equal(r.End) {
			t.Errorf("part %s does not end at the edge of a block", r)
		}
	}
	if len(d.ranges) != 5 { // two for each hundred days, and one
		t.Errorf("parts are %v", d.ranges)
	}
}

// Trades and quotes are deleted by the day, those at the limit are kept.
func TestRetainTicks(t *testing.T) {
	t.Parallel()
	md := openToday(t)
	day := time.Date(2018, 1, 1, 12, 0, 0, 0, time.UTC)
	one := domain.MustDecimal("1")
	var trades []domain.Trade
	var quotes []domain.Quote
	for n := range 5 {
		at := day.AddDate(0, 0, n)
		trades = append(trades, domain.Trade{Time: at, Price: one, Size: one})
		quotes = append(quotes, domain.Quote{Time: at, Bid: one, Ask: one, BidSize: one, AskSize: one})
	}
	allTrades, err := domain.NewTicks("A/B", trades...)
	if err != nil {
		t.Fatal(err)
	}

	allQuotes, err := domain.NewTicks("A/B", quotes...)
	if err != nil {
		t.Fatal(err)
	}

	covered := domain.Range{Start: day.AddDate(0, 0, -1), End: day.AddDate(0, 0, 6)}
	if _, err := md.IngestTrades(t.Context(), allTrades, covered, ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	if _, err := md.IngestQuotes(t.Context(), allQuotes, covered, ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	before := day.AddDate(0, 0, 2)
	checkRetainTicks(t, ingest.TradesOf(md, "A/B"), allTrades, covered, before)
	if got, err := ingest.QuotesOf(md, "A/B").Coverage(t.Context()); err != nil || !sameRanges(got, []domain.Range{covered}) {
		t.Errorf("with the trades, quotes lost coverage: %v, %v", got, err)
	}
	checkRetainTicks(t, ingest.QuotesOf(md, "A/B"), allQuotes, covered, before)
}

// checkRetainTicks deletes two of five ticks.
func checkRetainTicks[S ingest.Rows[S]](
	t *testing.T, rows ingest.Dataset[S], stored S, covered domain.Range, before time.Time,
) {
	t.Helper()
	d := &deletions[S]{Dataset: rows, left: -1}
	report, err := ingest.Retain(t.Context(), d, before)
	if want := (domain.Range{Start: covered.Start, End: before}); err != nil || report.Deleted != 2 || !report.Range.Equal(want) {
		t.Errorf("got %+v, %v; want 2 in %s", report, err, want)
	}
	if len(d.ranges) != 4 {
		t.Errorf("deleted in %v, not by the day", d.ranges)
	}

	page, err := rows.Read(t.Context(), covered, 0)
	if err != nil || !page.Rows.Equal(stored.Slice(2, 5)) {
		t.Errorf("kept are %v, %v", page.Rows, err)
	}
	if want := []domain.Range{{Start: covered.Start, End: before}}; !sameRanges(page.Uncovered, want) {
		t.Errorf("uncovered are %v, want %v", page.Uncovered, want)
	}
}

// Retain refuses a time outside the years before it calls the store.
func TestRetainRefusesTime(t *testing.T) {
	t.Parallel()
	for _, before := range []time.Time{{}, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := ingest.Retain(t.Context(), ingest.BarsOf(nil, minuteKey), before)
		if !errors.Is(err, ports.ErrInvalid) {
			t.Errorf("%s: %v", before, err)
		}
	}
}
