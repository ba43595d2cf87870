package differential

import (
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// drawBars draws bars in the range, with gaps. valid reports that no bar breaks a quality rule.
func (a *act) drawBars(t *rapid.T, r role, key domain.SeriesKey, span domain.Range) (bars domain.Series, valid bool) {
	if len(r.stored) > 1 {
		return sharedBars(key, span), true
	}

	valid = rapid.IntRange(0, 3).Draw(t, "invalid") < 3
	b := domain.NewSeriesBuilder(key, 0)
	for at := key.Grid.Ceil(span.Start); at.Before(span.End); at = key.Grid.Next(at) {
		price := rapid.Int64Range(80, 1_000).Draw(t, "price")
		if price < 300 { // nothing traded
			continue
		}

		bar := barAround(at, price)
		if !valid && price%10 == 9 {
			bar = gen.Bar(at).Draw(t, "bar")
		}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	bars, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return bars, valid
}

// initialBars returns the bars that are stored when an act begins, with gaps.
func (r role) initialBars(key domain.SeriesKey, opens []time.Time) (domain.Series, error) {
	if len(r.stored) > 1 {
		return sharedBars(key, domain.Range{Start: opens[0], End: key.Grid.Next(opens[len(opens)-1])}), nil
	}

	b := domain.NewSeriesBuilder(key, len(opens))
	for i, at := range opens {
		if i%7 == 6 {
			continue
		}
		if err := b.Append(barAround(at, 1_000+int64(i*i%997))); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

// barAround returns a valid bar around a price. Every seventh price has more digits than a float or 64 bits keep.
func barAround(at time.Time, price int64) domain.Bar {
	number := func(units int64) domain.Decimal {
		if price%7 == 0 {
			return domain.MustDecimal(fmt.Sprintf("%d.123456789012345678", units))
		}
		return domain.MustDecimal(fmt.Sprintf("%d.%02d", units/100, max(units, -units)%100))
	}

	return domain.Bar{
		OpenTime: at, Open: number(price), High: number(price + 9), Low: number(price - 9 + price%7),
		Close: number(price + price%9), Volume: number(1 + price%11), Trades: 1 + price%5,
	}
}

// sharedBars returns the bars of a symbol that is stored on several grids: its minutes, or the bars resampled from
// them.
func sharedBars(key domain.SeriesKey, span domain.Range) domain.Series {
	minuteKey := key
	minuteKey.Grid = domain.Minute1.UTC()
	minutes := domain.NewSeriesBuilder(minuteKey, 0)
	for at := span.Start; at.Before(span.End); at = at.Add(time.Minute) {
		if n := at.Unix() / 60; n%3 > 0 && n/60%5 > 0 { // an hour in five is quiet
			if err := minutes.Append(barAround(at, 10_000+n*n%997)); err != nil {
				panic(err)
			}
		}
	}

	fine, err := minutes.Series()
	if err != nil {
		panic(err)
	}
	if fine.Key() == key {
		return fine
	}

	resampler, err := domain.NewResampler(key)
	if err != nil {
		panic(err)
	}

	complete, err := resampler.AddBars(fine)
	if err != nil {
		panic(err)
	}

	all := domain.NewSeriesBuilder(key, 0)
	if err := errors.Join(all.AppendSeries(complete), all.AppendSeries(resampler.Flush())); err != nil {
		panic(err)
	}

	coarse, err := all.Series()
	if err != nil {
		panic(err)
	}

	return coarse
}
