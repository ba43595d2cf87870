package plan_test

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func TestPlanIsTheBest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		o := newOracle(w)
		p := must(plan.New(w.request, w.sources, plan.Limits{}))
		target := w.request.Key.Grid
		if want := target.Align(w.request.Range); !p.Range.Equal(want) {
			t.Fatalf("range %s, want %s", p.Range, want)
		}

		legs, open := p.Legs, p.Uncovered
		at := p.Range.Start
		for at.Before(p.Range.End) {
			var to time.Time
			switch {
			case len(legs) > 0 && legs[0].Range.Start.Equal(at):
				to = legs[0].Range.End
				checkLeg(t, o, legs[0])
				for _, hole := range legs[0].Holes {
					if len(open) == 0 || open[0] != hole || len(legs) > 1 && legs[1].Rows == legs[0].Rows && legs[1].Grid == legs[0].Grid {
						t.Fatalf("hole %s of a leg, uncovered is %v\n%+v", hole, open, p)
					}
					checkUncovered(t, o, hole)
					open = open[1:]
				}
				legs = legs[1:]
			case len(open) > 0 && open[0].Start.Equal(at):
				to = open[0].End
				checkUncovered(t, o, open[0])
				open = open[1:]
			default:
				t.Fatalf("nothing begins at %s\n%+v", at, p)
			}
			if !target.Aligned(to) || !to.After(at) {
				t.Fatalf("a part ends at %s\n%+v", to, p)
			}

			at = to
		}
		if !at.Equal(p.Range.End) || len(legs)+len(open) > 0 {
			t.Fatalf("it ends at %s, with %d legs and %d open ranges left\n%+v", at, len(legs), len(open), p)
		}
	})
}

func checkUncovered(t *rapid.T, o *oracle, r domain.Range) {
	for bar := range bars(o.request.Key.Grid, r) {
		if way, grids, _ := o.best(bar); way != nobody {
			t.Fatalf("%s is uncovered, and could be had by way %d of %v", bar, way, grids)
		}
	}
}

// checkLeg holds a leg to the oracle: every bar in the best way, of the fewest rows, and every row from who is asked first.
func checkLeg(t *rapid.T, o *oracle, l plan.Leg) {
	inHole := func(at time.Time) bool {
		return slices.ContainsFunc(l.Holes, func(h domain.Range) bool { return h.Contains(at) })
	}
	for bar := range bars(o.request.Key.Grid, l.Range) {
		if inHole(bar.Start) {
			continue
		}

		guessed := false
		for at := bar.Start; at.Before(bar.End); at = at.Add(o.atom) {
			guessed = guessed || o.reader(rows{l.Rows, l.Grid}, at, false) == nil
		}
		if inferred := slices.ContainsFunc(l.Inferred, func(r domain.Range) bool { return r.Covers(bar) }); inferred != guessed {
			t.Fatalf("%s is inferred: %v, want %v of %v", bar, inferred, guessed, l.Inferred)
		}

		way, grids, fewest := o.best(bar)
		switch {
		case way == nobody:
			t.Fatalf("%s is answered from %s %s, and nobody holds it", bar, l.Rows, l.Grid)
		case (way == fromTicks) != (l.Rows != ports.RowBars):
			t.Fatalf("%s is answered from %s %s, best is way %d", bar, l.Rows, l.Grid, way)
		case way != fromTicks && (!slices.Contains(grids, l.Grid) || edges(l.Grid, bar) != fewest):
			t.Fatalf("%s is answered from %s, of %v the fewest rows are %d", bar, l.Grid, grids, fewest)
		}
	}

	at := l.Range.Start
	for i, read := range l.Reads {
		for inHole(at) {
			at = at.Add(o.atom)
		}
		if !read.Range.Start.Equal(at) || read.Range.Empty() || i > 0 && l.Reads[i-1].Source == read.Source {
			t.Fatalf("read %d is %s %s, after %s", i, read.Source, read.Range, at)
		}

		assumed := false
		for ; at.Before(read.Range.End); at = at.Add(o.atom) {
			if inHole(at) {
				continue
			}

			of := rows{l.Rows, l.Grid}
			if s := o.reader(of, at, true); s.Name != read.Source {
				t.Fatalf("%s at %s is read from %s, %s goes first", l.Grid, at, read.Source, s.Name)
			}

			assumed = assumed || o.reader(of, at, false) == nil
		}
		if assumed != read.Inferred {
			t.Fatalf("read of %s %s: assumed %v", read.Source, read.Range, read.Inferred)
		}
		needed := int64(0)
		for _, r := range read.Range.Subtract(l.Holes) {
			if l.Rows == ports.RowBars {
				needed += edges(l.Grid, r)
			}
		}
		if l.Rows == ports.RowBars && read.Estimate.Rows != needed {
			t.Fatalf("read of %s %s: %d rows, want %d", l.Grid, read.Range, read.Estimate.Rows, needed)
		}
	}
	if !at.Equal(l.Range.End) {
		t.Fatalf("the reads end at %s, the leg is %s", at, l.Range)
	}
}

