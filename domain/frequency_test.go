package domain

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFrequencyCanonicalForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"60s": "1m", "90s": "90s", "120s": "2m", "3600s": "1h", "86400s": "1d", "60m": "1h", "90m": "90m", "1440m": "1d", "24h": "1d", "36h": "36h",
		"48h": "2d", "7d": "7d", "1w": "1w", "30d": "30d", "12M": "12M", "1200M": "1200M", "36524d": "36524d", "5217w": "5217w", "100000m": "100000m",
	} {
		if f, err := ParseFrequency(text); err != nil || f.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, f, err, want)
		}
	}

	for _, text := range []string{"0s", "100001s", "1201M", "36525d", "5218w", "01m", "+1m", "1 m", "1.5h", "1mm", "1µ", "1S"} {
		if f, err := ParseFrequency(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s is %s, %v; want a refusal", text, f, err)
		}
	}
}

func TestFrequencyLaws(t *testing.T) {
	check(t, func(t *rapid.T) {
		n, u := rapid.IntRange(-1, MaxFrequencyCount+1).Draw(t, "n"), Unit(rapid.IntRange(0, 7).Draw(t, "u"))
		f, err := NewFrequency(n, u)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			if u >= UnitSecond && u <= UnitHour && n >= 1 && n <= MaxFrequencyCount && u != UnitHour {
				t.Fatalf("%d of %d refused: %v", n, u, err)
			}

			return
		}
		if f.Nominal() != time.Duration(n)*units[u].nominal || f.Nominal() > maxFrequencyYears*12*units[UnitMonth].nominal {
			t.Fatalf("%d of unit %d is %s, of %s", n, u, f, f.Nominal())
		}
		if err := f.Validate(); err != nil {
			t.Fatal(err)
		}
		if again, err := NewFrequency(f.Count(), f.Unit()); err != nil || again != f {
			t.Fatalf("%s again is %s, %v", f, again, err)
		}
		if o := anyFrequency().Draw(t, "o"); (o == f) != (o.String() == f.String()) {
			t.Fatalf("%s and %s", f, o)
		}
	})
}

func TestFrequencyConstants(t *testing.T) {
	t.Parallel()
	for text, f := range map[string]Frequency{
		"1s": Second1, "5s": Second5, "15s": Second15, "30s": Second30, "1m": Minute1, "5m": Minute5, "15m": Minute15, "30m": Minute30,
		"1h": Hour1, "4h": Hour4, "1d": Day1, "1w": Week1, "1M": Month1,
	} {
		if f.String() != text || must(ParseFrequency(text)) != f || f.Validate() != nil {
			t.Errorf("%s is %s", text, f)
		}
	}

	if Frequency(0).Nominal() != 0 || Frequency(0).String() != "none" {
		t.Error("the zero value is a frequency")
	}
}

func TestMonthIsAMeanMonth(t *testing.T) {
	t.Parallel()
	if cycle := utc("2400-01-01T00:00:00Z").Unix() - utc("2000-01-01T00:00:00Z").Unix(); cycle != 4800*int64(Month1.Nominal()/time.Second) {
		t.Errorf("400 years are %d s, 4800 months %s", cycle, 4800*Month1.Nominal())
	}
}
