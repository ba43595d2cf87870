package domain

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"
)

const (
	// MaxScale is the most digits a Decimal has after the point.
	MaxScale = 18
	// MaxIntegerDigits is the most digits a Decimal has before the point.
	MaxIntegerDigits = 20

	maxDecimalText = 128 // a longer spelling is refused unread
	maxExponent    = 64  // beyond it no spelling of at most maxDecimalText bytes is in range
)

// Decimal is an exact decimal number of at most 20 digits before and 18 after the point. It is a number, not a spelling: 1.0
// equals 1.00, -0 is 0, and its text has no trailing zeros. The zero value is 0. Decimals are values, safe to copy and share;
// they are compared with Equal and Cmp, and the compiler refuses ==, which would compare spellings.
//
// A coefficient of 64 bits is worked on directly; a wider one (up to 127 bits) goes through apd.
type Decimal struct {
	_     [0]func() // makes == a compile error
	hi    int64     // the coefficient as a 128-bit two's complement number, hi<<64 | lo
	lo    uint64
	scale uint8 // digits after the point, 0 to MaxScale
}

var pow10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// exact does arithmetic that may not round: 40 digits hold any sum of two Decimals.
var exact = func() *apd.Context {
	c := apd.BaseContext.WithPrecision(40)
	c.Traps |= apd.Inexact
	return c
}()

// NewDecimal returns coefficient / 10^scale. A scale above MaxScale is refused.
func NewDecimal(coefficient int64, scale uint8) (Decimal, error) {
	if scale > MaxScale {
		return Decimal{}, invalid("decimal scale", strconv.Itoa(int(scale)), "at most %d digits after the point", MaxScale)
	}
	return narrow(coefficient, scale), nil
}

func narrow(coefficient int64, scale uint8) Decimal {
	return Decimal{hi: coefficient >> 63, lo: uint64(coefficient), scale: scale}
}

// MustDecimal parses a constant and panics where ParseDecimal refuses it.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

// ParseDecimal reads "-12.5", "0.001" or "1e-8": digits, a point between digits, an exponent. Signs other than a leading minus,
// blanks, separators, infinities and NaN are refused, as is a number of too many digits.
func ParseDecimal(s string) (Decimal, error) { return parseDecimal(s) }

// ParseDecimalBytes is ParseDecimal for a byte slice, which it does not keep.
func ParseDecimalBytes(b []byte) (Decimal, error) { return parseDecimal(b) }

func parseDecimal[T string | []byte](s T) (Decimal, error) {
	var (
		u        uint64
		i        int
		negative bool
		fraction = -1 // digits after the point; -1 before one is seen
	)
	if len(s) > 0 && s[0] == '-' {
		negative, i = true, 1
	}
	first := i
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && fraction < 0 && i > first {
			fraction = 0
			continue
		}
		if c < '0' || c > '9' || u > (math.MaxInt64-9)/10 || fraction == MaxScale {
			return parseDecimalSlowly(string(s))
		}
		u = u*10 + uint64(c-'0')
		if fraction >= 0 {
			fraction++
		}
	}
	if i == first || fraction == 0 {
		return parseDecimalSlowly(string(s))
	}
	n := int64(u)
	if negative {
		n = -n
	}
	return narrow(n, uint8(max(fraction, 0))), nil
}

// parseDecimalSlowly takes what the loop above does not: exponents, many digits, and everything that is wrong.
func parseDecimalSlowly(s string) (Decimal, error) {
	if len(s) > maxDecimalText {
		return Decimal{}, invalid("decimal", s, "longer than %d bytes", maxDecimalText)
	}
	exponent, ok := scanDecimal(s)
	if !ok {
		return Decimal{}, invalid("decimal", s, "not a decimal number like 123.45")
	}
	if exponent < -maxExponent || exponent > maxExponent {
		return Decimal{}, invalid("decimal", s, "exponent beyond %d", maxExponent)
	}
	x, _, err := apd.NewFromString(s)
	if err != nil {
		return Decimal{}, invalid("decimal", s, "not a decimal number like 123.45")
	}
	return DecimalFromAPD(x)
}

