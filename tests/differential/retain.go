package differential

import (
	"context"
	"fmt"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/gen"
)

// retentions generates deletions of the bars of a series up to a time, which need not be on its grid.
func retentions() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		key := gen.Key().Draw(t, "key")
		before := gen.TickRange().Draw(t, "ticks").Start
		if rapid.Bool().Draw(t, "on the grid") {
			before = gen.Range(key.Grid).Draw(t, "range").Start
		}

		return operation{
			text: fmt.Sprintf("retain %s from %s", key, before),
			apply: func(ctx context.Context, s contract.Store) string {
				return retain(s, func(md *app.Service) (ingest.RetainReport, error) {
					return ingest.Retain(ctx, ingest.BarsOf(md, key), before)
				})
			},
		}
	})
}

// tickRetentions generates deletions of the trades or the quotes of a symbol up to a time.
func tickRetentions() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		symbol := rapid.SampledFrom(gen.Symbols()).Draw(t, "symbol")
		before := gen.TickRange().Draw(t, "range").Start
		ofTrades := rapid.Bool().Draw(t, "trades")

		return operation{
			text: fmt.Sprintf("retain %s from %s, trades %t", symbol, before, ofTrades),
			apply: func(ctx context.Context, s contract.Store) string {
				return retain(s, func(md *app.Service) (ingest.RetainReport, error) {
					if ofTrades {
						return ingest.Retain(ctx, ingest.TradesOf(md, symbol), before)
					}
					return ingest.Retain(ctx, ingest.QuotesOf(md, symbol), before)
				})
			},
		}
	})
}

// retain calls the application over the store, long after all data of it.
func retain(s contract.Store, call func(md *app.Service) (ingest.RetainReport, error)) string {
	source := app.Source{Name: "store", Bars: s.Bars, Ticks: s.Ticks, Catalog: s.Catalog}
	md, err := app.New([]app.Source{source}, clock.NewSimulated(everything.End), nil, app.Config{})
	if err != nil {
		return err.Error()
	}

	report, err := call(md)

	return fmt.Sprintf("%d in %s %s", report.Deleted, report.Range, failure(err))
}
