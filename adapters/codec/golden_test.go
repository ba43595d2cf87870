package codec

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// update writes golden files that are not there yet. A file once released is never written again: programs in the field have
// made chunks like it.
var update = flag.Bool("update", false, "write the golden files that are missing")

type golden struct {
	name   string
	series domain.Series
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// goldens is the series of the golden files: each shape that the format treats in its own way.
func goldens() []golden {
	minutes := func(bars int, bar func(i int, noise func(n int64) int64) [6]int64, prices, volumes uint8, skip int) domain.Series {
		seed := uint64(7)
		noise := func(n int64) int64 { // a number of [0, n)
			seed = seed*6364136223846793005 + 1442695040888963407
			return int64(seed>>33) % n
		}
		c := domain.Columns{PriceScale: prices, VolumeScale: volumes}
		at := int64(1_522_800_000_000_000)
		for i := range bars {
			v := bar(i, noise)
			for f, column := range decimals(&c) {
				column.Lo = append(column.Lo, v[f])
			}
			c.OpenMicros, c.Trades = append(c.OpenMicros, at), append(c.Trades, v[5])
			at += 60_000_000
			if skip > 0 && i%skip == skip-1 {
				at += 60_000_000 * (1 + noise(90))
			}
		}

		s, err := domain.NewSeriesFromColumns(minute(), c)
		if err != nil {
			panic(err)
		}

		return s
	}
	price := int64(742_491)
	trading := func(_ int, noise func(int64) int64) [6]int64 {
		open := price + noise(21) - 10
		price = open + noise(401) - 200
		return [6]int64{open, max(open, price) + noise(99), min(open, price) - noise(99), price, 1 + noise(1<<31), 1 + noise(300)}
	}
	wild := func(i int, noise func(int64) int64) [6]int64 {
		b := trading(i, noise)
		if noise(40) == 0 {
			b[noise(6)] *= 10_000
		}
		return b
	}
	negative := func(i int, noise func(int64) int64) [6]int64 {
		b := trading(i, noise)
		return [6]int64{b[0] - 742_491, b[2] - 742_491, b[1] - 742_491, b[3] - 742_491, -b[4], b[5]} // high below low
	}
	wide, err := domain.NewSeries(minute(), wideBars()...)
	if err != nil {
		panic(err)
	}

	return []golden{
		{"one bar", minutes(1, trading, 2, 8, 0)},
		{"steady", minutes(256, trading, 2, 8, 0)},
		{"gaps", minutes(300, trading, 2, 8, 7)},
		{"outliers", minutes(300, wild, 2, 8, 50)},
		{"negative", minutes(130, negative, 2, 8, 0)},
		{"flat", minutes(129, func(int, func(int64) int64) [6]int64 { return [6]int64{500, 500, 500, 500, 0, 0} }, 2, 0, 0)},
		{"wide", wide},
	}
}

// wideBars need more than 64 bits in some columns.
func wideBars() []domain.Bar {
	d := domain.MustDecimal
	return []domain.Bar{
		{OpenTime: timeOf(0), Open: d("1"), High: d("2345.123456789012345678"), Low: d("0.5"), Close: d("2"), Volume: d("3")},
		{
			OpenTime: timeOf(60_000_000), Open: d("2"), High: d("99999999999999999999.999999999999999999"), Low: d("1"),
			Close: d("2.000000000000000001"), Volume: d("99999999999999999999.5"), Trades: 12,
		},
		{
			OpenTime: timeOf(240_000_000), Open: d("2"), High: d("2345"),
			Low: d("-99999999999999999999.999999999999999999"), Close: d("3"), Volume: d("0"),
		},
	}
}

func goldenSeries(tb testing.TB, name string) domain.Series {
	tb.Helper()
	for _, g := range goldens() {
		if g.name == name {
			return g.series
		}
	}

	tb.Fatalf("no golden series %q", name)
	return domain.Series{}
}

// Chunks of every released version stay readable, and what Append writes today is what it wrote then.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "v1", strings.ReplaceAll(g.name, " ", "_")+".chunk")
			packed := mustPack(t, g.series)
			held, err := os.ReadFile(path)
			if os.IsNotExist(err) && *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, packed, 0o644); err != nil {
					t.Fatal(err)
				}

				return
			}
			if err != nil {
				t.Fatal(err)
			}

			got, err := mustOpen(t, held).Series(g.series.Key())
			if err != nil || !got.Equal(g.series) {
				t.Errorf("read %v, %v; want %v", got, err, g.series)
			}
			if !bytes.Equal(packed, held) {
				t.Errorf("packs to %d bytes that are not the %d of %s", len(packed), len(held), path)
			}
		})
	}
}
