package app_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// spread is one market whose bars and trades lie in several stores, each holding some of them, and the model's view of it.
type spread struct {
	*app.Service
	clock  *clock.Simulated
	start  time.Time
	trades domain.Trades
	truth  map[domain.Grid][]domain.Bar
	claims map[domain.Grid][]domain.Range // of all stores together
	ticks  []domain.Range
}

const spreadMinutes = 4 * 60

func spreadGrids() []domain.Grid {
	grids := []domain.Grid{domain.Minute1.UTC(), domain.Minute5.UTC(), domain.Minute15.UTC(), domain.Hour1.UTC()}
	for _, text := range []string{"2m", "30m", "1d@America/New_York", "1h@Asia/Kolkata"} {
		if g, err := domain.ParseGrid(text); err == nil {
			grids = append(grids, g)
		}
	}

	return grids
}

// drawSpread begins two hours before midnight in New York, so that its day ends within.
func drawSpread(t *rapid.T) *spread {
	s := &spread{
		start: time.Date(2024, 3, 5, 3, 0, 0, 0, time.UTC), truth: map[domain.Grid][]domain.Bar{}, claims: map[domain.Grid][]domain.Range{},
	}
	s.clock = clock.NewSimulated(s.minute(rapid.IntRange(spreadMinutes/2, spreadMinutes+30).Draw(t, "now")).
		Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 59}).Draw(t, "seconds")) * time.Second))
	b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
	at := s.start
	for i := range rapid.IntRange(0, 150).Draw(t, "trades") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 7, 30, 60, 90, 200, 600}).Draw(t, "step")) * time.Second)
		if !at.Before(s.minute(spreadMinutes)) {
			break
		}

		price := domain.MustDecimal(fmt.Sprintf("%d.%d", rapid.IntRange(90, 110).Draw(t, "price"), rapid.IntRange(0, 99).Draw(t, "cents")))
		trade := domain.Trade{Time: at, Seq: int64(i), Price: price, Size: domain.MustDecimal(fmt.Sprint(rapid.IntRange(1, 9).Draw(t, "size")))}
		if err := b.Append(trade); err != nil {
			t.Fatal(err)
		}
	}

	var err error
	if s.trades, err = b.Ticks(); err != nil {
		t.Fatal(err)
	}

	for _, g := range spreadGrids() {
		s.truth[g] = s.aggregated(g)
	}
	var sources []app.Source
	for i := range rapid.IntRange(1, 3).Draw(t, "stores") {
		sources = append(sources, s.drawStore(t, i))
	}
	step := rapid.SampledFrom([]int{1, 2, 3, 10, 1000}).Draw(t, "step")
	if s.Service, err = app.NewStepping(step, sources, s.clock, app.Config{}); err != nil {
		t.Fatal(err)
	}

	return s
}

func (s *spread) minute(n int) time.Time { return s.start.Add(time.Duration(n) * time.Minute) }

// aggregated is the bars of the trades, one trade at a time.
func (s *spread) aggregated(g domain.Grid) (bars []domain.Bar) {
	for _, t := range s.trades.All() {
		open := g.Floor(t.Time)
		if n := len(bars); n == 0 || !bars[n-1].OpenTime.Equal(open) {
			bars = append(bars, domain.Bar{OpenTime: open, Open: t.Price, High: t.Price, Low: t.Price})
		}
		b := &bars[len(bars)-1]
		if t.Price.Cmp(b.High) > 0 {
			b.High = t.Price
		}
		if t.Price.Cmp(b.Low) < 0 {
			b.Low = t.Price
		}
		b.Close, b.Trades = t.Price, b.Trades+1
		volume, err := b.Volume.Add(t.Size)
		if err != nil {
			panic(err)
		}

		b.Volume = volume
	}

	return bars
}

// stretch draws a part of the market.
func (s *spread) stretch(t *rapid.T, name string) domain.Range {
	from := rapid.IntRange(-1, 7).Draw(t, name+" from")
	to := rapid.IntRange(from+1, 9).Draw(t, name+" to")
	off := rapid.SampledFrom([]int{0, 0, 0, 1, 13}).Draw(t, name+" off")
	return domain.Range{Start: s.minute(from*30 + off), End: s.minute(to*30 + off)}
}

