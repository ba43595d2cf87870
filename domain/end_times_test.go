package domain_test

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

func TestEndTimes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1m", "4h", "1w", "1M", "1d@America/New_York"} {
		grid, err := domain.ParseGrid(text)
		if err != nil {
			t.Fatal(err)
		}

		b := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: "BTC/USD", Grid: grid}, 0)
		var want []domain.Micros
		at := grid.Ceil(time.Date(2024, 2, 28, 0, 0, 0, 0, time.UTC))
		for i := range 30 {
			if i%7 != 3 { // with gaps
				if err := b.Append(domain.Bar{OpenTime: at}); err != nil {
					t.Fatal(err)
				}
				want = append(want, domain.MicrosFloor(grid.Next(at)))
			}
			at = grid.Next(at)
		}

		s, err := b.Series()
		if err != nil {
			t.Fatal(err)
		}

		got := s.Slice(2, s.Len()).EndTimes([]domain.Micros{1})
		if len(got) != len(want)-1 {
			t.Fatalf("%s: %d end times", text, len(got))
		}

		for i, end := range got[1:] {
			if end != want[i+2] {
				t.Errorf("%s: bar %d ends at %d, want %d", text, i+2, end, want[i+2])
			}
		}
	}

	if got := (domain.Series{}).EndTimes(nil); got != nil {
		t.Errorf("no bars: %v", got)
	}
}

func TestCopyBars(t *testing.T) {
	t.Parallel()
	wide := domain.MustDecimal("12345678901234567890.5")
	bars := make([]domain.Bar, 5)
	for i := range bars {
		bars[i] = domain.Bar{OpenTime: time.Date(2024, 1, 1, 0, i, 0, 0, time.UTC), Close: wide, Volume: domain.MustDecimal("2"), Trades: int64(i)}
	}
	s, err := domain.NewSeries(domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}, bars...)
	if err != nil {
		t.Fatal(err)
	}

	for _, room := range []int{0, 2, 4, 9} {
		dst := make([]domain.Bar, room)
		n := s.Slice(1, 5).CopyBars(dst)
		if n != min(room, 4) {
			t.Errorf("room for %d: %d bars", room, n)
		}
		for i, b := range dst[:n] {
			if !b.Equal(bars[i+1]) {
				t.Errorf("bar %d is %s", i, b)
			}
		}
	}

	if n := (domain.Series{}).CopyBars(make([]domain.Bar, 1)); n != 0 {
		t.Errorf("no bars: %d", n)
	}
}
