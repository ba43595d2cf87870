package domain

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// naiveResample makes coarse bars one fine bar at a time.
func naiveResample(bars []Bar, g Grid) []Bar {
	var out []Bar
	for _, b := range bars {
		b.OpenTime = g.Floor(b.OpenTime)
		if n := len(out); n > 0 && out[n-1].OpenTime.Equal(b.OpenTime) {
			out[n-1] = must(mergeBars(out[n-1], b))
			continue
		}

		out = append(out, b)
	}

	return out
}

// sparse draws bars of a fine grid from 2018-10-01 on, some slots empty, some numbers wide, some trade counts unknown.
func sparse(t *rapid.T, g Grid) []Bar {
	wide := rapid.Bool().Draw(t, "wide")
	number := func(label string) Decimal {
		d := fromInt64(rapid.Int64Range(1, 1_000_000).Draw(t, label), uint8(rapid.IntRange(0, 3).Draw(t, label+" scale")))
		if wide && rapid.IntRange(0, 9).Draw(t, label+" wide") == 0 {
			d = must(d.Add(MustDecimal("12345678901234567.000000000000000001")))
		}

		return d
	}
	var bars []Bar
	at := g.Ceil(utc("2018-10-01T00:00:00Z"))
	for range rapid.IntRange(0, 200).Draw(t, "bars") {
		for range rapid.IntRange(0, 3).Draw(t, "skip") {
			at = g.Next(at)
		}
		b := Bar{
			OpenTime: at, Open: number("open"), High: number("high"), Low: number("low"), Close: number("close"),
			Trades: rapid.Int64Range(0, 3).Draw(t, "trades"),
		}
		if b.Trades > 0 || rapid.Bool().Draw(t, "traded") {
			b.Volume = number("volume")
		}
		bars = append(bars, b)
		at = g.Next(at)
	}

	return bars
}

func keyOf(g Grid) SeriesKey { return SeriesKey{Symbol: "BTC/USD", Grid: g} }

// splitAt cuts [0, n) at random places.
func splitAt(t *rapid.T, n int) [][2]int {
	var pieces [][2]int
	for from := 0; from < n; {
		to := rapid.IntRange(from, n).Draw(t, "cut")
		pieces = append(pieces, [2]int{from, to})
		from = to
	}

	return pieces
}

func TestResampleEqualsNaive(t *testing.T) {
	t.Parallel()
	grids := []string{"5m", "7m", "1h", "1d", "1d@America/New_York", "1w@Europe/London", "1M"}
	rapid.Check(t, func(t *rapid.T) {
		fine := must(ParseGrid(rapid.SampledFrom([]string{"1m", "30s"}).Draw(t, "fine")))
		coarse := must(ParseGrid(rapid.SampledFrom(grids).Draw(t, "coarse")))
		bars := sparse(t, fine)
		s := must(NewSeries(keyOf(fine), bars...))
		want := must(NewSeries(keyOf(coarse), naiveResample(bars, coarse)...))
		if got := must(Resample(s, keyOf(coarse))); !got.Equal(want) {
			t.Fatalf("got %v, want %v", got, want)
		}

		r := must(NewResampler(keyOf(coarse)))
		pieces := NewSeriesBuilder(keyOf(coarse), 0)
		for _, cut := range splitAt(t, s.Len()) {
			if err := pieces.AppendSeries(must(r.AddBars(s.Slice(cut[0], cut[1])))); err != nil {
				t.Fatal(err)
			}
		}
		if err := pieces.AppendSeries(r.Flush()); err != nil {
			t.Fatal(err)
		}
		if got := must(pieces.Series()); !got.Equal(want) {
			t.Fatalf("piece by piece: got %v, want %v", got, want)
		}
	})
}

func TestResampleInTwoStepsEqualsOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fine := Minute1.UTC()
		s := must(NewSeries(keyOf(fine), sparse(t, fine)...))
		middle := must(ParseGrid(rapid.SampledFrom([]string{"5m", "10m", "1h"}).Draw(t, "middle")))
		coarse := must(ParseGrid(rapid.SampledFrom([]string{"4h", "1d", "1d@America/New_York", "1M"}).Draw(t, "coarse")))
		twice := must(Resample(must(Resample(s, keyOf(middle))), keyOf(coarse)))
		if once := must(Resample(s, keyOf(coarse))); !once.Equal(twice) {
			t.Fatalf("one step %v, two steps %v", once, twice)
		}
	})
}

