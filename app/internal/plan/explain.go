package plan

import (
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// AnnotateFunc returns which parts of a read of stored bars a cache has, and how the server would read the rest; either
// may be nil.
type AnnotateFunc func(grid domain.Grid, r domain.Range, source domain.StoreName) (
	cached []domain.Range, server *ports.ReadPlan, err error,
)

// Explain returns the plan in its printable form. It calls annotate for each read of stored bars; an error of annotate
// ends it.
func (p Plan) Explain(annotate AnnotateFunc) (ports.QueryPlan, error) {
	q := ports.QueryPlan{Key: p.Key, Range: p.Range, Uncovered: p.Uncovered, Bars: p.Bars}
	for _, refusal := range p.Refusals {
		q.Refusals = append(q.Refusals, refusal.PlanRefusal)
	}

	first := true
	for _, l := range p.Legs {
		leg := ports.PlanLeg{Range: l.Range, Holes: l.Holes, From: l.Rows, Grid: l.Grid}
		for i := range l.Reads {
			read, err := l.explainRead(&l.Reads[i], annotate)
			if err != nil {
				return ports.QueryPlan{}, err
			}

			leg.Reads = append(leg.Reads, read)
			if first {
				q.Total = read.Estimate
			} else {
				q.Total = q.Total.Add(read.Estimate)
			}
			first = false
		}
		q.Legs = append(q.Legs, leg)
	}

	return q, nil
}

func (l Leg) explainRead(r *Read, annotate AnnotateFunc) (ports.PlanRead, error) {
	read := ports.PlanRead{Source: r.Source, Range: r.Range, Inferred: r.Inferred, Estimate: r.Estimate}
	if l.Rows != ports.RowBars {
		return read, nil
	}

	var err error
	if read.Cached, read.Server, err = annotate(l.Grid, r.Range, r.Source); err != nil {
		return ports.PlanRead{}, err
	}

	rows := int64(0)
	for _, part := range read.Cached {
		rows += l.Grid.Slots(part)
	}
	read.Estimate.Cost = r.expectedCached(rows)

	return read, nil
}
