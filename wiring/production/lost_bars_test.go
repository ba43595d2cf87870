package production_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// hours returns hourly bars of whole years.
func hours(tb testing.TB, from, to int) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}, 0)
	end := time.Date(to, 1, 1, 0, 0, 0, 0, time.UTC)
	p := domain.MustDecimal("67000.5")
	for at := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC); at.Before(end); at = at.Add(time.Hour) {
		bar := domain.Bar{OpenTime: at, Open: p, High: p, Low: p, Close: p, Volume: p, Trades: 1}
		if err := b.Append(bar); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

// A dropped partition is corrupt data, never fewer bars, until its bars are replaced, or deleted and imported again.
func TestDroppedPartition(t *testing.T) {
	t.Parallel()
	for name, cache := range map[string]wiring.Cache{
		"cached": {Bytes: 4 << 20}, "disabled": {Disabled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Cache = cache
			want := hours(t, 2021, 2023)
			ingest(t, open(t, cfg, production.Options{}), want)
			dropPartition(t, cfg, "marketdata.bars_2022")
			md := open(t, cfg, production.Options{}) // its cache is empty
			checkCorrupt(t, md, want)

			lost := hours(t, 2022, 2023)
			replace(t, md, lost, lost.Range())
			checkRepaired(t, md, want)

			dropPartition(t, cfg, "marketdata.bars_2022") // which the process remembers
			otherKey := domain.SeriesKey{Symbol: "ETH/USD", Grid: lost.Key().Grid}
			other, err := domain.NewSeriesFromColumns(otherKey, lost.Columns())
			if err != nil {
				t.Fatal(err)
			}

			ingest(t, md, other)
			if got, _ := fetch(t, md, other); !got.Equal(other) {
				t.Errorf("another series has %v, want %v", got, other)
			}

			if _, err := md.Delete(t.Context(), lost.Key(), lost.Range()); err != nil {
				t.Fatal(err)
			}
			ingest(t, md, lost)
			checkRepaired(t, md, want)
		})
	}
}

func replace(t *testing.T, md *app.Service, bars domain.Series, r domain.Range) {
	t.Helper()
	if _, err := md.Replace(t.Context(), bars, r); err != nil {
		t.Fatal(err)
	}
}

// checkRepaired fetches the bars from the store and, if there is one, from the cache.
func checkRepaired(t *testing.T, md *app.Service, want domain.Series) {
	t.Helper()
	for range 2 {
		if got, _ := fetch(t, md, want); !got.Equal(want) {
			t.Errorf("after the repair there are %d bars, want %d", got.Len(), want.Len())
		}
	}
}

func dropPartition(t *testing.T, cfg wiring.Config, name string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "DROP TABLE "+name); err != nil {
		t.Fatal(err)
	}
}

// checkCorrupt fetches the whole range of the bars, and the end of it.
func checkCorrupt(t *testing.T, md *app.Service, bars domain.Series) {
	t.Helper()
	r := bars.Range()
	for _, request := range []domain.DataRequest{
		{Key: bars.Key(), Start: r.Start, End: r.End}, {Key: bars.Key(), End: r.End, Last: 12_000},
	} {
		for range 2 {
			result, err := md.Fetch(t.Context(), request)
			if !errors.Is(err, ports.ErrCorruptData) {
				t.Errorf("%s: %d bars, %v", request, result.Series.Len(), err)
			}
		}
	}
}
