package plan_test

import (
	"slices"
	"strconv"
	"time"

	_ "time/tzdata" // zones are the same on every machine

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
)

const symbol = domain.Symbol("BTC/USD")

// family is grids that a world is made of. All their edges lie on atoms.
type family struct {
	grids []domain.Grid
	atom  time.Duration
	atoms int
}

func families() []family {
	parse := func(texts ...string) (grids []domain.Grid) {
		for _, text := range texts {
			grids = append(grids, must(domain.ParseGrid(text)))
		}
		return grids
	}

	return []family{
		{parse("1m", "2m", "3m", "5m", "10m", "15m", "1h"), 30 * time.Second, 6 * 60},
		// Around the days in October and November on which Lord Howe, London and New York set their clocks.
		{parse("30m", "1h", "4h", "1d", "1d@Asia/Kolkata", "1d@Australia/Lord_Howe", "1d@Europe/London", "1d@Europe/Lisbon",
			"1d@America/New_York", "1w", "1w@Europe/London", "1w@America/New_York", "1M", "1M@Europe/London"), 15 * time.Minute, 70 * 96},
	}
}

// world is what was traded and quoted, and who holds what of it. Bars are what the ticks make, in every source that holds them.
type world struct {
	family

	start   time.Time
	request plan.Request
	sources []plan.Source
	trades  domain.Trades
	quotes  domain.Quotes
	truth   map[domain.Grid]domain.Series
}

func (w *world) at(atom int) time.Time { return w.start.Add(time.Duration(atom) * w.atom) }

// stretch draws a range of the world, and a little beyond, that begins and ends on atoms.
func (w *world) stretch(t *rapid.T, label string) domain.Range {
	tenths := rapid.Permutation([]int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}).Draw(t, label)
	off := rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 7, 11}).Draw(t, label+" off")
	from, to := min(tenths[0], tenths[1])*w.atoms/10+off, max(tenths[0], tenths[1])*w.atoms/10+off
	if rapid.IntRange(0, 9).Draw(t, label+" short") == 9 {
		to = from + (to-from)/16
	}

	return must(domain.NewRange(w.at(from), w.at(to)))
}

func anyWorld(t *rapid.T) *world {
	w := &world{
		family: rapid.SampledFrom(families()).Draw(t, "family"),
		start:  utc("2018-09-30T22:00:00Z"),
		truth:  map[domain.Grid]domain.Series{},
	}
	key := domain.SeriesKey{
		Symbol:    symbol,
		Grid:      rapid.SampledFrom(w.grids).Draw(t, "target"),
		PriceType: rapid.SampledFrom([]domain.PriceType{domain.PriceTrade, domain.PriceTrade, domain.PriceMid, domain.PriceMark}).Draw(t, "kind"),
	}
	w.request = plan.Request{Key: key, Range: w.stretch(t, "request")}
	if rapid.IntRange(0, 4).Draw(t, "without any") == 4 {
		w.request.Exclude = plan.SourceKind(rapid.IntRange(0, 7).Draw(t, "without"))
	}
	w.trade(t)
	for i := range rapid.SampledFrom([]int{0, 1, 2, 2, 3, 3, 4}).Draw(t, "sources") {
		w.sources = append(w.sources, w.anySource(t, strconv.Itoa(i)))
	}

	return w
}

// trade draws what happened.
func (w *world) trade(t *rapid.T) {
	trades, quotes := domain.NewTicksBuilder[domain.Trade](symbol), domain.NewTicksBuilder[domain.Quote](symbol)
	number := rapid.Custom(func(t *rapid.T) domain.Decimal {
		return domain.MustDecimal(strconv.Itoa(rapid.IntRange(1, 1000).Draw(t, "number")) + rapid.SampledFrom([]string{"", ".5", ".25"}).Draw(t, "fraction"))
	})
	at := w.start
	for i := range rapid.SampledFrom([]int{0, 5, 30, 60}).Draw(t, "ticks") {
		at = at.Add(time.Duration(rapid.Int64Range(0, int64(w.atom)*int64(w.atoms)/40).Draw(t, "step"))).Truncate(time.Microsecond)
		if err := trades.Append(domain.Trade{Time: at, Seq: int64(i), Price: number.Draw(t, "price"), Size: number.Draw(t, "size")}); err != nil {
			t.Fatal(err)
		}
		if err := quotes.Append(domain.Quote{Time: at, Seq: int64(i), Bid: number.Draw(t, "bid"), Ask: number.Draw(t, "ask")}); err != nil {
			t.Fatal(err)
		}
	}

	w.trades, w.quotes = must(trades.Ticks()), must(quotes.Ticks())
	for _, g := range w.grids {
		w.truth[g] = w.aggregate(g)
	}
}

// aggregate is the bars of the request's kind on the grid; those of no kind of tick are made up of trades.
func (w *world) aggregate(g domain.Grid) domain.Series {
	key := w.request.Key
	key.Grid = g
	out := domain.NewSeriesBuilder(key, 0)
	add := func(s domain.Series, err error) {
		if err == nil {
			err = out.AppendSeries(s)
		}
		if err != nil {
			panic(err)
		}
	}
	if key.PriceType == domain.PriceMid {
		r := must(domain.NewResampler(key))
		add(r.AddQuotes(w.quotes))
		add(r.Flush(), nil)
		return must(out.Series())
	}

	traded := key
	traded.PriceType = domain.PriceTrade
	r := must(domain.NewResampler(traded))
	for _, s := range []domain.Series{must(r.AddTrades(w.trades)), r.Flush()} {
		for _, bar := range s.All() {
			if err := out.Append(bar); err != nil {
				panic(err)
			}
		}
	}

	return must(out.Series())
}

// anySource draws a source and what it holds, some of which is of no use.
func (w *world) anySource(t *rapid.T, name string) plan.Source {
	s := plan.Source{Name: domain.StoreName(name), Priority: rapid.IntRange(0, 1).Draw(t, "priority")}
	if rapid.Bool().Draw(t, "measured") {
		s.Rate = plan.Rate{PerQuery: time.Millisecond, RowsPerSecond: 1000}
	}
	for range rapid.SampledFrom([]int{0, 1, 2, 3, 5, 8, 13}).Draw(t, "extents") {
		key := w.request.Key
		key.Grid = rapid.SampledFrom(w.grids).Draw(t, "stored")
		switch rapid.IntRange(0, 19).Draw(t, "of use") {
		case 18:
			key.Symbol = "ETH/USD"
		case 19:
			key.PriceType = domain.PriceIndex
		}

		assumed := rapid.IntRange(0, 3).Draw(t, "assumed") == 3
		s.Bars = append(s.Bars, domain.Extent{Key: key, Range: w.stretch(t, "extent"), Inferred: assumed})
	}

	for range rapid.IntRange(0, 2).Draw(t, "tick extents") {
		kind := rapid.SampledFrom([]domain.TickKind{domain.TickTrades, domain.TickQuotes}).Draw(t, "tick kind")
		s.Ticks = append(s.Ticks, domain.TickExtent{Symbol: symbol, Kind: kind, Range: w.stretch(t, "tick extent")})
	}

	return s
}

// shuffled is the same sources in another order, their extents too.
func (w *world) shuffled(t *rapid.T) []plan.Source {
	other := slices.Clone(w.sources)
	for i := range other {
		other[i].Bars = rapid.Permutation(other[i].Bars).Draw(t, "bars")
		other[i].Ticks = rapid.Permutation(other[i].Ticks).Draw(t, "ticks")
	}

	return rapid.Permutation(other).Draw(t, "sources")
}
