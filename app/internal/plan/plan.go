package plan

import (
	"errors"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Request asks for a plan.
type Request struct {
	Key     domain.SeriesKey
	Range   domain.Range // on open times
	Exclude SourceKind   // rows that must not be used; the zero value excludes none
}

// SourceKind is a set of kinds of rows that bars can be made of.
type SourceKind uint8

// The source kinds.
const (
	SourceBars      SourceKind = 1 << iota // bars of the requested grid
	SourceFinerBars                        // bars of a finer grid, resampled
	SourceTicks                            // trades or quotes, aggregated
)

// Read is one query: rows of the leg's kind in Range, from one source.
type Read struct {
	Source   domain.StoreName
	Range    domain.Range // on open times of the stored grid, or on times of ticks
	Inferred bool         // some of the coverage is inferred
	Estimate ports.Estimate

	rate Rate
}

// Leg makes all bars that open in Range, and outside of Holes, out of rows of one kind. Its reads ascend, are
// disjoint, and together span Range, perhaps without some of the holes. Where Grid is the requested one the rows are
// the bars; otherwise bars are made of the rows, also across the edge between two reads.
//
// A read spans holes, because a query for each run of rows between two holes would cost more than the rows in them. A
// hole may have rows, which belong to no bar of the leg: see WithoutHoles.
type Leg struct {
	Range domain.Range   // on open times of the requested grid
	Holes []domain.Range // parts of Range that are not covered: ascending, disjoint, on edges of the requested grid
	Rows  ports.RowKind  // that the reads return
	Grid  domain.Grid    // of the stored bars; zero where bars are aggregated from ticks
	Reads []Read         // one or more

	// Inferred lists the parts of Range whose coverage is inferred, on edges of the requested grid: ascending, disjoint.
	Inferred []domain.Range
}

// Estimate returns the sum over the leg's reads.
func (l Leg) Estimate() ports.Estimate {
	total := l.Reads[0].Estimate
	for _, r := range l.Reads[1:] {
		total = total.Add(r.Estimate)
	}

	return total
}

// Clip returns the leg that makes the bars of l in r, which must lie on edges of the requested grid. So a leg is
// executed step by step, from its head or its tail. The result has no reads where r lies outside.
func (l Leg) Clip(r domain.Range) Leg {
	part := Leg{
		Range: l.Range.Intersect(r), Holes: domain.ClipRanges(l.Holes, r), Rows: l.Rows, Grid: l.Grid,
		Inferred: domain.ClipRanges(l.Inferred, r),
	}
	for _, read := range l.Reads {
		if rows := read.Range.Intersect(r); !rows.Empty() {
			part.Reads = append(part.Reads, newRead(read.Source, rows, read.Inferred, read.rate, part))
		}
	}

	return part
}

// Covered returns the ranges in which the leg makes bars: Range without Holes.
func (l Leg) Covered() []domain.Range { return l.Range.Subtract(l.Holes) }

// Trim returns r without a hole at its start and one at its end.
func (l Leg) Trim(r domain.Range) domain.Range {
	for _, hole := range l.Holes {
		if hole.Contains(r.Start) {
			r.Start = hole.End
		}
		if hole.Start.Before(r.End) && !hole.End.Before(r.End) {
			r.End = hole.Start
		}
	}

	return r
}

// slots returns the number of edges of g in r that lie outside of the holes.
func (l Leg) slots(g domain.Grid, r domain.Range) int64 {
	n := g.Slots(r)
	for _, hole := range domain.ClipRanges(l.Holes, r) {
		n -= g.Slots(hole)
	}

	return n
}

// Plan says where the bars of a range come from. Legs and Uncovered both ascend and are disjoint; Uncovered and what
// the legs cover are together exactly Range. An executor takes legs from the head for First, from the tail for Last,
// and stops when it has enough.
type Plan struct {
	Key       domain.SeriesKey
	Range     domain.Range // the requested range, both ends moved up to edges of the grid
	Legs      []Leg
	Uncovered []domain.Range // on open times: no source covers these in any way
	Bars      int64          // upper bound of the bars returned
	Total     ports.Estimate
	Refusals  []*LimitError // limits that refuse the plan, or may refuse its result
}

// Reads counts the queries of the plan.
func (p Plan) Reads() int {
	n := 0
	for _, l := range p.Legs {
		n += len(l.Reads)
	}

	return n
}

// New returns the cheapest plan that covers the request, by the order in the package comment. The plan depends on the
// coverage of the sources and not on their order. An invalid key is an error that wraps domain.ErrInvalid. A plan that
// certainly exceeds a limit is returned beside a *LimitError, which wraps ports.ErrTooLarge: it may be shown but must
// not be executed.
func New(r Request, sources []Source, limits Limits) (Plan, error) {
	if err := r.Key.Validate(); err != nil {
		return Plan{}, err
	}

	p := Plan{Key: r.Key, Range: r.Key.Grid.Align(r.Range)}
	if p.Range.Empty() {
		return p, nil
	}

	if leg, ok := singleRead(r, p.Range, sources); ok {
		p.Legs = []Leg{leg}
	} else {
		p.Legs, p.Uncovered = assemble(r, p.Range, sources)
	}
	for i, l := range p.Legs {
		p.Bars += l.slots(p.Key.Grid, l.Range)
		if i == 0 {
			p.Total = l.Estimate()
		} else {
			p.Total = p.Total.Add(l.Estimate())
		}
	}

	p.Refusals = limits.check(&p)
	var faults []error
	for _, refusal := range p.Refusals {
		if !refusal.Estimated {
			faults = append(faults, refusal)
		}
	}

	return p, errors.Join(faults...)
}

// Memory of a row: of a bar five numbers, time and trade count; of a tick four numbers, time, sequence number and
// side.
const (
	bytesPerBar  = 7 * 8
	bytesPerTick = 6*8 + 1
)

// newRead returns a read of rows for a leg, whose Holes, Rows and Grid are set.
func newRead(source domain.StoreName, rows domain.Range, inferred bool, rate Rate, l Leg) Read {
	read := Read{Source: source, Range: rows, Inferred: inferred, rate: rate}
	e := &read.Estimate
	if l.Rows == ports.RowBars {
		e.Rows = l.slots(l.Grid, rows)
		e.Bytes = e.Rows * bytesPerBar
	} else {
		e.Rows = max(1, l.slots(domain.Second1.UTC(), rows))
		e.Bytes = e.Rows * bytesPerTick
	}
	e.Cost = rate.estimate(e.Rows)

	return read
}

// expectedCached returns the read's expected time where a cache has some of its rows.
func (r *Read) expectedCached(cachedRows int64) time.Duration {
	if cachedRows == 0 || r.Estimate.Cost == 0 {
		return r.Estimate.Cost
	}

	return max(time.Microsecond, r.rate.estimate(r.Estimate.Rows-cachedRows))
}
