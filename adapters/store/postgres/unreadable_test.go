package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// unreadableRows plants, in the tables of testdata/existing_tables.sql, an hour of minutes in which the numbers of some
// rows are none that a bar can have.
const unreadableRows = `
	INSERT INTO public.instruments VALUES (1, 'k', 'BTC', 'USD');
	INSERT INTO public.candles
		SELECT 1, '2024-03-01'::timestamptz + n * interval '1 minute', 1, 2, 1, 1.5, 1 FROM generate_series(0, 59) n;
	UPDATE public.candles SET h = 'NaN' WHERE ts = '2024-03-01 00:07Z';
	UPDATE public.candles SET vol = 1e30 WHERE ts = '2024-03-01 00:21Z';
	UPDATE public.candles SET l = '-Infinity' WHERE ts = '2024-03-01 00:59Z';
	ALTER TABLE public.candles ALTER c DROP NOT NULL; UPDATE public.candles SET c = NULL WHERE ts = '2024-03-01 00:22Z'`

func TestUnreadableBars(t *testing.T) {
	t.Parallel()
	s := openExisting(t, unreadableRows)
	key := domain.SeriesKey{Symbol: "K:BTC/USD", Grid: domain.Minute1.UTC()}
	at := func(minute int) time.Time { return time.Date(2024, 3, 1, 0, minute, 0, 0, time.UTC) }
	whole := ports.BarQuery{Key: key, Range: domain.Range{Start: at(0), End: at(60)}}

	_, err := countBars(t.Context(), s, whole)
	for _, part := range []string{
		"K:BTC/USD 1m at 2024-03-01T00:07:00Z: high is NaN, not a finite number (not_finite)", "quality drop or flag",
		"WHERE s.symbol = 'K:BTC/USD' AND b.open_time = '2024-03-01T00:07:00Z'",
	} {
		if !errors.Is(err, ports.ErrCorruptData) || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, which does not say %s", err, part)
		}
	}

	for name, test := range map[string]struct {
		query      ports.BarQuery
		bars       int
		unreadable []int
	}{
		"all":     {whole, 56, []int{7, 21, 22, 59}},
		"first":   {ports.BarQuery{Key: key, Range: whole.Range, First: 8}, 7, []int{7}},
		"last":    {ports.BarQuery{Key: key, Range: whole.Range, Last: 1}, 0, []int{59}},
		"only":    {ports.BarQuery{Key: key, Range: domain.Range{Start: at(21), End: at(23)}}, 0, []int{21, 22}},
		"without": {ports.BarQuery{Key: key, Range: domain.Range{Start: at(23), End: at(59)}}, 36, nil},
	} {
		test.query.ReportUnreadable = true
		bars, minutes := 0, []int(nil)
		for piece, err := range s.ReadBars(t.Context(), test.query) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}

			bars += piece.Rows.Len()
			for _, b := range piece.Unreadable {
				minutes = append(minutes, b.At.Minute())
				if b.Key != key || b.Detail == "" {
					t.Errorf("%s: got %v", name, b)
				}
			}
		}
		if bars != test.bars || !slices.Equal(minutes, test.unreadable) {
			t.Errorf("%s: %d bars, and unreadable ones at %v; want %d and %v", name, bars, minutes, test.bars, test.unreadable)
		}
	}
}
