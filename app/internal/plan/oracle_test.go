package plan_test

import (
	"time"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// rows names rows of one kind: stored bars of a grid, or ticks.
type rows struct {
	from ports.RowKind
	grid domain.Grid
}

// oracle knows, atom by atom, who holds which rows.
type oracle struct {
	*world

	ticks  rows
	has    bool                    // ticks can make bars of the request's kind
	claims map[rows][]map[int]bool // per source, the atoms that claimed rows cover
	guess  map[rows][]map[int]bool // those that assumed rows cover
}

// The ways in which a bar can be had, the best first.
const (
	storedClaimed = iota
	finerClaimed
	storedAssumed
	finerAssumed
	fromTicks
	nobody
)

func newOracle(w *world) *oracle {
	o := &oracle{world: w, has: true, claims: map[rows][]map[int]bool{}, guess: map[rows][]map[int]bool{}}
	tickKind := domain.TickTrades
	switch w.request.Key.PriceType {
	case domain.PriceTrade:
		o.ticks.from = ports.RowTrades
	case domain.PriceMid:
		o.ticks.from, tickKind = ports.RowQuotes, domain.TickQuotes
	default:
		o.has = false
	}

	for i, s := range w.sources {
		for _, e := range s.Bars {
			if e.Key.Symbol != w.request.Key.Symbol || e.Key.PriceType != w.request.Key.PriceType {
				continue
			}

			g := e.Key.Grid
			for open := g.Floor(e.Range.Start); open.Before(e.Range.End); open = g.Next(open) {
				if e.Range.Contains(open) {
					o.mark(i, e.Inferred, rows{ports.RowBars, g}, open, g.Next(open))
				}
			}
		}
		for _, e := range s.Ticks {
			if o.has && e.Kind == tickKind {
				o.mark(i, false, o.ticks, e.Range.Start, e.Range.End)
			}
		}
	}

	return o
}

func (o *oracle) mark(source int, assumed bool, of rows, from, to time.Time) {
	held := o.claims
	if assumed {
		held = o.guess
	}
	if held[of] == nil {
		held[of] = make([]map[int]bool, len(o.sources))
	}
	if held[of][source] == nil {
		held[of][source] = map[int]bool{}
	}
	for at := from; at.Before(to); at = at.Add(o.atom) {
		held[of][source][o.atomOf(at)] = true
	}
}

func (o *oracle) atomOf(t time.Time) int { return int(t.Sub(o.start)/o.atom) + o.atoms }

// reader is the source from which the row at t is read: nil where none holds it.
func (o *oracle) reader(of rows, t time.Time, assumptions bool) *plan.Source {
	var best *plan.Source
	consider := func(held []map[int]bool) {
		for i, atoms := range held {
			s := &o.sources[i]
			switch {
			case !atoms[o.atomOf(t)]:
			case best == nil:
				best = s
			case s.Priority != best.Priority:
				if s.Priority < best.Priority {
					best = s
				}
			case s.Name < best.Name:
				best = s
			}
		}
	}
	consider(o.claims[of])
	if best == nil && assumptions {
		consider(o.guess[of])
	}

	return best
}

// makes reports whether the rows make up the bar.
func (o *oracle) makes(of rows, bar domain.Range, assumptions bool) bool {
	if of.from == ports.RowBars {
		longer := of.grid.Frequency().Nominal() > o.request.Key.Grid.Frequency().Nominal()
		if longer || !of.grid.Aligned(bar.Start) || !of.grid.Aligned(bar.End) {
			return false
		}
	}

	for at := bar.Start; at.Before(bar.End); at = at.Add(o.atom) {
		if o.reader(of, at, assumptions) == nil {
			return false
		}
	}

	return true
}

// best is the best way to the bar, all grids of stored bars that give it in that way, and the fewest rows.
func (o *oracle) best(bar domain.Range) (way int, grids []domain.Grid, fewest int64) {
	stored := rows{ports.RowBars, o.request.Key.Grid}
	for way := range nobody {
		assumptions := way >= storedAssumed
		switch way {
		case storedClaimed, storedAssumed:
			if o.request.Exclude&plan.SourceBars == 0 && o.makes(stored, bar, assumptions) {
				return way, []domain.Grid{stored.grid}, 1
			}
		case finerClaimed, finerAssumed:
			for _, g := range o.grids {
				if o.request.Exclude&plan.SourceFinerBars != 0 || g == stored.grid || !o.makes(rows{ports.RowBars, g}, bar, assumptions) {
					continue
				}

				n := edges(g, bar)
				if len(grids) == 0 || n < fewest {
					fewest = n
				}
				grids = append(grids, g)
			}
			if len(grids) > 0 {
				return way, grids, fewest
			}
		case fromTicks:
			if o.request.Exclude&plan.SourceTicks == 0 && o.has && o.makes(o.ticks, bar, false) {
				return way, nil, 0
			}
		}
	}

	return nobody, nil, 0
}

// edges counts the edges in r one by one.
func edges(g domain.Grid, r domain.Range) (n int64) {
	for at := g.Ceil(r.Start); at.Before(r.End); at = g.Next(at) {
		n++
	}
	return n
}
