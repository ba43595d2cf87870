package codec

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"pgregory.net/rapid"
)

// secondKey returns a key of 1s bars, so that every whole second is an open time.
func secondKey() domain.SeriesKey {
	return domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Second1.UTC()}
}

// barCounts draws bar counts, including those at the limits of octets, groups and chunks.
func barCounts() *rapid.Generator[int] {
	return rapid.OneOf(
		rapid.SampledFrom([]int{1, 2, 7, 8, 9, 127, 128, 129, 255, 256, 257, MaxBars - 1, MaxBars}),
		rapid.IntRange(1, 300), rapid.IntRange(1, MaxBars),
	)
}

// drawWords draws n words of one pattern: constant, small, of a given width, with outliers, a random walk, or extreme.
func drawWords(t *rapid.T, label string, n int, negative bool) []int64 {
	pattern := rapid.IntRange(0, 5).Draw(t, label)
	seed := rapid.Uint64().Draw(t, label+" seed")
	width := rapid.IntRange(1, 63).Draw(t, label+" width")
	next := func() uint64 { // splitmix64, because drawing thousands of values is slow
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb

		return z ^ z>>31
	}
	extremes := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}
	w := make([]int64, n)
	walk := int64(next() >> 20)
	for i := range w {
		r := next()
		switch pattern {
		case 0:
			w[i] = int64(seed>>63) + 5
		case 1:
			w[i] = int64(r >> 60)
		case 2:
			w[i] = int64(r >> (64 - width))
		case 3:
			if w[i] = int64(r >> 54); r%100 == 0 {
				w[i] = int64(next() >> (64 - width))
			}
		case 4:
			walk += int64(r>>54) - 512
			w[i] = walk
		default:
			w[i] = extremes[r%uint64(len(extremes))]
		}

		if negative && r%3 == 0 {
			w[i] = -w[i]
		}
		if !negative && w[i] < 0 {
			w[i] = int64(uint64(w[i]) >> 1)
		}
	}

	return w
}

// drawColumn draws a column of decimals, which has high words only if wide is true.
func drawColumn(t *rapid.T, label string, n int, scale uint8, wide bool) domain.Column {
	c := domain.Column{Lo: drawWords(t, label, n, rapid.Bool().Draw(t, label+" negative"))}
	if !wide || !rapid.Bool().Draw(t, label+" wide") {
		return c
	}

	limit := int64(5) // a Decimal has 20 integer digits at most, so its high word is below 6 * 10^scale
	for range scale {
		limit *= 10
	}
	c.Hi = drawWords(t, label+" high", n, true)
	for i := range c.Hi {
		c.Hi[i] %= limit
	}

	return c
}

func drawSeries(t *rapid.T) domain.Series {
	n := barCounts().Draw(t, "bars")
	prices := uint8(rapid.IntRange(0, domain.MaxScale).Draw(t, "price scale"))
	volumes := uint8(rapid.IntRange(0, domain.MaxScale).Draw(t, "volume scale"))
	wide := rapid.Bool().Draw(t, "wide")
	c := domain.Columns{
		OpenMicros: make([]int64, n), Trades: drawWords(t, "trades", n, false),
		PriceScale: prices, VolumeScale: volumes,
		Open: drawColumn(t, "open", n, prices, wide), High: drawColumn(t, "high", n, prices, wide),
		Low: drawColumn(t, "low", n, prices, wide), Close: drawColumn(t, "close", n, prices, wide),
		Volume: drawColumn(t, "volume", n, volumes, wide),
	}
	steps := drawWords(t, "steps", n, false)
	second := rapid.Int64Range(-1e9, 1e9).Draw(t, "first second")
	const mostSeconds = 2e11 // so that the last bar is before the year 9999
	longest := min(rapid.SampledFrom([]int64{1, 2, 1000, 1e8}).Draw(t, "longest step"), mostSeconds/int64(n+1))
	for i, step := range steps {
		second += 1 + step%longest
		c.OpenMicros[i] = second * 1_000_000
	}

	s, err := domain.NewSeriesFromColumns(secondKey(), c)
	if err != nil {
		t.Fatalf("drawn series: %v", err)
	}

	return s
}

func mustPack(t interface{ Fatalf(string, ...any) }, s domain.Series) []byte {
	b, err := Append(nil, s)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}

	return b
}

