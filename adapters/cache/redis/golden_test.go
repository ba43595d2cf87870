package redis

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// update writes golden files that are not there yet. One of a released version is never written again: servers hold values like it.
var update = flag.Bool("update", false, "write the golden files that are missing")

// goldens are the chunks of the golden files, all under valueKey.
func goldens(tb testing.TB) map[string]ports.Chunk {
	tb.Helper()
	d := domain.MustDecimal
	first := func(open, volume string, trades int64) domain.Bar {
		return domain.Bar{
			OpenTime: timeOf(0), Open: d(open), High: d(open), Low: d(open), Close: d(open), Volume: d(volume), Trades: trades,
		}
	}
	one, err := domain.NewSeries(valueKey.Series, first("67000.12", "1.5", 3))
	if err != nil {
		tb.Fatal(err)
	}

	return map[string]ports.Chunk{
		"empty":   {Bars: domain.EmptySeries(valueKey.Series), ClosedBefore: -5, ReadAt: 1 << 52, TailValidUntil: 6, ValidUntil: 7},
		"one_bar": {Bars: one, Validated: true, Claims: [2]uint64{0xfedc_ba98_7654_3210, 1}, ClosedBefore: 1, ReadAt: 2, TailValidUntil: 3, ValidUntil: 1 << 62},
		"wide":    valueChunk(tb, 5),
	}
}

// What encode writes today is what it wrote then, and is read to the digit.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, chunk := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "v2", name+".golden")
			value, err := encode(valueKey, valueGeneration, valueHead, chunk)
			if err != nil {
				t.Fatal(err)
			}

			held, err := os.ReadFile(path)
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

			got, err := decode(valueKey, valueGeneration, held)
			if err != nil || !got.Bars.Equal(chunk.Bars) {
				t.Fatalf("read %v, %v; want %v", got.Bars, err, chunk.Bars)
			}

			got.Bars = chunk.Bars
			if got != chunk {
				t.Errorf("read %+v; want %+v", got, chunk)
			}
			if !bytes.Equal(value, held) {
				t.Errorf("encodes to %d bytes that are not the %d of %s", len(value), len(held), path)
			}
		})
	}
}

// A sound value of another version is told from a poisoned one.
func TestGoldenOfVersion1(t *testing.T) {
	t.Parallel()
	held, err := os.ReadFile(filepath.Join("testdata", "v1", "wide.golden"))
	if err != nil {
		t.Fatal(err)
	}

	if _, err := decode(valueKey, valueGeneration, held); !errors.Is(err, errVersion) || errors.Is(err, errPoisoned) {
		t.Errorf("got %v", err)
	}
	held[20] ^= 1
	if _, err := decode(valueKey, valueGeneration, held); !errors.Is(err, errPoisoned) {
		t.Errorf("a damaged one: %v", err)
	}
}
