package app_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// world is a market drawn at random, and the model's view of it.
type world struct {
	market
	key    domain.SeriesKey
	bars   []domain.Bar // ascending
	claims []domain.Range
	edges  []time.Time // of the grid, around all that was drawn
}

const edgesDrawn = 40

func drawWorld(t *rapid.T) world {
	grids := []domain.Grid{domain.Minute1.UTC(), domain.Month1.UTC()}
	newYork, err := domain.NewGrid(domain.Day1, "America/New_York")
	if err != nil {
		t.Fatal(err)
	}

	w := world{key: domain.SeriesKey{Symbol: "BTC/USD", Grid: rapid.SampledFrom(append(grids, newYork)).Draw(t, "grid")}}
	at := w.key.Grid.Ceil(time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)) // a week before New York sets its clocks
	for range edgesDrawn {
		w.edges = append(w.edges, at)
		at = w.key.Grid.Next(at)
	}

	w.market = setup(t, w.drawInstant(t, "now"), app.Config{})
	for range rapid.IntRange(0, 4).Draw(t, "writes") {
		from := rapid.IntRange(0, edgesDrawn-2).Draw(t, "from")
		to := rapid.IntRange(from+1, edgesDrawn-1).Draw(t, "to")
		claim := domain.Range{Start: w.edges[from], End: w.edges[to]}
		var bars []domain.Bar
		for _, open := range w.edges[from:to] {
			switch rapid.IntRange(0, 3).Draw(t, "bar") {
			case 0: // nothing traded
			case 1:
				b := badBar(0)
				b.OpenTime = open
				bars = append(bars, b)
			default:
				b := bar(0)
				b.OpenTime = open
				bars = append(bars, b)
			}
		}

		s, err := domain.NewSeries(w.key, bars...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gen.ReplaceOrDelete(t.Context(), w.store, s, claim); err != nil {
			t.Fatal(err)
		}

		w.bars = slices.DeleteFunc(w.bars, func(b domain.Bar) bool { return claim.Contains(b.OpenTime) })
		w.bars = append(w.bars, bars...)
		slices.SortFunc(w.bars, func(a, b domain.Bar) int { return a.OpenTime.Compare(b.OpenTime) })
		if len(bars) == 0 { // a deletion
			w.claims = flat(w.claims, func(r domain.Range) []domain.Range { return r.Subtract([]domain.Range{claim}) })
		} else {
			w.claims = append(w.claims, claim)
		}
	}
	if err := w.store.PutSymbols(t.Context(), domain.NewSymbolMeta(w.key.Symbol)); err != nil {
		t.Fatal(err)
	}

	return w
}

func flat(ranges []domain.Range, f func(domain.Range) []domain.Range) (all []domain.Range) {
	for _, r := range ranges {
		all = append(all, f(r)...)
	}
	return all
}

// drawInstant is an edge, or an instant between two.
func (w world) drawInstant(t *rapid.T, name string) time.Time {
	at := w.edges[rapid.IntRange(0, edgesDrawn-1).Draw(t, name)]
	return at.Add(time.Duration(rapid.SampledFrom([]int64{0, 0, 1, 17_000_000}).Draw(t, name+" plus us")) * time.Microsecond)
}

func (w world) drawRequest(t *rapid.T) domain.DataRequest {
	r := domain.DataRequest{Key: w.key, Quality: rapid.SampledFrom([]domain.QualityPolicy{
		domain.QualityFail, domain.QualityDrop, domain.QualityFlag,
	}).Draw(t, "policy")}
	if rapid.Bool().Draw(t, "starts") {
		r.Start = w.drawInstant(t, "start")
	}
	if rapid.Bool().Draw(t, "ends") {
		r.End = w.drawInstant(t, "end")
	}
	if !r.End.IsZero() && r.End.Before(r.Start) {
		r.Start, r.End = r.End, r.Start
	}
	switch rapid.IntRange(0, 2).Draw(t, "limit") {
	case 1:
		r.First = rapid.IntRange(1, 12).Draw(t, "first")
	case 2:
		r.Last = rapid.IntRange(1, 12).Draw(t, "last")
	}

	return r
}

// visible is the bars that the request names and the clock lets be seen.
func (w world) visible(r domain.DataRequest, now time.Time) (bars []domain.Bar) {
	for _, b := range w.bars {
		if !b.OpenTime.Before(r.Start) && (r.End.IsZero() || b.OpenTime.Before(r.End)) && !w.key.Grid.Next(b.OpenTime).After(now) {
			bars = append(bars, b)
		}
	}

	return bars
}

func isBad(b domain.Bar) bool { return b.High.Cmp(b.Low) < 0 }

