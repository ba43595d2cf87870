package influx_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// existing returns the configuration of a database that another program filled: one pair is on two exchanges, one is on
// a single exchange, and one row is no bar.
func existing(t *testing.T) influx.Config {
	t.Helper()
	cfg := config(t)
	var lines []string
	for _, series := range []string{
		"exchange=kraken,trading_pair=BTC/USD,data_type=ohlcv",
		"exchange=coinbase,trading_pair=BTC/USD,data_type=ohlcv",
		"exchange=kraken,trading_pair=ETH/USD,data_type=ohlcv",
		"exchange=kraken,trading_pair=(xbt),data_type=ohlcv",
	} {
		for i := range 3 {
			at := recordedStart.Add(time.Duration(i) * time.Minute).UnixNano()
			const fields = "open=65314.59,high=65314.6,low=1.1,close=0.1,volume=1234.00000001"
			lines = append(lines, fmt.Sprintf("market_data,%s %s %d", series, fields, at))
		}
	}

	lines = append(lines, fmt.Sprintf("market_data,exchange=kraken,trading_pair=ETH/USD,data_type=trade price=1 %d",
		recordedStart.UnixNano()))
	if err := writeRaw(t.Context(), cfg, lines...); err != nil {
		t.Fatal(err)
	}

	cfg.Existing = influx.Existing{Frequency: domain.Minute1}

	return cfg
}

func TestExistingLayout(t *testing.T) {
	t.Parallel()
	s := openStore(t, existing(t))
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}

	minute, hour := domain.Minute1.UTC(), domain.Hour1.UTC()
	for _, c := range []struct {
		key  domain.SeriesKey
		bars int
	}{
		{domain.SeriesKey{Symbol: "ETH/USD", Grid: minute}, 3},
		{domain.SeriesKey{Symbol: "KRAKEN:ETH/USD", Grid: minute}, 3},
		{domain.SeriesKey{Symbol: "KRAKEN:BTC/USD", Grid: minute}, 3},
		{domain.SeriesKey{Symbol: "COINBASE:BTC/USD", Grid: minute}, 3},
		{domain.SeriesKey{Symbol: "BINANCE:BTC/USD", Grid: minute}, 0},
		{domain.SeriesKey{Symbol: "NO/SUCH", Grid: minute}, 0},
		{domain.SeriesKey{Symbol: "ETH/USD", Grid: hour}, 0},
		{domain.SeriesKey{Symbol: "ETH/USD", Grid: minute, PriceType: domain.PriceBid}, 0},
	} {
		got, err := readAll(t, s, ports.BarQuery{Key: c.key, Range: allTime})
		if err != nil || got.Len() != c.bars {
			t.Errorf("%s: got %s, %v; want %d bars", c.key, got, err, c.bars)
			continue
		}

		const want = "2024-02-28T23:30:00Z o=65314.59 h=65314.6 l=1.1 c=0.1 v=1234.00000001"
		if got.Len() > 0 && got.At(0).String() != want {
			t.Errorf("%s: got %s, want %s", c.key, got.At(0), want)
		}
	}

	last := ports.BarQuery{Key: domain.SeriesKey{Symbol: "ETH/USD", Grid: minute}, Range: allTime, Last: 2}
	got, err := readAll(t, s, last)
	if err != nil || got.Len() != 2 || !got.OpenTime(0).Equal(recordedStart.Add(time.Minute)) {
		t.Errorf("last two bars: got %s, %v", got, err)
	}
}

func TestExistingSymbolOnTwoExchanges(t *testing.T) {
	t.Parallel()
	s := openStore(t, existing(t))
	_, err := readAll(t, s, ports.BarQuery{Key: recordedKey, Range: allTime})
	if !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), "coinbase, kraken") {
		t.Errorf("got %v, want an error that names both exchanges", err)
	}
}

func TestExistingIsReadOnly(t *testing.T) {
	t.Parallel()
	s := openStore(t, existing(t))
	b := minuteBars(t, recordedKey, 3)
	const says = ": permission: the measurement market_data is read-only, because "
	if _, err := ports.WriteBars(t.Context(), s, b, b.Range(), ports.ConflictReplace); !errors.Is(err, ports.ErrPermission) ||
		!strings.Contains(err.Error(), says) {
		t.Errorf("write: got %v", err)
	}
	if _, err := s.DeleteBars(t.Context(), b.Key(), b.Range()); !errors.Is(err, ports.ErrPermission) {
		t.Errorf("replace: got %v", err)
	}
}

func TestExistingExtentsAndCatalog(t *testing.T) {
	t.Parallel()
	s := openStore(t, existing(t))
	for _, c := range []struct {
		requested []domain.Symbol
		want      []domain.Symbol
	}{
		{nil, []domain.Symbol{"COINBASE:BTC/USD", "ETH/USD", "KRAKEN:BTC/USD"}},
		{[]domain.Symbol{"KRAKEN:ETH/USD"}, []domain.Symbol{"KRAKEN:ETH/USD"}},
		{[]domain.Symbol{"ETH/USD", "BTC/USD", "NO/SUCH"}, []domain.Symbol{"ETH/USD"}}, // because BTC/USD is ambiguous
	} {
		extents, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{Symbols: c.requested}))
		var got []domain.Symbol
		for _, e := range extents {
			got = append(got, e.Key.Symbol)
			want := domain.Range{Start: recordedStart, End: recordedStart.Add(3 * time.Minute)}
			if !e.Inferred || !e.Range.Equal(want) {
				t.Errorf("got %+v, want %s inferred", e, want)
			}
		}

		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("extents of %v: got %v, %v; want %v", c.requested, got, err, c.want)
		}
		metas, err := ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{Symbols: c.requested}))
		got = nil
		for _, m := range metas {
			got = append(got, m.Symbol)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("symbols of %v: got %v, %v; want %v", c.requested, got, err, c.want)
		}
	}
}

func TestMissingExistingMeasurement(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Existing = influx.Existing{Frequency: domain.Minute1}
	_, _, err := influx.Open(t.Context(), cfg)
	if !errors.Is(err, ports.ErrSchema) || !strings.Contains(err.Error(), "market_data") {
		t.Errorf("got %v", err)
	}
}
