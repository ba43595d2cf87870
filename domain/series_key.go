package domain

import (
	"cmp"
	"strings"
)

// SeriesKey names one series: the symbol, the grid its bars lie on, and what their prices are prices of. It is
// comparable.
type SeriesKey struct {
	Symbol    Symbol    `json:"symbol"`
	Grid      Grid      `json:"grid"`
	PriceType PriceType `json:"kind"`
}

// NewSeriesKey refuses a symbol, grid or kind that is not valid.
func NewSeriesKey(s Symbol, g Grid, k PriceType) (SeriesKey, error) {
	key := SeriesKey{Symbol: s, Grid: g, PriceType: k}
	return key, key.Validate()
}

// Validate refuses a key with a part that is not valid.
func (k SeriesKey) Validate() error {
	if err := k.Symbol.Validate(); err != nil {
		return err
	}
	if err := k.Grid.Validate(); err != nil {
		return err
	}

	return k.PriceType.Validate()
}

// ParseSeriesKey reads what String writes.
func ParseSeriesKey(s string) (SeriesKey, error) {
	parts := strings.Split(s, " ")
	if len(parts) != 2 && len(parts) != 3 {
		return SeriesKey{}, invalid("series key", s, "write a symbol, a grid and perhaps a price kind, like \"BTC/USD 1m bid\"")
	}

	grid, err := ParseGrid(parts[1])
	if err != nil {
		return SeriesKey{}, err
	}

	var kind PriceType
	if len(parts) == 3 {
		if kind, err = ParsePriceType(parts[2]); err != nil {
			return SeriesKey{}, err
		}
	}

	return NewSeriesKey(Symbol(parts[0]), grid, kind)
}

// String is the symbol, the grid, and the kind unless it is trade: "BTC/USD 1m", "BTC/USD 1d@America/New_York bid".
func (k SeriesKey) String() string {
	s := string(k.Symbol) + " " + k.Grid.String()
	if k.PriceType != PriceTrade {
		s += " " + k.PriceType.String()
	}
	return s
}

// Compare orders keys by symbol, then by the length of their bars, then by zone, then by kind.
func (k SeriesKey) Compare(o SeriesKey) int {
	return cmp.Or(
		cmp.Compare(k.Symbol, o.Symbol),
		cmp.Compare(k.Grid.frequency.Nominal(), o.Grid.frequency.Nominal()),
		cmp.Compare(k.Grid.frequency, o.Grid.frequency),
		cmp.Compare(k.Grid.zone, o.Grid.zone),
		cmp.Compare(k.PriceType, o.PriceType),
	)
}
