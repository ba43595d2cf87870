package domain

import (
	"testing"
	"time"
)

// Run with: go test ./domain -run '^$' -bench .

// cleanBars are minutes of a quiet market.
func cleanBars(n int) []Bar {
	start := utc("2020-01-01T00:00:00Z")
	bars := make([]Bar, n)
	for i := range bars {
		bars[i] = Bar{
			OpenTime: start.Add(time.Duration(i) * time.Minute),
			Open:     MustDecimal("100"), High: MustDecimal("101.5"), Low: MustDecimal("99"), Close: MustDecimal("100.5"),
			Volume: fromInt64(int64(1+i%7), 2), Trades: 1,
		}
	}

	return bars
}

func benchSeries(b *testing.B) Series {
	b.Helper()
	const n = 100_000
	builder := NewSeriesBuilder(minuteKey(), n)
	for _, bar := range cleanBars(n) {
		if err := builder.Append(bar); err != nil {
			b.Fatal(err)
		}
	}

	b.ReportAllocs()

	return must(builder.Series())
}

func perBar(b *testing.B, s Series) {
	b.ReportMetric(float64(b.N)*float64(s.Len())/b.Elapsed().Seconds()/1e6, "Mbars/s")
}

func BenchmarkSeriesAt(b *testing.B) {
	s := benchSeries(b)
	var trades int64
	for b.Loop() {
		for i := range s.Len() {
			bar := s.At(i)
			trades += bar.Trades + int64(bar.Close.Sign())
		}
	}

	perBar(b, s)
}

func BenchmarkSeriesAll(b *testing.B) {
	s := benchSeries(b)
	var trades int64
	for b.Loop() {
		for _, bar := range s.All() {
			trades += bar.Trades + int64(bar.Close.Sign())
		}
	}

	perBar(b, s)
}

func BenchmarkSeriesColumns(b *testing.B) {
	s := benchSeries(b)
	var sum int64
	for b.Loop() {
		c := s.Columns()
		high, low, volume := c.High.Lo, c.Low.Lo[:len(c.High.Lo)], c.Volume.Lo[:len(c.High.Lo)]
		for i, h := range high {
			sum += h - low[i] + volume[i]
		}
	}

	perBar(b, s)
}

func BenchmarkSeriesFloats(b *testing.B) {
	s := benchSeries(b)
	dst := make([]float64, 0, s.Len())
	for b.Loop() {
		dst = s.Floats(FieldClose, dst[:0])
	}
	perBar(b, s)
}

func BenchmarkSeriesBuilderAppend(b *testing.B) {
	s := benchSeries(b)
	bars := cleanBars(s.Len())
	for b.Loop() {
		builder := NewSeriesBuilder(minuteKey(), len(bars))
		for i := range bars {
			if err := builder.Append(bars[i]); err != nil {
				b.Fatal(err)
			}
		}
	}

	perBar(b, s)
}

func BenchmarkParseDecimalBytes(b *testing.B) {
	text := []byte("7424.91000001")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDecimalBytes(text); err != nil {
			b.Fatal(err)
		}
	}
}