func mustOpen(t interface{ Fatalf(string, ...any) }, b []byte) Chunk {
	c, err := Open(b)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}

	return c
}

// assertSameBars fails the test unless both series have the same key and equal bars.
func assertSameBars(t *rapid.T, label string, got, want domain.Series) {
	if got.Equal(want) {
		return
	}
	if got.Len() != want.Len() {
		t.Fatalf("%s: %d bars, want %d", label, got.Len(), want.Len())
	}

	for i := range want.Len() {
		if !got.At(i).Equal(want.At(i)) {
			t.Fatalf("%s: bar %d is %v, want %v", label, i, got.At(i), want.At(i))
		}
	}

	t.Fatalf("%s: key %v, want %v", label, got.Key(), want.Key())
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSeries(t)
		c := mustOpen(t, mustPack(t, s))
		got, err := c.Series(s.Key())
		if err != nil {
			t.Fatalf("Series: %v", err)
		}

		assertSameBars(t, "whole", got, s)
		first, last := c.Bounds()
		if n := s.Len(); c.Len() != n || !first.Time().Equal(s.OpenTime(0)) || !last.Time().Equal(s.OpenTime(n-1)) {
			t.Fatalf("Len, Bounds = %d, %d, %d of %v", c.Len(), first, last, s)
		}
	})
}

// A part or a single column must decode to the same numbers as the whole.
func TestPartsEqualWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSeries(t)
		c := mustOpen(t, mustPack(t, s))
		whole := c.Columns(domain.Columns{})
		var reused domain.Columns
		for range 4 {
			from := rapid.IntRange(0, s.Len()).Draw(t, "from")
			to := rapid.IntRange(from, s.Len()).Draw(t, "to")
			part := c.Slice(from, to)
			got, err := part.Series(s.Key())
			if err != nil {
				t.Fatalf("Series: %v", err)
			}

			assertSameBars(t, "part", got, s.Slice(from, to))

			reused = part.Columns(reused)
			times, trades := whole.OpenMicros[from:to], whole.Trades[from:to]
			if !slices.Equal(part.Times(nil), times) || !slices.Equal(reused.OpenMicros, times) {
				t.Fatalf("times of [%d:%d] differ", from, to)
			}
			if !slices.Equal(part.Trades(nil), trades) || !slices.Equal(reused.Trades, trades) {
				t.Fatalf("trades of [%d:%d] differ", from, to)
			}

			for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
				want, scale := whole.Field(f)
				alone, aloneScale := part.Field(f, domain.Column{})
				together, _ := reused.Field(f)
				for _, got := range []domain.Column{alone, together} {
					if !slices.Equal(got.Lo, want.Lo[from:to]) || (got.Hi == nil) != (want.Hi == nil) ||
						want.Hi != nil && !slices.Equal(got.Hi, want.Hi[from:to]) || aloneScale != scale {
						t.Fatalf("%s of [%d:%d] differs", f, from, to)
					}
				}
			}
		}
	})
}

func TestClip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSeries(t)
		from := rapid.IntRange(0, s.Len()).Draw(t, "from")
		to := rapid.IntRange(from, s.Len()).Draw(t, "to")
		if from == to {
			return
		}

		c := mustOpen(t, mustPack(t, s)).Slice(from, to) // a part, whose bounds a time may pass
		s = s.Slice(from, to)
		drawTime := func(label string) int64 { // at most 2 seconds from a bar
			i := rapid.IntRange(0, s.Len()-1).Draw(t, label)
			return s.OpenTime(i).UnixMicro() + rapid.Int64Range(-2_000_000, 2_000_000).Draw(t, label+" offset")
		}
		start := drawTime("start")
		r := domain.Range{Start: time.UnixMicro(start), End: time.UnixMicro(max(start, drawTime("end")))}
		part := c.Clip(r)
		want := s.Clip(r)
		if part.Len() != want.Len() {
			t.Fatalf("%d bars in %v, want %d", part.Len(), r, want.Len())
		}

		got, err := part.Series(s.Key())
		if err != nil {
			t.Fatalf("Series: %v", err)
		}

		assertSameBars(t, "clipped", got, want)
	})
}

// The bytes of a chunk must depend on the numbers only, not on the scales of the Series.
func TestEqualSeriesPackEqually(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSeries(t)
		b := mustPack(t, s)
		again, err := mustOpen(t, b).Series(s.Key())
		if err != nil {
			t.Fatalf("Series: %v", err)
		}
		if !slices.Equal(mustPack(t, again), b) {
			t.Fatalf("an unpacked Series packs into other bytes")
		}
	})
}

