package production_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// TestUnreadableBars proves that a bar of an existing table that no Series can represent is left out and reported under
// the policies drop and flag, and fails a request under the policy fail only.
func TestUnreadableBars(t *testing.T) {
	t.Parallel()
	tables, err := os.ReadFile("../../adapters/store/postgres/testdata/existing_tables.sql")
	if err != nil {
		t.Fatal(err)
	}

	reader := servers.PostgresReader(t, servers.Postgres(t), string(tables)+`
		INSERT INTO public.instruments VALUES (1, 'k', 'BTC', 'USD');
		INSERT INTO public.candles
			SELECT 1, '2024-03-01'::timestamptz + n * interval '1 minute', 1, 1, 1, 1, 1 FROM generate_series(0, 59) n
			WHERE n NOT IN (3, 31);
		UPDATE public.candles SET h = 'NaN' WHERE ts IN ('2024-03-01 00:07Z', '2024-03-01 00:30Z')`)
	for name, disabled := range map[string]bool{"cached": false, "uncached": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := wiring.Config{}
			cfg.Postgres.DSN, cfg.Cache.Disabled = secret.New(reader), disabled
			md, closeService, err := production.Open(t.Context(), cfg, production.Options{})
			if err != nil {
				t.Fatal(err)
			}

			t.Cleanup(closeService)
			testUnreadable(t, md)
			testUnreadable(t, md) // with what the cache has by now
		})
	}
}

func testUnreadable(t *testing.T, md *app.Service) {
	t.Helper()
	minutes := domain.SeriesKey{Symbol: "K:BTC/USD", Grid: domain.Minute1.UTC()}
	fives := domain.SeriesKey{Symbol: "K:BTC/USD", Grid: domain.Minute5.UTC()}
	at := func(minute int) time.Time { return time.Date(2024, 3, 1, 0, minute, 0, 0, time.UTC) }
	slots := func(minutes int, starts ...int) (ranges []domain.Range) {
		for _, start := range starts {
			ranges = append(ranges, domain.Range{Start: at(start), End: at(start + minutes)})
		}

		return ranges
	}

	for name, test := range map[string]struct {
		request   domain.DataRequest
		bars      int
		uncovered []domain.Range
		dropped   []time.Time
	}{
		"all":          {domain.DataRequest{Key: minutes}, 56, slots(1, 7, 30), []time.Time{at(7), at(30)}},
		"filled":       {domain.DataRequest{Key: minutes, Fill: domain.FillPrevious}, 57, slots(1, 7, 30), []time.Time{at(7), at(30)}},
		"resampled":    {domain.DataRequest{Key: fives}, 10, slots(5, 5, 30), []time.Time{at(7), at(30)}},
		"first":        {domain.DataRequest{Key: minutes, First: 8}, 8, slots(1, 7), []time.Time{at(7)}},
		"last":         {domain.DataRequest{Key: minutes, Last: 30}, 30, slots(1, 30), []time.Time{at(30)}},
		"last, beside": {domain.DataRequest{Key: minutes, Last: 5}, 5, nil, nil},
		"last, filled": {
			domain.DataRequest{Key: minutes, Last: 30, Fill: domain.FillPrevious}, 30, slots(1, 30), []time.Time{at(30)},
		},
		"last, resampled": {domain.DataRequest{Key: fives, Last: 6}, 6, slots(5, 30), []time.Time{at(30)}},
	} {
		test.request.Start, test.request.End = at(0), at(60)
		if _, err := md.Fetch(t.Context(), test.request); (err == nil) != (len(test.dropped) == 0) ||
			err != nil && (!errors.Is(err, ports.ErrCorruptData) || !strings.Contains(err.Error(), "high is NaN")) {
			t.Errorf("%s: under the policy fail got %v", name, err)
		}
		for _, policy := range []domain.QualityPolicy{domain.QualityDrop, domain.QualityFlag} {
			test.request.Quality = policy
			result, err := md.Fetch(t.Context(), test.request)
			if err != nil || result.Series.Len() != test.bars || !slices.EqualFunc(result.Uncovered, test.uncovered, domain.Range.Equal) ||
				!slices.EqualFunc(result.Quality.Dropped, test.dropped, time.Time.Equal) ||
				(len(result.Quality.Findings) > 0) != (len(test.dropped) > 0) {
				t.Errorf("%s, %s: got %d bars, uncovered %v, dropped %v, findings %v, %v", name, policy,
					result.Series.Len(), result.Uncovered, result.Quality.Dropped, result.Quality.Findings, err)
			}
			for _, r := range slices.Concat(result.Inferred, result.Filled) {
				if len(r.Subtract(test.uncovered)) != 1 || !r.Subtract(test.uncovered)[0].Equal(r) {
					t.Errorf("%s: %s is inferred or filled, and not covered", name, r)
				}
			}

			pieces, end := md.Stream(t.Context(), test.request)
			streamed := 0
			for piece, err := range pieces {
				if streamed += piece.Len(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if streamed != test.bars || !slices.EqualFunc(end().Uncovered, test.uncovered, domain.Range.Equal) {
				t.Errorf("%s: streamed %d bars, uncovered %v", name, streamed, end().Uncovered)
			}
		}
	}
}
