package describe

import (
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// statistics computes domain.Statistics piece by piece. It is for one goroutine.
type statistics struct {
	sum    domain.Statistics
	spread domain.Decimal // sum of ask - bid
}

// newStatistics returns a builder for bars of the grid in the window.
func newStatistics(window domain.Range, g domain.Grid) *statistics {
	return &statistics{sum: domain.Statistics{Window: window, Grid: g}}
}

// addBars adds bars. It returns an error that wraps domain.ErrOverflow if the total volume has too many digits.
func (s *statistics) addBars(bars domain.Series) error {
	m := &s.sum
	for _, bar := range bars.All() {
		if m.Bars == 0 || bar.Low.Cmp(m.MinPrice) < 0 {
			m.MinPrice = bar.Low
		}
		if m.Bars == 0 || bar.High.Cmp(m.MaxPrice) > 0 {
			m.MaxPrice = bar.High
		}
		volume, err := m.Volume.Add(bar.Volume)
		if err != nil {
			return fmt.Errorf("total volume of %s: %w", bars.Key(), err)
		}

		m.Volume = volume
		m.Bars++
	}

	return nil
}

// addQuotes adds quotes. It returns an error that wraps domain.ErrOverflow if the sum of the spreads has too many
// digits.
func (s *statistics) addQuotes(q domain.Quotes) error {
	for _, quote := range q.All() {
		spread, err := quote.Ask.Sub(quote.Bid)
		if err == nil {
			s.spread, err = s.spread.Add(spread)
		}
		if err != nil {
			return fmt.Errorf("sum of the spreads of %s: %w", q.Symbol(), err)
		}

		s.sum.Quotes++
	}

	return nil
}

// total returns the statistics of all bars and quotes so far.
func (s *statistics) total() domain.Statistics {
	sum := s.sum
	if sum.Quotes > 0 {
		quotes, _ := domain.NewDecimal(sum.Quotes, 0)
		// The mean is at most the sum, which fits.
		sum.AverageSpread, _ = s.spread.Quo(quotes, domain.MaxScale, domain.RoundHalfEven)
	}

	return sum
}