// bars yields the bars that open in r.
func bars(g domain.Grid, r domain.Range) iter.Seq[domain.Range] {
	return func(yield func(domain.Range) bool) {
		for at := r.Start; at.Before(r.End); at = g.Next(at) {
			if !yield(domain.Range{Start: at, End: g.Next(at)}) {
				return
			}
		}
	}
}

func TestPlanDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		p := must(plan.New(w.request, w.sources, plan.Limits{}))
		if other := must(plan.New(w.request, w.shuffled(t), plan.Limits{})); !reflect.DeepEqual(p, other) {
			t.Fatalf("got\n%+v\nand in another order\n%+v", p, other)
		}
	})
}

func TestExecutedPlanGivesTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		p := must(plan.New(w.request, w.sources, plan.Limits{}))
		target := w.truth[w.request.Key.Grid]
		for _, l := range p.Legs {
			if got, want := w.execute(t, l), truthOf(target, l); !got.Equal(want) {
				t.Fatalf("leg from %s %s of %s: got %v, want %v", l.Rows, l.Grid, l.Range, got, want)
			}

			cut := w.cut(t, l)
			if got, want := w.execute(t, l.Clip(cut)), truthOf(target, l.Clip(cut)); !got.Equal(want) {
				t.Fatalf("leg from %s %s of %s within %s: got %v, want %v", l.Rows, l.Grid, l.Range, cut, got, want)
			}
		}
	})
}

// truthOf is the bars that the leg has to make.
func truthOf(target domain.Series, l plan.Leg) domain.Series {
	var parts []domain.Series
	for _, r := range l.Range.Subtract(l.Holes) {
		parts = append(parts, target.Clip(r))
	}

	return must(domain.ConcatSeries(domain.EmptySeries(target.Key()), parts))
}

// TestEveryWayGivesTheTruth makes each bar in every way that any planner could choose.
func TestEveryWayGivesTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		o := newOracle(w)
		key := w.request.Key
		for bar := range bars(key.Grid, key.Grid.Align(w.request.Range)) {
			want := w.truth[key.Grid].Clip(bar)
			for _, g := range w.grids {
				if !o.makes(rows{ports.RowBars, g}, bar, true) {
					continue
				}
				if got := must(domain.Resample(w.truth[g].Clip(bar), key)); !got.Equal(want) {
					t.Fatalf("%s of %s: got %v, want %v", bar, g, got, want)
				}
			}
		}
	})
}

// cut draws a part of a leg that an executor may take.
func (w *world) cut(t *rapid.T, l plan.Leg) domain.Range {
	return w.request.Key.Grid.Align(w.stretch(t, "cut").Intersect(domain.Range{Start: l.Range.Start.Add(-time.Hour), End: l.Range.End.Add(time.Hour)}))
}