// drawStore fills a store with parts of what happened.
func (s *spread) drawStore(t *rapid.T, i int) app.Source {
	store := memory.New()
	source := app.Source{Name: domain.StoreName(fmt.Sprint(i)), Bars: store, Catalog: store, Local: rapid.Bool().Draw(t, "local")}
	if rapid.Bool().Draw(t, "routed") {
		source.Takes.Below = rapid.SampledFrom([]domain.Frequency{domain.Minute5, domain.Hour1, domain.Day1}).Draw(t, "below")
	}
	for range rapid.IntRange(0, 4).Draw(t, "claims") {
		g := rapid.SampledFrom(spreadGrids()).Draw(t, "grid")
		claim := g.Align(s.stretch(t, "claim"))
		if claim.Empty() {
			continue
		}

		bars, err := domain.NewSeries(domain.SeriesKey{Symbol: key.Symbol, Grid: g}, within(s.truth[g], claim)...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ports.WriteBars(t.Context(), store, bars, claim, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		if source.Takes.Contains(g.Frequency()) { // what it is not asked for counts for nothing
			s.claims[g] = append(s.claims[g], claim)
		}
	}

	if i == 0 && rapid.Bool().Draw(t, "ticks") {
		source.Ticks = store
		if rapid.Bool().Draw(t, "aggregates") {
			source.Aggregate = store
		}
		claim := s.stretch(t, "ticks")
		if _, err := store.WriteTrades(t.Context(), s.trades.Clip(claim), claim, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		s.ticks = []domain.Range{claim}
	}
	if err := store.PutSymbols(t.Context(), domain.NewSymbolMeta(key.Symbol)); err != nil {
		t.Fatal(err)
	}

	if rapid.Bool().Draw(t, "cached") {
		source, _ = cachedSource(t, source, s.clock, seriescache.Config{})
	}

	return source
}

func within(bars []domain.Bar, r domain.Range) (some []domain.Bar) {
	for _, b := range bars {
		if r.Contains(b.OpenTime) {
			some = append(some, b)
		}
	}

	return some
}

// held reports whether the bar of the slot can be had: it is stored, or all bars of a finer grid that make it up are, or its trades.
func (s *spread) held(g domain.Grid, slot domain.Range) bool {
	covers := func(ranges []domain.Range) bool { return len(slot.Subtract(ranges)) == 0 }
	if covers(s.claims[g]) || covers(s.ticks) {
		return true
	}

	for fine, claims := range s.claims {
		if fine.Frequency().Nominal() <= g.Frequency().Nominal() && fine.Aligned(slot.Start) && fine.Aligned(slot.End) && covers(claims) {
			return true
		}
	}

	return false
}

// answer is the bars that the model returns, and the slots of the range asked for that nobody holds.
func (s *spread) answer(r domain.DataRequest) (bars []domain.Bar, uncovered []domain.Range) {
	g, now := r.Key.Grid, s.clock.Now()
	var before *domain.Bar // of which the close is known to stand
	for open := g.Ceil(s.start.Add(-48 * time.Hour)); ; open = g.Next(open) {
		slot := domain.Range{Start: open, End: g.Next(open)}
		if slot.End.After(now) || !r.End.IsZero() && !open.Before(r.End) {
			break
		}

		asked := !open.Before(r.Start)
		if !s.held(g, slot) {
			before = nil
			if asked {
				uncovered = append(uncovered, slot)
			}

			continue
		}

		if traded := within(s.truth[g], slot); len(traded) > 0 {
			before = &traded[0]
			if asked {
				bars = append(bars, traded[0])
			}
		} else if before != nil && asked && r.Fill == domain.FillPrevious {
			c := before.Close
			bars = append(bars, domain.Bar{OpenTime: open, Open: c, High: c, Low: c, Close: c})
		}
	}

	if r.First > 0 {
		bars = bars[:min(r.First, len(bars))]
	}
	if r.Last > 0 {
		bars = bars[max(0, len(bars)-r.Last):]
	}

	return bars, domain.MergeRanges(uncovered)
}

func (s *spread) drawRequest(t *rapid.T) domain.DataRequest {
	r := domain.DataRequest{Key: domain.SeriesKey{Symbol: key.Symbol, Grid: rapid.SampledFrom(spreadGrids()).Draw(t, "asked")}}
	asked := s.stretch(t, "asked")
	if rapid.IntRange(0, 3).Draw(t, "open start") > 0 {
		r.Start = asked.Start
	}
	if rapid.Bool().Draw(t, "ends") {
		r.End = asked.End
	}
	switch rapid.IntRange(0, 2).Draw(t, "limit") {
	case 1:
		r.First = rapid.IntRange(1, 20).Draw(t, "first")
	case 2:
		r.Last = rapid.IntRange(1, 20).Draw(t, "last")
	}

	if rapid.Bool().Draw(t, "fill") {
		r.Fill = domain.FillPrevious
	}

	return r
}

// However a market is spread over stores, grids and trades, the answer is what one look at all of it gives, and nothing in it was
// traded after now.
func TestSpreadEqualsTheModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpread(t)
		var requests []domain.DataRequest
		var results []domain.Result
		for range 4 {
			r := s.drawRequest(t)
			bars, uncovered := s.answer(r)
			got, err := s.Fetch(t.Context(), r)
			if err != nil {
				t.Fatalf("%s: %v", r, err)
			}

			want, err := domain.NewSeries(r.Key, bars...)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Series.Equal(want) {
				t.Fatalf("%s at %s: got %v of %v, want %v", r, got.Now, opens(got.Series), got.Provenance, opens(want))
			}

			s.checkLegs(t, r, got)
			s.checkFilled(t, r, got)
			s.checkStream(t, r, got)
			s.checkPlan(t, r, got)
			requests, results = append(requests, r), append(results, got)
			whole := domain.Range{Start: r.Key.Grid.Ceil(got.Range.Start), End: r.Key.Grid.Ceil(got.Range.End)}
			for i := range uncovered {
				uncovered[i] = uncovered[i].Intersect(whole)
			}
			uncovered = domain.MergeRanges(uncovered)
			if n := len(uncovered); n > 0 && uncovered[n-1].End.After(got.Range.End) { // a bound between edges
				uncovered[n-1].End = got.Range.End
			}
			if !slices.EqualFunc(got.Uncovered, uncovered, domain.Range.Equal) {
				t.Fatalf("%s: uncovered %v of %s, want %v", r, got.Uncovered, got.Range, uncovered)
			}
		}

		for i, a := range s.FetchMany(t.Context(), requests) {
			if a.Err != nil || withoutCached(t, a.Result) != withoutCached(t, results[i]) || !a.Result.Series.Equal(results[i].Series) {
				t.Fatalf("%s with others: %+v, %v; want %+v", requests[i], a.Result, a.Err, results[i])
			}
		}
	})
}

