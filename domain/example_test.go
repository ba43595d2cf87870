package domain_test

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

func ExampleParseSymbol() {
	s, _ := domain.ParseSymbol("COINBASE:BTC/USD")
	fmt.Println(s.Venue(), s.Instrument())
	_, err := domain.ParseSymbol("BTC,USD")
	fmt.Println(err)
	// Output:
	// COINBASE BTC/USD
	// symbol "BTC,USD": only letters, digits and ._:/-^=$+&#@! are allowed
}

func ExampleParseDecimal() {
	a, _ := domain.ParseDecimal("0.1")
	b, _ := domain.ParseDecimal("0.20")
	sum, _ := a.Add(b)
	fmt.Println(sum, sum.Equal(domain.MustDecimal("0.30")))
	// Output: 0.3 true
}

// The volume-weighted average price of two trades. Products are exact; a quotient says how it is rounded.
func ExampleDecimal_Quo() {
	price, size := domain.MustDecimal("187.15"), domain.MustDecimal("200")
	price2, size2 := domain.MustDecimal("187.2"), domain.MustDecimal("100")
	notional, _ := price.Mul(size)
	notional2, _ := price2.Mul(size2)
	paid, _ := notional.Add(notional2)
	volume, _ := size.Add(size2)

	average, _ := paid.Quo(volume, 4, domain.RoundHalfEven)
	tick, _ := average.Round(2, domain.RoundFloor)
	fmt.Println(paid, average, tick)
	// Output: 56150 187.1667 187.16
}

// The loss of a trade in a chart, which takes floats.
func ExampleDecimal_Float64() {
	loss, _ := domain.MustDecimal("187.15").Sub(domain.MustDecimal("187.2"))
	fmt.Println(loss, loss.Abs(), loss.Float64())
	// Output: -0.05 0.05 -0.05
}

func ExampleParseFrequency() {
	f, _ := domain.ParseFrequency("60m")
	fmt.Println(f, f == domain.Hour1)
	// Output: 1h true
}

func ExampleNewGrid() {
	g, _ := domain.NewGrid(domain.Day1, "America/New_York")
	open := g.Floor(time.Date(2024, 3, 10, 12, 0, 0, 0, time.UTC)) // clocks go forward that day
	fmt.Println(g, open.Format(time.RFC3339), g.Next(open).Sub(open))
	// Output: 1d@America/New_York 2024-03-10T05:00:00Z 23h0m0s
}

func ExampleNewRange() {
	day := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	r, _ := domain.NewRange(day, day.Add(24*time.Hour))
	noon, _ := domain.NewRange(day.Add(12*time.Hour), day.Add(13*time.Hour))
	for _, left := range r.Subtract([]domain.Range{noon}) {
		fmt.Println(left)
	}
	// Output:
	// [2018-01-01T00:00:00Z, 2018-01-01T12:00:00Z)
	// [2018-01-01T13:00:00Z, 2018-01-02T00:00:00Z)
}

func ExampleParseSeriesKey() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1d@America/New_York bid")
	fmt.Println(key.Symbol, key.Grid, key.PriceType)
	// Output: BTC/USD 1d@America/New_York bid
}

func ExampleNewSeries() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1m")
	s, err := domain.NewSeries(key, domain.Bar{
		OpenTime: time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC),
		Open:     domain.MustDecimal("7424.91"), High: domain.MustDecimal("7424.91"),
		Low: domain.MustDecimal("7422"), Close: domain.MustDecimal("7422"), Volume: domain.MustDecimal("7.14319709"),
	})
	fmt.Println(s, err)
	for _, bar := range s.All() {
		fmt.Println(bar)
	}
	// Output:
	// BTC/USD 1m: 1 bar [2018-04-04T00:00:00Z, 2018-04-04T00:01:00Z) <nil>
	// 2018-04-04T00:00:00Z o=7424.91 h=7424.91 l=7422 c=7422 v=7.14319709
}

func ExampleSeriesBuilder() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1m")
	b := domain.NewSeriesBuilder(key, 2)
	open := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	fmt.Println(b.Append(domain.Bar{OpenTime: open}))
	fmt.Println(b.Append(domain.Bar{OpenTime: open}))
	s, _ := b.Series()
	fmt.Println(s)
	// Output:
	// <nil>
	// BTC/USD 1m at 2018-04-04T00:00:00Z: two bars of one open time (duplicate)
	// BTC/USD 1m: 1 bar [2018-04-04T00:00:00Z, 2018-04-04T00:01:00Z)
}

