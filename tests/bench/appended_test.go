package bench

import (
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// benchmarkAppended reads minutes that were written one at a time, as a recorder does, beside the same minutes of a bulk
// load. times-bulk is 1 where both are equally fast.
func benchmarkAppended(b *testing.B, store ports.Store, n int) {
	b.Helper()
	ctx := b.Context()
	bulk, appended := gen.Walk("BULK/USD", n), gen.Walk("APPENDED/USD", n)
	must(ports.WriteBars(ctx, store, bulk, bulk.Range(), ports.ConflictFail))
	for i := range n {
		bar := appended.Slice(i, i+1)
		must(ports.WriteBars(ctx, store, bar, bar.Range(), ports.ConflictFail))
	}

	report(b, n,
		way{name: "ours", run: func() { readAll(ctx, store, ports.BarQuery{Key: appended.Key(), Range: appended.Range()}, n) }},
		way{name: "bulk", run: func() { readAll(ctx, store, ports.BarQuery{Key: bulk.Key(), Range: bulk.Range()}, n) }},
	)
}

func BenchmarkAppendedSQLite10k(b *testing.B) {
	benchmarkAppended(b, openSQLite(b, filepath.Join(b.TempDir(), "market.db")), 10_000)
}

func BenchmarkAppendedPostgres10k(b *testing.B) { benchmarkAppended(b, newPostgres(b).store, 10_000) }

func BenchmarkAppendedInflux10k(b *testing.B) {
	bars, _ := newInflux(b)
	benchmarkAppended(b, ingest.WithLedger(influx.Name, "", bars, newPostgres(b).store), 10_000)
}
