package replay_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
)

// The merge equals a sort of all bars, for any number of series and of bars at one instant.
func TestManySeries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		market, store := map[domain.SeriesKey][]domain.Bar{}, memory.New()
		grid := rapid.SampledFrom([]string{"1s", "7s", "1m", "11m", "1h", "1d@Asia/Tokyo"})
		grids := rapid.SliceOfN(grid, 1, 3).Draw(t, "grids")
		for i := range rapid.SampledFrom([]int{1, 15, 16, 17, 100, 256, 257, 600}).Draw(t, "series") {
			k := key(domain.Symbol(fmt.Sprintf("COIN%d/USD", i)), grids[i%len(grids)])
			var bars []domain.Bar
			for j, b := range barsOf(k, 5) {
				if (i*j)%3 < 2 {
					bars = append(bars, b)
				}
			}

			market[k] = bars
			write(t, store, k, bars...)
		}

		within := domain.Range{Start: noon, End: noon.Add(240 * time.Hour)}
		p, err := replay.New(store, clock.NewSimulated(noon), keysOf(market), within, replay.Config{ChunkBars: 2})
		if err != nil {
			t.Fatal(err)
		}

		var events []replay.Event
		for e, err := range p.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
		if want := sorted(market, within); !slices.EqualFunc(events, want, sameEvent) {
			t.Fatalf("got %v\nwant %v", events, want)
		}
	})
}
