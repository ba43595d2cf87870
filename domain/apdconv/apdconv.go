// Package apdconv converts between domain.Decimal and the decimals of github.com/cockroachdb/apd, for drivers that take
// them and for arithmetic that Decimal does not offer. It is a package of its own, because a program that needs no such
// conversion should link neither apd nor math/big.
package apdconv

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/gal-friday/marketdata/domain"
)

// ToDecimal converts x, which it neither keeps nor changes. It returns an error that wraps domain.ErrInvalid if x is
// NaN or infinite or has too many digits; in the last case the error also wraps domain.ErrOverflow.
func ToDecimal(x *apd.Decimal) (domain.Decimal, error) {
	if x.Form != apd.Finite {
		return domain.Decimal{}, fmt.Errorf("decimal %s: not a finite number: %w", x, domain.ErrInvalid)
	}

	var r apd.Decimal
	r.Reduce(x)
	digits := r.NumDigits() + int64(r.Exponent) // before the point
	if digits > domain.MaxIntegerDigits || r.Exponent < -domain.MaxScale {
		return domain.Decimal{}, fmt.Errorf("decimal %s: at most %d digits before and %d after the point: %w: %w",
			x.Text('e'), domain.MaxIntegerDigits, domain.MaxScale, domain.ErrOverflow, domain.ErrInvalid)
	}

	return domain.ParseDecimal(r.Text('f'))
}

// FromDecimal converts d to a new apd.Decimal, whose exponent is 0 or less.
func FromDecimal(d domain.Decimal) *apd.Decimal {
	x, _, _ := apd.NewFromString(d.String()) // a plain number of at most 38 digits always parses
	return x
}
