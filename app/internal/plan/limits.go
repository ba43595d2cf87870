package plan

import "github.com/gal-friday/marketdata/ports"

// Limits bound a plan; 0 is no limit. A request with First or Last is bound by Reads alone.
type Limits struct {
	Reads int   // queries of a plan
	Slots int64 // bars that could open in the range
	Bars  int64 // bars returned
}

// LimitError is a limit that refuses a plan, or may refuse its result.
type LimitError struct{ ports.PlanRefusal }

// Error names the need of the plan and the limit.
func (e *LimitError) Error() string { return e.String() }

// Unwrap returns ports.ErrTooLarge.
func (e *LimitError) Unwrap() error { return ports.ErrTooLarge }

// check lists the limits that refuse p, or may refuse its result.
func (l Limits) check(p *Plan) []*LimitError {
	var refusals []*LimitError
	add := func(r ports.PlanRefusal) {
		if r.Most > 0 && r.Need > r.Most {
			refusals = append(refusals, &LimitError{r})
		}
	}

	add(ports.PlanRefusal{Limit: "max_reads", What: "reads", Need: int64(p.Reads()), Most: int64(l.Reads)})
	if l.Slots > 0 {
		add(ports.PlanRefusal{Limit: "max_slots", What: "slots", Need: p.Key.Grid.Slots(p.Range), Most: l.Slots})
	}
	add(ports.PlanRefusal{Limit: "max_bars", What: "bars", Need: p.Bars, Most: l.Bars, Estimated: true})

	return refusals
}
