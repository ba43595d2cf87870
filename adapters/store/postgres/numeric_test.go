package postgres

import (
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// drawDecimal draws a number of any size and scale that a Decimal has.
func drawDecimal(t *rapid.T) domain.Decimal {
	whole := rapid.StringMatching(`0|[1-9][0-9]{0,19}`).Draw(t, "whole")
	fraction := rapid.StringMatching(`(\.[0-9]{1,18})?`).Draw(t, "fraction")
	sign := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign")
	return domain.MustDecimal(sign + whole + fraction)
}

// fieldBytes returns a field of COPY without its length.
func fieldBytes(t interface{ Fatalf(string, ...any) }, b []byte) []byte {
	if int(binary.BigEndian.Uint32(b)) != len(b)-4 {
		t.Fatalf("length %d before %d bytes", binary.BigEndian.Uint32(b), len(b)-4)
	}
	return b[4:]
}

func TestNumericRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := drawDecimal(t)
		b := fieldBytes(t, appendDecimal(nil, d))
		got, err := decodeDecimal(b)
		if err != nil || !got.Equal(d) {
			t.Fatalf("%s became %s, %v", d, got, err)
		}
	})
}

// TestNumericAgainstPgtype compares both directions with the codec of the driver.
func TestNumericAgainstPgtype(t *testing.T) {
	t.Parallel()
	types := pgtype.NewMap()
	rapid.Check(t, func(t *rapid.T) {
		d := drawDecimal(t)
		var ours pgtype.Numeric
		encoded := fieldBytes(t, appendDecimal(nil, d))
		if err := types.Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, encoded, &ours); err != nil {
			t.Fatalf("pgtype cannot read our %s: %v", d, err)
		}

		text, err := ours.MarshalJSON()
		if err != nil || !domain.MustDecimal(string(text)).Equal(d) {
			t.Fatalf("pgtype reads our %s as %s, %v", d, text, err)
		}

		var theirs pgtype.Numeric
		if err := theirs.Scan(d.String()); err != nil {
			t.Fatal(err)
		}

		b, err := types.Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, theirs, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeDecimal(b); err != nil || !got.Equal(d) {
			t.Fatalf("we read pgtype's %s as %s, %v", d, got, err)
		}
	})
}

// TestNumericPathsAgree proves that the narrow and the wide path return the same result at every scale.
func TestNumericPathsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := drawDecimal(t)
		b := fieldBytes(t, appendDecimal(nil, d))
		scale := rapid.Uint8Range(0, domain.MaxScale).Draw(t, "scale")
		hi, lo, err := decodeNumeric(b, scale)
		weight := int(int16(binary.BigEndian.Uint16(b[2:])))
		wideHi, wideLo, wideErr := decodeWideNumeric(b[numericHeader:], groupDigits*weight+int(scale),
			binary.BigEndian.Uint16(b[4:]) == numericNegative)
		if hi != wideHi || lo != wideLo || !errors.Is(wideErr, err) {
			t.Fatalf("%s at scale %d: %d %d %v, the wide path %d %d %v", d, scale, hi, lo, err, wideHi, wideLo, wideErr)
		}

		_, fraction, _ := strings.Cut(d.String(), ".")
		if needs := len(fraction) > int(scale); needs != errors.Is(err, errScaleTooSmall) {
			t.Fatalf("%s at %d: %v", d, scale, err)
		}
		if err != nil {
			return
		}

		n := new(big.Int).Lsh(big.NewInt(hi), 64)
		n.Add(n, new(big.Int).SetUint64(uint64(lo)))
		digits := strings.Replace(d.String(), ".", "", 1) + strings.Repeat("0", int(scale)-len(fraction))
		want, _ := new(big.Int).SetString(digits, 10)
		if n.Cmp(want) != 0 {
			t.Fatalf("%s at %d: %s", d, scale, n)
		}
	})
}

