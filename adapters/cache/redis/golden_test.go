package redis

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// update writes the golden files that do not exist. One of a released version is never written again, because servers
// have such values.
var update = flag.Bool("update", false, "write the golden files that are missing")

// goldens are the blocks of the golden files, all under valueKey.
func goldens(tb testing.TB) map[string]blockcache.Block {
	tb.Helper()
	d := domain.MustDecimal
	start, _ := domain.BarBlocks(valueKey.Series.Grid).Bounds(valueKey.Index)
	one, err := domain.NewSeries(valueKey.Series, domain.Bar{
		OpenTime: start.Time(), Open: d("67000.12"), High: d("67001"), Low: d("66999.5"), Close: d("67000"),
		Volume: d("1.5"), Trades: 3,
	})
	if err != nil {
		tb.Fatal(err)
	}

	return map[string]blockcache.Block{
		"one_bar": {Version: domain.Version{Revision: 1, Nonce: 0xfedc_ba98_7654_3210}, Bars: one},
		"lowest":  {Version: domain.Version{Revision: math.MinInt64}, Bars: one, Validated: true},
		"wide":    valueBlock(tb, 5),
	}
}

// TestGolden decodes the golden files, and encodes the same bytes.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, want := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "v3", name+".golden")
			value := encoded(t, want)
			stored, err := os.ReadFile(path)
			if os.IsNotExist(err) && *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, value, 0o644); err != nil {
					t.Fatal(err)
				}

				return
			}
			if err != nil {
				t.Fatal(err)
			}

			if got, err := values.decode(valueKey, stored); err != nil || !sameBlock(got, want) {
				t.Fatalf("decoded %v, %v; want %v", got, err, want)
			}
			if !bytes.Equal(value, stored) {
				t.Errorf("encoded %d bytes that are not the %d of %s", len(value), len(stored), path)
			}
		})
	}
}

// TestEarlierVersionsAreRejected decodes values that earlier programs left.
func TestEarlierVersionsAreRejected(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("testdata", "v[12]", "*.golden"))
	if err != nil || len(paths) != 4 {
		t.Fatalf("found %v, %v", paths, err)
	}

	for _, path := range paths {
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range [][]byte{stored, authentic(stored)} {
			if _, err := values.decode(valueKey, value); !errors.Is(err, errRejected) {
				t.Errorf("%s: got %v", path, err)
			}
		}
	}
}
