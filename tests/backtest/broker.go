package backtest

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
)

// Fill is an order that was executed.
type Fill struct {
	Symbol domain.Symbol
	Side   Side
	Given  time.Time      // when the strategy gave the order
	At     time.Time      // when it was filled
	Price  domain.Decimal // exact
}

// String returns one line: "2024-03-04T09:05:00Z buy BTC/USD at 67000.5, given 2024-03-04T09:05:00Z".
func (f Fill) String() string {
	return fmt.Sprintf("%s %s %s at %s, given %s",
		f.At.Format(time.RFC3339), f.Side, f.Symbol, f.Price, f.Given.Format(time.RFC3339))
}

// Broker simulates execution: it fills a market order at the open of the next bar. Only the broker has a Lookahead,
// because that bar is not known yet.
type Broker struct {
	Future *replay.Lookahead
	Fills  []Fill
}

// Execute fills the order. It does nothing if no bar follows.
func (b *Broker) Execute(ctx context.Context, key domain.SeriesKey, side Side, now time.Time) error {
	next, found, err := b.Future.Next(ctx, key)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}

	if found {
		b.Fills = append(b.Fills, Fill{Symbol: key.Symbol, Side: side, Given: now, At: next.OpenTime, Price: next.Open})
	}

	return nil
}
