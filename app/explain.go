package app

import (
	"context"
	"errors"

	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Explain returns the plan by which Fetch would answer the request, without reading a bar: its String is a tree for people, its JSON
// for programs. It says what of it a cache has, and how a server that can tell would read the rest. The limits that would refuse the
// request, or may, are in Plan.Refusals. Of a request for the first or last few bars Fetch takes legs from that end, only as far as it
// needs them. Its errors are those of Fetch that are known before a bar is read.
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
	if err == nil {
		err = made.Annotate(func(grid domain.Grid, r *plan.Read) error { return f.look(ctx, grid, r) })
	}

	return made, err
}

// look finds out what a cache has of a read, and how the server would read the rest.
func (f *fetch) look(ctx context.Context, grid domain.Grid, r *plan.Read) (err error) {
	s := f.stores.named(r.Source)
	q := ports.BarQuery{Key: f.request.Key, Range: r.Range, First: f.request.First, Last: f.request.Last}
	if q.Key.Grid = grid; grid != f.edges {
		q.First, q.Last = 0, 0
	}
	if s.Cache != nil {
		r.Cached = s.Cache.CachedRanges(ctx, ports.BarQuery{Key: q.Key, Range: q.Range})
	}
	if s.Explain != nil {
		var server ports.ReadPlan
		server, err = call(ctx, f.at(s), explained, q)
		r.Server = &server
	}

	return err
}

func explained(ctx context.Context, s *store, q ports.BarQuery) (ports.ReadPlan, error) {
	return s.Explain.ExplainRead(ctx, q)
}
