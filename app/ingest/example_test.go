package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

// openWith returns an application over a store that has minutes of BTC/USD with the closes, and stands in here for one
// that wiring opens.
func openWith(ctx context.Context, closes ...string) (*app.Service, error) {
	noon := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	b := domain.NewSeriesBuilder(key, len(closes))
	for i, text := range closes {
		price := domain.MustDecimal(text)
		if err := b.Append(domain.Bar{
			OpenTime: noon.Add(time.Duration(i) * time.Minute),
			Open:     price, High: price, Low: price, Close: price, Volume: domain.MustDecimal("1"),
		}); err != nil {
			return nil, err
		}
	}

	bars, err := b.Series()
	if err != nil {
		return nil, err
	}

	store := memory.New()
	if bars.Len() > 0 {
		if _, err := ports.WriteBars(ctx, store, bars, bars.Range(), ports.ConflictReplace); err != nil {
			return nil, err
		}
	}

	return backtest.New(store, clock.NewSimulated(noon.Add(time.Hour)), app.Config{})
}

// A copy writes only what the target lacks, so it can be repeated. It never changes a bar unless it is told to.
func ExampleCopy() {
	ctx := context.Background()
	from, err := openWith(ctx, "67000", "67010", "67005")
	if err != nil {
		fmt.Println(err)
		return
	}

	to, err := openWith(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	source, target := ingest.BarsOf(from, key), ingest.BarsOf(to, key)
	coverage, err := source.Coverage(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	const pageRows = 100_000 // the bars in memory at once
	for range 2 {
		report, err := ingest.Copy(ctx, ingest.Pages(ctx, source, coverage, pageRows), target, ingest.CopyOptions{})
		if err != nil {
			fmt.Println(err)
			return
		}

		fmt.Println(report.Rows, "bars:", report.Wrote.Inserted, "inserted,", report.Wrote.Unchanged, "unchanged")
	}

	other, err := openWith(ctx, "67000", "66999")
	if err != nil {
		fmt.Println(err)
		return
	}

	target = ingest.BarsOf(other, key)
	_, err = ingest.Copy(ctx, ingest.Pages(ctx, source, coverage, pageRows), target, ingest.CopyOptions{})
	if conflict := (*ingest.ConflictError)(nil); errors.As(err, &conflict) {
		fmt.Println("conflict at", conflict.Time.Format(time.TimeOnly))
	}
	// Output:
	// 3 bars: 3 inserted, 0 unchanged
	// 3 bars: 0 inserted, 3 unchanged
	// conflict at 12:01:00
}

// Two stores are compared bar by bar, in bounded memory. A tolerance lets small differences pass.
func ExampleDiff() {
	ctx := context.Background()
	ours, err := openWith(ctx, "67000", "67010", "67005")
	if err != nil {
		fmt.Println(err)
		return
	}

	theirs, err := openWith(ctx, "67000", "67010.01", "67900")
	if err != nil {
		fmt.Println(err)
		return
	}

	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	noon := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	ranges := []domain.Range{{Start: noon, End: noon.Add(3 * time.Minute)}}
	var tolerance ingest.Tolerance
	for _, f := range []domain.Field{domain.FieldOpen, domain.FieldHigh, domain.FieldLow, domain.FieldClose} {
		tolerance.Fields[f] = domain.MustDecimal("0.05")
	}

	const maxSlots = 1_000_000 // of one request
	left := ingest.StreamBars(ctx, ours, key, ranges, maxSlots)
	right := ingest.StreamBars(ctx, theirs, key, ranges, maxSlots)
	differences, report := ingest.Diff(left, right, tolerance)
	for d, err := range differences {
		if err != nil {
			fmt.Println(err)
			return
		}
		if d.Field == domain.FieldClose.String() {
			fmt.Println(d.Time.Format(time.TimeOnly), d.Field, d.From, d.To)
		}
	}

	fmt.Println(report().Different, "of", report().Compared, "bars differ")
	// Output:
	// 12:02:00 close 67005 67900
	// 1 of 3 bars differ
}

// Stored bars are compared with bars that are resampled from a finer frequency.
func ExampleResampleBars() {
	ctx := context.Background()
	md, err := openWith(ctx, "67000", "67010", "67005", "67020")
	if err != nil {
		fmt.Println(err)
		return
	}

	minutes := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	quarter := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute15.UTC()}
	noon := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	ranges := []domain.Range{{Start: noon, End: noon.Add(15 * time.Minute)}}
	for bars, err := range ingest.ResampleBars(ingest.StreamBars(ctx, md, minutes, ranges, 1_000_000), quarter) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, bar := range bars.All() {
			fmt.Println(bar)
		}
	}
	// Output:
	// 2024-03-04T12:00:00Z o=67000 h=67020 l=67000 c=67020 v=4
}
