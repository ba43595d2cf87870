package sqlite

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// TestTimesOfDifferences compares the comparison by column with Bar.Equal, for numbers of all scales and near the limits
// of 64 bits.
func TestTimesOfDifferences(t *testing.T) {
	t.Parallel()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	limits := []int64{0, 1, -1, 10, 100, math.MaxInt64, math.MinInt64, math.MaxInt64 / 10}
	numbers := rapid.Custom(func(t *rapid.T) domain.Decimal {
		v := rapid.OneOf(rapid.SampledFrom(limits), rapid.Int64()).Draw(t, "value")
		d, err := domain.NewDecimal(v, uint8(rapid.SampledFrom([]int{0, 1, 2, 8, 18}).Draw(t, "scale")))
		if err != nil {
			t.Fatal(err)
		}

		return d
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := domain.NewSeriesBuilder(key, 0), domain.NewSeriesBuilder(key, 0)
		pool := rapid.SliceOfN(numbers, 1, 4).Draw(t, "numbers")
		number := rapid.SampledFrom(pool)
		want := 0
		for i := range rapid.IntRange(1, 6).Draw(t, "bars") {
			bar := domain.Bar{
				OpenTime: time.Unix(int64(i)*60, 0).UTC(),
				Open:     number.Draw(t, "open"), High: number.Draw(t, "high"), Low: number.Draw(t, "low"),
				Close: number.Draw(t, "close"), Volume: number.Draw(t, "volume"),
				Trades: rapid.Int64Range(0, 1).Draw(t, "trades"),
			}
			other := bar
			switch rapid.IntRange(0, 6).Draw(t, "field") {
			case 0:
				other.Open = number.Draw(t, "other open")
			case 1:
				other.Low = number.Draw(t, "other low")
			case 2:
				other.Volume = number.Draw(t, "other volume")
			case 3:
				other.Trades = 1
			}

			if !bar.Equal(other) {
				want++
			}
			if err := a.Append(bar); err != nil {
				t.Fatal(err)
			}
			if err := b.Append(other); err != nil {
				t.Fatal(err)
			}
		}

		x, err := a.Series()
		if err != nil {
			t.Fatal(err)
		}

		y, err := b.Series()
		if err != nil {
			t.Fatal(err)
		}
		if got, reversed := len(timesOfDifferences(x, y)), len(timesOfDifferences(y, x)); got != want || reversed != want {
			t.Fatalf("%d bars differ, %d with the arguments reversed, want %d", got, reversed, want)
		}
	})
}
