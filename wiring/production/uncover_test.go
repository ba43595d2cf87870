package production_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// TestUncoverLostBars uncovers bars that InfluxDB and PostgreSQL lost: they are corrupt data before, and not covered
// afterwards, in this process and in another one whose cache had them.
func TestUncoverLostBars(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		all, lost func(testing.TB) domain.Series
		lose      func(*testing.T, wiring.Config, domain.Series)
		uncovered func(domain.Series) domain.Range
	}{
		"influx": {
			all:  func(tb testing.TB) domain.Series { return minutely(tb, noon, 300) },
			lost: func(tb testing.TB) domain.Series { return minutely(tb, noon, 300).Slice(100, 110) },
			lose: func(t *testing.T, cfg wiring.Config, lost domain.Series) {
				t.Helper()
				deleteUnseen(t, cfg.Influx, lost.Key(), lost.Range())
			},
			uncovered: func(lost domain.Series) domain.Range {
				layout := domain.BarBlocks(lost.Key().Grid)
				return layout.Range(layout.Span(lost.Range()))
			},
		},
		"postgres": {
			all:  func(tb testing.TB) domain.Series { return hours(tb, 2021, 2023) },
			lost: func(tb testing.TB) domain.Series { return hours(tb, 2022, 2023) },
			lose: func(t *testing.T, cfg wiring.Config, _ domain.Series) {
				t.Helper()
				dropPartition(t, cfg, "marketdata.bars_2022")
			},
			uncovered: domain.Series.Range,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			all, lost := c.all(t), c.lost(t)
			other := open(t, cfg, production.Options{})
			ingest(t, other, all)
			warm(t, other, all)
			c.lose(t, cfg, lost)
			md := open(t, cfg, production.Options{})
			if _, err := md.Fetch(t.Context(), requestOf(all)); !errors.Is(err, ports.ErrCorruptData) {
				t.Fatalf("before: %v", err)
			}

			got, err := md.Uncover(t.Context(), lost.Key(), lost.Range())
			if want := c.uncovered(lost); err != nil || !got.Equal(want) {
				t.Fatalf("uncovered %s, %v; want %s", got, err, want)
			}
			checkUncovered(t, md, all, got)
			eventually(t, "the other process sees it", func() bool {
				result, err := other.Fetch(t.Context(), requestOf(all))
				return err == nil && len(result.Uncovered) == 1
			})
			checkUncovered(t, other, all, got)

			ingest(t, md, all)
			if got, _ := fetch(t, md, all); !got.Equal(all) {
				t.Errorf("written again: %s", got)
			}
		})
	}
}

func requestOf(s domain.Series) domain.DataRequest {
	return domain.DataRequest{Key: s.Key(), Start: s.Range().Start, End: s.Range().End}
}

func checkUncovered(t *testing.T, md *app.Service, all domain.Series, uncovered domain.Range) {
	t.Helper()
	got, err := md.Fetch(t.Context(), requestOf(all))
	want := uncovered.Intersect(all.Range())
	if err != nil || len(got.Uncovered) != 1 || !got.Uncovered[0].Equal(want) {
		t.Errorf("not covered: %v, %v; want %s", got.Uncovered, err, want)
	}
	if left := all.Len() - all.Clip(uncovered).Len(); got.Series.Len() != left {
		t.Errorf("got %s, want %d bars", got.Series, left)
	}
}

// TestUnfinishedWrites diagnoses a write that died: it is listed until its range is given up.
func TestUnfinishedWrites(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	md, all := open(t, cfg, production.Options{}), minutely(t, noon, 10)
	ingest(t, md, all)
	insertIntent(t, cfg)

	diagnoseStores := func() (ports.Diagnosis, error) { return md.Diagnose(t.Context()) }
	influx := diagnoseInTime(t, diagnoseStores).Stores[1]
	if influx.State != ports.HealthDegraded || !strings.Contains(influx.Reason, "did not finish: 1") {
		t.Errorf("the diagnosis is %s: %s", influx.State, influx.Reason)
	}
	if n := len(influx.Unfinished); n != 1 {
		t.Fatalf("%d unfinished writes", n)
	}
	w := influx.Unfinished[0]
	if w.Key != all.Key() || w.Owner != "process 7" || !w.Range.Equal(domain.Range{Start: noon, End: noon.Add(time.Hour)}) {
		t.Errorf("unfinished: %+v", w)
	}

	if _, err := md.Uncover(t.Context(), w.Key, w.Range); err != nil {
		t.Fatal(err)
	}
	if d := diagnoseInTime(t, diagnoseStores); len(d.Stores[1].Unfinished) > 0 {
		t.Errorf("after the range was given up: %+v", d)
	}
}

// insertIntent leaves an intent of an hour from noon that expired, for the one series that there is.
func insertIntent(t *testing.T, cfg wiring.Config) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), `
INSERT INTO marketdata.intents (id, start_time, end_time, expires, symbol_id, series_id, owner)
SELECT 1, $1, $2, now() - interval '1 minute', symbol_id, id, 'process 7' FROM marketdata.series`,
		noon, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}
