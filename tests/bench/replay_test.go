package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// One-minute bars of a hundred symbols, merged from the memory store while a simulated clock advances: by instant, bar
// by bar, and, as the baseline, series by series without order and clock.
func BenchmarkReplay(b *testing.B) {
	const symbols, bars = 100, 20_000
	ctx := context.Background()
	store := memory.New()
	var (
		keys []domain.SeriesKey
		all  []domain.Series
	)
	for i := range symbols {
		s := gen.Walk(domain.Symbol(fmt.Sprintf("COIN%d/USD", i)), bars)
		must(ports.WriteBars(ctx, store, s, s.Range(), ports.ConflictReplace))
		keys, all = append(keys, s.Key()), append(all, s)
	}

	within := all[0].Range()
	play := func() *replay.Replay {
		return must(replay.New(store, clock.NewSimulated(within.Start), keys, within, replay.Config{}))
	}
	report(b, symbols*bars,
		way{name: "steps", run: func() {
			for step, err := range play().Steps(ctx) {
				check(err)
				for _, c := range step.Bars {
					sink += c.Bar.Trades
				}
			}
		}},
		way{name: "events", run: func() {
			for event, err := range play().Events(ctx) {
				check(err)
				sink += event.Bar.Trades
			}
		}},
		way{name: "floor", run: func() {
			for _, s := range all {
				for _, bar := range s.All() {
					sink += bar.Trades
				}
			}
		}},
	)
}