// execute reads a leg from what the sources themselves hold.
func (w *world) execute(t *rapid.T, l plan.Leg) domain.Series {
	key := w.request.Key
	stored := key
	stored.Grid = l.Grid
	held := func(read plan.Read) []domain.Range {
		i := slices.IndexFunc(w.sources, func(s plan.Source) bool { return s.Name == read.Source })
		var ranges []domain.Range
		for _, e := range w.sources[i].Bars {
			if l.Rows == ports.RowBars && e.Key == stored {
				ranges = append(ranges, e.Range.Intersect(read.Range))
			}
		}

		for _, e := range w.sources[i].Ticks {
			if e.Kind == l.Rows.Ticks() {
				ranges = append(ranges, e.Range.Intersect(read.Range))
			}
		}

		return domain.MergeRanges(ranges)
	}
	var made iter.Seq2[domain.Series, error]
	switch l.Rows {
	case ports.RowTrades:
		made = l.FromTrades(key, pieces(t, l.Reads, held, w.trades.Clip))
	case ports.RowQuotes:
		made = l.FromQuotes(key, pieces(t, l.Reads, held, w.quotes.Clip))
	default:
		made = l.FromBars(key, pieces(t, l.Reads, held, w.truth[l.Grid].Clip))
		if stored == key { // the executor leaves out what it reads in holes
			made = withoutHoles(l, made)
		}
	}

	all := domain.NewSeriesBuilder(key, 0)
	for s, err := range made {
		if err == nil {
			err = all.AppendSeries(s)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	return must(all.Series())
}

func withoutHoles(l plan.Leg, pieces iter.Seq2[domain.Series, error]) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for p, err := range pieces {
			for _, part := range plan.WithoutHoles(l, p) {
				if !yield(part, err) {
					return
				}
			}
		}
	}
}

// pieces yields what the reads give, cut at random places.
func pieces[P interface {
	Len() int
	Slice(from, to int) P
}](t *rapid.T, reads []plan.Read, held func(plan.Read) []domain.Range, within func(domain.Range) P) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		for _, read := range reads {
			for _, r := range held(read) {
				s := within(r)
				for from := 0; from < s.Len(); {
					to := rapid.IntRange(from+1, s.Len()).Draw(t, "piece")
					if !yield(s.Slice(from, to), nil) {
						return
					}

					from = to
				}
			}
		}
	}
}

func TestLegEndsAtAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store went away")
	fail := func(yield func(domain.Series, error) bool) { yield(domain.Series{}, broken) }
	key := dayRequest().Key
	leg := plan.Leg{Rows: ports.RowBars, Grid: domain.Minute1.UTC()}
	n := 0
	for s, err := range leg.FromBars(key, fail) {
		if n++; !errors.Is(err, broken) || s.Len() > 0 || n > 1 {
			t.Errorf("pair %d: %v, %v", n, s, err)
		}
	}

	for _, err := range leg.FromTrades(key, func(func(domain.Trades, error) bool) {}) {
		if n++; !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("trades for a leg from bars: %v", err)
		}
	}

	if n != 2 {
		t.Errorf("%d pairs, want an error each", n)
	}
}

func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	if _, err := plan.New(plan.Request{}, twoServers(), plan.Limits{}); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
	for _, test := range []struct {
		limits plan.Limits
		want   string
	}{
		{plan.Limits{Reads: 4, Slots: 366, Bars: 355}, ""},
		{plan.Limits{Reads: 3}, "max_reads 4/3"},
		{plan.Limits{Slots: 365}, "max_slots 366/365"},
		{plan.Limits{Bars: 354}, "max_bars 355/354, perhaps"},
	} {
		p, err := plan.New(dayRequest(), twoServers(), test.limits)
		got := ""
		for _, r := range p.Refusals {
			got = fmt.Sprintf("%s %d/%d", r.Limit, r.Need, r.Most)
			if r.Estimated {
				got += ", perhaps"
			}
			if errors.Is(err, ports.ErrTooLarge) == r.Estimated {
				t.Errorf("%+v: %v", test.limits, err)
			}
		}

		if got != test.want || p.Reads() != 4 {
			t.Errorf("%+v: got %q, want %q", test.limits, got, test.want)
		}
	}
}
