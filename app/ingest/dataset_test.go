package ingest_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Pages of any size touch, make up the range, and sum to the stored bars.
func TestPagesMakeUpTheRange(t *testing.T) {
	t.Parallel()
	md, coverage := newService(t), domain.Range{Start: minute(0), End: minute(20)}
	rapid.Check(t, func(t *rapid.T) {
		bars := drawBars(t, "bars")
		if _, err := md.Delete(context.Background(), minuteKey, coverage); err != nil {
			t.Fatal(err)
		}
		if _, err := md.Ingest(context.Background(), bars, coverage, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		r := domain.Range{Start: minute(rapid.IntRange(0, 19).Draw(t, "start")), End: minute(25)}
		all := domain.NewSeriesBuilder(minuteKey, 0)
		at, n := r.Start, rapid.IntRange(1, 8).Draw(t, "page")
		var uncovered []domain.Range
		for p, err := range ingest.Pages(context.Background(), ingest.BarsOf(md, minuteKey), []domain.Range{r}, n) {
			if err != nil {
				t.Fatal(err)
			}
			if !p.Range.Start.Equal(at) || p.Rows.Len() > n || !p.Range.Covers(p.Rows.Range()) {
				t.Fatalf("after %s comes a page of %s with %s", at, p.Range, p.Rows)
			}

			at = p.Range.End
			uncovered = append(uncovered, p.Uncovered...)
			if err := all.AppendSeries(p.Rows); err != nil {
				t.Fatal(err)
			}
		}

		got := seriesOf(t, all)
		if !got.Equal(bars.Clip(r)) || !at.Equal(r.End) {
			t.Fatalf("pages are %s up to %s; want %s", got, at, bars.Clip(r))
		}
		uncovered = domain.MergeRanges(uncovered)
		if len(uncovered) != 1 || !uncovered[0].Equal(domain.Range{Start: minute(20), End: minute(25)}) {
			t.Fatalf("uncovered are %v", uncovered)
		}
	})
}

// Trades are copied with their coverage, and found unchanged the second time. A target with another trade is a
// conflict.
func TestCopyTrades(t *testing.T) {
	t.Parallel()
	trade := func(n int, price string) domain.Trade {
		return domain.Trade{Time: minute(n), Price: domain.MustDecimal(price), Size: domain.MustDecimal("1")}
	}
	second := trade(1, "5.5")
	second.Seq = 1
	trades, err := domain.NewTicks("A/B", trade(1, "5"), second, trade(3, "7"))
	if err != nil {
		t.Fatal(err)
	}

	others, err := domain.NewTicks("A/B", trade(3, "8"))
	if err != nil {
		t.Fatal(err)
	}

	from, to, other := newService(t), newService(t), newService(t)
	coverage := domain.Range{Start: minute(0), End: minute(10)}
	if _, err := from.IngestTrades(t.Context(), trades, coverage, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if _, err := other.IngestTrades(t.Context(), others, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	checkCopies(t, [3]ingest.Dataset[domain.Trades]{
		ingest.TradesOf(from, "A/B"), ingest.TradesOf(to, "A/B"), ingest.TradesOf(other, "A/B"),
	}, coverage)
}

// Quotes are copied as trades are.
func TestCopyQuotes(t *testing.T) {
	t.Parallel()
	quote := func(n int, bid string) domain.Quote {
		one := domain.MustDecimal("1")
		return domain.Quote{
			Time: minute(n), Bid: domain.MustDecimal(bid), Ask: domain.MustDecimal("9"), BidSize: one, AskSize: one,
		}
	}
	quotes, err := domain.NewTicks("A/B", quote(1, "5"), quote(2, "6"), quote(3, "7"))
	if err != nil {
		t.Fatal(err)
	}

	others, err := domain.NewTicks("A/B", quote(3, "8"))
	if err != nil {
		t.Fatal(err)
	}

	from, to, other := newService(t), newService(t), newService(t)
	coverage := domain.Range{Start: minute(0), End: minute(10)}
	if _, err := from.IngestQuotes(t.Context(), quotes, coverage, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if _, err := other.IngestQuotes(t.Context(), others, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	checkCopies(t, [3]ingest.Dataset[domain.Quotes]{
		ingest.QuotesOf(from, "A/B"), ingest.QuotesOf(to, "A/B"), ingest.QuotesOf(other, "A/B"),
	}, coverage)
}

// checkCopies copies the three rows of the first dataset to the second one, which is empty, twice, and to the third
// one, which has another row at minute 3.
func checkCopies[S ingest.Rows[S]](t *testing.T, sets [3]ingest.Dataset[S], want domain.Range) {
	t.Helper()
	from, to, other := sets[0], sets[1], sets[2]
	pages := func() iter.Seq2[ingest.Page[S], error] {
		return ingest.Pages(t.Context(), from, []domain.Range{want}, 1)
	}
	for _, wrote := range []ports.WriteReport{{Inserted: 3}, {Unchanged: 3}} {
		report, err := ingest.Copy(t.Context(), pages(), to, ingest.CopyOptions{MaxRows: 1})
		if err != nil || report.Rows != 3 || report.Wrote != wrote || !report.Range.Equal(want) {
			t.Errorf("got %+v, %v; want %+v", report, err, wrote)
		}
	}
	if got, err := to.Coverage(t.Context()); err != nil || len(got) != 1 || !got[0].Equal(want) {
		t.Errorf("the target covers %v, %v; want %s", got, err, want)
	}

	var conflict *ingest.ConflictError
	_, err := ingest.Copy(t.Context(), pages(), other, ingest.CopyOptions{})
	if !errors.As(err, &conflict) || !conflict.Time.Equal(minute(3)) {
		t.Errorf("got %v; want a conflict at minute 3", err)
	}
	report, err := ingest.Copy(t.Context(), pages(), other, ingest.CopyOptions{Overwrite: true})
	if err != nil || report.Rows != 3 {
		t.Errorf("got %+v, %v", report, err)
	}
}
