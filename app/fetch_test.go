package app_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// want is what a Result says besides the bars, in minutes after noon.
type want struct {
	bars      []int
	within    domain.Range
	uncovered []domain.Range
	next      time.Time
	clamped   bool
	dropped   []int
}

func (w want) check(t *testing.T, r domain.Result) {
	t.Helper()
	var opens []int
	for _, b := range r.Series.All() {
		opens = append(opens, int(b.OpenTime.Sub(noon)/time.Minute))
	}
	if !slices.Equal(opens, w.bars) {
		t.Errorf("bars of the minutes %v, want %v", opens, w.bars)
	}
	if !r.Range.Equal(w.within) {
		t.Errorf("range %s, want %s", r.Range, w.within)
	}
	if !slices.EqualFunc(r.Uncovered, w.uncovered, domain.Range.Equal) {
		t.Errorf("uncovered %v, want %v", r.Uncovered, w.uncovered)
	}
	if !r.Next.Equal(w.next) {
		t.Errorf("next %s, want %s", r.Next, w.next)
	}
	if r.Clamped != w.clamped {
		t.Errorf("clamped is %t", r.Clamped)
	}
	var dropped []int
	for _, d := range r.Quality.Dropped {
		dropped = append(dropped, int(d.Sub(noon)/time.Minute))
	}
	if !slices.Equal(dropped, w.dropped) {
		t.Errorf("dropped %v, want %v", dropped, w.dropped)
	}
	w.checkProvenance(t, r)
}

// checkProvenance wants a leg for each part of the range that is covered, and every bar in one of them.
func (w want) checkProvenance(t *testing.T, r domain.Result) {
	t.Helper()
	var legs []domain.Origin
	for _, part := range (domain.Range{Start: key.Grid.Ceil(r.Range.Start), End: r.Range.End}).Subtract(r.Uncovered) {
		legs = append(legs, domain.Origin{Store: "test", Grid: key.Grid, Range: part, Bars: r.Series.Clip(part).Len()})
	}
	if !slices.Equal(r.Provenance, legs) {
		t.Errorf("provenance %v, want %v", r.Provenance, legs)
	}
	bars := 0
	for _, leg := range r.Provenance {
		bars += leg.Bars
	}
	if bars != len(w.bars) {
		t.Errorf("%d bars in the legs, want %d", bars, len(w.bars))
	}
}

// The store holds the minutes 0 to 5, of which 3 did not trade, nothing from 6 to 8, and 8 to 10, of which 9 is bad.
func fragmented(t *testing.T, now time.Time) market {
	m := setup(t, now, app.Config{})
	m.hold(t, series(t, bar(0), bar(1), bar(2), bar(4), bar(5)), span(0, 6))
	m.hold(t, series(t, bar(8), badBar(9)), span(8, 10))
	return m
}

