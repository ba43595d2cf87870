package differential

import (
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// drawBars is bars of the range, with gaps. sound says that no rule of quality is broken.
func (a *act) drawBars(t *rapid.T, r role, key domain.SeriesKey, within domain.Range) (bars domain.Series, sound bool) {
	if len(r.stored) > 1 {
		return truth(key, within), true
	}

	sound = rapid.IntRange(0, 3).Draw(t, "unsound") < 3
	b := domain.NewSeriesBuilder(key, 0)
	for at := key.Grid.Ceil(within.Start); at.Before(within.End); at = key.Grid.Next(at) {
		price := rapid.Int64Range(80, 1_000).Draw(t, "price")
		if price < 300 { // nothing traded
			continue
		}

		bar := priced(at, price)
		if !sound && price%10 == 9 {
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

	return bars, sound
}

// opening is the bars that are held when an act begins; some slots have none.
func (r role) opening(key domain.SeriesKey, opens []time.Time) (domain.Series, error) {
	if len(r.stored) > 1 {
		return truth(key, domain.Range{Start: opens[0], End: key.Grid.Next(opens[len(opens)-1])}), nil
	}

	b := domain.NewSeriesBuilder(key, len(opens))
	for i, at := range opens {
		if i%7 == 6 {
			continue
		}
		if err := b.Append(priced(at, 1_000+int64(i*i%997))); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

// priced is a sound bar about a price; every seventh price has more digits than a float or 64 bits keep.
func priced(at time.Time, price int64) domain.Bar {
	number := func(units int64) domain.Decimal {
		if price%7 == 0 {
			return domain.MustDecimal(fmt.Sprintf("%d.123456789012345678", units))
		}
		return domain.MustDecimal(fmt.Sprintf("%d.%02d", units/100, max(units, -units)%100))
	}
	return domain.Bar{
		OpenTime: at, Open: number(price), High: number(price + 9), Low: number(price - 9 + price%7), Close: number(price + price%9),
		Volume: number(1 + price%11), Trades: 1 + price%5,
	}
}

// truth is what happened to the symbol that is stored twice: the minutes that traded, and the hours made of them.
func truth(key domain.SeriesKey, within domain.Range) domain.Series {
	minutes := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Minute1.UTC(), PriceType: key.PriceType}, 0)
	for at := within.Start; at.Before(within.End); at = at.Add(time.Minute) {
		if n := at.Unix() / 60; n%3 > 0 && n/60%5 > 0 { // an hour in five is quiet
			if err := minutes.Append(priced(at, 10_000+n*n%997)); err != nil {
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

	made, err := domain.NewResampler(key)
	if err != nil {
		panic(err)
	}

	most, err := made.AddBars(fine)
	if err != nil {
		panic(err)
	}

	all := domain.NewSeriesBuilder(key, 0)
	if err := errors.Join(all.AppendSeries(most), all.AppendSeries(made.Flush())); err != nil {
		panic(err)
	}

	coarse, err := all.Series()
	if err != nil {
		panic(err)
	}

	return coarse
}
