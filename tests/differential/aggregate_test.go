package differential

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const realTrades = "XRP-ETH_trades_2019-10.csv"

// TestRealTrades requires that every store aggregates real trades to the same bars, which are those of the resampler.
func TestRealTrades(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("MARKETDATA_SHARED_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(folder, realTrades))
	if err != nil {
		t.Skipf("no real data: %v; name its folder in MARKETDATA_SHARED_DATA", err)
	}

	defer f.Close()
	trades := fileTrades(t, "XRP/ETH", f)
	stores := map[string]ports.TickStore{
		"postgres": openPostgres(t).Ticks, "sqlite": openSQLite(t).Ticks, "memory": openMemory(t).Ticks,
	}
	for _, s := range stores {
		if _, err := s.WriteTrades(t.Context(), trades, trades.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	for _, text := range []string{"5m", "1h", "1d@America/New_York"} {
		grid, err := domain.ParseGrid(text)
		if err != nil {
			t.Fatal(err)
		}

		key := domain.SeriesKey{Symbol: trades.Symbol(), Grid: grid}
		want := resampled(t, key, trades)
		for name, s := range stores {
			whole := domain.Range{Start: grid.Floor(trades.Range().Start), End: trades.Range().End}
			got := aggregated(t, s.(ports.TradeAggregator), key, whole)
			if !got.Equal(want) {
				t.Errorf("%s of %s: got %s, want %s", text, name, got, want)
			}
		}

		t.Logf("%d trades are %d bars of %s", trades.Len(), want.Len(), text)
	}
}

func fileTrades(t *testing.T, symbol domain.Symbol, r io.Reader) domain.Trades {
	t.Helper()
	b := domain.NewTicksBuilder[domain.Trade](symbol)
	for batch, err := range file.ReadTrades(r, file.TickConfig{Symbol: symbol}) {
		if err == nil {
			err = b.AppendTicks(batch.Ticks)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	trades, err := b.Ticks()
	if err != nil || trades.Len() == 0 {
		t.Fatal(trades, err)
	}

	return trades
}

// resampled returns the bars of the trades, from the resampler.
func resampled(t *testing.T, key domain.SeriesKey, trades domain.Trades) domain.Series {
	t.Helper()
	r, err := domain.NewResampler(key)
	if err != nil {
		t.Fatal(err)
	}

	most, err := r.AddTrades(trades)
	if err != nil {
		t.Fatal(err)
	}

	return joined(t, key, most, r.Flush())
}

func aggregated(t *testing.T, a ports.TradeAggregator, key domain.SeriesKey, r domain.Range) domain.Series {
	t.Helper()
	var pieces []domain.Series
	for piece, err := range a.AggregateTrades(t.Context(), key, r).Rows() {
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, piece)
	}

	return joined(t, key, pieces...)
}

func joined(t *testing.T, key domain.SeriesKey, pieces ...domain.Series) domain.Series {
	t.Helper()
	b := domain.NewSeriesBuilder(key, 0)
	for _, p := range pieces {
		if err := b.AppendSeries(p); err != nil {
			t.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return s
}