func TestFetch(t *testing.T) {
	t.Parallel()
	gap := span(6, 8)
	for name, c := range map[string]struct {
		now     time.Time // at(60) where zero
		request domain.DataRequest
		want    want
	}{
		"a range": {
			request: domain.DataRequest{Start: at(1), End: at(5)},
			want:    want{bars: []int{1, 2, 4}, within: span(1, 5), next: at(5)},
		},
		"bounds between edges": {
			request: domain.DataRequest{Start: at(0.5), End: at(4.5)},
			want:    want{bars: []int{1, 2, 4}, within: span(0.5, 4.5), next: at(5)},
		},
		"a gap inside": {
			request: domain.DataRequest{Start: at(4), End: at(9)},
			want:    want{bars: []int{4, 5, 8}, within: span(4, 9), uncovered: []domain.Range{gap}, next: at(9)},
		},
		"next waits at a gap": {
			request: domain.DataRequest{Start: at(4), End: at(7)},
			want:    want{bars: []int{4, 5}, within: span(4, 7), uncovered: []domain.Range{span(6, 7)}, next: at(6)},
		},
		"a part slot uncovered": {
			request: domain.DataRequest{Start: at(4), End: at(6.5)},
			want:    want{bars: []int{4, 5}, within: span(4, 6.5), uncovered: []domain.Range{span(6, 6.5)}, next: at(6)},
		},
		"nobody holds it": {
			request: domain.DataRequest{Start: at(20), End: at(30)},
			want:    want{within: span(20, 30), uncovered: []domain.Range{span(20, 30)}, next: at(20)},
		},
		"an empty range": {
			request: domain.DataRequest{Start: at(2), End: at(2)},
			want:    want{within: span(2, 2), next: at(2)},
		},
		"from the first bar": {
			request: domain.DataRequest{End: at(2)},
			want:    want{bars: []int{0, 1}, within: span(0, 2), next: at(2)},
		},
		"from the first bar, before it": {
			request: domain.DataRequest{End: at(-5)},
			want:    want{within: span(-5, -5)},
		},
		"up to now": {
			now:     at(5.9),
			request: domain.DataRequest{Start: at(4)},
			want:    want{bars: []int{4}, within: span(4, 5), next: at(5)},
		},
		"beyond now": {
			now:     at(5),
			request: domain.DataRequest{Start: at(2), End: at(50)},
			want:    want{bars: []int{2, 4}, within: span(2, 5), next: at(5), clamped: true},
		},
		"the forming bar": {
			now:     at(4.5),
			request: domain.DataRequest{Start: at(2), End: at(4.1)},
			want:    want{bars: []int{2}, within: span(2, 4), next: at(4), clamped: true},
		},
		"all of it after now": {
			now:     at(5),
			request: domain.DataRequest{Start: at(7.5)},
			want:    want{within: span(5, 5), next: at(8), clamped: true},
		},
		"first": {
			request: domain.DataRequest{First: 3},
			want:    want{bars: []int{0, 1, 2}, within: span(0, 3), next: at(3)},
		},
		"first, more than there are": {
			request: domain.DataRequest{End: at(3), First: 9},
			want:    want{bars: []int{0, 1, 2}, within: span(0, 3), next: at(3)},
		},
		"first, up to an end between edges": {
			request: domain.DataRequest{End: at(2.5), First: 3},
			want:    want{bars: []int{0, 1, 2}, within: span(0, 2.5), next: at(3)},
		},
		"no bar can open in what is not claimed": {
			request: domain.DataRequest{Start: at(-0.5), End: at(2)},
			want:    want{bars: []int{0, 1}, within: span(-0.5, 2), next: at(2)},
		},
		"last": {
			request: domain.DataRequest{End: at(5), Last: 2},
			want:    want{bars: []int{2, 4}, within: span(2, 5), next: at(5)},
		},
		"last, more than there are": {
			request: domain.DataRequest{Start: at(-3), End: at(2), Last: 9},
			want:    want{bars: []int{0, 1}, within: span(-3, 2), uncovered: []domain.Range{span(-3, 0)}, next: at(2)},
		},
		"last before an uncovered end": {
			request: domain.DataRequest{End: at(7.5), Last: 1},
			want:    want{bars: []int{5}, within: span(5, 7.5), uncovered: []domain.Range{span(6, 7.5)}, next: at(6)},
		},
		"drop": {
			request: domain.DataRequest{Start: at(8), End: at(10), Quality: domain.QualityDrop},
			want:    want{bars: []int{8}, within: span(8, 10), next: at(10), dropped: []int{9}},
		},
		"flag": {
			request: domain.DataRequest{Start: at(8), End: at(10), Quality: domain.QualityFlag},
			want:    want{bars: []int{8, 9}, within: span(8, 10), next: at(10)},
		},
		"last, read further for what is dropped": {
			request: domain.DataRequest{End: at(10), Last: 2, Quality: domain.QualityDrop},
			want:    want{bars: []int{5, 8}, within: span(5, 10), uncovered: []domain.Range{gap}, next: at(10), dropped: []int{9}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.now.IsZero() {
				c.now = at(60)
			}
			c.request.Key = key
			r, err := fragmented(t, c.now).Fetch(t.Context(), c.request)
			if err != nil {
				t.Fatal(err)
			}

			c.want.check(t, r)
			if !r.Now.Equal(c.now) {
				t.Errorf("now is %s", r.Now)
			}
		})
	}
}

func TestFirstReadsFurtherForWhatIsDropped(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{})
	bars := series(t, badBar(0), badBar(1), badBar(2), badBar(3), bar(4), badBar(5), bar(6), badBar(7), bar(8))
	m.hold(t, bars, bars.Range())
	r, err := m.Fetch(t.Context(), domain.DataRequest{Key: key, First: 2, Quality: domain.QualityDrop})
	if err != nil {
		t.Fatal(err)
	}

	want{bars: []int{4, 6}, within: span(0, 7), next: at(7), dropped: []int{0, 1, 2, 3, 5}}.check(t, r)
	if r.Quality.Bars != 7 {
		t.Errorf("%d bars judged", r.Quality.Bars)
	}
}

func TestFatalBarFailsTheRequest(t *testing.T) {
	t.Parallel()
	r, err := fragmented(t, at(60)).Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(8), End: at(10)})
	rule := (*domain.RuleError)(nil)
	if !errors.Is(err, ports.ErrCorruptData) || !errors.As(err, &rule) || rule.Rule != domain.RuleHighBelowLow || !rule.At.Equal(at(9)) {
		t.Fatalf("got %v", err)
	}

	if r.Series.Len() != 0 {
		t.Error("bars came with the error")
	}
	t.Log(err)
}