func TestNumericRefuses(t *testing.T) {
	t.Parallel()
	numeric := func(words ...uint16) []byte {
		var b []byte
		for _, w := range words {
			b = binary.BigEndian.AppendUint16(b, w)
		}

		return b
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"NaN":                  {numeric(0, 0, 0xC000, 0), errNotFinite},
		"infinity":             {numeric(0, 0, 0xD000, 0), errNotFinite},
		"negative infinity":    {numeric(0, 0, 0xF000, 0), errNotFinite},
		"empty":                {nil, errNumericFormat},
		"cut":                  {numeric(2, 0, 0, 0, 1), errNumericFormat},
		"too long":             {numeric(1, 0, 0, 0, 1, 1), errNumericFormat},
		"group of five digits": {numeric(1, 0, 0, 0, 10_000), errNumericFormat},
		"10^20":                {numeric(1, 5, 0, 0, 1), errTooManyDigits},
		"10^-19":               {numeric(1, 0xFFFB, 0, 19, 10), errTooManyDigits},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d, err := decodeDecimal(c.bytes); !errors.Is(err, c.want) {
				t.Fatalf("got %s, %v, want %v", d, err, c.want)
			}
		})
	}
}

func FuzzDecodeNumeric(f *testing.F) {
	for _, s := range []string{
		"0", "1", "-1", "7424.91", "0.00000001", "99999999999999999999.999999999999999999", "10000", "0.0001",
	} {
		f.Add(appendDecimal(nil, domain.MustDecimal(s))[4:], uint8(8))
	}
	f.Add([]byte{0, 0, 0, 0, 0xC0, 0, 0, 0}, uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, scale uint8) {
		if _, _, err := decodeNumeric(b, scale%(domain.MaxScale+1)); err != nil && errors.Is(err, domain.ErrInvalid) {
			t.Fatalf("an error of another kind: %v", err)
		}

		d, err := decodeDecimal(b)
		if err != nil {
			return
		}

		again, err := decodeDecimal(fieldBytes(t, appendDecimal(nil, d)))
		if err != nil || !again.Equal(d) {
			t.Fatalf("%x is %s, which becomes %s, %v", b, d, again, err)
		}
	})
}

// TestGeneralNumericAgrees proves that the general decoder returns what the fast one does, also where groups that say
// nothing surround the number.
func TestGeneralNumericAgrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := drawDecimal(t)
		b := fieldBytes(t, appendDecimal(nil, d))
		before, behind := rapid.IntRange(0, 40).Draw(t, "groups before"), rapid.IntRange(0, 40).Draw(t, "groups behind")
		wide := slices.Concat(b[:numericHeader], make([]byte, 2*before), b[numericHeader:], make([]byte, 2*behind))
		binary.BigEndian.PutUint16(wide, uint16((len(wide)-numericHeader)/2))
		binary.BigEndian.PutUint16(wide[2:], binary.BigEndian.Uint16(b[2:])+uint16(before))
		if got, err := generalNumeric(wide); err != nil || !got.Equal(d) {
			t.Fatalf("%s in the general decoder is %s, %v", d, got, err)
		}
		if got, err := decodeDecimal(wide); err != nil || !got.Equal(d) {
			t.Fatalf("%s between groups of zeros is %s, %v", d, got, err)
		}
	})
}

// TestNumericErrorsNameTheValue proves that a number that does not fit is in the error, however long it is.
func TestNumericErrorsNameTheValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"NaN": "NaN, not a", "Infinity": "Infinity, not a", "-Infinity": "-Infinity, not a",
		"123456789012345678901": "123456789012345678901, more than 20", "-0.0000000000000000001": "-1E-19, more than 20",
		"1" + strings.Repeat("0", 130_000): "1E+130000, more", strings.Repeat("7", 300): strings.Repeat("7", 60) + "..., more",
	} {
		var n pgtype.Numeric
		if err := n.Scan(text); err != nil {
			t.Fatal(err)
		}

		b, err := pgtype.NewMap().Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := decodeDecimal(b); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40s is %s, %v; want an error like %s", text, d, err, want)
		}
	}
}
