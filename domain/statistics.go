package domain

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"
)

// Statistics says how a symbol traded within a window.
type Statistics struct {
	Window Range `json:"window"`

	Bars     int64   `json:"bars"`          // bars looked at; without one, prices and volume say nothing
	Grid     Grid    `json:"grid,omitzero"` // of those bars
	MinPrice Decimal `json:"min_price"`     // lowest low
	MaxPrice Decimal `json:"max_price"`     // highest high
	Volume   Decimal `json:"volume"`        // total

	Quotes        int64   `json:"quotes"`         // quotes looked at; without one, the spread says nothing
	AverageSpread Decimal `json:"average_spread"` // mean of ask - bid over the quotes, rounded half to even at 18 digits after the point
}

// StatisticsBuilder makes Statistics piece by piece. It is for one goroutine.
type StatisticsBuilder struct {
	made   Statistics
	spread Decimal // sum of ask - bid
}

// NewStatisticsBuilder returns a builder over bars of the grid in the window.
func NewStatisticsBuilder(window Range, g Grid) *StatisticsBuilder {
	return &StatisticsBuilder{made: Statistics{Window: window, Grid: g}}
}

// AddBars takes the next bars. A sum beyond what a Decimal holds is an error that wraps ErrOverflow.
func (b *StatisticsBuilder) AddBars(s Series) error {
	m := &b.made
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

// AddQuotes takes the next quotes. A sum beyond what a Decimal holds is an error that wraps ErrOverflow.
func (b *StatisticsBuilder) AddQuotes(q Quotes) error {
	for _, quote := range q.All() {
		spread, err := quote.Ask.Sub(quote.Bid)
		if err == nil {
			b.spread, err = b.spread.Add(spread)
		}
		if err != nil {
			return fmt.Errorf("sum of the spreads of %s: %w", q.symbol, err)
		}

		b.made.Quotes++
	}
	return nil
}

// Statistics is what was added up so far.
func (b *StatisticsBuilder) Statistics() (Statistics, error) {
	made := b.made
	if made.Quotes == 0 {
		return made, nil
	}

	c := apd.BaseContext.WithPrecision(2 * (MaxIntegerDigits + MaxScale))
	c.Rounding = apd.RoundHalfEven
	var mean apd.Decimal
	if _, err := c.Quo(&mean, b.spread.APD(), apd.New(made.Quotes, 0)); err != nil {
		return Statistics{}, fmt.Errorf("average spread: %w", err)
	}
	if _, err := c.Quantize(&mean, &mean, -MaxScale); err != nil {
		return Statistics{}, fmt.Errorf("average spread: %w", err)
	}

	var err error
	made.AverageSpread, err = DecimalFromAPD(&mean)
	return made, err
}
