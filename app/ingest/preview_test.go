package ingest_test

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A preview is what the write then reports, or the conflict that it ends with.
func TestPreviewIsWhatTheWriteDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		md := newService(t)
		stored, written := drawBars(t, "stored"), drawBars(t, "written")
		write := func(bars domain.Series, p ports.ConflictPolicy) (ports.WriteReport, error) {
			return md.Ingest(context.Background(), bars, domain.Range{}, p)
		}
		preview := func(bars domain.Series) (ingest.Preview, error) {
			return ingest.PreviewBars(context.Background(), ingest.BarsOf(md, minuteKey), bars)
		}
		checkPreview(t, preview, stored, written, write)
	})
}

func TestPreviewOfTicks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		md := newService(t)
		draw := func(label string) domain.Trades {
			b := domain.NewTicksBuilder[domain.Trade]("A/B")
			for i := range 12 {
				if rapid.Bool().Draw(t, label) {
					trade := domain.Trade{Time: minute(i / 3), Seq: int64(i % 3), Size: domain.MustDecimal("1")}
					trade.Price = domain.MustDecimal(rapid.SampledFrom([]string{"5", "7"}).Draw(t, label))
					if err := b.Append(trade); err != nil {
						t.Fatal(err)
					}
				}
			}

			ticks, err := b.Ticks()
			if err != nil {
				t.Fatal(err)
			}

			return ticks
		}
		write := func(ticks domain.Trades, p ports.ConflictPolicy) (ports.WriteReport, error) {
			return md.IngestTrades(context.Background(), ticks, domain.Range{}, p)
		}
		preview := func(ticks domain.Trades) (ingest.Preview, error) {
			return ingest.PreviewTicks(context.Background(), ingest.TradesOf(md, "A/B"), ticks)
		}
		checkPreview(t, preview, draw("stored"), draw("written"), write)
	})
}

func checkPreview[S ingest.Rows[S]](
	t *rapid.T, previewOf func(S) (ingest.Preview, error), stored, written S,
	write func(S, ports.ConflictPolicy) (ports.WriteReport, error),
) {
	if stored.Len() > 0 {
		if _, err := write(stored, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	preview, err := previewOf(written)
	if err != nil {
		t.Fatal(err)
	}
	if written.Len() == 0 {
		if preview != (ingest.Preview{}) {
			t.Fatalf("a preview of no rows is %+v", preview)
		}
		return
	}

	want := preview.Conflict()
	if _, err := write(written, ports.ConflictFail); want != nil {
		var got *ports.ConflictError
		if !errors.As(err, &got) || got.Error() != want.Error() {
			t.Fatalf("the write ends with %v, the preview says %v", err, want)
		}
		if report, err := write(written, ports.ConflictReplace); err != nil || report != preview.WriteReport {
			t.Fatalf("the write reports %+v, %v, the preview says %+v", report, err, preview)
		}
	} else if err != nil {
		t.Fatalf("the preview sees no conflict, the write %v", err)
	}
}

// Bars that would be resampled from finer ones are not stored, so that a write of them meets nothing.
func TestPreviewSeesStoredRowsOnly(t *testing.T) {
	t.Parallel()
	md := newService(t)
	minutes := domain.NewSeriesBuilder(minuteKey, 0)
	fives := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute5.UTC()}, 0)
	one := domain.MustDecimal("1")
	for n := range 10 {
		bar := domain.Bar{OpenTime: minute(n), Open: one, High: one, Low: one, Close: one, Volume: one, Trades: 1}
		if err := minutes.Append(bar); err != nil {
			t.Fatal(err)
		}
		if n%5 == 0 {
			if err := fives.Append(bar); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := md.Ingest(t.Context(), seriesOf(t, minutes), domain.Range{}, ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	bars := seriesOf(t, fives)
	got, err := ingest.PreviewBars(t.Context(), ingest.BarsOf(md, bars.Key()), bars)
	if want := (ingest.Preview{WriteReport: ports.WriteReport{Inserted: 2}}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
