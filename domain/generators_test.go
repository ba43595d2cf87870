package domain

import (
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones are the same on every machine

	"pgregory.net/rapid"
)

// zones are chosen for what their clocks did: skipped midnights (Sao_Paulo, Beirut, Cairo, Havana), skipped dates
// (Apia, Kwajalein, Manila), a date lived twice (Juneau), midnights that came twice (St_Johns, Gaza), steps that are no
// hour (Lord_Howe, Kathmandu, Monrovia), two hours at once (Troll).
var zones = []string{
	"UTC", "America/New_York", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo", "America/Havana", "Pacific/Apia",
	"Pacific/Kwajalein", "Asia/Manila", "America/Juneau", "America/St_Johns", "Asia/Gaza", "Australia/Lord_Howe",
	"Asia/Kathmandu", "Africa/Monrovia", "Antarctica/Troll", "Europe/London", "Asia/Tokyo",
}

// must is for values that a test knows to be right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func utc(s string) time.Time { return must(time.Parse(time.RFC3339Nano, s)) }

func minuteKey() SeriesKey { return SeriesKey{Symbol: "BTC/USD", Grid: Minute1.UTC()} }

// digits draws decimal digits, often few, all zeros or all nines.
func digits(t *rapid.T, least, most int, label string) string {
	n := rapid.IntRange(least, most).Draw(t, label+" count")
	switch rapid.IntRange(0, 4).Draw(t, label+" form") {
	case 0:
		return strings.Repeat("0", n)
	case 1:
		return strings.Repeat("9", n)
	}

	return rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), n, n, -1).Draw(t, label)
}

// anyDecimal draws every Decimal: narrow and wide, at any scale, spelled with trailing zeros or without.
func anyDecimal() *rapid.Generator[Decimal] {
	return rapid.Custom(func(t *rapid.T) Decimal {
		switch rapid.IntRange(0, 4).Draw(t, "decimal form") {
		case 0:
			limits := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64}
			return fromInt64(rapid.SampledFrom(limits).Draw(t, "limit"), uint8(rapid.IntRange(0, MaxScale).Draw(t, "scale")))
		case 1:
			return fromInt64(rapid.Int64().Draw(t, "coefficient"), uint8(rapid.IntRange(0, MaxScale).Draw(t, "scale")))
		case 2:
			scale := uint8(rapid.IntRange(0, MaxScale).Draw(t, "scale"))
			hi, lo := wideLimit(scale)
			d := Decimal{hi: int64(hi), lo: lo, scale: scale}.plus(fromInt64(-rapid.Int64Range(1, 3).Draw(t, "below"), scale))
			if rapid.Bool().Draw(t, "negative") {
				return d.Neg()
			}

			return d
		}

		text := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + digits(t, 1, MaxIntegerDigits, "integer")
		if fraction := digits(t, 0, MaxScale, "fraction"); fraction != "" {
			text += "." + fraction
		}

		return MustDecimal(text)
	})
}

// price draws numbers of the size prices have, so that few columns are wide.
func price() *rapid.Generator[Decimal] {
	return rapid.Custom(func(t *rapid.T) Decimal {
		return fromInt64(rapid.Int64Range(-50, 1_000_000).Draw(t, "price"), uint8(rapid.IntRange(0, 4).Draw(t, "price scale")))
	})
}

func anyFrequency() *rapid.Generator[Frequency] {
	return rapid.Custom(func(t *rapid.T) Frequency {
		u := Unit(rapid.IntRange(int(UnitSecond), int(UnitMonth)).Draw(t, "unit"))
		return must(NewFrequency(rapid.IntRange(1, 1200).Draw(t, "count"), u))
	})
}

func anyGrid() *rapid.Generator[Grid] {
	return rapid.Custom(func(t *rapid.T) Grid {
		f := anyFrequency().Draw(t, "frequency")
		if f.Unit() < UnitDay {
			return f.UTC()
		}

		if rapid.Bool().Draw(t, "count of one") {
			f = must(NewFrequency(1, f.Unit()))
		}

		return must(NewGrid(f, rapid.SampledFrom(zones).Draw(t, "zone")))
	})
}

func anyKey() *rapid.Generator[SeriesKey] {
	return rapid.Custom(func(t *rapid.T) SeriesKey {
		return must(NewSeriesKey(
			Symbol(rapid.StringMatching(`[A-Z0-9._:/-]{1,64}`).Draw(t, "symbol")),
			anyGrid().Draw(t, "grid"),
			PriceType(rapid.IntRange(0, len(priceTypes)-1).Draw(t, "kind")),
		))
	})
}

// anyTime draws instants of 1840 to 2100, half of them near a change of the zone's clock.
func anyTime(zone string) *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		first, last := utc("1840-01-01T00:00:00Z").Unix(), utc("2100-01-01T00:00:00Z").Unix()
		at := time.Unix(rapid.Int64Range(first, last).Draw(t, "second"), rapid.SampledFrom([]int64{0, 1, 999, 1000, 999_999_999}).Draw(t, "nanos"))
		start, _ := at.In(must(location(strings.TrimPrefix(zone, "UTC")))).ZoneBounds()
		if !start.IsZero() && rapid.Bool().Draw(t, "near a change") {
			at = start.Add(time.Duration(rapid.Int64Range(-int64(60*time.Hour), int64(60*time.Hour)).Draw(t, "from the change")))
			if rapid.Bool().Draw(t, "on the hour") {
				at = at.Truncate(time.Hour)
			}
		}

		return at.UTC()
	})
}

// anyBars draws bars that a Series of the key can hold, at most most.
func anyBars(key SeriesKey, number *rapid.Generator[Decimal], most int) *rapid.Generator[[]Bar] {
	return rapid.Custom(func(t *rapid.T) []Bar {
		at := key.Grid.Ceil(utc("2019-12-30T00:00:00Z"))
		bars := make([]Bar, rapid.IntRange(0, most).Draw(t, "bars"))
		for i := range bars {
			for range rapid.IntRange(0, 2).Draw(t, "gap") {
				at = key.Grid.Next(at)
			}
			bars[i] = Bar{
				OpenTime: at,
				Open:     number.Draw(t, "open"),
				High:     number.Draw(t, "high"),
				Low:      number.Draw(t, "low"),
				Close:    number.Draw(t, "close"),
				Volume:   number.Draw(t, "volume"),
				Trades:   rapid.Int64Range(0, 3).Draw(t, "trades"),
			}
			at = key.Grid.Next(at)
		}

		return bars
	})
}

// anyNumber draws mostly prices, and now and then any Decimal at all.
func anyNumber() *rapid.Generator[Decimal] {
	return rapid.OneOf(price(), price(), price(), anyDecimal())
}

// sameBars fails the test where the series does not hold exactly the bars.
func sameBars(t interface {
	Helper()
	Fatalf(string, ...any)
}, s Series, bars []Bar) {
	t.Helper()
	if s.Len() != len(bars) {
		t.Fatalf("%d bars, want %d", s.Len(), len(bars))
	}

	for i, b := range bars {
		if !s.At(i).Equal(b) || s.At(i).String() != b.String() {
			t.Fatalf("bar %d is %v, want %v", i, s.At(i), b)
		}
	}
}

// check runs the property, in parallel with others.
func check(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	t.Parallel()
	rapid.Check(t, property)
}
