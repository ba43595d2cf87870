package plan

import (
	"cmp"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/sorting"
	"github.com/gal-friday/marketdata/ports"
)

// owner is the coverage that one source has of a candidate's rows, declared or inferred.
type owner struct {
	source   *Source
	inferred bool
	ranges   []domain.Range // ascending, disjoint, within the plan's range
}

// candidate is rows of one kind, of all sources together, that bars can be made of.
type candidate struct {
	rows   ports.RowKind
	grid   domain.Grid
	owners []owner // those read first come first: declared before inferred, then by compareSources
}

// declaredOnly returns the candidate with its declared coverage alone.
func (c *candidate) declaredOnly() *candidate {
	n := slices.IndexFunc(c.owners, func(o owner) bool { return o.inferred })
	if n < 0 {
		return c
	}

	return &candidate{rows: c.rows, grid: c.grid, owners: c.owners[:n]}
}

// sameRows reports whether both candidates are of the same rows.
func (c *candidate) sameRows(o *candidate) bool { return c.rows == o.rows && c.grid == o.grid }

// wholeBars returns the runs of whole bars of the target grid in r that rows without a gap in r make.
func (c *candidate) wholeBars(target domain.Grid, r domain.Range) []domain.Range {
	switch {
	case c.rows == ports.RowBars && c.grid == target:
		return []domain.Range{r}
	case c.rows == ports.RowBars:
		return c.grid.DivisibleRanges(target, r)
	}
	if bars := target.AlignInward(r); !bars.Empty() {
		return []domain.Range{bars}
	}

	return nil
}

// storedCandidate returns the bars of the requested grid. It has no owner where there are none.
func storedCandidate(r Request, within domain.Range, sources []Source) *candidate {
	r.Exclude |= SourceFinerBars
	for _, c := range barCandidates(r, within, sources) {
		return c
	}

	return &candidate{}
}

// otherCandidates lists the candidates after the declared stored bars, in the order in which they are tried.
func otherCandidates(r Request, within domain.Range, stored *candidate, sources []Source) []*candidate {
	derived := r
	derived.Exclude |= SourceBars
	finer := barCandidates(derived, within, sources)
	sorting.Func(finer, func(a, b *candidate) int { return compareFiner(r.Key.Grid, a.grid, b.grid) })

	var ordered []*candidate
	for _, c := range finer {
		ordered = append(ordered, c.declaredOnly())
	}
	ordered = append(ordered, stored)
	ordered = append(ordered, finer...)
	if r.Exclude&SourceTicks == 0 {
		ordered = append(ordered, tickCandidate(r.Key, within, sources))
	}

	return ordered
}

// compareFiner puts the grid of longer bars first, because it needs fewer rows, and among equals the one in the
// target's zone.
func compareFiner(target, a, b domain.Grid) int {
	foreign := func(g domain.Grid) int {
		if g.Zone() == target.Zone() {
			return 0
		}
		return 1
	}

	return cmp.Or(
		cmp.Compare(b.Frequency().Nominal(), a.Frequency().Nominal()),
		cmp.Compare(foreign(a), foreign(b)),
		cmp.Compare(a.Frequency(), b.Frequency()),
		cmp.Compare(a.Zone(), b.Zone()),
	)
}

// barCandidates returns a candidate for every grid of which a source has bars that the request may use.
func barCandidates(r Request, within domain.Range, sources []Source) []*candidate {
	type ownedGrid struct {
		grid     domain.Grid
		source   *Source
		inferred bool
	}
	ranges := map[ownedGrid][]domain.Range{}
	for i := range sources {
		s := &sources[i]
		for _, e := range s.Bars {
			if !canUse(r, e.Key) || e.Range.Intersect(within).Empty() {
				continue
			}

			at := ownedGrid{e.Key.Grid, s, e.Inferred}
			ranges[at] = append(ranges[at], clip(e.Key.Grid, e.Range, within))
		}
	}

	byGrid := map[domain.Grid][]owner{}
	for at, r := range ranges {
		if r = domain.MergeRanges(r); len(r) > 0 {
			byGrid[at.grid] = append(byGrid[at.grid], owner{source: at.source, inferred: at.inferred, ranges: r})
		}
	}

	all := make([]*candidate, 0, len(byGrid))
	for g, owners := range byGrid {
		sorting.Func(owners, compareOwners)
		all = append(all, &candidate{rows: ports.RowBars, grid: g, owners: owners})
	}

	return all
}

func compareOwners(a, b owner) int {
	if a.inferred != b.inferred {
		if b.inferred {
			return -1
		}
		return 1
	}

	return compareSources(a.source, b.source)
}

// canUse reports whether bars of the request can be made of bars of key.
func canUse(r Request, key domain.SeriesKey) bool {
	if key.Symbol != r.Key.Symbol || key.PriceType != r.Key.PriceType {
		return false
	}
	if key.Grid == r.Key.Grid {
		return r.Exclude&SourceBars == 0
	}

	return r.Exclude&SourceFinerBars == 0 && key.Grid.Frequency().Nominal() <= r.Key.Grid.Frequency().Nominal()
}

// clip returns the part of within that whole bars of g that open in r cover. Only an end inside of within has to be
// moved to an edge.
func clip(g domain.Grid, r, within domain.Range) domain.Range {
	if r.Start.After(within.Start) {
		r.Start = g.Ceil(r.Start)
	}
	if r.End.Before(within.End) {
		r.End = g.Ceil(r.End)
	}

	return r.Intersect(within)
}

// tickCandidate returns the trades or quotes that bars of the key can be made of. It has no owner where there are none.
func tickCandidate(key domain.SeriesKey, within domain.Range, sources []Source) *candidate {
	c := &candidate{}
	switch key.PriceType {
	case domain.PriceTrade:
		c.rows = ports.RowTrades
	case domain.PriceBid, domain.PriceAsk, domain.PriceMid:
		c.rows = ports.RowQuotes
	default:
		return c
	}

	for i := range sources {
		s := &sources[i]
		var ranges []domain.Range
		for _, e := range s.Ticks {
			if e.Symbol == key.Symbol && e.Kind == c.rows.Ticks() {
				ranges = append(ranges, e.Range.Intersect(within))
			}
		}

		if ranges = domain.MergeRanges(ranges); len(ranges) > 0 {
			c.owners = append(c.owners, owner{source: s, ranges: ranges})
		}
	}
	sorting.Func(c.owners, compareOwners)

	return c
}
