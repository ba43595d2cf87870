package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// An export that is interrupted after its first page leaves the older file in place, and no other.
func TestInterruptedExportLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	md, bars, dir := openFile(t, "from.db"), gen.FlatBars(minuteKey, minute(0), 10), t.TempDir()
	if _, err := md.Ingest(t.Context(), bars, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	for _, format := range []string{formatCSV, formatNDJSON, formatBars, formatParquet} {
		path := filepath.Join(dir, "out."+format)
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		e := &export{c: &command{err: io.Discard}, md: md, path: path}
		out, err := newBarSink(format, path, minuteKey)
		if err != nil {
			t.Fatal(err)
		}

		request := domain.DataRequest{Key: minuteKey, Start: minute(0), End: minute(10)}
		const slots = 3
		pages := cancelAfterWindow(ingest.StreamPages(ctx, md, request, slots), cancel)
		err = exportPages(e, exportReport{Range: bars.Range()}, pages, out)
		out.discard()
		cancel()
		if exitCode(err) != exitInterrupted {
			t.Errorf("%s: got %v", format, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
			t.Errorf("%s: the old file is %q, %v", format, text, err)
		}
	}

	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// cancelAfterWindow calls cancel with the last page of the first window, which has no bars.
func cancelAfterWindow(
	pages iter.Seq2[ingest.Page[domain.Series], error], cancel func(),
) iter.Seq2[ingest.Page[domain.Series], error] {
	return func(yield func(ingest.Page[domain.Series], error) bool) {
		for p, err := range pages {
			if p.Rows.Len() == 0 {
				cancel()
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// An export of trades is one stream: where they change meanwhile, the older file stays in place.
func TestExportOfChangingTradesLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	md, path := openFile(t, "from.db"), filepath.Join(t.TempDir(), "out.csv")
	one := domain.MustDecimal("1")
	trades, err := domain.NewTicks("A/B", domain.Trade{Time: minute(0), Price: one, Size: one}, domain.Trade{Time: minute(1), Price: one, Size: one})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}

	view := tradeView
	var asked []domain.TickRequest
	view.stream = func(_ *app.Service, _ context.Context, r domain.TickRequest) (iter.Seq2[domain.Trades, error], func() domain.TickResult[domain.Trade]) {
		asked = append(asked, r)
		return func(yield func(domain.Trades, error) bool) {
			if yield(trades.Slice(0, 1), nil) {
				yield(domain.Trades{}, ports.ErrConflict)
			}
		}, func() domain.TickResult[domain.Trade] { return domain.TickResult[domain.Trade]{} }
	}
	e := &export{c: &command{err: io.Discard}, md: md, path: path, o: exportOptions{format: formatCSV}}
	if err := exportTicks(t.Context(), e, view, "A/B", []domain.Range{trades.Range()}); !errors.Is(err, ports.ErrConflict) {
		t.Errorf("%v", err)
	}
	if len(asked) != 1 || !asked[0].Start.Equal(minute(0)) || !asked[0].End.Equal(trades.Range().End) {
		t.Errorf("asked for %v", asked)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("the old file is %q, %v", text, err)
	}
}

// A bar file has the coverage of the series: its gaps, and covered minutes in which nothing traded.
func TestExportedBarFileHasTheCoverage(t *testing.T) {
	t.Parallel()
	md, bars := openFile(t, "from.db"), gen.FlatBars(minuteKey, minute(0), 10)
	covered := []domain.Range{{Start: minute(0), End: minute(4)}, {Start: minute(6), End: minute(15)}}
	for _, r := range covered {
		if _, err := md.Ingest(t.Context(), bars.Clip(r), r, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	path := filepath.Join(t.TempDir(), "out.bars")
	e := &export{
		c: &command{err: io.Discard, now: time.Now}, md: md, limits: readLimits{slots: 5}, path: path,
		o: exportOptions{price: "trade", quality: "fail", format: formatBars},
	}
	if err := e.bars(t.Context(), "A/B", "1m"); err != nil {
		t.Fatal(err)
	}

	f, closeFile, err := barfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	if !slices.EqualFunc(f.Extents(), covered, func(e domain.Extent, r domain.Range) bool { return e.Range.Equal(r) }) {
		t.Errorf("the file covers %v; want %v", f.Extents(), covered)
	}
}
