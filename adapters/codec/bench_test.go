package codec

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// randomWalk returns a synthetic one-minute series: a random walk of the price, log-normal volume, and trade counts.
func randomWalk(bars int, price int64, step float64, scale uint8) domain.Series {
	r := rand.New(rand.NewPCG(1, 2))
	c := domain.Columns{PriceScale: scale, VolumeScale: 8}
	columns := decimalColumns(&c)
	closes := price
	for i := range bars {
		move := func(size float64) int64 { return int64(r.NormFloat64() * size) }
		open := closes + move(step/8)
		closes = open + move(step)
		high := max(open, closes) + int64(math.Abs(r.NormFloat64()*step/2))
		low := min(open, closes) - int64(math.Abs(r.NormFloat64()*step/2))
		volume := int64(math.Exp(r.NormFloat64()+1) * 1e8)
		c.OpenMicros = append(c.OpenMicros, int64(i)*60_000_000)
		for f, v := range [...]int64{open, high, low, closes, volume} {
			columns[f].Lo = append(columns[f].Lo, v)
		}
		c.Trades = append(c.Trades, 1+volume/5e6)
	}

	s, err := domain.NewSeriesFromColumns(minuteKey(), c)
	if err != nil {
		panic(err)
	}

	return s
}

// csvSeries reads a file of real data. It skips the benchmark if the file does not exist.
func csvSeries(b *testing.B, name string, f domain.Frequency) domain.Series {
	folder := os.Getenv("MARKETDATA_SHARED_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		b.Skipf("no real data: %v; set MARKETDATA_SHARED_DATA to its folder", err)
	}
	if err != nil {
		b.Fatal(err)
	}

	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		b.Fatal(err)
	}

	s := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: "BTC/USD", Grid: f.UTC()}, len(rows))
	for _, row := range rows[1:] {
		openTime, err := time.Parse(time.RFC3339Nano, row[0])
		if err != nil {
			b.Fatal(err)
		}

		var d [5]domain.Decimal
		for i := range d {
			d[i] = domain.MustDecimal(row[i+1])
		}
		bar := domain.Bar{OpenTime: openTime, Open: d[0], High: d[1], Low: d[2], Close: d[3], Volume: d[4]}
		if err := s.Append(bar); err != nil {
			b.Fatal(err)
		}
	}

	series, err := s.Series()
	if err != nil {
		b.Fatal(err)
	}

	return series
}

// dataset is a series to measure with.
type dataset struct {
	name string
	load func(*testing.B) domain.Series
}

var datasets = []dataset{
	{"cb1s", func(b *testing.B) domain.Series {
		return csvSeries(b, "BTC-USD_1s_coinbase_2016-10.csv", domain.Second1)
	}},
	{"cb1m", func(b *testing.B) domain.Series {
		return csvSeries(b, "BTC-USD_1m_coinbase_2018-04.csv", domain.Minute1)
	}},
	{"bn1h", func(b *testing.B) domain.Series {
		return csvSeries(b, "BTC-USDT_1h_binance_2018-05.csv", domain.Hour1)
	}},
	{"cb1d", func(b *testing.B) domain.Series {
		return csvSeries(b, "BTC-USD_1d_coinbase_2014-2018.csv", domain.Day1)
	}},
	{"walk2", func(*testing.B) domain.Series { return randomWalk(100*MaxBars, 3_000_000, 1500, 2) }},
	{"walk8", func(*testing.B) domain.Series { return randomWalk(100*MaxBars, 234_500_000_000, 100_000_000, 8) }},
}

// benchmarkDatasets runs f repeatedly over the chunks of every dataset, and reports bars per second and bytes per bar.
func benchmarkDatasets(b *testing.B, f func(b *testing.B, part domain.Series, packed []byte)) {
	for _, d := range datasets {
		b.Run(d.name, func(b *testing.B) {
			s := d.load(b)
			var parts []domain.Series
			var chunks [][]byte
			size := 0
			for from := 0; from < s.Len(); from += MaxBars {
				part := s.Slice(from, min(from+MaxBars, s.Len()))
				chunk, err := Append(nil, part)
				if err != nil {
					b.Fatal(err)
				}

				parts, chunks = append(parts, part), append(chunks, chunk)
				size += len(chunk)
			}

			b.ReportAllocs()
			for b.Loop() {
				for i, chunk := range chunks {
					f(b, parts[i], chunk)
				}
			}

			b.ReportMetric(float64(s.Len())*float64(b.N)/1e6/b.Elapsed().Seconds(), "Mbars/s")
			b.ReportMetric(float64(size)/float64(s.Len()), "B/bar")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func benchOpen(b *testing.B, packed []byte) Chunk {
	c, err := Open(packed)
	if err != nil {
		b.Fatal(err)
	}

	return c
}

// BenchmarkColumns verifies a chunk and decodes all columns into reused memory.
func BenchmarkColumns(b *testing.B) {
	var columns domain.Columns
	benchmarkDatasets(b, func(b *testing.B, _ domain.Series, packed []byte) {
		columns = benchOpen(b, packed).Columns(columns)
	})
}

// BenchmarkSeries verifies a chunk and decodes it into a new Series, which validates the bars.
func BenchmarkSeries(b *testing.B) {
	benchmarkDatasets(b, func(b *testing.B, part domain.Series, packed []byte) {
		if _, err := benchOpen(b, packed).Series(part.Key()); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkField verifies a chunk and decodes one column of decimals.
func BenchmarkField(b *testing.B) {
	var closes domain.Column
	benchmarkDatasets(b, func(b *testing.B, _ domain.Series, packed []byte) {
		closes, _ = benchOpen(b, packed).Field(domain.FieldClose, closes)
	})
}

func BenchmarkOpen(b *testing.B) {
	benchmarkDatasets(b, func(b *testing.B, _ domain.Series, packed []byte) { benchOpen(b, packed) })
}

func BenchmarkAppend(b *testing.B) {
	var buf []byte
	benchmarkDatasets(b, func(b *testing.B, part domain.Series, _ []byte) {
		var err error
		if buf, err = Append(buf[:0], part); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkJoin verifies and decodes 1,003,520 bars into one new Series, as a store of chunks does.
func BenchmarkJoin(b *testing.B) {
	s := randomWalk(245*MaxBars, 3_000_000, 1500, 2)
	var packed [][]byte
	for from := 0; from < s.Len(); from += MaxBars {
		chunk, err := Append(nil, s.Slice(from, from+MaxBars))
		if err != nil {
			b.Fatal(err)
		}

		packed = append(packed, chunk)
	}

	chunks := make([]Chunk, len(packed))
	b.ReportAllocs()
	for b.Loop() {
		for i, p := range packed {
			chunks[i] = benchOpen(b, p)
		}
		if _, err := Join(s.Key(), chunks...); err != nil {
			b.Fatal(err)
		}
	}

	b.ReportMetric(float64(s.Len())*float64(b.N)/1e6/b.Elapsed().Seconds(), "Mbars/s")
	b.ReportMetric(0, "ns/op")
}
