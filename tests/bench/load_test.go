package bench

import (
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// benchmarkLoad measures a load of a million bars into a new memory store, beside the codec alone, which decodes the
// same bars from chunks at hand: into columns that are there, the floor, and into new Series, as whoever keeps them has
// to.
func benchmarkLoad(b *testing.B, bars domain.Series, load func()) {
	b.Helper()
	var chunks [][]byte
	for at := 0; at < bars.Len(); at += codec.MaxBars {
		chunks = append(chunks, must(codec.Append(nil, bars.Slice(at, min(at+codec.MaxBars, bars.Len())))))
	}
	var columns domain.Columns
	report(b, bars.Len(),
		way{name: "load", run: load},
		way{name: "floor", run: func() {
			for _, chunk := range chunks {
				columns = must(codec.Open(chunk)).Columns(columns)
			}
		}},
		way{name: "series", run: func() {
			all := make([]domain.Series, 0, len(chunks))
			for _, chunk := range chunks {
				all = append(all, must(must(codec.Open(chunk)).Series(bars.Key())))
			}
			sink += int64(all[0].Len())
		}},
	)
}

func BenchmarkLoadFile1M(b *testing.B) {
	bars := gen.Walk("BTC/USD", million)
	path := filepath.Join(b.TempDir(), "market.bars")
	w := must(barfile.Create(path))
	check(w.Write(bars, bars.Range()))
	check(w.Close())
	benchmarkLoad(b, bars, func() { must(memory.Open(b.Context(), path)) })
}

func BenchmarkLoadSQLite1M(b *testing.B) {
	bars := gen.Walk("BTC/USD", million)
	store := openSQLite(b, filepath.Join(b.TempDir(), "market.db"))
	must(ports.WriteBars(b.Context(), store, bars, bars.Range(), ports.ConflictReplace))
	benchmarkLoad(b, bars, func() { check(memory.New().Copy(b.Context(), store)) })
}