func TestAggregateTradesEqualsBarsOfSingleTrades(t *testing.T) {
	t.Parallel()
	key := keyOf(Minute5.UTC())
	rapid.Check(t, func(t *rapid.T) {
		var trades []Trade
		var want []Bar
		at := utc("2019-10-11T00:00:00Z")
		for i := range rapid.IntRange(0, 100).Draw(t, "trades") {
			at = at.Add(time.Duration(rapid.IntRange(0, 200_000_000).Draw(t, "step")) * time.Microsecond)
			p, v := price().Draw(t, "price"), fromInt64(rapid.Int64Range(0, 1000).Draw(t, "size"), 2)
			trades = append(trades, Trade{Time: at, Seq: int64(i), Price: p, Size: v})
			want = append(want, Bar{OpenTime: at, Open: p, High: p, Low: p, Close: p, Volume: v, Trades: 1})
		}

		all := must(NewTicks("BTC/USD", trades...))
		r := must(NewResampler(key))
		pieces := NewSeriesBuilder(key, 0)
		for _, cut := range splitAt(t, all.Len()) {
			if err := pieces.AppendSeries(must(r.AddTrades(all.Slice(cut[0], cut[1])))); err != nil {
				t.Fatal(err)
			}
		}
		if err := pieces.AppendSeries(r.Flush()); err != nil {
			t.Fatal(err)
		}
		if got, naive := must(pieces.Series()), must(NewSeries(key, naiveResample(want, key.Grid)...)); !got.Equal(naive) {
			t.Fatalf("got %v, want %v", got, naive)
		}
	})
}

func TestAggregateQuotes(t *testing.T) {
	t.Parallel()
	quotes := must(NewTicks("BTC/USD",
		Quote{Time: utc("2018-04-04T00:00:10Z"), Bid: MustDecimal("10"), Ask: MustDecimal("10.01")},
		Quote{Time: utc("2018-04-04T00:00:20Z"), Bid: MustDecimal("12"), Ask: MustDecimal("13")},
		Quote{Time: utc("2018-04-04T00:00:20Z"), Seq: 1, Bid: MustDecimal("9"), Ask: MustDecimal("11")},
		Quote{Time: utc("2018-04-04T00:02:00Z"), Bid: MustDecimal("8"), Ask: MustDecimal("8.5")},
	))
	for kind, want := range map[PriceType]string{
		PriceBid: "2018-04-04T00:00:00Z o=10 h=12 l=9 c=9 v=0 n=0",
		PriceAsk: "2018-04-04T00:00:00Z o=10.01 h=13 l=10.01 c=11 v=0 n=0",
		PriceMid: "2018-04-04T00:00:00Z o=10.005 h=12.5 l=10 c=10 v=0 n=0",
	} {
		r := must(NewResampler(SeriesKey{Symbol: "BTC/USD", Grid: Minute1.UTC(), PriceType: kind}))
		if got := must(r.AddQuotes(quotes)); got.Len() != 1 || got.At(0).String() != want {
			t.Errorf("%s: got %v, want %s", kind, got, want)
		}
	}

	if _, err := must(NewResampler(minuteKey())).AddQuotes(quotes); !errors.Is(err, ErrInvalid) {
		t.Errorf("trade bars of quotes: %v", err)
	}
}

// TestMidOfTheLargestNumbers says that a mid needs no sum that is a Decimal.
func TestMidOfTheLargestNumbers(t *testing.T) {
	t.Parallel()
	quotes := must(NewTicks("BTC/USD", Quote{
		Time: utc("2018-04-04T00:00:00Z"), Bid: MustDecimal("99999999999999999998"), Ask: MustDecimal("99999999999999999999"),
	}))
	r := must(NewResampler(SeriesKey{Symbol: "BTC/USD", Grid: Minute1.UTC(), PriceType: PriceMid}))
	_ = must(r.AddQuotes(quotes))
	if got := r.Flush().At(0).Close.String(); got != "99999999999999999998.5" {
		t.Errorf("the mid is %s", got)
	}
}

func TestResampleRefuses(t *testing.T) {
	t.Parallel()
	s := must(NewSeries(keyOf(Hour1.UTC()), Bar{OpenTime: utc("2018-04-04T00:00:00Z")}))
	for _, grid := range []string{"90m", "30m", "1d@Asia/Kolkata"} {
		if _, err := Resample(s, keyOf(must(ParseGrid(grid)))); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s of 1h: %v", grid, err)
		}
	}

	days := must(ParseGrid("7d")) // whose edges are Thursdays
	week := must(NewSeries(keyOf(days), Bar{OpenTime: days.Floor(utc("2018-04-04T00:00:00Z"))}))
	if _, err := Resample(week, keyOf(Week1.UTC())); !errors.Is(err, ErrInvalid) {
		t.Errorf("a week of 7d: %v", err)
	}

	most := MustDecimal("99999999999999999999")
	full := must(NewSeries(minuteKey(),
		Bar{OpenTime: utc("2018-04-04T00:00:00Z"), Volume: most}, Bar{OpenTime: utc("2018-04-04T00:01:00Z"), Volume: most}))
	if _, err := Resample(full, keyOf(Hour1.UTC())); !errors.Is(err, ErrOverflow) {
		t.Errorf("a sum of 21 digits: %v", err)
	}
}

