package domain

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// MustDecimal is ParseDecimal for constants: it panics on an error.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}

	return d
}

// ParseDecimal parses a number like "-12.5", "0.001" or "1e-8": digits with an optional leading minus, an optional
// point between digits, and an optional exponent. It returns an error that wraps ErrInvalid for any other text, such as
// a leading plus, blanks, separators, infinities and NaN, and for a number with too many digits. It never rounds.
func ParseDecimal(s string) (Decimal, error) { return parseDecimal(s) }

// ParseDecimalBytes is ParseDecimal for a byte slice, which it does not retain.
func ParseDecimalBytes(b []byte) (Decimal, error) { return parseDecimal(b) }

func parseDecimal[T string | []byte](s T) (Decimal, error) {
	var (
		u        uint64
		i        int
		negative bool
		fraction = -1 // digits after the point; -1 before one is seen
	)
	if len(s) > maxDecimalText {
		return Decimal{}, invalid("decimal", string(s[:maxDecimalText]), "longer than %d bytes", maxDecimalText)
	}

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

	return fromInt64(n, uint8(max(fraction, 0))), nil
}

// parseDecimalSlowly parses the texts that the loop of parseDecimal does not accept: exponents, many digits, and
// errors.
func parseDecimalSlowly(s string) (Decimal, error) {
	exponent, ok := scanDecimal(s)
	if !ok {
		return Decimal{}, invalid("decimal", s, "not a decimal number like 123.45")
	}
	if exponent < -maxExponent || exponent > maxExponent {
		return Decimal{}, invalid("decimal", s, "exponent beyond %d", maxExponent)
	}

	number, negative := strings.CutPrefix(s, "-")
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		number = number[:i]
	}
	whole, fraction, _ := strings.Cut(number, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	significant := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(significant) - len(fraction) // of the last significant digit
	if significant == "" {
		return Decimal{}, nil
	}
	if len(significant)+exponent > MaxIntegerDigits || exponent < -MaxScale {
		return Decimal{}, fmt.Errorf("decimal %s: at most %d digits before and %d after the point: %w: %w",
			s, MaxIntegerDigits, MaxScale, ErrOverflow, ErrInvalid)
	}

	d := Decimal{scale: uint8(max(-exponent, 0))}
	for _, c := range significant + strings.Repeat("0", max(exponent, 0)) {
		carry, lo := bits.Mul64(d.lo, 10)
		d = Decimal{hi: d.hi*10 + int64(carry), lo: lo, scale: d.scale}.plus(Decimal{lo: uint64(c - '0')})
	}
	if negative {
		d = d.Neg()
	}

	return d, nil
}

// scanDecimal matches -?digits(.digits)?([eE][+-]?digits)? and parses the exponent. ok is false without a match.
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
		if s != "" && strings.IndexByte(chars, s[0]) >= 0 {
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

// AppendText appends the number without an exponent and without trailing zeros after the point. The error is always
// nil.
func (d Decimal) AppendText(b []byte) ([]byte, error) {
	d = d.trimZeros()
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

// String returns the text that AppendText appends.
func (d Decimal) String() string {
	var buf [48]byte
	b, _ := d.AppendText(buf[:0])
	return string(b)
}

// GoString returns the number as a Go expression.
func (d Decimal) GoString() string { return "domain.MustDecimal(" + strconv.Quote(d.String()) + ")" }

// MarshalText returns the text that AppendText appends.
func (d Decimal) MarshalText() ([]byte, error) { return d.AppendText(nil) }

// UnmarshalText parses the text as ParseDecimalBytes does.
func (d *Decimal) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDecimalBytes(b)
	return err
}

// MarshalJSON returns a JSON string, because many JSON parsers round numbers.
func (d Decimal) MarshalJSON() ([]byte, error) {
	b, err := d.AppendText([]byte{'"'})
	return append(b, '"'), err
}

// UnmarshalJSON parses a JSON string or a JSON number, both without rounding. null is an error, because a missing price
// is not 0.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	return d.UnmarshalText(b)
}

// float returns the nearest float64.
func (d Decimal) float() float64 {
	var buf [48]byte
	b, _ := d.AppendText(buf[:0])
	v, _ := strconv.ParseFloat(string(b), 64) // a plain number of at most 40 digits always parses
	return v
}
