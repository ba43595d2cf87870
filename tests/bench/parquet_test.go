package bench

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

func writeParquetBars(w io.Writer, s domain.Series) {
	out := must(parquet.NewBarWriter(w, s.Key()))
	check(out.Write(s))
	check(out.Close())
}

func writeCSVBars(w io.Writer, s domain.Series) {
	out := file.NewBarWriter(w)
	check(out.Write(s))
	check(out.Flush())
}

// A million bars written as Parquet and as CSV, and the bytes per bar of both and of a bar file.
func BenchmarkParquetWrite1M(b *testing.B) {
	s := gen.Walk("BTC/USD", million)
	var table, text bytes.Buffer
	report(b, million,
		way{name: "parquet", before: table.Reset, run: func() { writeParquetBars(&table, s) }},
		way{name: "csv", before: text.Reset, run: func() { writeCSVBars(&text, s) }},
	)
	path := filepath.Join(b.TempDir(), "walk.bars")
	w := must(barfile.Create(path))
	check(w.Write(s, s.Range()))
	check(w.Close())
	b.ReportMetric(float64(table.Len())/million, "B/bar")
	b.ReportMetric(float64(text.Len())/million, "csv-B/bar")
	b.ReportMetric(float64(must(os.Stat(path)).Size())/million, "barfile-B/bar")
}

// The same million bars, read.
func BenchmarkParquetRead1M(b *testing.B) {
	s := gen.Walk("BTC/USD", million)
	var table, text bytes.Buffer
	writeParquetBars(&table, s)
	writeCSVBars(&text, s)
	report(b, million,
		way{name: "parquet", run: func() {
			for batch, err := range parquet.ReadBars(bytes.NewReader(table.Bytes()), int64(table.Len()), parquet.Config{}) {
				check(err)
				sink += int64(batch.Bars.Len())
			}
		}},
		way{name: "csv", run: func() {
			for batch, err := range file.ReadBars(bytes.NewReader(text.Bytes()), file.Config{Key: s.Key()}) {
				check(err)
				sink += int64(batch.Bars.Len())
			}
		}},
	)
}

// A million trades read, beside the same as CSV; M/s is millions of trades a second.
func BenchmarkParquetTradesRead1M(b *testing.B) {
	tape := gen.TradeTape("BTC/USD", million)
	var table, text bytes.Buffer
	out := must(parquet.NewTradeWriter(&table, tape.Symbol()))
	check(out.Write(tape))
	check(out.Close())
	lines := file.NewTradeWriter(&text)
	check(lines.Write(tape))
	check(lines.Flush())
	report(b, million,
		way{name: "parquet", run: func() {
			for batch, err := range parquet.ReadTrades(bytes.NewReader(table.Bytes()), int64(table.Len()), parquet.TickConfig{}) {
				check(err)
				sink += int64(batch.Ticks.Len())
			}
		}},
		way{name: "csv", run: func() {
			for batch, err := range file.ReadTrades(bytes.NewReader(text.Bytes()), file.TickConfig{Symbol: tape.Symbol()}) {
				check(err)
				sink += int64(batch.Ticks.Len())
			}
		}},
	)
	b.ReportMetric(float64(table.Len())/million, "B/row")
	b.ReportMetric(float64(text.Len())/million, "csv-B/row")
}

// Five million bars written to a file piece by piece and read again: the maximum of the additional memory in use.
func BenchmarkParquetMemory5M(b *testing.B) {
	const pieces = 250
	piece := gen.Walk("BTC/USD", 5*million/pieces)
	path := filepath.Join(b.TempDir(), "walk.parquet")
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var peak uint64
	watch := func() { peak = max(peak, inUse()) }
	measure := func(name string, run func()) {
		runtime.GC() // of what pools hold: they let go of it at the second one
		before := inUse()
		peak = before
		run()
		b.ReportMetric(float64(peak-before)/(1<<20), name)
	}
	measure("write-MiB", func() {
		f := must(os.Create(path))
		out := must(parquet.NewBarWriter(f, piece.Key()))
		for i := range pieces {
			check(out.Write(later(piece, i)))
			if i%10 == 9 {
				watch()
			}
		}

		check(out.Close())
		check(f.Close())
	})
	measure("read-MiB", func() {
		f := must(os.Open(path))
		bars := 0
		for batch, err := range parquet.ReadBars(f, must(f.Stat()).Size(), parquet.Config{}) {
			check(err)
			if bars += batch.Bars.Len(); bars%(10*parquet.DefaultBatchBars) < parquet.DefaultBatchBars {
				watch()
			}
		}

		check(f.Close())
		if bars != pieces*piece.Len() {
			b.Fatalf("%d bars", bars)
		}
	})
	b.ReportMetric(0, "ns/op")
}

// later returns the series, moved by n times its length.
func later(s domain.Series, n int) domain.Series {
	c := s.Columns()
	c.OpenMicros = append([]int64(nil), c.OpenMicros...)
	for i := range c.OpenMicros {
		c.OpenMicros[i] += int64(n) * s.Range().End.Sub(s.Range().Start).Microseconds()
	}

	return must(domain.NewSeriesFromColumns(s.Key(), c))
}
