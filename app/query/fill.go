package query

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// gapFiller puts the bars of the fill policy between the bars that it receives, and the last bar before the range at
// its head. It emits pieces of about StepSizes.Fill bars, and records the ranges that it filled.
type gapFiller struct {
	task   *task
	within domain.Range // aligned
	emit   func(domain.Series) error
	filler *domain.Filler // nil before the first bar
	next   time.Time      // where the next bar can open
}

func newGapFiller(t *task, within domain.Range, emit func(domain.Series) error) *gapFiller {
	return &gapFiller{task: t, within: within, emit: emit, next: within.Start}
}

// add receives the next bars.
func (g *gapFiller) add(ctx context.Context, bars domain.Series) error {
	if err := g.begin(ctx, bars.OpenTime(0)); err != nil {
		return err
	}

	for bars.Len() > 0 {
		if err := g.fillTo(bars.OpenTime(0)); err != nil {
			return err
		}

		part := bars.Clip(domain.Range{Start: g.next, End: g.task.query.grid().Next(g.stepEnd())})
		bars = bars.Slice(part.Len(), bars.Len())
		g.next = part.Range().End
		if err := g.put(g.filler.Fill(part)); err != nil {
			return err
		}
	}

	return nil
}

// close fills up to the end of the range.
func (g *gapFiller) close(ctx context.Context) error {
	if err := g.begin(ctx, g.within.End); err != nil {
		return err
	}
	if err := g.fillTo(g.within.End); err != nil {
		return err
	}

	return g.put(g.filler.Flush())
}

// begin finds the bar before the range once the first bar in it, or its end, is known.
func (g *gapFiller) begin(ctx context.Context, first time.Time) error {
	if g.filler != nil {
		return nil
	}

	t := g.task
	before, err := t.barBefore(ctx, g.within.Start, first)
	if err != nil {
		return err
	}

	g.filler = domain.NewFiller(t.query.key(), g.within, g.within.Subtract(t.route.covered), before)

	return nil
}

// fillTo fills a long gap in steps, up to where the rest is short.
func (g *gapFiller) fillTo(end time.Time) error {
	for step := g.stepEnd(); step.Before(end); step = g.stepEnd() {
		if err := g.put(g.filler.FillTo(step)); err != nil {
			return err
		}
		g.next = step
	}

	return nil
}

// put emits filled bars and records their ranges.
func (g *gapFiller) put(bars domain.Series, filled []domain.Range, err error) error {
	if err != nil {
		return g.task.resampleError(err)
	}

	g.task.result.recordFilled(filled)
	if bars.Len() == 0 {
		return nil
	}

	return g.emit(bars)
}

// stepEnd returns an edge about StepSizes.Fill slots after next, or as far as a time.Duration reaches.
func (g *gapFiller) stepEnd() time.Time {
	grid := g.task.query.grid()
	slot := max(1, int64(grid.Frequency().Nominal()))
	slots := min(int64(g.task.provider.limits.Steps.Fill), math.MaxInt64/slot)
	end := grid.Ceil(g.next.Add(time.Duration(slots * slot)))
	if next := grid.Next(g.next); next.After(end) {
		return next
	}

	return end
}

// barBefore returns the last bar before start, which fills the slots from there to the first bar. It is nil where no
// slot has to be filled, where there is no such bar, or where the slots between are not covered.
func (t *task) barBefore(ctx context.Context, start, first time.Time) (*domain.Bar, error) {
	covered := slices.ContainsFunc(t.route.covered, func(r domain.Range) bool { return r.Contains(start) })
	if t.query.window.start.IsZero() || !covered || first.Equal(start) {
		return nil, nil
	}

	before, err := t.lastBefore(start)
	if err != nil {
		return nil, err
	}

	result, err := before.run(ctx)
	if err != nil || result.Series.Len() == 0 || len(result.Uncovered) > 0 {
		return nil, err
	}

	bar := result.Series.At(0)

	return &bar, nil
}
