package backtest

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Side is the direction of an order.
type Side string

// The sides.
const (
	Buy  Side = "buy"
	Sell Side = "sell"
)

// MovingAverages buys a symbol when the mean of its last few closes rises above the mean of its last many, and sells it
// when it falls below. It runs unchanged in a backtest and live, because it depends on the provider only.
type MovingAverages struct {
	Market    ports.HistoricalDataProvider
	Few, Many int // closes in the two means, Few < Many

	holds  map[domain.SeriesKey]bool
	closes []float64
}

// BarClosed returns the order to give after a bar of the series has closed. ok is false if there is none.
func (m *MovingAverages) BarClosed(ctx context.Context, key domain.SeriesKey) (side Side, ok bool, err error) {
	result, err := m.Market.Fetch(ctx, domain.DataRequest{Key: key, Last: m.Many})
	if err != nil {
		return "", false, fmt.Errorf("moving averages: %w", err)
	}
	if result.Series.Len() < m.Many {
		return "", false, nil
	}

	m.closes = result.Series.Floats(domain.FieldClose, m.closes[:0])
	few, many := mean(m.closes[m.Many-m.Few:]), mean(m.closes)
	if m.holds == nil {
		m.holds = map[domain.SeriesKey]bool{}
	}
	switch {
	case few > many && !m.holds[key]:
		m.holds[key] = true
		return Buy, true, nil
	case few < many && m.holds[key]:
		m.holds[key] = false
		return Sell, true, nil
	}

	return "", false, nil
}

func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}

	return sum / float64(len(values))
}
