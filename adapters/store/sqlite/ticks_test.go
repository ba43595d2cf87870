package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// someTrades returns n trades, three per second.
func someTrades(tb testing.TB, n int) domain.Trades {
	tb.Helper()
	b := domain.NewTicksBuilder[domain.Trade]("XRP/ETH")
	for i := range n {
		if err := b.Append(domain.Trade{
			Time: start.Add(time.Duration(i/3) * time.Second), Seq: int64(i),
			Price: domain.MustDecimal("0.00141342"), Size: domain.MustDecimal("23"), Side: domain.Side(i % 3),
		}); err != nil {
			tb.Fatal(err)
		}
	}

	trades, err := b.Ticks()
	if err != nil {
		tb.Fatal(err)
	}

	return trades
}

// A read must reject rows that are not valid trades, and a write must repair them.
func TestDamagedTrades(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, statement string
		rule            domain.Rule
	}{
		{"null", `UPDATE trades SET price = NULL WHERE seq = 70`, domain.RuleIncomplete},
		{"not finite", `UPDATE trades SET size = 'NaN' WHERE seq = 70`, domain.RuleNotFinite},
		{"negative size", `UPDATE trades SET size = '-1' WHERE seq = 70`, domain.RuleNegativeVolume},
		{"unknown side", `UPDATE trades SET side = 3 WHERE seq = 70`, domain.RuleIncomplete},
		{"negative seq", `UPDATE trades SET seq = -1 WHERE seq = 70`, domain.RuleOutOfOrder},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "market.db")
			s, raw := open(t, path), openRaw(t, path)
			trades := someTrades(t, 200)
			r := trades.Range()
			if _, err := s.WriteTrades(t.Context(), trades, r, ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}

			for _, statement := range []string{ // the first three allow NULL, as another version of the table may do
				`PRAGMA writable_schema = ON`,
				`UPDATE sqlite_schema SET sql = replace(sql, 'price  TEXT NOT NULL', 'price TEXT')
					WHERE name = 'trades'`,
				`PRAGMA writable_schema = RESET`,
				test.statement,
			} {
				if _, err := raw.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}

			var readErr error
			for _, err := range s.ReadTrades(t.Context(), ports.TickQuery{Symbol: trades.Symbol(), Range: r}).Rows() {
				readErr = err
			}
			v, ok := errors.AsType[*domain.TickError](readErr)
			if !errors.Is(readErr, ports.ErrCorruptData) || !ok || v.Rule != test.rule {
				t.Fatalf("got %v, want ErrCorruptData and a violation of %s", readErr, test.rule)
			}

			report, err := s.ReplaceTrades(t.Context(), trades, r)
			if err != nil || report.Unchanged != 199 || report.Inserted+report.Changed != 1 {
				t.Fatalf("got %+v, %v", report, err)
			}

			n := 0
			for batch, err := range s.ReadTrades(t.Context(), ports.TickQuery{Symbol: trades.Symbol(), Range: r}).Rows() {
				if err != nil || !batch.Equal(trades) {
					t.Fatalf("got %s, %v", batch, err)
				}
				n += batch.Len()
			}

			if n != trades.Len() {
				t.Errorf("%d trades, want %d", n, trades.Len())
			}
		})
	}
}

// An identical rewrite must not commit anything that another connection can see.
func TestRewriteOfTradesWritesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, other := open(t, path), openRaw(t, path)
	trades := someTrades(t, 1000)
	var versions [2]int
	for i := range versions {
		report, err := s.WriteTrades(t.Context(), trades, trades.Range(), ports.ConflictReplace)
		if err != nil || report.Changed+report.Deleted != 0 || i == 1 && report.Inserted > 0 {
			t.Fatalf("got %+v, %v", report, err)
		}
		if err := other.QueryRowContext(t.Context(), `PRAGMA data_version`).Scan(&versions[i]); err != nil {
			t.Fatal(err)
		}
	}

	if versions[0] != versions[1] {
		t.Error("an identical rewrite changed the data version")
	}
}
