package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestAggregatesNeverScanHistory proves that the trades of a bar, and the two that open and close it, are found by the
// primary key, in the partitions of the range only.
func TestAggregatesNeverScanHistory(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	start := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, symbol := range []domain.Symbol{"BTC/USD", "ETH/USD"} {
		b := domain.NewTicksBuilder[domain.Trade](symbol)
		for i := range 365 * 24 {
			one := domain.MustDecimal("1")
			trade := domain.Trade{Time: start.Add(time.Duration(i) * time.Hour), Price: one, Size: one}
			if err := b.Append(trade); err != nil {
				t.Fatal(err)
			}
		}

		trades, err := b.Ticks()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.WriteTrades(t.Context(), trades, trades.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.pool.Exec(t.Context(), "ANALYZE marketdata.trades"); err != nil {
		t.Fatal(err)
	}

	const days = 5
	from, until := "'2019-06-03'", "'2019-06-08'"
	edges := "'{2019-06-03,2019-06-04,2019-06-05,2019-06-06,2019-06-07}'"
	for name, c := range map[string]struct{ sql, args string }{
		"fixed":    {aggregateFixed, "'BTC/USD', " + from + ", " + until + ", '1 day', " + from},
		"calendar": {aggregateCalendar, "'BTC/USD', " + from + ", " + until + ", " + edges},
	} {
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				root, text := explainAnalyze(t, s, mode, c.sql, c.args)
				read := 0.0
				root.walk(func(p analyzedPlan) {
					if !strings.HasPrefix(p.Table, "trades_") || p.Loops == 0 {
						return
					}

					read += (p.Rows + p.Removed) * p.Loops
					if p.Table != "trades_2019_06" || p.Index == "" && p.Node != "Bitmap Heap Scan" {
						t.Errorf("%s of %s by %q", p.Node, p.Table, p.Index)
					}
				})
				if want := float64(days*24 + 2*days); read > want || root.Rows != days {
					t.Errorf("read %v rows for %v bars; want %v\n%s", read, root.Rows, want, text)
				}
			})
		}
	}
}
