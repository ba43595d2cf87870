package bench

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
)

// Rows of a CSV file of bars, read, checked and stored in a new SQLite file, as marketdata import does it. The baseline
// is the same rows read and checked, and not stored.
func BenchmarkImportCSV(b *testing.B) {
	ctx := context.Background()
	s := gen.Walk("BTC/USD", million)
	var text bytes.Buffer
	w := file.NewBarWriter(&text)
	check(w.Write(s))
	check(w.Flush())
	cfg := file.Config{Key: s.Key()}
	read := func() io.Reader { return bytes.NewReader(text.Bytes()) }
	folder, round := b.TempDir(), 0
	report(b, million,
		way{name: "import", run: func() {
			round++
			path := filepath.Join(folder, strconv.Itoa(round)+".db")
			md, done, err := embedded.Open(ctx, wiring.Config{SQLite: wiring.SQLite{Path: path}}, embedded.Options{})
			check(err)
			defer done()
			for batch, err := range file.ReadBars(read(), cfg) {
				check(err)
				sink += int64(must(md.Ingest(ctx, batch.Bars, batch.Range, ports.ConflictReplace)).Inserted)
			}
		}},
		way{name: "floor", run: func() {
			for batch, err := range file.ReadBars(read(), cfg) {
				check(err)
				sink += int64(len(quality.NewValidator(batch.Range, batch.Range.End).Check(batch.Bars).Findings))
			}
		}},
	)
}
