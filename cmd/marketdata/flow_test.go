package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
)

var minuteKey = domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()}

// minute is the open time of the nth minute of a day.
func minute(n int) time.Time { return time.Date(2018, 4, 4, 0, n, 0, 0, time.UTC) }

// drawBars is a few bars among the first minutes, with few different numbers.
func drawBars(t *rapid.T, label string) domain.Series {
	b := domain.NewSeriesBuilder(minuteKey, 0)
	for n := range 20 {
		if !rapid.Bool().Draw(t, label) {
			continue
		}

		number := func() domain.Decimal {
			return domain.MustDecimal(rapid.SampledFrom([]string{"5", "5.5", "7"}).Draw(t, label))
		}
		bar := domain.Bar{
			OpenTime: minute(n), Open: number(), High: domain.MustDecimal("9"), Low: domain.MustDecimal("1"), Close: number(), Volume: number(),
			Trades: rapid.Int64Range(0, 2).Draw(t, label),
		}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// Pages of any size touch, make up the range, and together are what is stored.
func TestPagesMakeUpTheRange(t *testing.T) {
	t.Parallel()
	md, claim := openFile(t, "bars.db"), domain.Range{Start: minute(0), End: minute(20)}
	rapid.Check(t, func(t *rapid.T) {
		bars := drawBars(t, "bars")
		if _, err := md.Replace(context.Background(), domain.EmptySeries(minuteKey), claim); err != nil {
			t.Fatal(err)
		}
		if _, err := md.Ingest(context.Background(), bars, claim); err != nil {
			t.Fatal(err)
		}

		r := domain.Range{Start: minute(rapid.IntRange(0, 19).Draw(t, "start")), End: minute(25)}
		all := domain.NewSeriesBuilder(minuteKey, 0)
		at, n := r.Start, rapid.IntRange(1, 8).Draw(t, "page")
		var gaps []domain.Range
		for p, err := range storedBars(minuteKey).pages(context.Background(), md, r, n) {
			if err != nil {
				t.Fatal(err)
			}
			if !p.span.Start.Equal(at) || p.rows.Len() > n || !p.span.Covers(p.rows.Range()) {
				t.Fatalf("after %s comes a page of %s with %s", at, p.span, p.rows)
			}

			at = p.span.End
			gaps = append(gaps, p.gaps...)
			if err := all.AppendSeries(p.rows); err != nil {
				t.Fatal(err)
			}
		}

		got, err := all.Series()
		if err != nil || !got.Equal(bars.Clip(r)) || !at.Equal(r.End) {
			t.Fatalf("pages are %s up to %s, %v; want %s", got, at, err, bars.Clip(r))
		}
		if gaps = domain.MergeRanges(gaps); len(gaps) != 1 || !gaps[0].Equal(domain.Range{Start: minute(20), End: minute(25)}) {
			t.Fatalf("nobody holds %v", gaps)
		}
	})
}

// What diff finds is what a comparison by time finds.
func TestDiffFindsEveryDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		left, right := drawBars(t, "left"), drawBars(t, "right")
		d := &comparison{}
		tolerant := rapid.Bool().Draw(t, "tolerant")
		if tolerant {
			d.tolerance = tolerance{trades: 1}
			d.tolerance.fields[domain.FieldClose] = domain.MustDecimal("0.5")
		}

		d.bars(left, right)

		compared, differ, fields := 0, 0, 0
		for n := range 20 {
			at := domain.Range{Start: minute(n), End: minute(n + 1)}
			a, b := left.Clip(at), right.Clip(at)
			before := fields
			switch {
			case a.Len()+b.Len() == 0:
				continue
			case a.Len() != b.Len():
				fields++
			default:
				x, y := a.At(0), b.At(0)
				seven := domain.MustDecimal("7")
				near := tolerant && !x.Close.Equal(seven) && !y.Close.Equal(seven) // 5 and 5.5
				few := tolerant && max(x.Trades-y.Trades, y.Trades-x.Trades) == 1
				for _, off := range []bool{
					!x.Open.Equal(y.Open), !x.Volume.Equal(y.Volume), !x.Close.Equal(y.Close) && !near, x.Trades != y.Trades && !few,
				} {
					if off {
						fields++
					}
				}
			}

			compared++
			if fields > before {
				differ++
			}
		}
		if d.compared != compared || d.differ != differ || d.fields != fields || len(d.found) != fields {
			t.Fatalf("%d of %d bars differ in %d fields, %d of them listed; want %d of %d in %d\n%v",
				d.differ, d.compared, d.fields, len(d.found), differ, compared, fields, d.found)
		}
		if !slices.IsSortedFunc(d.found, func(a, b difference) int { return a.Time.Compare(b.Time) }) {
			t.Fatalf("out of order: %v", d.found)
		}
	})
}

