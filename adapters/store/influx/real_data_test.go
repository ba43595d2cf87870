package influx_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// TestRealData writes each file of real bars and compares the bars that it reads back.
func TestRealData(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("MARKETDATA_SHARED_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	for name, grid := range map[string]string{
		"BTC-USDT_1h_binance_2018-05.csv":   "1h",
		"BTC-USD_1d_coinbase_2014-2018.csv": "1d",
		"BTC-USD_1m_coinbase_2018-04.csv":   "1m",
		"BTC-USD_1s_coinbase_2016-10.csv":   "1s",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Skipf("no real data: %v; set MARKETDATA_SHARED_DATA to its folder", err)
			}

			want := csvBars(t, domain.SeriesKey{Symbol: "BTC/USD", Grid: mustGrid(t, grid)}, string(text))
			s := openStore(t, config(t))
			write(t, s, want)
			if got, err := readAll(t, s, queryOf(want)); err != nil || !got.Equal(want) {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		})
	}
}

// csvBars parses the columns time, open, high, low, close and volume.
func csvBars(t *testing.T, key domain.SeriesKey, text string) domain.Series {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}

	b := domain.NewSeriesBuilder(key, len(rows))
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339Nano, row[0])
		if err != nil {
			t.Fatal(err)
		}

		var d [5]domain.Decimal
		for i := range d {
			d[i] = domain.MustDecimal(row[i+1])
		}
		bar := domain.Bar{OpenTime: at, Open: d[0], High: d[1], Low: d[2], Close: d[3], Volume: d[4]}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil || s.Len() == 0 {
		t.Fatal(s, err)
	}

	return s
}
