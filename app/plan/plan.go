package plan

import (
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Request asks for a plan.
type Request struct {
	Key     domain.SeriesKey
	Range   domain.Range // on open times, half-open
	Exclude SourceKind   // ways not to use; none, the zero value, leaves all of them
}

// SourceKind is a set of ways to get a bar.
type SourceKind uint8

// The ways.
const (
	StoredBars  SourceKind = 1 << iota // bars of the grid asked for
	FinerBars                          // bars of a finer grid, resampled
	StoredTicks                        // trades or quotes, aggregated
)

// RowKind says which rows bars are made of.
type RowKind uint8

// What bars are made of.
const (
	BarRows RowKind = iota
	TradeRows
	QuoteRows
)

var froms = [...]string{"bars", "trades", "quotes"}

// String is bars, trades or quotes.
func (f RowKind) String() string {
	if int(f) < len(froms) {
		return froms[f]
	}
	return "unknown"
}

// MarshalText is String.
func (f RowKind) MarshalText() ([]byte, error) {
	if int(f) >= len(froms) {
		return nil, fmt.Errorf("plan from %d: not one of bars, trades, quotes: %w", f, domain.ErrInvalid)
	}
	return []byte(f.String()), nil
}

// Estimate is what reading costs, at most: rows are counted as if no slot of the stored grid was empty. Nobody counts trades and
// quotes beforehand; one a second is assumed.
type Estimate struct {
	Rows  int64         `json:"rows"`
	Bytes int64         `json:"bytes"`   // in memory
	Cost  time.Duration `json:"cost_ns"` // one read after the other; 0 where a source's rate was not measured
}

// with is the sum of both, and o alone where it is the first. How long the sum takes is known where it is of both.
func (e Estimate) with(o Estimate, first bool) Estimate {
	if first {
		return o
	}

	if e.Cost > 0 && o.Cost > 0 {
		o.Cost += e.Cost
	} else {
		o.Cost = 0
	}

	return Estimate{Rows: e.Rows + o.Rows, Bytes: e.Bytes + o.Bytes, Cost: o.Cost}
}

// Read is one query: the rows of Leg.From and Leg.Grid in Range, of one source.
type Read struct {
	Source   string       `json:"source"`
	Range    domain.Range `json:"range"`    // on open times of the stored grid, or on times of ticks
	Inferred bool         `json:"inferred"` // the source only assumes that it holds some of it
	Estimate `json:"estimate"`

	// Cached is the parts of Range of which a cache has the rows, so that they cost next to nothing, and Server is how the source's
	// server would read the others; both are nil where nobody looked: Make does not.
	Cached []domain.Range  `json:"cached,omitempty"`
	Server *ports.ReadPlan `json:"server,omitempty"`

	rate Rate
}

// Leg answers the bars whose open time is in Range, all of them, out of rows of one kind. Its reads ascend, do not overlap, and
// together span Range. Where Grid is the one asked for, its rows are the bars; otherwise the bars are made of them, across the
// edge between two reads.
type Leg struct {
	Range domain.Range `json:"range"` // on open times of the grid asked for
	Rows  RowKind      `json:"from"`
	Grid  domain.Grid  `json:"grid,omitzero"` // of the stored bars; none where bars are made of ticks
	Reads []Read       `json:"reads"`         // one or more
}

// Estimate is the sum over the leg's reads.
func (l Leg) Estimate() Estimate {
	var total Estimate
	for i := range l.Reads {
		total = total.with(l.Reads[i].Estimate, i == 0)
	}
	return total
}

// Clip is the part of the leg that answers what of r is in its Range: r lies on edges of the grid asked for. It is how a leg is
// executed step by step from its head, or from its tail where the last few bars are wanted. It has no reads where r is outside.
func (l Leg) Clip(r domain.Range) Leg {
	part := Leg{Range: l.Range.Intersect(r), Rows: l.Rows, Grid: l.Grid}
	for _, read := range l.Reads {
		if rows := read.Range.Intersect(r); !rows.Empty() {
			part.Reads = append(part.Reads, newRead(read.Source, rows, read.Inferred, read.rate, l.Rows, l.Grid))
		}
	}

	return part
}

// Plan says where the bars of a range come from. Legs and Uncovered both ascend, do not overlap and together are exactly Range:
// an executor takes legs from the head for the first few bars, from the tail for the last few, and stops when it has enough.
type Plan struct {
	Key       domain.SeriesKey `json:"key"`
	Range     domain.Range     `json:"range"` // the one asked for, its ends moved up to edges of the grid
	Legs      []Leg            `json:"legs"`
	Uncovered []domain.Range   `json:"uncovered"` // on open times: what no source can give in any way
	Bars      int64            `json:"bars"`      // at most so many are returned
	Total     Estimate         `json:"total"`
	Refusals  []*LimitError    `json:"refusals"` // the limits that refuse the plan, or may refuse its answer
}

// Reads is how many queries the plan makes.
func (p Plan) Reads() int {
	n := 0
	for _, l := range p.Legs {
		n += len(l.Reads)
	}
	return n
}

// Annotate fills in what is not known when a plan is made: look is told of each read of stored bars, and sets its Cached and its Server.
// An error of look ends it.
func (p *Plan) Annotate(look func(grid domain.Grid, r *Read) error) error {
	for i := range p.Legs {
		l := &p.Legs[i]
		for j := range l.Reads {
			if l.Rows != BarRows {
				continue
			}

			r := &l.Reads[j]
			if err := look(l.Grid, r); err != nil {
				return err
			}

			if rows := r.cachedRows(l.Grid); rows > 0 && r.Cost > 0 {
				r.Cost = max(time.Microsecond, r.rate.expected(r.Rows-rows))
			}
		}
	}

	p.sum()
	return nil
}

// cachedRows is how many of the rows a cache has.
func (r *Read) cachedRows(g domain.Grid) int64 {
	rows := int64(0)
	for _, part := range r.Cached {
		rows += g.Slots(part)
	}
	return rows
}

// sum adds up what the legs cost.
func (p *Plan) sum() {
	p.Bars, p.Total = 0, Estimate{}
	for i, l := range p.Legs {
		p.Bars += p.Key.Grid.Slots(l.Range)
		p.Total = p.Total.with(l.Estimate(), i == 0)
	}
}

// New makes the cheapest plan that covers the request, by the order of the package comment. The plan depends on what the sources
// hold, and not on how they are ordered. It refuses a key that is not valid, with an error that wraps domain.ErrInvalid, and a
// plan that exceeds a limit for certain, with a *LimitError, which wraps ports.ErrTooLarge: the plan is returned beside it, to be
// looked at and not to be executed.
func New(r Request, sources []Source, limits Limits) (Plan, error) {
	if err := r.Key.Validate(); err != nil {
		return Plan{}, err
	}

	p := Plan{Key: r.Key, Range: r.Key.Grid.Align(r.Range)}
	if p.Range.Empty() {
		return p, nil
	}

	if leg, ok := whole(r, p.Range, sources); ok {
		p.Legs = []Leg{leg}
	} else {
		p.Legs, p.Uncovered = spliced(r, p.Range, sources)
	}

	p.sum()
	p.Refusals = limits.hold(&p)
	var faults []error
	for _, refusal := range p.Refusals {
		if !refusal.Estimated {
			faults = append(faults, refusal)
		}
	}

	return p, errors.Join(faults...)
}

// The memory that a row takes: a bar's five numbers, time and trade count; a tick's four numbers, time, sequence number and side.
const (
	bytesPerBar  = 7 * 8
	bytesPerTick = 6*8 + 1
)

func newRead(source string, rows domain.Range, assumed bool, rate Rate, from RowKind, g domain.Grid) Read {
	read := Read{Source: source, Range: rows, Inferred: assumed, rate: rate}
	if from == BarRows {
		read.Rows = g.Slots(rows)
		read.Bytes = read.Rows * bytesPerBar
	} else {
		read.Rows = max(1, domain.Second1.UTC().Slots(rows))
		read.Bytes = read.Rows * bytesPerTick
	}

	read.Cost = rate.expected(read.Rows)
	return read
}
