package domain

import (
	"strings"
)

// PriceType is the type of the prices of a bar. The zero value is PriceTrade.
type PriceType uint8

// The price types.
const (
	PriceTrade PriceType = iota
	PriceBid
	PriceAsk
	PriceMid
	PriceMark
	PriceIndex
)

var priceTypes = [...]string{"trade", "bid", "ask", "mid", "mark", "index"}

// ParsePriceType parses trade, bid, ask, mid, mark or index. It returns an error that wraps ErrInvalid for any other
// text.
func ParsePriceType(s string) (PriceType, error) {
	for k, text := range priceTypes {
		if s == text {
			return PriceType(k), nil
		}
	}

	return 0, invalid("price type", s, "one of %s", strings.Join(priceTypes[:], ", "))
}

// Validate returns an error that wraps ErrInvalid if the type is none of the constants.
func (p PriceType) Validate() error {
	if int(p) >= len(priceTypes) {
		return invalid("price type", p.String(), "one of %s", strings.Join(priceTypes[:], ", "))
	}
	return nil
}

// String returns the text of the type, or unknown if it is none of the constants.
func (p PriceType) String() string {
	if int(p) < len(priceTypes) {
		return priceTypes[p]
	}
	return "unknown"
}

// MarshalText returns String, or the error of Validate.
func (p PriceType) MarshalText() ([]byte, error) { return []byte(p.String()), p.Validate() }

// UnmarshalText parses the text as ParsePriceType does.
func (p *PriceType) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePriceType(string(b))
	return err
}
