package apdconv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/apdconv"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[0-9]{1,20}(\.[0-9]{1,18})?`).Draw(t, "digits")
		d := domain.MustDecimal(rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + digits)
		x := apdconv.FromDecimal(d)
		if got := x.Text('f'); got != d.String() || x.Exponent > 0 {
			t.Fatalf("%s in apd is %s, with exponent %d", d, got, x.Exponent)
		}

		before := x.String()
		back, err := apdconv.ToDecimal(x)
		if err != nil || !back.Equal(d) || x.String() != before {
			t.Fatalf("%s came back as %s, %v; apd had %s, has %s", d, back, err, before, x)
		}
	})
}

func TestToDecimalRefuses(t *testing.T) {
	t.Parallel()
	for text, isOverflow := range map[string]bool{
		"NaN": false, "sNaN": false, "Infinity": false, "-Infinity": false,
		"1e20": true, "1e-19": true, "1e99999": true, "1e-99999": true, "123456789012345678901": true,
		"0.1234567890123456789": true, strings.Repeat("9", 200): true,
	} {
		d, err := apdconv.ToDecimal(parse(t, text))
		if !errors.Is(err, domain.ErrInvalid) || errors.Is(err, domain.ErrOverflow) != isOverflow {
			t.Errorf("%s is %s, %v", text, d, err)
		}
	}

	for text, want := range map[string]string{
		"1e19": "10000000000000000000", "-0": "0", "0e500": "0", "1.50e-17": "0.000000000000000015",
		"1" + strings.Repeat("0", 200) + "e-200": "1",
	} {
		if d, err := apdconv.ToDecimal(parse(t, text)); err != nil || d.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, d, err, want)
		}
	}
}

func parse(t *testing.T, text string) *apd.Decimal {
	t.Helper()
	x, _, err := apd.NewFromString(text)
	if err != nil {
		t.Fatal(err)
	}

	return x
}
