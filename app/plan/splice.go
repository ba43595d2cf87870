package plan

import (
	"slices"

	"github.com/gal-friday/marketdata/domain"
)

// whole is the leg that reads all of within from the one source that is asked first for every stored bar of it. It finds nothing
// that spliced would not, but it finds the common case without making lists.
func whole(r Request, within domain.Range, sources []Source) (Leg, bool) {
	if r.Exclude&StoredBars != 0 {
		return Leg{}, false
	}

	g := r.Key.Grid
	var (
		first               *Source
		firstRouted, covers bool
	)
	for i := range sources {
		s := &sources[i]
		holds, holdsAll := false, false
		for _, e := range s.Bars {
			if e.Key == r.Key && !e.Inferred && e.Range.Start.Before(within.End) && within.Start.Before(e.Range.End) {
				holds = true
				holdsAll = holdsAll || e.Range.Covers(within)
			}
		}
		if !holds {
			continue
		}

		if routed := s.takes(g); first == nil || compare(s, routed, first, firstRouted) < 0 {
			first, firstRouted, covers = s, routed, holdsAll
		}
	}
	if !covers {
		return Leg{}, false
	}

	return Leg{
		Range: within, Rows: BarRows, Grid: g,
		Reads: []Read{newRead(first.Name, within, false, first.Rate, BarRows, g)},
	}, true
}

// span is rows of one source that are read.
type span struct {
	domain.Range

	holder *holder
}

// run is bars that one way answers without a gap, and the rows that it reads for them: ascending, touching.
type run struct {
	domain.Range

	way   *way
	spans []span
}

// spliced tries the ways one after the other, each on what those before it left open.
func spliced(r Request, within domain.Range, sources []Source) (legs []Leg, uncovered []domain.Range) {
	s := search{target: r.Key.Grid, within: within, open: []domain.Range{within}}
	stored := storedWay(r, within, sources)
	s.try(stored.claimed())
	if n := len(s.open); n > 0 {
		rest := domain.Range{Start: s.open[0].Start, End: s.open[n-1].End} // often a small part: most extents lie outside
		for _, w := range otherWays(r, rest, stored, sources) {
			s.try(w)
		}
	}

	slices.SortFunc(s.runs, func(a, b run) int { return a.Start.Compare(b.Start) })
	return joined(s.runs), s.open
}

// search is a plan on its way.
type search struct {
	target domain.Grid
	within domain.Range
	open   []domain.Range // what no way so far answers: ascending, disjoint
	runs   []run
}

// try answers by the way what it can of what is open.
func (s *search) try(w *way) {
	pieces := intersect(s.open, w.held())
	answered := make([]domain.Range, 0, len(pieces))
	for _, piece := range pieces {
		answered = append(answered, w.answers(s.target, piece)...)
	}
	if len(answered) == 0 {
		return
	}

	s.runs = append(s.runs, w.runs(s.within, answered)...)
	s.open = intersect(s.open, s.within.Subtract(answered))
}

// held is what the holders hold together: ascending, disjoint.
func (w *way) held() []domain.Range {
	if len(w.holders) == 1 {
		return w.holders[0].ranges
	}

	var all []domain.Range
	for _, h := range w.holders {
		all = append(all, h.ranges...)
	}
	return domain.MergeRanges(all)
}

// runs answers the ranges, which the holders hold together: every row is read from the first that holds it.
func (w *way) runs(within domain.Range, answered []domain.Range) []run {
	var spans []span
	open := answered
	for i := range w.holders {
		h := &w.holders[i]
		for _, r := range intersect(open, h.ranges) {
			spans = append(spans, span{r, h})
		}
		if i < len(w.holders)-1 {
			open = intersect(open, within.Subtract(h.ranges))
		}
	}

	slices.SortFunc(spans, func(a, b span) int { return a.Start.Compare(b.Start) })
	runs := make([]run, len(answered))
	for i, r := range answered {
		n := 0
		for n < len(spans) && spans[n].Start.Before(r.End) {
			n++
		}
		runs[i] = run{r, w, spans[:n]}
		spans = spans[n:]
	}

	return runs
}

// joined is the legs of the runs: of the same rows where they touch, one leg, and of it the touching spans of one source, one
// read. A claim that borders on an assumption is one query.
func joined(runs []run) []Leg {
	n := 0
	for _, r := range runs {
		n += len(r.spans)
	}
	reads := make([]Read, 0, n) // of all legs
	legs := make([]Leg, 0, len(runs))
	for len(runs) > 0 {
		w := runs[0].way
		leg := Leg{Range: runs[0].Range, Rows: w.from, Grid: w.grid}
		spans := runs[0].spans
		n := 1
		for ; n < len(runs) && runs[n].way.same(w) && runs[n].Start.Equal(leg.Range.End); n++ {
			leg.Range.End = runs[n].End
			spans = slices.Concat(spans, runs[n].spans)
		}

		runs = runs[n:]
		for len(spans) > 0 {
			source, rows, assumed := spans[0].holder.source, spans[0].Range, spans[0].holder.assumed
			n := 1
			for ; n < len(spans) && spans[n].holder.source == source; n++ {
				rows.End = spans[n].End
				assumed = assumed || spans[n].holder.assumed
			}

			spans = spans[n:]
			reads = append(reads, newRead(source.Name, rows, assumed, source.Rate, w.from, w.grid))
		}

		leg.Reads = slices.Clip(reads)
		reads = reads[len(reads):]
		legs = append(legs, leg)
	}

	return legs
}

// intersect is what lies in both lists, each ascending and disjoint, as the answer is.
func intersect(a, b []domain.Range) []domain.Range {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}

	both := make([]domain.Range, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		if r := a[0].Intersect(b[0]); !r.Empty() {
			both = append(both, r)
		}
		if a[0].End.Before(b[0].End) {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}

	return both
}
