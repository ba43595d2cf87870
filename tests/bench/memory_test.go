package bench

import (
	"context"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

const million = 1_000_000

// sink keeps results alive, so that the compiler does not drop the work.
var sink int64

func BenchmarkSeriesByColumn(b *testing.B) {
	s := gen.Walk("BTC/USD", million)
	report(b, million, way{name: "columns", run: func() {
		c := s.Columns()
		var sum int64
		for i, v := range c.Close.Lo {
			sum += v - c.Open.Lo[i]
		}
		sink += sum
	}})
}

func BenchmarkSeriesAll(b *testing.B) {
	s := gen.Walk("BTC/USD", million)
	report(b, million, way{name: "all", run: func() {
		for _, bar := range s.All() {
			sink += bar.Trades
		}
	}})
}

func BenchmarkQualityRules(b *testing.B) {
	s := gen.Walk("BTC/USD", million)
	report(b, million, way{name: "judge", run: func() {
		v := quality.NewValidator(s.Range(), s.Range().End).Check(s)
		sink += int64(len(v.Findings))
	}})
}

func BenchmarkResampleToHours(b *testing.B) {
	s := gen.Walk("BTC/USD", million)
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	report(b, million, way{name: "resample", run: func() { sink += int64(must(domain.Resample(s, key)).Len()) }})
}

func BenchmarkTradesToMinutes(b *testing.B) {
	trades := make([]domain.Trade, million)
	for i := range trades {
		price := must(domain.NewDecimal(3_000_000+int64(i%97), 2))
		trades[i] = domain.Trade{Time: gen.WalkStart.Add(time.Duration(i) * time.Second), Seq: int64(i), Price: price, Size: price}
	}

	all := must(domain.NewTicks("BTC/USD", trades...))
	report(b, million, way{name: "aggregate", run: func() {
		r := must(domain.NewResampler(gen.MinuteKey("BTC/USD")))
		sink += int64(must(r.AddTrades(all)).Len() + r.Flush().Len())
	}})
}

// Chunks of 4096 bars in the processor's cache, opened, checked and decoded into existing columns.
func BenchmarkCodecDecode(b *testing.B) {
	const chunk, times = 4096, 250
	s := gen.Walk("BTC/USD", chunk)
	packed := must(codec.Append(nil, s))
	var columns domain.Columns
	report(b, chunk*times,
		way{name: "codec", run: func() {
			for range times {
				columns = must(codec.Open(packed)).Columns(columns)
			}
		}},
	)
	b.ReportMetric(float64(len(packed))/chunk, "B/bar")
}

// One price of the same chunks.
func BenchmarkCodecDecodeClose(b *testing.B) {
	const chunk, times = 4096, 1000
	packed := must(codec.Append(nil, gen.Walk("BTC/USD", chunk)))
	var column domain.Column
	report(b, chunk*times, way{name: "codec", run: func() {
		for range times {
			column, _ = must(codec.Open(packed)).Field(domain.FieldClose, column)
		}
	}})
}

// The last 200 bars from memory, without a cache: microseconds and allocations per call.
func BenchmarkFetchMemoryLast200(b *testing.B) {
	ctx := context.Background()
	s := gen.Walk("BTC/USD", 100_000)
	store := memory.New()
	must(ports.WriteBars(ctx, store, s, s.Range(), ports.ConflictReplace))
	md := must(backtest.New(store, clock.NewSimulated(s.Range().End), app.Config{}))
	request := domain.DataRequest{Key: s.Key(), Last: 200}
	latency(b, func() {
		if result := must(md.Fetch(ctx, request)); result.Series.Len() != 200 {
			b.Fatal(result.Series.Len())
		}
	})
}