func ExampleMergeExtents() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1m")
	day := func(d int) time.Time { return time.Date(2018, 1, d, 0, 0, 0, 0, time.UTC) }
	for _, e := range domain.MergeExtents([]domain.Extent{
		{Key: key, Range: domain.Range{Start: day(2), End: day(3)}},
		{Key: key, Range: domain.Range{Start: day(1), End: day(2)}},
	}) {
		fmt.Println(e.Key, e.Range)
	}
	// Output: BTC/USD 1m [2018-01-01T00:00:00Z, 2018-01-03T00:00:00Z)
}

func ExampleNewSymbolMeta() {
	m := domain.NewSymbolMeta("COINBASE:BTC/USD")
	fmt.Println(m.Venue, m.Base, m.Quote)
	// Output: COINBASE BTC USD
}

func ExampleDataRequest() {
	key, _ := domain.ParseSeriesKey("BTC/USD 1m")
	r := domain.DataRequest{Key: key, Last: 100}
	fmt.Println(r, r.Validate())
	// Output: BTC/USD 1m [first bar, now) last 100 <nil>
}

// A signal is computed when an hour closes, and filled at the ask that was known then: the join sees no quote of later.
func ExampleAsofJoin() {
	hours, _ := domain.ParseSeriesKey("BTC/USD 1h")
	asks, _ := domain.ParseSeriesKey("BTC/USD 1s ask")
	nine := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	at := func(hour, second int) time.Time {
		return nine.Add(time.Duration(hour)*time.Hour + time.Duration(second)*time.Second)
	}
	bar := func(hour int, open, high string) domain.Bar {
		o, h := domain.MustDecimal(open), domain.MustDecimal(high)
		return domain.Bar{OpenTime: at(hour, 0), Open: o, High: h, Low: o, Close: h, Volume: domain.MustDecimal("1")}
	}
	quote := func(t time.Time, ask string) domain.Quote {
		a, one := domain.MustDecimal(ask), domain.MustDecimal("1")
		return domain.Quote{Time: t, Bid: a, Ask: a, BidSize: one, AskSize: one}
	}

	signals, _ := domain.NewSeries(hours, bar(0, "67000", "67500"), bar(1, "67500", "67501"), bar(2, "67501", "68500"))
	quotes, _ := domain.NewTicks("BTC/USD",
		quote(at(0, 3598), "67502"), quote(at(1, 0), "67510"), quote(at(2, 3500), "68497"))
	resampler, _ := domain.NewResampler(asks)
	first, _ := resampler.AddQuotes(quotes)
	series, _ := domain.ConcatSeries(domain.EmptySeries(asks), []domain.Series{first, resampler.Flush()})

	threshold := domain.MustDecimal("100")
	for i, j := range domain.AsofJoin(signals, series) {
		signal := signals.At(i)
		rise, _ := signal.Close.Sub(signal.Open)
		if rise.Cmp(threshold) < 0 || j < 0 { // no signal, or no quote known
			continue
		}

		fill := series.At(j)
		fmt.Println("buy at", hours.Grid.Next(signal.OpenTime).Format(time.TimeOnly), "for", fill.Close)
	}
	// Output:
	// buy at 10:00:00 for 67502
	// buy at 12:00:00 for 68497
}

// Two series are put side by side, and a ratio is taken where both traded.
func ExampleAlign() {
	day := time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)
	series := func(text string, closes map[int]string) domain.Series {
		key, _ := domain.ParseSeriesKey(text)
		b := domain.NewSeriesBuilder(key, len(closes))
		for hour := range 24 {
			if price, ok := closes[hour]; ok {
				c := domain.MustDecimal(price)
				open := day.Add(time.Duration(hour) * time.Hour)
				_ = b.Append(domain.Bar{OpenTime: open, Open: c, High: c, Low: c, Close: c})
			}
		}
		s, _ := b.Series()

		return s
	}
	btc := series("BTC/USD 1h", map[int]string{9: "67000", 10: "67500", 11: "68000"})
	eth := series("ETH/USD 1h", map[int]string{9: "3350", 11: "3400"})

	rows, err := domain.Align(btc, eth)
	if err != nil {
		fmt.Println(err)
		return
	}

	btcClose, ethClose := btc.Floats(domain.FieldClose, nil), eth.Floats(domain.FieldClose, nil)
	for row := range rows {
		i, j := row.Index[0], row.Index[1]
		if i < 0 || j < 0 {
			fmt.Println(row.OpenTime.Format(time.TimeOnly), "only one of them traded")
			continue
		}

		fmt.Println(row.OpenTime.Format(time.TimeOnly), btcClose[i]/ethClose[j])
	}
	// Output:
	// 09:00:00 20
	// 10:00:00 only one of them traded
	// 11:00:00 20
}
