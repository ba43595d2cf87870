package domain

import (
	"strings"
)

// PriceKind says what a bar's prices are prices of. The zero value is PriceTrade.
type PriceKind uint8

// The price kinds.
const (
	PriceTrade PriceKind = iota
	PriceBid
	PriceAsk
	PriceMid
	PriceMark
	PriceIndex
)

var priceKinds = [...]string{"trade", "bid", "ask", "mid", "mark", "index"}

// ParsePriceKind reads trade, bid, ask, mid, mark or index.
func ParsePriceKind(s string) (PriceKind, error) {
	for k, text := range priceKinds {
		if s == text {
			return PriceKind(k), nil
		}
	}
	return 0, invalid("price kind", s, "one of %s", strings.Join(priceKinds[:], ", "))
}

// Validate refuses a kind made by conversion that is none of the constants.
func (k PriceKind) Validate() error {
	if int(k) >= len(priceKinds) {
		return invalid("price kind", k.String(), "one of %s", strings.Join(priceKinds[:], ", "))
	}
	return nil
}

// String is the kind's text.
func (k PriceKind) String() string {
	if int(k) < len(priceKinds) {
		return priceKinds[k]
	}
	return "unknown"
}

// MarshalText is String.
func (k PriceKind) MarshalText() ([]byte, error) { return []byte(k.String()), k.Validate() }

// UnmarshalText is ParsePriceKind.
func (k *PriceKind) UnmarshalText(b []byte) (err error) {
	*k, err = ParsePriceKind(string(b))
	return err
}
