package domain

import "testing"

// Run with: go test ./domain -run '^$' -bench .

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

func BenchmarkJudgeCheck(b *testing.B) {
	s := benchSeries(b)
	end := s.Range().End
	for b.Loop() {
		if v := NewValidator(s.Range(), end).Check(s); len(v.Findings) > 0 {
			b.Fatal(v)
		}
	}

	perBar(b, s)
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