// TestResampleSumsNegativeVolumes resamples bars that break a rule of quality, but not the sum.
func TestResampleSumsNegativeVolumes(t *testing.T) {
	t.Parallel()
	at := utc("2018-04-04T00:00:00Z")
	bars := must(NewSeries(minuteKey(), Bar{OpenTime: at, Volume: MustDecimal("-1.5")},
		Bar{OpenTime: at.Add(time.Minute), Volume: MustDecimal("-2")}, Bar{OpenTime: at.Add(2 * time.Minute)}))
	if hour := must(Resample(bars, keyOf(Hour1.UTC()))); !hour.At(0).Volume.Equal(MustDecimal("-3.5")) {
		t.Errorf("got %v", hour.At(0))
	}
}

func TestDivisible(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fine := rapid.OneOf(anyGrid(), rapid.SampledFrom([]Grid{Minute1.UTC(), Hour1.UTC(), Day1.UTC()})).Draw(t, "fine")
		coarse := anyGrid().Draw(t, "coarse")
		start := anyTime(coarse.Zone()).Draw(t, "start")
		r := Range{Start: start, End: start}
		for range rapid.IntRange(0, 40).Draw(t, "bars") {
			r.End = coarse.Next(r.End)
		}
		var want []Range
		for open := coarse.Ceil(r.Start); open.Before(r.End); open = coarse.Next(open) {
			if bar := (Range{Start: open, End: coarse.Next(open)}); r.Covers(bar) && fine.Divides(coarse, Range{bar.Start, bar.Start.Add(1)}) {
				want = append(want, bar)
			}
		}

		got := fine.DivisibleRanges(coarse, r)
		if merged := MergeRanges(want); !slices.EqualFunc(got, merged, Range.Equal) {
			t.Fatalf("%s in %s of %s: got %v, want %v", fine, r, coarse, got, merged)
		}
	})
}

// walk is n one-minute bars of a random walk.
func walk(n int) Series {
	b := NewSeriesBuilder(minuteKey(), n)
	rng := rand.New(rand.NewPCG(1, 2))
	at, last := utc("2018-01-01T00:00:00Z"), int64(3_000_000)
	for range n {
		open := last + rng.Int64N(21) - 10
		last = open + rng.Int64N(201) - 100
		bar := Bar{
			OpenTime: at, Open: fromInt64(open, 2), High: fromInt64(max(open, last)+rng.Int64N(50), 2),
			Low: fromInt64(min(open, last)-rng.Int64N(50), 2), Close: fromInt64(last, 2),
			Volume: fromInt64(1+rng.Int64N(1e10), 8), Trades: 1 + rng.Int64N(100),
		}
		if err := b.Append(bar); err != nil {
			panic(err)
		}

		at = at.Add(time.Minute)
	}

	return must(b.Series())
}

func BenchmarkResample(b *testing.B) {
	s := walk(500_000)
	for _, grid := range []string{"5m", "1h", "1d"} {
		key := keyOf(must(ParseGrid(grid)))
		b.Run(grid, func(b *testing.B) {
			for b.Loop() {
				if _, err := Resample(s, key); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(s.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mbars/s")
		})
	}
}

// TestTradeCountsDoNotWrap sums counts that no int64 holds: in one piece, across pieces, with numbers of any width.
func TestTradeCountsDoNotWrap(t *testing.T) {
	t.Parallel()
	const most = 1 << 62
	narrow, wide := MustDecimal("1"), MustDecimal("12345678901234567890.5")
	for name, volume := range map[string]Decimal{"narrow": narrow, "wide": wide} {
		var bars []Bar
		for i := range 4 { // four such counts wrap around to 0
			open := utc("2018-04-04T00:00:00Z").Add(time.Duration(i) * time.Minute)
			bars = append(bars, Bar{OpenTime: open, Volume: volume, Trades: most})
		}
		if _, err := Resample(must(NewSeries(minuteKey(), bars...)), keyOf(Hour1.UTC())); !errors.Is(err, ErrOverflow) {
			t.Errorf("%s: %v", name, err)
		}

		r := must(NewResampler(keyOf(Hour1.UTC())))
		_ = must(r.AddBars(must(NewSeries(minuteKey(), bars[0]))))
		if _, err := r.AddBars(must(NewSeries(minuteKey(), bars[1]))); !errors.Is(err, ErrOverflow) {
			t.Errorf("%s, across pieces: %v", name, err)
		}

		bars[0].Trades = 0 // unknown, and so is the sum
		got := must(Resample(must(NewSeries(minuteKey(), bars...)), keyOf(Hour1.UTC())))
		if got.At(0).Trades != 0 {
			t.Errorf("%s: an unknown count sums to %d", name, got.At(0).Trades)
		}
	}
}
