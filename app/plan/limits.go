package plan

import (
	"fmt"

	"github.com/gal-friday/marketdata/ports"
)

// DefaultMaxLegs is the most reads of a plan where nothing else is configured.
const DefaultMaxLegs = 64

// Limits is what a plan is held to; 0 is no limit. A request for the first or last few bars is held to Legs only.
type Limits struct {
	Legs  int   // reads of a plan
	Slots int64 // bars that the range has room for
	Bars  int64 // bars returned
}

// LimitError says which limit refuses a plan.
type LimitError struct {
	Limit     string `json:"limit"` // as it is named in the configuration
	What      string `json:"what"`  // what it counts
	Need      int64  `json:"need"`
	Most      int64  `json:"most"`
	Estimated bool   `json:"perhaps"` // Need is an upper bound: the limit refuses only if the answer turns out to be so large
}

func (e *LimitError) Error() string {
	needs := "needs"
	if e.Estimated {
		needs = "may need"
	}
	return fmt.Sprintf("the plan %s %d %s, at most %d are allowed (%s); ask for a shorter range", needs, e.Need, e.What, e.Most, e.Limit)
}

// Unwrap yields ports.ErrTooLarge.
func (e *LimitError) Unwrap() error { return ports.ErrTooLarge }

// hold lists the limits that refuse p, or may.
func (l Limits) hold(p *Plan) []*LimitError {
	var refusals []*LimitError
	check := func(limit, what string, need, most int64, perhaps bool) {
		if most > 0 && need > most {
			refusals = append(refusals, &LimitError{Limit: limit, What: what, Need: need, Most: most, Estimated: perhaps})
		}
	}
	check("max_legs", "reads", int64(p.Reads()), int64(l.Legs), false)
	if l.Slots > 0 {
		check("max_slots", "slots", p.Key.Grid.Slots(p.Range), l.Slots, false)
	}
	check("max_bars", "bars", p.Bars, l.Bars, true)

	return refusals
}
