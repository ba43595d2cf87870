package production_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring/production"
)

// After SQL by hand and a touch, every process reads the bars as they are: changed, deleted and inserted ones. A touch
// changes no coverage, and is refused for bars in InfluxDB.
func TestTouchAfterSQL(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	md, other := open(t, cfg, production.Options{}), open(t, cfg, production.Options{})
	want := bars(t, "BTC/USD", domain.Hour1)
	ingest(t, md, want)
	warm(t, md, want)
	warm(t, other, want)

	conn, err := pgx.Connect(t.Context(), cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Close(t.Context())
	last := want.OpenTime(want.Len() - 1)
	change := func(sql string, wanted ...domain.Bar) {
		t.Helper()
		if tag, err := conn.Exec(t.Context(), sql, last); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: %v, %v", sql, tag, err)
		}
		if err := md.Touch(t.Context(), want.Key()); err != nil {
			t.Fatal(err)
		}

		now, err := domain.NewSeries(want.Key(), wanted...)
		if err != nil {
			t.Fatal(err)
		}

		request := domain.DataRequest{Key: want.Key(), Start: want.Range().Start, End: want.Range().End}
		got, err := md.Fetch(t.Context(), request)
		if err != nil || !got.Series.Equal(now) || len(got.Uncovered) > 0 {
			t.Fatalf("%s: got %v, uncovered %v, %v; want %v", sql, got.Series, got.Uncovered, err, now)
		}
		eventually(t, "the other process reads the change", func() bool {
			got, err := other.Fetch(t.Context(), request)
			return err == nil && got.Series.Equal(now)
		})
	}

	all := []domain.Bar{want.At(0), want.At(1), want.At(2)}
	changed := all[2]
	changed.Trades = 77
	change(`UPDATE marketdata.bars SET trades = 77 WHERE open_time = $1`, all[0], all[1], changed)
	change(`DELETE FROM marketdata.bars WHERE open_time = $1`, all[0], all[1])
	change(`INSERT INTO marketdata.bars (open_time, trades, symbol_id, series_id, open, high, low, close, volume)
		SELECT $1, trades, symbol_id, series_id, open, high, low, close, volume FROM marketdata.bars LIMIT 1`, all...)

	if err := md.Touch(t.Context(), domain.SeriesKey{Symbol: "NONE", Grid: domain.Hour1.UTC()}); err != nil {
		t.Errorf("a series that does not exist: %v", err)
	}
	if err := md.Touch(t.Context(), domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("bars in InfluxDB: %v; want ErrInvalid", err)
	}
}
