package influx_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// decimals draws decimals of every width, most of them like prices.
func decimals() *rapid.Generator[domain.Decimal] {
	narrow := rapid.Custom(func(t *rapid.T) domain.Decimal {
		coefficient, scale := rapid.Int64().Draw(t, "coefficient"), rapid.Uint8Max(domain.MaxScale).Draw(t, "scale")
		d, err := domain.NewDecimal(coefficient, scale)
		if err != nil {
			t.Fatal(err)
		}

		return d
	})
	wide := rapid.Custom(func(t *rapid.T) domain.Decimal {
		return domain.MustDecimal(rapid.StringMatching(`-?[1-9][0-9]{0,19}\.[0-9]{1,18}`).Draw(t, "text"))
	})

	return rapid.OneOf(narrow, wide, rapid.SampledFrom([]domain.Decimal{
		{}, domain.MustDecimal("0.1"), domain.MustDecimal("9007199254740993"), domain.MustDecimal("999999999999999"),
		domain.MustDecimal("0.000000000000000001"), domain.MustDecimal("99999999999999999999.999999999999999999"),
	}))
}

// TestDecimalFromFloatIsShortest compares DecimalFromFloat with the shortest digits that strconv prints.
func TestDecimalFromFloatIsShortest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(
			rapid.Float64(),
			rapid.Custom(func(t *rapid.T) float64 { // the float nearest to a short decimal, or a neighbour of it
				digits, scale := rapid.Int64Range(-1e17, 1e17).Draw(t, "digits"), rapid.IntRange(0, 18).Draw(t, "scale")
				f := float64(digits) / math.Pow10(scale)
				neighbours := []float64{f, math.Nextafter(f, math.Inf(1)), math.Nextafter(f, math.Inf(-1))}
				return rapid.SampledFrom(neighbours).Draw(t, "neighbour")
			}),
		).Draw(t, "f")
		want, wantErr := domain.ParseDecimal(strconv.FormatFloat(f, 'e', -1, 64))
		got, err := influx.DecimalFromFloat(f)
		if (err == nil) != (wantErr == nil) || err == nil && !got.Equal(want) {
			t.Fatalf("%v: got %s, %v; want %s, %v", f, got, err, want, wantErr)
		}
	})
}

func TestFifteenDigitsSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const limit = 999_999_999_999_999
		coefficient := rapid.Int64Range(-limit, limit).Draw(t, "coefficient")
		d, err := domain.NewDecimal(coefficient, rapid.Uint8Max(domain.MaxScale).Draw(t, "scale"))
		if err != nil {
			t.Fatal(err)
		}
		if !influx.SurvivesFloat(d) {
			t.Fatalf("%s does not survive a float", d)
		}
	})
}

// TestDecimalRoundTrip overwrites bars on a real server and reads them back: numbers of many digits over short ones,
// and the reverse.
func TestDecimalRoundTrip(t *testing.T) {
	t.Parallel()
	s := openStore(t, config(t))
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		b := domain.NewSeriesBuilder(recordedKey, 0)
		for i := range rapid.IntRange(1, 40).Draw(rt, "bars") {
			err := b.Append(domain.Bar{
				OpenTime: start.Add(time.Duration(i) * time.Minute),
				Open:     decimals().Draw(rt, "open"), High: decimals().Draw(rt, "high"),
				Low: decimals().Draw(rt, "low"), Close: decimals().Draw(rt, "close"),
				Volume: decimals().Draw(rt, "volume"),
				Trades: rapid.Int64Range(0, math.MaxInt64).Draw(rt, "trades"),
			})
			if err != nil {
				rt.Fatal(err)
			}
		}

		want, err := b.Series()
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := ports.WriteBars(t.Context(), s, want, want.Range(), ports.ConflictReplace); err != nil {
			rt.Fatal(err)
		}

		got, err := readAll(t, s, queryOf(want))
		if err != nil || !got.Equal(want) {
			rt.Fatalf("got %s, %v", got, err)
		}
	})
}
