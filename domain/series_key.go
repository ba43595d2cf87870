package domain

import (
	"cmp"
	"strings"
)

// SeriesKey identifies a series by its symbol, the grid of its bars, and the type of their prices. It is comparable.
type SeriesKey struct {
	Symbol    Symbol    `json:"symbol"`
	Grid      Grid      `json:"frequency"`
	PriceType PriceType `json:"price_type"`
}

// NewSeriesKey returns the key, or an error that wraps ErrInvalid if a part is invalid.
func NewSeriesKey(s Symbol, g Grid, p PriceType) (SeriesKey, error) {
	key := SeriesKey{Symbol: s, Grid: g, PriceType: p}
	return key, key.Validate()
}

// Validate returns an error that wraps ErrInvalid if a part is invalid.
func (k SeriesKey) Validate() error {
	if err := k.Symbol.Validate(); err != nil {
		return err
	}
	if err := k.Grid.Validate(); err != nil {
		return err
	}

	return k.PriceType.Validate()
}

// ParseSeriesKey parses the result of String. It returns an error that wraps ErrInvalid for any other text.
func ParseSeriesKey(s string) (SeriesKey, error) {
	parts := strings.Split(s, " ")
	if len(parts) != 2 && len(parts) != 3 {
		return SeriesKey{}, invalid("series key", s,
			"write a symbol, a frequency and optionally a price type, like \"BTC/USD 1m bid\"")
	}

	grid, err := ParseGrid(parts[1])
	if err != nil {
		return SeriesKey{}, err
	}

	var price PriceType
	if len(parts) == 3 {
		if price, err = ParsePriceType(parts[2]); err != nil {
			return SeriesKey{}, err
		}
	}

	return NewSeriesKey(Symbol(parts[0]), grid, price)
}

// String returns the symbol, the grid, and the price type unless it is trade: "BTC/USD 1m", "BTC/USD
// 1d@America/New_York bid".
func (k SeriesKey) String() string {
	s := string(k.Symbol) + " " + k.Grid.String()
	if k.PriceType != PriceTrade {
		s += " " + k.PriceType.String()
	}

	return s
}

// Compare returns -1, 0 or 1. It orders keys by symbol, length of the bars, zone, and price type.
func (k SeriesKey) Compare(o SeriesKey) int {
	return cmp.Or(
		cmp.Compare(k.Symbol, o.Symbol),
		cmp.Compare(k.Grid.frequency.Nominal(), o.Grid.frequency.Nominal()),
		cmp.Compare(k.Grid.frequency, o.Grid.frequency),
		cmp.Compare(k.Grid.zone, o.Grid.zone),
		cmp.Compare(k.PriceType, o.PriceType),
	)
}
