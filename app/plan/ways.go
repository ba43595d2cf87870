package plan

import (
	"cmp"
	"slices"

	"github.com/gal-friday/marketdata/domain"
)

// holder is what one source holds of the rows of a way, claimed or assumed.
type holder struct {
	source  *Source
	assumed bool
	ranges  []domain.Range // ascending, disjoint, within the plan's range
}

// way is rows of one kind, of all sources together, that bars can be made of.
type way struct {
	from    RowKind
	grid    domain.Grid
	holders []holder // those asked first come first: claims before assumptions, then as compare says
}

// claimed is the way with what is claimed only.
func (w *way) claimed() *way {
	n := slices.IndexFunc(w.holders, func(h holder) bool { return h.assumed })
	if n < 0 {
		return w
	}

	return &way{from: w.from, grid: w.grid, holders: w.holders[:n]}
}

// same reports whether both are of the same rows.
func (w *way) same(o *way) bool { return w.from == o.from && w.grid == o.grid }

// answers is the runs of whole bars of the target grid in r that rows without a gap in r make up.
func (w *way) answers(target domain.Grid, r domain.Range) []domain.Range {
	switch {
	case w.from == BarRows && w.grid == target:
		return []domain.Range{r}
	case w.from == BarRows:
		return w.grid.DivisibleRanges(target, r)
	}
	if bars := target.AlignInward(r); !bars.Empty() {
		return []domain.Range{bars}
	}

	return nil
}

// storedWay is the bars of the grid asked for; a way that nobody holds where there are none.
func storedWay(r Request, within domain.Range, sources []Source) *way {
	r.Exclude |= FinerBars
	for _, w := range barWays(r, within, sources) {
		return w
	}
	return &way{}
}

// otherWays lists what is tried after the claims on stored bars, in that order.
func otherWays(r Request, within domain.Range, stored *way, sources []Source) []*way {
	derived := r
	derived.Exclude |= StoredBars
	finer := barWays(derived, within, sources)
	slices.SortFunc(finer, func(a, b *way) int { return compareFiner(r.Key.Grid, a.grid, b.grid) })

	var tried []*way
	for _, w := range finer {
		tried = append(tried, w.claimed())
	}
	tried = append(tried, stored)
	tried = append(tried, finer...)
	if r.Exclude&StoredTicks == 0 {
		tried = append(tried, tickWay(r.Key, within, sources))
	}

	return tried
}

// compareFiner puts the grid of longer bars first, which needs fewer rows; of equals the one in the target's zone.
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

// barWays is a way for every grid of which a source holds bars that the request may use.
func barWays(r Request, within domain.Range, sources []Source) []*way {
	type held struct {
		grid    domain.Grid
		source  *Source
		assumed bool
	}
	ranges := map[held][]domain.Range{}
	for i := range sources {
		s := &sources[i]
		for _, e := range s.Bars {
			if !usable(r, e.Key) || e.Range.Intersect(within).Empty() {
				continue
			}

			at := held{e.Key.Grid, s, e.Inferred}
			ranges[at] = append(ranges[at], clip(e.Key.Grid, e.Range, within))
		}
	}

	byGrid := map[domain.Grid][]holder{}
	for at, r := range ranges {
		if r = domain.MergeRanges(r); len(r) > 0 {
			byGrid[at.grid] = append(byGrid[at.grid], holder{source: at.source, assumed: at.assumed, ranges: r})
		}
	}

	all := make([]*way, 0, len(byGrid))
	for g, holders := range byGrid {
		slices.SortFunc(holders, func(a, b holder) int {
			if a.assumed != b.assumed {
				if b.assumed {
					return -1
				}
				return 1
			}
			return compare(a.source, a.source.takes(g), b.source, b.source.takes(g))
		})
		all = append(all, &way{from: BarRows, grid: g, holders: holders})
	}

	return all
}

// usable reports whether bars of the request can be made of bars of key.
func usable(r Request, key domain.SeriesKey) bool {
	if key.Symbol != r.Key.Symbol || key.PriceType != r.Key.PriceType {
		return false
	}
	if key.Grid == r.Key.Grid {
		return r.Exclude&StoredBars == 0
	}

	return r.Exclude&FinerBars == 0 && key.Grid.Frequency().Nominal() <= r.Key.Grid.Frequency().Nominal()
}

// clip is what whole bars of g that open in r cover of within. Only an end that lies inside needs to be moved to an edge.
func clip(g domain.Grid, r, within domain.Range) domain.Range {
	if r.Start.After(within.Start) {
		r.Start = g.Ceil(r.Start)
	}
	if r.End.Before(within.End) {
		r.End = g.Ceil(r.End)
	}

	return r.Intersect(within)
}

// tickWay is the trades or quotes that bars of the key can be made of; a way that nobody holds where there are none.
func tickWay(key domain.SeriesKey, within domain.Range, sources []Source) *way {
	w := &way{}
	var kind domain.TickKind
	switch key.PriceType {
	case domain.PriceTrade:
		w.from, kind = TradeRows, domain.TickTrades
	case domain.PriceBid, domain.PriceAsk, domain.PriceMid:
		w.from, kind = QuoteRows, domain.TickQuotes
	default:
		return w
	}

	for i := range sources {
		s := &sources[i]
		var ranges []domain.Range
		for _, e := range s.Ticks {
			if e.Symbol == key.Symbol && e.Kind == kind {
				ranges = append(ranges, e.Range.Intersect(within))
			}
		}

		if ranges = domain.MergeRanges(ranges); len(ranges) > 0 {
			w.holders = append(w.holders, holder{source: s, ranges: ranges})
		}
	}

	slices.SortFunc(w.holders, func(a, b holder) int { return compare(a.source, true, b.source, true) })
	return w
}
