package query

import (
	"context"
	"errors"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Explain returns the plan by which Fetch would answer the request, without reading a bar. It says which parts a cache
// has, and how a server that can tell would read the rest. Limits that would refuse the request, or may refuse its
// result, are in QueryPlan.Refusals. For a request with First or Last, Fetch takes legs from that end, only as far as
// it needs them.
func (p *Provider) Explain(ctx context.Context, r domain.DataRequest) (ports.QueryPlan, error) {
	t, err := p.newTask("explain", r, p.clock.Now())
	if err != nil {
		return ports.QueryPlan{}, err
	}

	t.query.call.SetDefaultDeadline(ctx, p.stores)
	if _, err := p.symbols.Resolve(ctx, &t.query.call, t.query.symbol[:]); err != nil {
		return ports.QueryPlan{}, err
	}

	chosen, err := t.explainedPlan(ctx)
	if err != nil {
		return ports.QueryPlan{}, err
	}

	return chosen.Explain(
		func(grid domain.Grid, r domain.Range, source domain.StoreName) ([]domain.Range, *ports.ReadPlan, error) {
			return t.annotate(ctx, grid, r, source)
		},
	)
}

// explainedPlan returns the plan with the limits that refuse it.
func (t *task) explainedPlan(ctx context.Context) (plan.Plan, error) {
	q, limits := &t.query, plan.Limits{Reads: t.provider.limits.MaxReads}
	p, err := t.extents.plan(ctx, q, q.window.visible, limits)
	if err = withoutLimit(err); err != nil {
		return p, err
	}

	rt := route{legs: p.Legs, covered: coveredBy(p.Legs)}
	rt.window = q.window.withCoverage(rt.covered)
	if q.limit() == 0 {
		limits.Bars = int64(t.provider.limits.MaxBars)
		if most := t.provider.limits.MaxSlots; q.grid().Slots(rt.reach()) > most {
			limits.Slots = most // slots of an open end that are not covered do not count
		}
	}
	p, err = t.extents.plan(ctx, q, rt.window.visible, limits)

	return p, withoutLimit(err)
}

// withoutLimit returns nil for the error of a limit, because the plan itself tells of it.
func withoutLimit(err error) error {
	if limit := (*plan.LimitError)(nil); errors.As(err, &limit) {
		return nil
	}

	return err
}

// annotate returns which parts of a read a cache has, and how the server would read the rest.
func (t *task) annotate(
	ctx context.Context, grid domain.Grid, r domain.Range, source domain.StoreName,
) ([]domain.Range, *ports.ReadPlan, error) {
	s := t.provider.stores.ByName(source)
	q := ports.BarQuery{Key: t.query.key(), Range: r}
	q.Key.Grid = grid

	var cached []domain.Range
	if s.Cache != nil {
		cached = s.Cache.CachedRanges(ctx, q)
	}
	if s.Explain == nil {
		return cached, nil, nil
	}

	if grid == t.query.grid() {
		q.First, q.Last = t.query.request.First, t.query.request.Last
	}
	server, err := access.Do(ctx, t.query.call.For(s), explain, q)

	return cached, &server, err
}

var explain = access.Operation[ports.BarQuery, ports.ReadPlan]{Name: "explain read", Run: explainRead}

func explainRead(ctx context.Context, s *access.Store, q ports.BarQuery) (ports.ReadPlan, error) {
	return s.Explain.ExplainRead(ctx, q)
}
