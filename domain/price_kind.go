package domain

import (
	"strings"
)

// PriceType says what a bar's prices are prices of. The zero value is PriceTrade.
type PriceType uint8

// The price kinds.
const (
	PriceTrade PriceType = iota
	PriceBid
	PriceAsk
	PriceMid
	PriceMark
	PriceIndex
)

var priceKinds = [...]string{"trade", "bid", "ask", "mid", "mark", "index"}

// ParsePriceType reads trade, bid, ask, mid, mark or index.
func ParsePriceType(s string) (PriceType, error) {
	for k, text := range priceKinds {
		if s == text {
			return PriceType(k), nil
		}
	}
	return 0, invalid("price kind", s, "one of %s", strings.Join(priceKinds[:], ", "))
}

// Validate refuses a kind made by conversion that is none of the constants.
func (k PriceType) Validate() error {
	if int(k) >= len(priceKinds) {
		return invalid("price kind", k.String(), "one of %s", strings.Join(priceKinds[:], ", "))
	}
	return nil
}

// String is the kind's text.
func (k PriceType) String() string {
	if int(k) < len(priceKinds) {
		return priceKinds[k]
	}
	return "unknown"
}

// MarshalText is String.
func (k PriceType) MarshalText() ([]byte, error) { return []byte(k.String()), k.Validate() }

// UnmarshalText is ParsePriceType.
func (k *PriceType) UnmarshalText(b []byte) (err error) {
	*k, err = ParsePriceType(string(b))
	return err
}
