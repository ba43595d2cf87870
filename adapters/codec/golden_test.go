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

// update writes missing golden files. It never overwrites one, because released programs have written chunks like it.
var update = flag.Bool("update", false, "write missing golden files")

type golden struct {
	name   string
	series domain.Series
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// goldens returns the series of the golden files, one for each case that the format treats separately.
func goldens() []golden {
	type barFunc = func(i int, noise func(n int64) int64) [6]int64
	minutes := func(bars int, bar barFunc, priceScale, volumeScale uint8, skip int) domain.Series {
		seed := uint64(7)
		noise := func(n int64) int64 { // a pseudorandom number in [0, n)
			seed = seed*6364136223846793005 + 1442695040888963407
			return int64(seed>>33) % n
		}
		c := domain.Columns{PriceScale: priceScale, VolumeScale: volumeScale}
		micros := int64(1_522_800_000_000_000)
		for i := range bars {
			v := bar(i, noise)
			for f, column := range decimalColumns(&c) {
				column.Lo = append(column.Lo, v[f])
			}
			c.OpenMicros, c.Trades = append(c.OpenMicros, micros), append(c.Trades, v[5])
			micros += 60_000_000
			if skip > 0 && i%skip == skip-1 {
				micros += 60_000_000 * (1 + noise(90))
			}
		}

		s, err := domain.NewSeriesFromColumns(minuteKey(), c)
		if err != nil {
			panic(err)
		}

		return s
	}
	price := int64(742_491)
	trading := func(_ int, noise func(int64) int64) [6]int64 {
		open := price + noise(21) - 10
		price = open + noise(401) - 200
		high := max(open, price) + noise(99)
		low := min(open, price) - noise(99)

		return [6]int64{open, high, low, price, 1 + noise(1<<31), 1 + noise(300)}
	}
	outliers := func(i int, noise func(int64) int64) [6]int64 {
		b := trading(i, noise)
		if noise(40) == 0 {
			b[noise(6)] *= 10_000
		}

		return b
	}
	negative := func(i int, noise func(int64) int64) [6]int64 {
		b := trading(i, noise)
		// Prices are negative and high is below low.
		return [6]int64{b[0] - 742_491, b[2] - 742_491, b[1] - 742_491, b[3] - 742_491, -b[4], b[5]}
	}
	flat := func(int, func(int64) int64) [6]int64 { return [6]int64{500, 500, 500, 500, 0, 0} }
	wide, err := domain.NewSeries(minuteKey(), wideBars()...)
	if err != nil {
		panic(err)
	}

	return []golden{
		{"one bar", minutes(1, trading, 2, 8, 0)},
		{"steady", minutes(256, trading, 2, 8, 0)},
		{"gaps", minutes(300, trading, 2, 8, 7)},
		{"outliers", minutes(300, outliers, 2, 8, 50)},
		{"negative", minutes(130, negative, 2, 8, 0)},
		{"flat", minutes(129, flat, 2, 0, 0)},
		{"wide", wide},
	}
}

// wideBars returns bars that need more than 64 bits in some columns.
func wideBars() []domain.Bar {
	d := domain.MustDecimal
	return []domain.Bar{
		{
			OpenTime: timeOf(0), Open: d("1"), High: d("2345.123456789012345678"), Low: d("0.5"), Close: d("2"),
			Volume: d("3"),
		},
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

// Chunks of every released version must stay readable, and Append must write the same bytes as then.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "v1", strings.ReplaceAll(g.name, " ", "_")+".chunk")
			packed := mustPack(t, g.series)
			stored, err := os.ReadFile(path)
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

			got, err := mustOpen(t, stored).Series(g.series.Key())
			if err != nil || !got.Equal(g.series) {
				t.Errorf("read %v, %v; want %v", got, err, g.series)
			}
			if !bytes.Equal(packed, stored) {
				t.Errorf("packed into %d bytes that differ from the %d bytes of %s", len(packed), len(stored), path)
			}
		})
	}
}
