package domain

import (
	"strings"
)

// SymbolMeta is what is known of a symbol.
type SymbolMeta struct {
	Symbol Symbol  `json:"symbol"`
	Venue  string  `json:"venue"` // "" where none is known
	Base   string  `json:"base"`  // what is traded: BTC of BTC/USD
	Quote  string  `json:"quote"` // what it is priced in: USD of BTC/USD
	Tick   Decimal `json:"tick"`  // smallest step of a price; 0 where unknown
	Lot    Decimal `json:"lot"`   // smallest step of a size; 0 where unknown
	Zone   string  `json:"zone"`  // IANA name of the venue's time zone; "" is UTC
}

// NewSymbolMeta returns what the symbol's own text tells: its venue, and base and quote where it has the form
// BASE/QUOTE or BASE/QUOTE:CONTRACT.
func NewSymbolMeta(s Symbol) SymbolMeta {
	m := SymbolMeta{Symbol: s, Venue: s.Venue()}
	if base, quote, found := strings.Cut(s.Instrument(), "/"); found {
		m.Base = base
		m.Quote, _, _ = strings.Cut(quote, ":")
	}

	return m
}

// Validate refuses a symbol that is not valid, a negative tick or lot, and an unknown time zone.
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

// Equal reports whether both say the same.
func (m SymbolMeta) Equal(o SymbolMeta) bool {
	return m.Symbol == o.Symbol && m.Venue == o.Venue && m.Base == o.Base && m.Quote == o.Quote && m.Zone == o.Zone &&
		m.Tick.Equal(o.Tick) && m.Lot.Equal(o.Lot)
}