func TestUnknownSymbol(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{})
	for _, s := range []domain.Symbol{"COINBASE:BTC/USD", "BTC/EUR", "BTC-PERP", "ETH/USD"} {
		if err := m.store.PutSymbols(t.Context(), domain.NewSymbolMeta(s)); err != nil {
			t.Fatal(err)
		}
	}

	for symbol, near := range map[domain.Symbol]string{
		"BTC/USD":        "did you mean COINBASE:BTC/USD?",
		"KRAKEN:ETH/USD": "did you mean ETH/USD?",
		"eth/usd":        "did you mean ETH/USD?",
		"BTC/USDC":       "did you mean BTC-PERP, BTC/EUR, COINBASE:BTC/USD?",
		"ETHX":           "did you mean ETH/USD?",
		"KRAKEN:BTX/USD": "did you mean BTC-PERP, BTC/EUR, COINBASE:BTC/USD?",
		"XRP/USD":        "import its data first",
	} {
		_, err := m.Fetch(t.Context(), domain.DataRequest{Key: domain.SeriesKey{Symbol: symbol, Grid: key.Grid}})
		if !errors.Is(err, ports.ErrNotFound) || !strings.Contains(err.Error(), near) {
			t.Errorf("%s: got %v, want one that says %q", symbol, err, near)
		}
	}
}

func TestNothingHeldYet(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{})
	if err := m.store.PutSymbols(t.Context(), domain.NewSymbolMeta(key.Symbol)); err != nil {
		t.Fatal(err)
	}

	r, err := m.Fetch(t.Context(), domain.DataRequest{Key: key})
	if err != nil {
		t.Fatal(err)
	}

	if !r.Next.IsZero() || r.Series.Len() != 0 || r.Series.Key() != key || !r.Range.Empty() {
		t.Errorf("next %s, %s, range %s", r.Next, r.Series, r.Range)
	}
}

func TestMaxBars(t *testing.T) {
	t.Parallel()
	fetch := func(limit int, r domain.DataRequest) (int, error) {
		m := setup(t, at(60), app.Config{MaxBars: new(limit)})
		bars := series(t, bar(0), badBar(1), bar(2), bar(3), bar(4))
		m.hold(t, bars, bars.Range())
		r.Key = key
		result, err := m.Fetch(t.Context(), r)

		return result.Series.Len(), err
	}
	drop, flag := domain.QualityDrop, domain.QualityFlag
	if _, err := fetch(4, domain.DataRequest{Quality: flag}); !errors.Is(err, ports.ErrTooLarge) || !strings.Contains(err.Error(), "max_bars") {
		t.Errorf("5 bars under a limit of 4: %v", err)
	}
	for name, c := range map[string]struct {
		limit, want int
		request     domain.DataRequest
	}{
		"as many as allowed":     {5, 5, domain.DataRequest{Quality: flag}},
		"what is dropped is not": {4, 4, domain.DataRequest{Quality: drop}},
		"off":                    {0, 5, domain.DataRequest{Quality: flag}},
		"last reads past it":     {3, 3, domain.DataRequest{End: at(3.5), Last: 3, Quality: drop}},
	} {
		if n, err := fetch(c.limit, c.request); err != nil || n != c.want {
			t.Errorf("%s: %d bars, %v; want %d", name, n, err, c.want)
		}
	}
}

// A range with an open end has room for what is held, not for all the time that has passed since.
func TestMaxSlotsOfOpenEnds(t *testing.T) {
	t.Parallel()
	m := setup(t, at(6000), app.Config{MaxSlots: new(int64(30))})
	m.hold(t, sound(t, 0, 3), span(0, 40))
	for name, c := range map[string]struct {
		request domain.DataRequest
		kind    error
	}{
		"open start":                {domain.DataRequest{End: at(31)}, ports.ErrTooLarge},
		"open start, few slots":     {domain.DataRequest{End: at(30)}, nil},
		"open end":                  {domain.DataRequest{Start: at(5)}, ports.ErrTooLarge},
		"open end, few slots held":  {domain.DataRequest{Start: at(10)}, nil},
		"open end, behind all held": {domain.DataRequest{Start: at(100)}, nil},
		"both open":                 {domain.DataRequest{}, ports.ErrTooLarge},
		"an end beyond now":         {domain.DataRequest{Start: at(10), End: at(9999)}, ports.ErrTooLarge},
		"the last two":              {domain.DataRequest{Last: 2}, nil},
	} {
		c.request.Key = key
		if _, err := m.Fetch(t.Context(), c.request); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
	}
}