// answer is the bars that the model returns; ok is false where the request has to fail.
func (w world) answer(r domain.DataRequest, now time.Time) (bars []domain.Bar, ok bool) {
	bars = w.visible(r, now)
	if r.Quality == domain.QualityDrop {
		bars = slices.DeleteFunc(bars, isBad)
	}
	if r.First > 0 {
		bars = bars[:min(r.First, len(bars))]
	}
	if r.Last > 0 {
		bars = bars[max(0, len(bars)-r.Last):]
	}

	return bars, r.Quality != domain.QualityFail || !slices.ContainsFunc(bars, isBad)
}

func TestFetchEqualsTheModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		request := w.drawRequest(t)
		now := w.clock.Now()
		expected, ok := w.answer(request, now)
		r, err := w.Fetch(t.Context(), request)
		if !ok {
			if !errors.Is(err, ports.ErrCorruptData) {
				t.Fatalf("%s: got %v, want corrupt data", request, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}

		whole, err := domain.NewSeries(w.key, expected...)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Series.Equal(whole) {
			t.Fatalf("%s at %s: got %s, want %s", request, now, r.Series, whole)
		}

		w.checkTimes(t, r)
		w.checkUncovered(t, r)
		w.checkDropped(t, r)
	})
}

// checkTimes holds Range, Next and Now to their words.
func (w world) checkTimes(t *rapid.T, r domain.Result) {
	if !r.Now.Equal(w.clock.Now()) || r.Range.End.After(r.Now) || r.Range.End.Before(r.Range.Start) {
		t.Fatalf("range %s at %s", r.Range, r.Now)
	}

	for _, b := range r.Series.All() {
		if !r.Range.Contains(b.OpenTime) {
			t.Fatalf("bar of %s outside %s", b.OpenTime, r.Range)
		}
		if w.key.Grid.Next(b.OpenTime).After(r.Now) {
			t.Fatalf("bar of %s is not over at %s", b.OpenTime, r.Now)
		}
		if b.OpenTime.Equal(r.Next) || b.OpenTime.After(r.Next) {
			t.Fatalf("next is %s, and the bar of %s was returned", r.Next, b.OpenTime)
		}
	}
	if !r.Next.IsZero() && !w.key.Grid.Aligned(r.Next) {
		t.Fatalf("next is %s", r.Next)
	}
}

// checkUncovered holds Uncovered to the claims, slot by slot.
func (w world) checkUncovered(t *rapid.T, r domain.Result) {
	for i, u := range r.Uncovered {
		if u.Empty() || !r.Range.Covers(u) || i > 0 && !r.Uncovered[i-1].End.Before(u.Start) {
			t.Fatalf("uncovered %v of %s", r.Uncovered, r.Range)
		}
	}

	contains := func(ranges []domain.Range, at time.Time) bool {
		return slices.ContainsFunc(ranges, func(r domain.Range) bool { return r.Contains(at) })
	}
	for _, open := range w.edges {
		if !r.Range.Contains(open) {
			continue
		}
		if claimed := contains(w.claims, open); claimed == contains(r.Uncovered, open) {
			t.Fatalf("%s is claimed: %t; uncovered %v", open, claimed, r.Uncovered)
		}
		if !r.Next.IsZero() && !open.Before(r.Next) && contains(w.claims, open) {
			t.Fatalf("next is %s, before %s, which was answered", r.Next, open)
		}
	}
}

// checkDropped wants every bad bar of the range dropped and named.
func (w world) checkDropped(t *rapid.T, r domain.Result) {
	var bad []time.Time
	for _, b := range w.bars {
		if isBad(b) && r.Range.Contains(b.OpenTime) && r.Quality.Policy == domain.QualityDrop {
			bad = append(bad, b.OpenTime)
		}
	}
	if !slices.EqualFunc(bad, r.Quality.Dropped, time.Time.Equal) {
		t.Fatalf("dropped %v, want %v", r.Quality.Dropped, bad)
	}
}

// Pages that go on from Next are together the whole answer, each bar once.
func TestPagesAreTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		request := w.drawRequest(t)
		request.First, request.Last, request.Quality = 0, 0, domain.QualityDrop
		whole, err := w.Fetch(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}

		paged := domain.NewSeriesBuilder(w.key, 0)
		request.First = rapid.IntRange(1, 7).Draw(t, "page")
		for {
			page, err := w.Fetch(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if err := paged.AppendSeries(page.Series); err != nil {
				t.Fatal(err)
			}
			if page.Series.Len() < request.First {
				break
			}

			request.Start = page.Next
			if !request.End.IsZero() && request.End.Before(request.Start) {
				break
			}
		}

		together, err := paged.Series()
		if err != nil {
			t.Fatal(err)
		}
		if !together.Equal(whole.Series) {
			t.Fatalf("pages are %s, the whole is %s", together, whole.Series)
		}
	})
}
