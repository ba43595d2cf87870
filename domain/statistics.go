package domain

import "fmt"

// Statistics summarizes the trading of a symbol in a window.
type Statistics struct {
	Window Range `json:"window"`

	Bars     int64   `json:"bars"`          // number of bars; without any, prices and volume are 0
	Grid     Grid    `json:"grid,omitzero"` // of the bars
	MinPrice Decimal `json:"min_price"`     // lowest low
	MaxPrice Decimal `json:"max_price"`     // highest high
	Volume   Decimal `json:"volume"`        // total

	Quotes        int64   `json:"quotes"`         // number of quotes; without any, the spread is 0
	AverageSpread Decimal `json:"average_spread"` // mean of ask - bid, rounded half to even to 18 digits after the point
}

// StatisticsBuilder computes Statistics piece by piece. It is for one goroutine.
type StatisticsBuilder struct {
	sum    Statistics
	spread Decimal // sum of ask - bid
}

// NewStatisticsBuilder returns a builder for bars of the grid in the window.
func NewStatisticsBuilder(window Range, g Grid) *StatisticsBuilder {
	return &StatisticsBuilder{sum: Statistics{Window: window, Grid: g}}
}

// AddBars adds bars. It returns an error that wraps ErrOverflow if the total volume has too many digits.
func (b *StatisticsBuilder) AddBars(s Series) error {
	m := &b.sum
	for _, bar := range s.All() {
		if m.Bars == 0 || bar.Low.Cmp(m.MinPrice) < 0 {
			m.MinPrice = bar.Low
		}
		if m.Bars == 0 || bar.High.Cmp(m.MaxPrice) > 0 {
			m.MaxPrice = bar.High
		}
		volume, err := m.Volume.Add(bar.Volume)
		if err != nil {
			return fmt.Errorf("total volume of %s: %w", s.key, err)
		}

		m.Volume = volume
		m.Bars++
	}

	return nil
}

// AddQuotes adds quotes. It returns an error that wraps ErrOverflow if the sum of the spreads has too many digits.
func (b *StatisticsBuilder) AddQuotes(q Quotes) error {
	for _, quote := range q.All() {
		spread, err := quote.Ask.Sub(quote.Bid)
		if err == nil {
			b.spread, err = b.spread.Add(spread)
		}
		if err != nil {
			return fmt.Errorf("sum of the spreads of %s: %w", q.symbol, err)
		}

		b.sum.Quotes++
	}

	return nil
}

// Statistics returns the statistics of all bars and quotes so far.
func (b *StatisticsBuilder) Statistics() Statistics {
	sum := b.sum
	if sum.Quotes > 0 {
		// The mean is at most the sum, which fits.
		sum.AverageSpread, _ = b.spread.Quo(fromInt64(sum.Quotes, 0), MaxScale, RoundHalfEven)
	}

	return sum
}
