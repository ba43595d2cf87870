package plan

import (
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/sorting"
	"github.com/gal-friday/marketdata/ports"
)

// singleRead returns the leg that reads all of within from the one source that is read first for every stored bar of
// it. It finds nothing that assemble would not find, but it finds the common case without making lists.
func singleRead(r Request, within domain.Range, sources []Source) (Leg, bool) {
	if r.Exclude&SourceBars != 0 {
		return Leg{}, false
	}

	var first *Source
	coversAll := false
	for i := range sources {
		s := &sources[i]
		has, hasAll := s.covers(r.Key, within)
		if has && (first == nil || compareSources(s, first) < 0) {
			first, coversAll = s, hasAll
		}
	}
	if !coversAll {
		return Leg{}, false
	}

	leg := Leg{Range: within, Rows: ports.RowBars, Grid: r.Key.Grid}
	leg.Reads = []Read{newRead(first.Name, within, false, first.Rate, leg)}

	return leg, true
}

// covers reports whether the source has declared coverage of some of within, and whether one extent covers all of it.
func (s *Source) covers(key domain.SeriesKey, within domain.Range) (some, all bool) {
	for _, e := range s.Bars {
		if e.Key == key && !e.Inferred && e.Range.Start.Before(within.End) && within.Start.Before(e.Range.End) {
			some = true
			all = all || e.Range.Covers(within)
		}
	}

	return some, all
}

// span is rows of one source that are read.
type span struct {
	rows  domain.Range
	owner *owner
}

// segment is bars that one candidate makes without a gap, and the rows that it reads for them: ascending, touching.
type segment struct {
	bars      domain.Range
	candidate *candidate
	spans     []span
}

// assemble tries the candidates one after the other, each on the ranges that those before it left open.
func assemble(r Request, within domain.Range, sources []Source) (legs []Leg, uncovered []domain.Range) {
	a := assembly{target: r.Key.Grid, within: within, open: []domain.Range{within}}
	stored := storedCandidate(r, within, sources)
	a.try(stored.declaredOnly())
	if n := len(a.open); n > 0 {
		rest := domain.Range{Start: a.open[0].Start, End: a.open[n-1].End} // often a small part: most extents lie outside
		for _, c := range otherCandidates(r, rest, stored, sources) {
			a.try(c)
		}
	}

	sorting.Func(a.segments, func(a, b segment) int { return a.bars.Start.Compare(b.bars.Start) })

	return mergeLegs(r.Key.Grid, a.segments), a.open
}

// assembly is a plan under construction.
type assembly struct {
	target   domain.Grid
	within   domain.Range
	open     []domain.Range // no candidate so far covers these: ascending, disjoint
	segments []segment
}

// try covers as much as the candidate can of the open ranges.
func (a *assembly) try(c *candidate) {
	pieces := intersect(a.open, c.coverage())
	covered := make([]domain.Range, 0, len(pieces))
	for _, piece := range pieces {
		covered = append(covered, c.wholeBars(a.target, piece)...)
	}
	if len(covered) == 0 {
		return
	}

	a.segments = append(a.segments, c.segments(a.within, covered)...)
	a.open = intersect(a.open, a.within.Subtract(covered))
}

// coverage returns the coverage of all owners together: ascending, disjoint.
func (c *candidate) coverage() []domain.Range {
	if len(c.owners) == 1 {
		return c.owners[0].ranges
	}

	var all []domain.Range
	for _, o := range c.owners {
		all = append(all, o.ranges...)
	}

	return domain.MergeRanges(all)
}

// segments covers the ranges, which the owners cover together: every row is read from the first owner that has it.
func (c *candidate) segments(within domain.Range, covered []domain.Range) []segment {
	var spans []span
	open := covered
	for i := range c.owners {
		o := &c.owners[i]
		for _, r := range intersect(open, o.ranges) {
			spans = append(spans, span{r, o})
		}
		if i < len(c.owners)-1 {
			open = intersect(open, within.Subtract(o.ranges))
		}
	}

	sorting.Func(spans, func(a, b span) int { return a.rows.Start.Compare(b.rows.Start) })
	segments := make([]segment, len(covered))
	for i, r := range covered {
		n := 0
		for n < len(spans) && spans[n].rows.Start.Before(r.End) {
			n++
		}
		segments[i] = segment{r, c, spans[:n]}
		spans = spans[n:]
	}

	return segments
}

// mergeLegs returns the legs of the segments: neighbors of the same rows become one leg, because only holes can lie
// between them, and in it neighboring spans of one source become one read. Declared coverage beside inferred coverage
// is one query.
func mergeLegs(target domain.Grid, segments []segment) []Leg {
	total := 0
	for _, s := range segments {
		total += len(s.spans)
	}

	reads := make([]Read, 0, total) // of all legs
	legs := make([]Leg, 0, len(segments))
	for len(segments) > 0 {
		first := segments[0]
		leg := Leg{Range: first.bars, Rows: first.candidate.rows, Grid: first.candidate.grid}
		spans := slices.Clip(first.spans)
		n := 1
		for ; n < len(segments) && segments[n].candidate.sameRows(first.candidate); n++ {
			if next := segments[n].bars; next.Start.After(leg.Range.End) {
				leg.Holes = append(leg.Holes, domain.Range{Start: leg.Range.End, End: next.Start})
			}
			leg.Range.End = segments[n].bars.End
			spans = append(spans, segments[n].spans...)
		}
		segments = segments[n:]

		leg.Inferred = inferredBars(target, spans)
		reads = mergeReads(reads, leg, spans)
		leg.Reads = slices.Clip(reads)
		reads = reads[len(reads):]
		legs = append(legs, leg)
	}

	return legs
}

// inferredBars returns the bars of the target grid that rows of inferred coverage are part of.
func inferredBars(target domain.Grid, spans []span) []domain.Range {
	var inferred []domain.Range
	for _, s := range spans {
		if s.owner.inferred {
			inferred = append(inferred, domain.Range{Start: target.Floor(s.rows.Start), End: target.Ceil(s.rows.End)})
		}
	}
	if inferred == nil {
		return nil
	}

	return domain.MergeRanges(inferred)
}

// mergeReads appends a read for every run of spans of one source.
func mergeReads(reads []Read, leg Leg, spans []span) []Read {
	for len(spans) > 0 {
		source, rows, inferred := spans[0].owner.source, spans[0].rows, spans[0].owner.inferred
		n := 1
		for ; n < len(spans) && spans[n].owner.source == source; n++ {
			rows.End = spans[n].rows.End
			inferred = inferred || spans[n].owner.inferred
		}
		spans = spans[n:]

		reads = append(reads, newRead(source.Name, rows, inferred, source.Rate, leg))
	}

	return reads
}

// intersect returns the ranges that lie in both lists. Each list is ascending and disjoint, and so is the result.
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