// scanDecimal checks -?digits(.digits)?([eE][+-]?digits)? and reads the exponent.
func scanDecimal(s string) (exponent int, ok bool) {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	skip := func(chars string) bool {
		if s != "" && bytes.IndexByte([]byte(chars), s[0]) >= 0 {
			s = s[1:]
			return true
		}
		return false
	}
	skip("-")
	if !digits() || skip(".") && !digits() {
		return 0, false
	}
	if skip("eE") {
		text := s
		skip("+-")
		if !digits() {
			return 0, false
		}
		n, err := strconv.Atoi(text[:len(text)-len(s)])
		if err != nil {
			n = maxExponent + 1
		}
		exponent = n
	}
	return exponent, s == ""
}

// DecimalFromAPD takes over x's value. NaN, infinities and numbers of too many digits are refused. x is not kept or changed.
func DecimalFromAPD(x *apd.Decimal) (Decimal, error) {
	if x.Form != apd.Finite {
		return Decimal{}, invalid("decimal", x.String(), "not a finite number")
	}
	if x.IsZero() {
		return Decimal{}, nil
	}
	var r apd.Decimal
	r.Reduce(x)
	digits := r.NumDigits() + int64(r.Exponent) // before the point
	if digits > MaxIntegerDigits || r.Exponent < -MaxScale {
		return Decimal{}, fmt.Errorf("decimal %s: at most %d digits before and %d after the point: %w: %w",
			x.Text('e'), MaxIntegerDigits, MaxScale, ErrOverflow, ErrInvalid)
	}
	if r.Exponent > 0 {
		var ten apd.BigInt
		ten.Exp(apd.NewBigInt(10), apd.NewBigInt(int64(r.Exponent)), nil)
		r.Coeff.Mul(&r.Coeff, &ten)
		r.Exponent = 0
	}
	var high, low apd.BigInt
	high.Rsh(&r.Coeff, 64)
	low.Sub(&r.Coeff, high.Lsh(&high, 64))
	high.Rsh(&high, 64)
	d := Decimal{hi: int64(high.Uint64()), lo: low.Uint64(), scale: uint8(-r.Exponent)}
	if r.Negative {
		d = d.Neg()
	}
	return d, nil
}

// APD returns the number as a new apd.Decimal, for the drivers and the arithmetic that speak it.
func (d Decimal) APD() *apd.Decimal {
	hi, lo := d.magnitude()
	x := &apd.Decimal{Negative: d.hi < 0, Exponent: -int32(d.scale)}
	x.Coeff.SetUint64(hi)
	x.Coeff.Lsh(&x.Coeff, 64)
	var low apd.BigInt
	x.Coeff.Add(&x.Coeff, low.SetUint64(lo))
	return x
}

func (d Decimal) magnitude() (hi, lo uint64) {
	if d.hi >= 0 {
		return uint64(d.hi), d.lo
	}
	lo, borrow := bits.Sub64(0, d.lo, 0)
	hi, _ = bits.Sub64(0, uint64(d.hi), borrow)
	return hi, lo
}

func (d Decimal) isNarrow() bool { return d.hi == int64(d.lo)>>63 }

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.hi < 0:
		return -1
	case d.hi == 0 && d.lo == 0:
		return 0
	}
	return 1
}

// IsZero reports whether the number is 0.
func (d Decimal) IsZero() bool { return d.Sign() == 0 }

// Neg returns -d.
func (d Decimal) Neg() Decimal {
	lo, borrow := bits.Sub64(0, d.lo, 0)
	hi, _ := bits.Sub64(0, uint64(d.hi), borrow)
	return Decimal{hi: int64(hi), lo: lo, scale: d.scale}
}

// Cmp is -1 where d < o, 0 where they are the same number, 1 where d > o.
func (d Decimal) Cmp(o Decimal) int {
	if d.scale == o.scale {
		switch {
		case d.hi < o.hi, d.hi == o.hi && d.lo < o.lo:
			return -1
		case d.hi == o.hi && d.lo == o.lo:
			return 0
		}
		return 1
	}
	scale := max(d.scale, o.scale)
	a, okA := d.at(scale)
	b, okB := o.at(scale)
	if okA && okB {
		return a.Cmp(b)
	}
	return d.APD().Cmp(o.APD())
}

// Equal reports whether both are the same number, however spelled.
func (d Decimal) Equal(o Decimal) bool { return d.Cmp(o) == 0 }

// Add returns the exact sum, or an error that wraps ErrOverflow where it needs too many digits.
func (d Decimal) Add(o Decimal) (Decimal, error) {
	scale := max(d.scale, o.scale)
	a, okA := d.at(scale)
	b, okB := o.at(scale)
	if okA && okB && a.isNarrow() && b.isNarrow() {
		x, y := int64(a.lo), int64(b.lo)
		if sum := x + y; (x^sum)&(y^sum) >= 0 {
			return narrow(sum, scale), nil
		}
	}
	return apdSum(d, o)
}