// checkPlan wants the explained plan to be the one that was carried out.
func (s *spread) checkPlan(t *rapid.T, r domain.DataRequest, got domain.Result) {
	p, err := s.Explain(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if r.First > 0 || r.Last > 0 {
		return
	}

	var planned, served []string
	for _, l := range p.Legs {
		for _, read := range l.Reads {
			for _, part := range read.Range.Intersect(readable(got, l.Grid)).Subtract(l.Holes) {
				planned = append(planned, fmt.Sprint(read.Source, l.Grid, part))
			}
		}
	}

	for _, l := range got.Provenance {
		served = append(served, fmt.Sprint(l.Store, l.Grid, l.Range))
	}
	if !slices.Equal(planned, served) {
		t.Fatalf("%s: planned %v, served %v", r, planned, served)
	}
}

// readable is where the rows of a leg can lie: if the bars are resampled from them, up to the end of the last bar.
func readable(got domain.Result, rows domain.Grid) domain.Range {
	if asked := got.Series.Key().Grid; rows != asked {
		return asked.Align(got.Range)
	}
	return got.Range
}

// checkLegs wants every bar in one leg, and every leg where its rows can lie.
func (s *spread) checkLegs(t *rapid.T, r domain.DataRequest, got domain.Result) {
	n := 0
	for _, leg := range got.Provenance {
		n += leg.Bars
		if leg.Range.Empty() || !readable(got, leg.Grid).Covers(leg.Range) || (leg.Ticks == "") == (leg.Grid == domain.Grid{}) {
			t.Fatalf("%s: leg %+v in %s", r, leg, got.Range)
		}
	}
	if n != got.Series.Len() {
		t.Fatalf("%s: %d bars in %+v, want %d", r, n, got.Provenance, got.Series.Len())
	}
}

// checkFilled wants Filled to name the slots in which nothing was traded, and no other.
func (s *spread) checkFilled(t *rapid.T, r domain.DataRequest, got domain.Result) {
	for i, f := range got.Filled {
		if f.Empty() || i > 0 && !got.Filled[i-1].End.Before(f.Start) {
			t.Fatalf("%s: filled %v", r, got.Filled)
		}
	}

	n := 0
	for _, b := range got.Series.All() {
		filled := slices.ContainsFunc(got.Filled, func(f domain.Range) bool { return f.Contains(b.OpenTime) })
		if filled != b.Volume.IsZero() {
			t.Fatalf("%s: filled %v, and there is %s", r, got.Filled, b)
		}

		if filled {
			n++
		}
	}

	for _, f := range got.Filled {
		n -= int(r.Key.Grid.Slots(f))
	}
	if n != 0 {
		t.Fatalf("%s: filled %v, %d bars more than there are", r, got.Filled, -n)
	}
}

// checkStream wants the pieces to sum to the answer, and the rest of it beside them.
func (s *spread) checkStream(t *rapid.T, r domain.DataRequest, want domain.Result) {
	pieces, result := s.Stream(t.Context(), r)
	whole := domain.NewSeriesBuilder(r.Key, 0)
	for piece, err := range pieces {
		if err == nil && piece.Len() == 0 {
			t.Fatal("an empty piece")
		}

		if err == nil {
			err = whole.AppendSeries(piece)
		}
		if err != nil {
			t.Fatalf("%s: stream: %v", r, err)
		}
	}

	bars, err := whole.Series()
	if err != nil || !bars.Equal(want.Series) {
		t.Fatalf("%s: streamed %v, %v; want %v", r, opens(bars), err, opens(want.Series))
	}

	got := result()
	if withoutCached(t, got) != withoutCached(t, want) {
		t.Fatalf("%s: beside the stream %+v, want %+v", r, got, want)
	}
}

func opens(s domain.Series) (times []string) {
	for _, b := range s.All() {
		times = append(times, b.OpenTime.Format(time.RFC3339)+" "+b.String())
	}
	return times
}