// Numbers below 0 are packed as small as those above, also where -1 is the only one.
func TestNegativeNumbersPackSmall(t *testing.T) {
	t.Parallel()
	size := func(volume int64) int {
		bars := make([]domain.Bar, 4*groupBars)
		for i := range bars {
			v, err := domain.NewDecimal(volume*int64(i%2), 0)
			if err != nil {
				t.Fatal(err)
			}

			bars[i] = domain.Bar{OpenTime: time.Unix(int64(i)*60, 0), Volume: v}
		}
		s, err := domain.NewSeries(minuteKey(), bars...)
		if err != nil {
			t.Fatal(err)
		}

		return len(mustPack(t, s))
	}
	if below, above := size(-1), size(1); below > above {
		t.Errorf("volumes of -1 take %d bytes, volumes of 1 take %d", below, above)
	}
}

func TestSmallestScale(t *testing.T) {
	t.Parallel()
	bar := func(price, volume string) domain.Bar {
		p := domain.MustDecimal(price)
		return domain.Bar{Open: p, High: p, Low: p, Close: p, Volume: domain.MustDecimal(volume)}
	}
	for _, test := range []struct {
		name          string
		price, volume string
		priceScale    uint8
		volumeScale   uint8
		wide          bool
	}{
		{"trailing zeros", "1.50", "2.000", 1, 0, false},
		{"zero", "0.00", "0", 0, 0, false},
		{"negative", "-37.630", "-0.10", 2, 1, false},
		{"all digits", "1.000000000000000001", "1e-18", 18, 18, false},
		{"wide", "12345678901234567890.123456789012345678", "1", 18, 0, true},
		{"wide whole", "-12345678901234567890.000000000000000000", "1", 0, 0, true},
		{"wide only at its own scale", "92233720368547758.070", "1", 2, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := domain.NewSeries(secondKey(), bar(test.price, test.volume))
			if err != nil {
				t.Fatal(err)
			}

			c := mustOpen(t, mustPack(t, s))
			lows, priceScale := c.Field(domain.FieldLow, domain.Column{})
			_, volumeScale := c.Field(domain.FieldVolume, domain.Column{})
			if priceScale != test.priceScale || volumeScale != test.volumeScale || (lows.Hi != nil) != test.wide {
				t.Errorf("scales %d and %d, wide %v; want %d, %d, %v", priceScale, volumeScale, lows.Hi != nil,
					test.priceScale, test.volumeScale, test.wide)
			}
		})
	}
}

func TestAppendRejects(t *testing.T) {
	t.Parallel()
	b, err := Append([]byte("prefix"), domain.EmptySeries(secondKey()))
	if !errors.Is(err, domain.ErrInvalid) || string(b) != "prefix" {
		t.Errorf("no bars: %q, %v; want dst unchanged and ErrInvalid", b, err)
	}
	c := domain.Columns{OpenMicros: make([]int64, MaxBars+1), Trades: make([]int64, MaxBars+1)}
	for _, column := range decimalColumns(&c) {
		column.Lo = make([]int64, MaxBars+1)
	}
	for i := range c.OpenMicros {
		c.OpenMicros[i] = int64(i) * 1_000_000
	}
	s, err := domain.NewSeriesFromColumns(secondKey(), c)
	if err != nil {
		t.Fatal(err)
	}

	if _, err := Append(nil, s); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("%d bars: %v, want ErrInvalid", s.Len(), err)
	}
	if n := mustOpen(t, mustPack(t, s.Slice(1, MaxBars+1))).Len(); n != MaxBars {
		t.Errorf("a chunk of MaxBars bars has %d bars, want %d", n, MaxBars)
	}
}

// Append must not change the bytes of dst before the chunk.
func TestAppendKeepsPrefix(t *testing.T) {
	t.Parallel()
	s, err := domain.NewSeries(secondKey(), domain.Bar{})
	if err != nil {
		t.Fatal(err)
	}

	b, err := Append([]byte("prefix"), s)
	if err != nil || string(b[:6]) != "prefix" || !slices.Equal(b[6:], mustPack(t, s)) {
		t.Errorf("Append = %q, %v", b, err)
	}
}

// minuteKey returns a key of 1m bars.
func minuteKey() domain.SeriesKey {
	return domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
}
