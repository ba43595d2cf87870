package plan

import (
	"slices"

	"github.com/gal-friday/marketdata/domain"
)

// whole is the leg that reads all of within from the one source that is asked first for every stored bar of it. It finds nothing
// that spliced would not, but it finds the common case without making lists.
func whole(r Request, within domain.Range, sources []Source) (Leg, bool) {
	if r.Without&Stored != 0 {
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
			if e.Key == r.Key && !e.Assumed && e.Range.Start.Before(within.End) && within.Start.Before(e.Range.End) {
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
		Range: within, From: FromBars, Grid: g,
		Reads: []Read{newRead(first.Name, within, false, first.Rate, FromBars, g)},
	}, true
}

// spliced tries the ways one after the other, each on what those before it left open.
func spliced(r Request, within domain.Range, sources []Source) (legs []Leg, uncovered []domain.Range) {
	open := []domain.Range{within}
	for _, w := range ways(r, within, sources) {
		if len(open) == 0 {
			break
		}
		var answered []domain.Range
		for _, piece := range intersect(open, w.held()) {
			answered = append(answered, w.answers(r.Key.Grid, piece)...)
		}
		if len(answered) == 0 {
			continue
		}
		legs = append(legs, w.legs(within, answered)...)
		open = intersect(open, within.Subtract(answered))
	}
	slices.SortFunc(legs, func(a, b Leg) int { return a.Range.Start.Compare(b.Range.Start) })
	return joined(legs), open
}

// held is what the holders hold together: ascending, disjoint.
func (w way) held() []domain.Range {
	if len(w.holders) == 1 {
		return w.holders[0].ranges
	}
	var all []domain.Range
	for _, h := range w.holders {
		all = append(all, h.ranges...)
	}
	return domain.MergeRanges(all)
}

// legs answers the ranges, which the holders hold together: every row is read from the first that holds it.
func (w way) legs(within domain.Range, answered []domain.Range) []Leg {
	var reads []Read
	open := answered
	for _, h := range w.holders {
		for _, r := range intersect(open, h.ranges) {
			reads = append(reads, newRead(h.source.Name, r, h.assumed, h.source.Rate, w.from, w.grid))
		}
		open = intersect(open, within.Subtract(h.ranges))
	}
	slices.SortFunc(reads, func(a, b Read) int { return a.Range.Start.Compare(b.Range.Start) })
	legs := make([]Leg, len(answered))
	for i, r := range answered {
		n := 0
		for n < len(reads) && reads[n].Range.Start.Before(r.End) {
			n++
		}
		legs[i] = Leg{Range: r, From: w.from, Grid: w.grid, Reads: reads[:n:n]}
		reads = reads[n:]
	}
	return legs
}

// joined puts legs of the same rows together where they touch, and then reads of the same source: a claim that borders on an
// assumption is one query.
func joined(legs []Leg) []Leg {
	var all []Leg
	for _, l := range legs {
		n := len(all) - 1
		if n < 0 || all[n].From != l.From || all[n].Grid != l.Grid || !all[n].Range.End.Equal(l.Range.Start) {
			all = append(all, l)
			continue
		}
		all[n].Range.End = l.Range.End
		all[n].Reads = append(all[n].Reads, l.Reads...)
	}
	for i := range all {
		l := &all[i]
		var reads []Read
		for _, read := range l.Reads {
			n := len(reads) - 1
			if n < 0 || reads[n].Source != read.Source {
				reads = append(reads, read)
				continue
			}
			both := domain.Range{Start: reads[n].Range.Start, End: read.Range.End}
			reads[n] = newRead(read.Source, both, reads[n].Assumed || read.Assumed, read.rate, l.From, l.Grid)
		}
		l.Reads = reads
	}
	return all
}

// intersect is what lies in both lists, each ascending and disjoint, as the answer is.
func intersect(a, b []domain.Range) []domain.Range {
	var both []domain.Range
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