// apdSum is the wide path of Add.
func apdSum(d, o Decimal) (Decimal, error) {
	var sum apd.Decimal
	if _, err := exact.Add(&sum, d.APD(), o.APD()); err != nil {
		return Decimal{}, fmt.Errorf("%s + %s: %w", d, o, ErrOverflow)
	}
	return DecimalFromAPD(&sum)
}

// Sub returns the exact difference, or an error that wraps ErrOverflow.
func (d Decimal) Sub(o Decimal) (Decimal, error) { return d.Add(o.Neg()) }

// at spells d with the given, not smaller, scale; ok is false where 127 bits do not hold that.
func (d Decimal) at(scale uint8) (Decimal, bool) {
	if d.scale == scale {
		return d, true
	}
	hi, lo := d.magnitude()
	factor := pow10[scale-d.scale]
	carry, low := bits.Mul64(lo, factor)
	over, high := bits.Mul64(hi, factor)
	high, c := bits.Add64(high, carry, 0)
	if over != 0 || c != 0 || high > math.MaxInt64 {
		return Decimal{}, false
	}
	w := Decimal{hi: int64(high), lo: low, scale: scale}
	if d.hi < 0 {
		w = w.Neg()
	}
	return w, true
}

// reduced is d without trailing zeros.
func (d Decimal) reduced() Decimal {
	if d.isNarrow() {
		n := int64(d.lo)
		for d.scale > 0 && n%10 == 0 {
			n /= 10
			d.scale--
		}
		return narrow(n, d.scale)
	}
	hi, lo := d.magnitude()
	scale := d.scale
	for scale > 0 {
		qhi, r := hi/10, hi%10
		qlo, r := bits.Div64(r, lo, 10)
		if r != 0 {
			break
		}
		hi, lo, scale = qhi, qlo, scale-1
	}
	w := Decimal{hi: int64(hi), lo: lo, scale: scale}
	if d.hi < 0 {
		w = w.Neg()
	}
	return w
}

// AppendText appends the number's plain text: no exponent, no trailing zeros after the point. It never fails.
func (d Decimal) AppendText(b []byte) ([]byte, error) {
	d = d.reduced()
	hi, lo := d.magnitude()
	if d.hi < 0 {
		b = append(b, '-')
	}
	start := len(b)
	if hi == 0 {
		b = strconv.AppendUint(b, lo, 10)
	} else { // below 10^38, so two groups of at most 19 digits
		q, r := bits.Div64(hi, lo, pow10[19])
		b = strconv.AppendUint(b, q, 10)
		b = appendPadded(b, r, 19)
	}
	if d.scale == 0 {
		return b, nil
	}
	scale := int(d.scale)
	if missing := scale + 1 - (len(b) - start); missing > 0 {
		digits := string(b[start:])
		b = append(b[:start], "0000000000000000000"[:missing]...)
		b = append(b, digits...)
	}
	point := len(b) - scale
	b = append(b, 0)
	copy(b[point+1:], b[point:])
	b[point] = '.'
	return b, nil
}

func appendPadded(b []byte, u uint64, width int) []byte {
	for i := width - 1; i >= 0; i-- {
		b = append(b, byte('0'+u/pow10[i]%10))
	}
	return b
}

// String is the number's plain text.
func (d Decimal) String() string {
	var buf [48]byte
	b, _ := d.AppendText(buf[:0])
	return string(b)
}

// GoString spells the number as code.
func (d Decimal) GoString() string { return "domain.MustDecimal(" + strconv.Quote(d.String()) + ")" }

// MarshalText is AppendText's text.
func (d Decimal) MarshalText() ([]byte, error) { return d.AppendText(nil) }

// UnmarshalText is ParseDecimalBytes.
func (d *Decimal) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDecimalBytes(b)
	return err
}

// MarshalJSON writes a JSON string, since readers of JSON numbers round them.
func (d Decimal) MarshalJSON() ([]byte, error) {
	b, err := d.AppendText([]byte{'"'})
	return append(b, '"'), err
}

// UnmarshalJSON reads a JSON string or a JSON number, whose digits it takes as written. null is refused: an absent price is not 0.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	return d.UnmarshalText(b)
}
