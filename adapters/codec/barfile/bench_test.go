package barfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/adapters/codec"
)

// BenchmarkRead opens, verifies and decodes a file of 1,048,576 bars that is in the page cache.
func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "bars")
	s := series("BTC/USD", 0, 256*codec.MaxBars)
	writeFile(b, path, s)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}

	b.ReportAllocs()
	for b.Loop() {
		f, closeFile, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}

		for _, err := range f.Bars(s.Key(), s.Range()) {
			if err != nil {
				b.Fatal(err)
			}
		}

		closeFile()
	}

	b.ReportMetric(float64(s.Len())*float64(b.N)/1e6/b.Elapsed().Seconds(), "Mbars/s")
	b.ReportMetric(float64(info.Size())/float64(s.Len()), "B/bar")
	b.ReportMetric(0, "ns/op")
}
