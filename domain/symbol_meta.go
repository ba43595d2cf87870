package domain

import (
	"strings"
)

// SymbolMeta is the metadata of a symbol.
type SymbolMeta struct {
	Symbol Symbol  `json:"symbol"`
	Venue  string  `json:"venue"` // "" if unknown
	Base   string  `json:"base"`  // the traded asset: BTC of BTC/USD
	Quote  string  `json:"quote"` // the asset of the prices: USD of BTC/USD
	Tick   Decimal `json:"tick"`  // price increment; 0 if unknown
	Lot    Decimal `json:"lot"`   // size increment; 0 if unknown
	Zone   string  `json:"zone"`  // IANA name of the time zone of the venue; "" means UTC
}

// NewSymbolMeta returns the metadata that the name of the symbol contains: the venue, and base and quote if the name is
// BASE/QUOTE or BASE/QUOTE:CONTRACT.
func NewSymbolMeta(s Symbol) SymbolMeta {
	m := SymbolMeta{Symbol: s, Venue: s.Venue()}
	if base, quote, found := strings.Cut(s.Instrument(), "/"); found {
		m.Base = base
		m.Quote, _, _ = strings.Cut(quote, ":")
	}

	return m
}

// Validate returns an error that wraps ErrInvalid if the symbol is invalid, the tick or lot is negative, or the time
// zone is unknown.
func (m SymbolMeta) Validate() error {
	if err := m.Symbol.Validate(); err != nil {
		return err
	}
	if m.Tick.Sign() < 0 || m.Lot.Sign() < 0 {
		return invalid("symbol", string(m.Symbol), "tick %s and lot %s must not be negative", m.Tick, m.Lot)
	}
	if _, err := location(m.Zone); err != nil {
		return invalid("time zone", m.Zone, "unknown; give an IANA name like America/New_York")
	}

	return nil
}

// Equal reports whether all fields are equal. It compares decimals as numbers.
func (m SymbolMeta) Equal(o SymbolMeta) bool {
	return m.Symbol == o.Symbol && m.Venue == o.Venue && m.Base == o.Base && m.Quote == o.Quote && m.Zone == o.Zone &&
		m.Tick.Equal(o.Tick) && m.Lot.Equal(o.Lot)
}
