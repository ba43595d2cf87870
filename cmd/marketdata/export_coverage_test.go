package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/backtest"
	"github.com/gal-friday/marketdata/wiring/embedded"
)

// drawCoverage returns ranges of minutes, at least one, that do not touch.
func drawCoverage(t *rapid.T) []domain.Range {
	var ranges []domain.Range
	for from := rapid.IntRange(0, 5).Draw(t, "from"); from < 40; from += rapid.IntRange(1, 9).Draw(t, "gap") {
		to := from + rapid.IntRange(1, 9).Draw(t, "minutes")
		ranges = append(ranges, domain.Range{Start: minute(from), End: minute(to)})
		from = to
	}

	return ranges
}

// drawBars returns bars in some of the minutes of the range, and maybe in none.
func drawBars(t *rapid.T, r domain.Range) domain.Series {
	all := gen.FlatBars(minuteKey, r.Start, int(minuteKey.Grid.Slots(r)))
	var without []int
	for i := range all.Len() {
		if rapid.Bool().Draw(t, "without") {
			without = append(without, i)
		}
	}

	return all.Drop(without)
}

// drawTicks returns ticks in the range, some of them at one time, and maybe none.
func drawTicks[T domain.Tick](
	t *rapid.T, r domain.Range, tick func(at time.Time, seq int64, n domain.Decimal) T,
) domain.Ticks[T] {
	b := domain.NewTicksBuilder[T]("X/Y")
	at := r.Start
	for seq := range rapid.Int64Range(0, 5).Draw(t, "ticks") {
		n, err := domain.NewDecimal(rapid.Int64Range(1, 99).Draw(t, "number"), 1)
		if err == nil {
			err = b.Append(tick(at, seq, n))
		}
		if err != nil {
			t.Fatal(err)
		}

		at = at.Add(time.Duration(rapid.SampledFrom([]int64{0, 1, 7_000_000}).Draw(t, "micros")) * time.Microsecond)
	}

	ticks, err := b.Ticks()
	if err != nil {
		t.Fatal(err)
	}

	return ticks
}

func newTrade(at time.Time, seq int64, n domain.Decimal) domain.Trade {
	return domain.Trade{Time: at, Seq: seq, Price: n, Size: n, Side: domain.Side(seq % 3)}
}

func newQuote(at time.Time, seq int64, n domain.Decimal) domain.Quote {
	return domain.Quote{Time: at, Seq: seq, Bid: n, Ask: n, BidSize: n, AskSize: n}
}

// transfer exports a series with args, and imports it into an empty store, or loads it into memory, and returns the
// store. The format is the extension of the file.
func transfer(t *rapid.T, db, dir, extension string, args ...string) (md *app.Service, done func()) {
	path := filepath.Join(dir, "out."+extension)
	mustRun(t, slices.Concat([]string{"--db", db, "export"}, args, []string{path})...)
	if extension == formatBars && rapid.Bool().Draw(t, "in memory") {
		store, err := memory.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}

		md, err = backtest.New(store, clock.NewSimulated(time.Now()), app.Config{})
		if err != nil {
			t.Fatal(err)
		}

		return md, func() {}
	}

	target := filepath.Join(dir, "to.db")
	if err := os.RemoveAll(target); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "--db", target, "import", path)
	md, done, err := embedded.Open(context.Background(), wiring.Config{SQLite: wiring.SQLite{Path: target}}, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}

	return md, done
}

// mustRun runs the command.
func mustRun(t interface{ Fatalf(string, ...any) }, args ...string) {
	var errs bytes.Buffer
	if code := run(context.Background(), args, strings.NewReader(""), io.Discard, &errs); code != exitOK {
		t.Fatalf("%v: exit code %d\n%s", args, code, &errs)
	}
}

// equalData fails unless both datasets have equal coverage and rows.
func equalData[S ingest.Rows[S]](t *rapid.T, got, want ingest.Dataset[S]) {
	ctx := context.Background()
	covered, err := got.Coverage(ctx)
	expected, wantErr := want.Coverage(ctx)
	if err != nil || wantErr != nil || !slices.EqualFunc(covered, expected, domain.Range.Equal) {
		t.Fatalf("covered %v, %v; want %v, %v", covered, err, expected, wantErr)
	}
	for _, r := range expected {
		rows, err := got.Read(ctx, r, 0)
		stored, wantErr := want.Read(ctx, r, 0)
		if err != nil || wantErr != nil || !rows.Rows.Equal(stored.Rows) {
			t.Fatalf("%v, %v; want %v, %v", rows.Rows, err, stored.Rows, wantErr)
		}
	}
}

// Every format keeps rows and coverage of bars, trades and quotes, also of ranges without rows.
func TestExportAndImportKeepTheCoverage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "from.db")
	md, closeStore, err := embedded.Open(t.Context(), wiring.Config{SQLite: wiring.SQLite{Path: db}}, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		all := domain.Range{Start: minute(0), End: minute(1000)}
		_, err := md.Delete(ctx, minuteKey, all)
		_, tradesErr := md.DeleteTrades(ctx, "X/Y", all)
		_, quotesErr := md.DeleteQuotes(ctx, "X/Y", all)
		if err := errors.Join(err, tradesErr, quotesErr); err != nil {
			t.Fatal(err)
		}
		for _, r := range drawCoverage(t) {
			_, err := md.Ingest(ctx, drawBars(t, r), r, ports.ConflictFail)
			_, tradesErr := md.IngestTrades(ctx, drawTicks(t, r, newTrade), r, ports.ConflictFail)
			_, quotesErr := md.IngestQuotes(ctx, drawTicks(t, r, newQuote), r, ports.ConflictFail)
			if err := errors.Join(err, tradesErr, quotesErr); err != nil {
				t.Fatal(err)
			}
		}

		format := rapid.SampledFrom(fileFormats).Draw(t, "format")
		kind := rapid.SampledFrom([]file.Kind{file.KindBars, file.KindTrades, file.KindQuotes}).Draw(t, "kind")
		if kind == file.KindBars || format == formatBars {
			to, done := transfer(t, db, dir, format, "A/B", "1m")
			defer done()
			equalData(t, ingest.BarsOf(to, minuteKey), ingest.BarsOf(md, minuteKey))
			return
		}

		to, done := transfer(t, db, dir, format, "--"+string(kind), "X/Y")
		defer done()
		if kind == file.KindTrades {
			equalData(t, ingest.TradesOf(to, "X/Y"), ingest.TradesOf(md, "X/Y"))
		} else {
			equalData(t, ingest.QuotesOf(to, "X/Y"), ingest.QuotesOf(md, "X/Y"))
		}
	})
}

// A file and its coverage file are one: an export that cannot put the file into place leaves no coverage beside nothing.
func TestFailedExportLeavesNoCoverageFile(t *testing.T) {
	t.Parallel()
	md, bars, dir := openFile(t, "from.db"), gen.FlatBars(minuteKey, minute(0), 3), t.TempDir()
	if _, err := md.Ingest(t.Context(), bars, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, "out.csv")
	if err := os.MkdirAll(filepath.Join(path, "file"), 0o755); err != nil {
		t.Fatal(err)
	}

	e := &export{
		c: &command{err: io.Discard, now: time.Now}, md: md, limits: readLimits{slots: 5}, path: path,
		o: exportOptions{price: "trade", quality: "fail", format: formatCSV},
	}
	if err := e.bars(t.Context(), "A/B", "1m"); err == nil {
		t.Error("a folder was replaced")
	}
	if _, err := os.Stat(path + file.CoverageSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a coverage file is left: %v", err)
	}
}
