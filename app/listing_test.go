package app_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// countedListing counts how often the coverage of a store is read.
type countedListing struct {
	*memory.Store

	isPaged bool
	reads   int
}

func (c *countedListing) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	c.reads++
	return c.Store.Extents(ctx, q)
}

func (c *countedListing) ListsOnePage() bool { return !c.isPaged }

// TestListingOfOnePage lists more series than a page has. A store that has one page is asked once, another one for each
// page, and both listings are the same.
func TestListingOfOnePage(t *testing.T) {
	t.Parallel()
	const series = 25_000
	store := memory.New()
	start := domain.Minute1.UTC().Floor(clock.NewSystem().Now().Add(-time.Hour))
	writes := make([]ports.BarWrite, series)
	for i := range writes {
		key := domain.SeriesKey{Symbol: domain.Symbol(fmt.Sprintf("S%05d/USD", i)), Grid: domain.Minute1.UTC()}
		bars, err := domain.NewSeries(key, domain.Bar{OpenTime: start})
		if err != nil {
			t.Fatal(err)
		}
		writes[i] = ports.BarWrite{Bars: bars, Coverage: bars.Range()}
	}
	for _, result := range store.WriteBatch(t.Context(), writes) {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
	}

	var listings [2][]ports.StoreExtent
	for i, wantReads := range []int{1, 3} {
		counted := &countedListing{Store: store, isPaged: i == 1}
		md, err := app.New([]app.Source{{Name: "store", Bars: counted, Catalog: store}}, clock.NewSystem(), nil, app.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if listings[i], err = ports.Collect(md.Coverage(t.Context())); err != nil {
			t.Fatal(err)
		}
		if counted.reads != wantReads {
			t.Errorf("listing %d: %d reads of the coverage, want %d", i, counted.reads, wantReads)
		}
	}
	if len(listings[0]) != series || !slices.Equal(listings[0], listings[1]) {
		t.Errorf("got %d and %d extents of %d", len(listings[0]), len(listings[1]), series)
	}
}
