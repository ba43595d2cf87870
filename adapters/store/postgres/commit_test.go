package postgres_test

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// TestOutcomeUnknown cuts the connection of a write while COMMIT is under way, before the server has committed and
// after. The error says that nobody knows the outcome, and the same write again does what is left of it.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cut  func(*proxy) *atomic.Bool
		want ports.WriteReport // of the same write again
	}{
		"committed":   {func(b *proxy) *atomic.Bool { return &b.cutsAtCommit }, ports.WriteReport{Unchanged: 1}},
		"rolled back": {func(b *proxy) *atomic.Bool { return &b.cutsBeforeCommit }, ports.WriteReport{Inserted: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, dsn := newProxy(t), migrated.Postgres(t)
			s := open(t, postgres.Config{
				DSN: secret.New(changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.Host = b.address })),
			})
			first, second := commitBar(t, 0), commitBar(t, 1)
			if _, err := ports.WriteBars(t.Context(), s, first, first.Range(), ports.ConflictFail); err != nil {
				t.Fatal(err)
			}

			cut := c.cut(b)
			cut.Store(true)
			_, err := ports.WriteBars(t.Context(), s, second, second.Range(), ports.ConflictFail)
			cut.Store(false)
			wantKind(t, err, ports.ErrUnavailable)
			if !strings.Contains(err.Error(), "the outcome of the write is unknown") {
				t.Error(err)
			}

			report, err := ports.WriteBars(t.Context(), s, second, second.Range(), ports.ConflictFail)
			if err != nil || report != c.want {
				t.Errorf("the same write again: %+v, %v; want %+v", report, err, c.want)
			}
			bars, covered := 0, false
			all := first.Range().Hull(second.Range())
			for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: first.Key(), Range: all}) {
				if err != nil {
					t.Fatal(err)
				}
				bars, covered = bars+piece.Rows.Len(), covered || piece.State != nil && piece.State.Covers(all)
			}
			if bars != 2 || !covered {
				t.Errorf("%d bars, covered %t", bars, covered)
			}
		})
	}
}

// commitBar returns the bar of an hour.
func commitBar(t *testing.T, hour int) domain.Series {
	t.Helper()
	at := time.Date(2024, 1, 1, hour, 0, 0, 0, time.UTC)
	s, err := domain.NewSeries(domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}, domain.Bar{OpenTime: at})
	if err != nil {
		t.Fatal(err)
	}

	return s
}