// The windows of a range touch, make it up, and lie on edges, whatever the grid.
func TestWindowsMakeUpTheRange(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1s", "1m", "7h", "1d@America/New_York", "1w", "1M", "100M"} {
		g, err := domain.ParseGrid(text)
		if err != nil {
			t.Fatal(err)
		}

		r := g.Align(domain.Range{Start: minute(0), End: minute(0).AddDate(60, 0, 0)})
		if text == "1s" {
			r = g.Align(domain.Range{Start: minute(0), End: minute(5000)})
		}
		at := r.Start
		for w := range windows(g, r) {
			if !w.Start.Equal(at) || w.Empty() || !g.Aligned(w.End) || g.Slots(w) > 50_001 {
				t.Fatalf("%s: after %s comes %s", text, at, w)
			}
			at = w.End
		}

		if !at.Equal(r.End) {
			t.Errorf("%s: the windows end at %s, the range at %s", text, at, r.End)
		}
	}
}

// openFile is the application on a new file.
func openFile(t *testing.T, name string) *app.Service {
	t.Helper()
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(t.TempDir(), name)}}
	md, done, err := embedded.Open(t.Context(), cfg, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(done)
	return md
}

// minutes is as many flat bars.
func minutes(t *testing.T, n int) domain.Series {
	t.Helper()
	one := domain.MustDecimal("1")
	b := domain.NewSeriesBuilder(minuteKey, n)
	for i := range n {
		if err := b.Append(domain.Bar{OpenTime: minute(i), Open: one, High: one, Low: one, Close: one, Volume: one}); err != nil {
			t.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// pressing is a flow whose user presses Ctrl-C when the nth page is read.
func pressing(f flow[domain.Series], n int, cancel context.CancelFunc) flow[domain.Series] {
	fetch := f.fetch
	f.fetch = func(ctx context.Context, md *app.Service, r domain.Range, first int) (page[domain.Series], error) {
		if n--; n == 0 {
			cancel()
		}
		return fetch(ctx, md, r, first)
	}

	return f
}

func TestInterruptedCopySaysWhatWasKept(t *testing.T) {
	t.Parallel()
	from, to, bars := openFile(t, "from.db"), openFile(t, "to.db"), minutes(t, 10)
	if _, err := from.Ingest(t.Context(), bars, domain.Range{}); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := &copyJob{c: &command{err: io.Discard}, pair: pair{from: from, to: to, page: 4}}
	const reads = 3 // of the first page, its check, the second page
	err := copyRows(ctx, job, pressing(storedBars(minuteKey), reads, cancel), []domain.Range{bars.Range()}, nil)
	if exitCode(err) != exitInterrupted {
		t.Errorf("got %v", err)
	}
	const kept = "kept and compared: 4 rows of 1 series, the last of them A/B 1m bars up to 2018-04-04T00:04:00Z; run the same command again to go on"
	if got := job.kept(); got != kept {
		t.Errorf("it says %q; want %q", got, kept)
	}
	held, err := to.Coverage(t.Context())
	if err != nil || len(held) != 1 || !held[0].Range.End.Equal(minute(4)) {
		t.Errorf("the other store holds %v, %v", held, err)
	}
}

func TestInterruptedExportLeavesNothing(t *testing.T) {
	t.Parallel()
	md, bars, folder := openFile(t, "from.db"), minutes(t, 10), t.TempDir()
	if _, err := md.Ingest(t.Context(), bars, domain.Range{}); err != nil {
		t.Fatal(err)
	}

	for _, format := range []string{formatCSV, formatNDJSON, formatBars, formatParquet} {
		path := filepath.Join(folder, "out."+format)
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		e := &export{c: &command{err: io.Discard}, md: md, page: 4, path: path}
		out, err := newBarSink(format, path, minuteKey)
		if err != nil {
			t.Fatal(err)
		}

		const reads = 2
		err = exportRows(ctx, e, pressing(storedBars(minuteKey), reads, cancel), bars.Range(), out)
		out.discard()
		cancel()
		if exitCode(err) != exitInterrupted {
			t.Errorf("%s: got %v", format, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
			t.Errorf("%s: the file that was there is %q, %v", format, text, err)
		}
	}

	if left, err := filepath.Glob(filepath.Join(folder, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
