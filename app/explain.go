package app

import (
	"context"
	"errors"

	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
)

// Explain returns the plan by which Fetch would answer the request, without reading a bar: its String is a tree for people, its JSON
// for programs. The limits that would refuse the request, or may, are in Plan.Refusals. Of a request for the first or last few bars
// Fetch takes legs from that end, only as far as it needs them. Its errors are those of Fetch that are known before a bar is read.
func (p *Provider) Explain(ctx context.Context, r domain.DataRequest) (plan.Plan, error) {
	f, err := p.newFetch("explain", r, p.clock.Now())
	if err != nil {
		return plan.Plan{}, err
	}
	f.bound(ctx, p.stores)
	if _, err := p.symbols.known(ctx, &f.caller, f.symbol[:]); err != nil {
		return plan.Plan{}, err
	}
	limits := plan.Limits{Legs: plan.DefaultMaxLegs}
	made, err := f.held.planned(ctx, &f.caller, f.wanted(), limits, f.asked.IsZero())
	if !f.few() {
		limits.Slots, limits.Bars = *f.cfg.MaxSlots, int64(*f.cfg.MaxBars)
	}
	if limit := (*plan.LimitError)(nil); err == nil || errors.As(err, &limit) {
		var covered []domain.Range
		for _, l := range made.Legs {
			covered = append(covered, l.Range)
		}
		f.covered = covered
		f.begin(covered)
		if f.edges.Slots(f.reach()) <= limits.Slots { // an open end is not held to what nobody holds
			limits.Slots = 0
		}
		made, err = f.held.planned(ctx, &f.caller, f.wanted(), limits, f.asked.IsZero())
	}
	if limit := (*plan.LimitError)(nil); errors.As(err, &limit) {
		err = nil
	}
	return made, err
}
