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

// walk is a synthetic one-minute series: a random walk of the price, log-normal volume, some trades.
func walk(bars int, price int64, step float64, scale uint8) domain.Series {
	r := rand.New(rand.NewPCG(1, 2))
	c := domain.Columns{PriceScale: scale, VolumeScale: 8}
	columns := decimals(&c)
	closes := price
	for i := range bars {
		tick := func(size float64) int64 { return int64(r.NormFloat64() * size) }
		open := closes + tick(step/8)
		closes = open + tick(step)
		high := max(open, closes) + int64(math.Abs(r.NormFloat64()*step/2))
		low := min(open, closes) - int64(math.Abs(r.NormFloat64()*step/2))
		volume := int64(math.Exp(r.NormFloat64()+1) * 1e8)
		c.OpenMicros = append(c.OpenMicros, int64(i)*60_000_000)
		for f, v := range [...]int64{open, high, low, closes, volume} {
			columns[f].Lo = append(columns[f].Lo, v)
		}
		c.Trades = append(c.Trades, 1+volume/5e6)
	}

	s, err := domain.NewSeriesFromColumns(minute(), c)
	if err != nil {
		panic(err)
	}

	return s
}

// csvSeries reads one of the files of real data; without them the benchmark is skipped.
func csvSeries(b *testing.B, name string, f domain.Frequency) domain.Series {
	folder := os.Getenv("MARKETDATA_SHARED_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		b.Skipf("no real data: %v; name its folder in MARKETDATA_SHARED_DATA", err)
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
		at, err := time.Parse(time.RFC3339Nano, row[0])
		if err != nil {
			b.Fatal(err)
		}

		var d [5]domain.Decimal
		for i := range d {
			d[i] = domain.MustDecimal(row[i+1])
		}
		if err := s.Append(domain.Bar{OpenTime: at, Open: d[0], High: d[1], Low: d[2], Close: d[3], Volume: d[4]}); err != nil {
			b.Fatal(err)
		}
	}

	series, err := s.Series()
	if err != nil {
		b.Fatal(err)
	}

	return series
}

// market is a series to measure with, cut into chunks.
type market struct {
	name string
	load func(*testing.B) domain.Series
}

var markets = []market{
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
	{"walk2", func(*testing.B) domain.Series { return walk(100*MaxBars, 3_000_000, 1500, 2) }},
	{"walk8", func(*testing.B) domain.Series { return walk(100*MaxBars, 234_500_000_000, 100_000_000, 8) }},
}

// overMarkets runs f over the chunks of every market again and again, and reports bars a second and bytes a bar.
func overMarkets(b *testing.B, f func(b *testing.B, piece domain.Series, packed []byte)) {
	for _, m := range markets {
		b.Run(m.name, func(b *testing.B) {
			s := m.load(b)
			var pieces []domain.Series
			var chunks [][]byte
			size := 0
			for from := 0; from < s.Len(); from += MaxBars {
				piece := s.Slice(from, min(from+MaxBars, s.Len()))
				chunk, err := Append(nil, piece)
				if err != nil {
					b.Fatal(err)
				}

				pieces, chunks = append(pieces, piece), append(chunks, chunk)
				size += len(chunk)
			}

			b.ReportAllocs()
			for b.Loop() {
				for i, chunk := range chunks {
					f(b, pieces[i], chunk)
				}
			}

			b.ReportMetric(float64(s.Len())*float64(b.N)/1e6/b.Elapsed().Seconds(), "Mbars/s")
			b.ReportMetric(float64(size)/float64(s.Len()), "B/bar")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func openForBench(b *testing.B, packed []byte) Chunk {
	c, err := Open(packed)
	if err != nil {
		b.Fatal(err)
	}

	return c
}

// The checked decode of all columns into memory that is used again.
func BenchmarkColumns(b *testing.B) {
	var columns domain.Columns
	overMarkets(b, func(b *testing.B, _ domain.Series, packed []byte) {
		columns = openForBench(b, packed).Columns(columns)
	})
}

// The checked decode into a new Series, which checks the bars.
func BenchmarkSeries(b *testing.B) {
	overMarkets(b, func(b *testing.B, piece domain.Series, packed []byte) {
		if _, err := openForBench(b, packed).Series(piece.Key()); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkOneColumn(b *testing.B) {
	var closes domain.Column
	overMarkets(b, func(b *testing.B, _ domain.Series, packed []byte) {
		closes, _ = openForBench(b, packed).Field(domain.FieldClose, closes)
	})
}

func BenchmarkOpen(b *testing.B) {
	overMarkets(b, func(b *testing.B, _ domain.Series, packed []byte) { openForBench(b, packed) })
}

func BenchmarkAppend(b *testing.B) {
	var buffer []byte
	overMarkets(b, func(b *testing.B, piece domain.Series, _ []byte) {
		var err error
		if buffer, err = Append(buffer[:0], piece); err != nil {
			b.Fatal(err)
		}
	})
}

// A million bars, checked, into one new Series: what a store does that holds chunks.
func BenchmarkJoin(b *testing.B) {
	s := walk(245*MaxBars, 3_000_000, 1500, 2)
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
			chunks[i] = openForBench(b, p)
		}
		if _, err := Join(s.Key(), chunks...); err != nil {
			b.Fatal(err)
		}
	}

	b.ReportMetric(float64(s.Len())*float64(b.N)/1e6/b.Elapsed().Seconds(), "Mbars/s")
	b.ReportMetric(0, "ns/op")
}
