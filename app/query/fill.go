package query

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/fill"
	"github.com/gal-friday/marketdata/domain"
)

// gapFiller puts the bars of the fill policy between the bars that it receives, and the last bar before the range at
// its head. It emits pieces of about StepSizes.Fill bars, records the ranges that it filled, and ends with an error
// between two pieces when the time of the request is over. The slots of dropped and of unreadable
// bars stay empty.
type gapFiller struct {
	task    *task
	within  domain.Range // aligned
	dropped *[]time.Time // by the quality policy, up to the next bar at least: ascending
	emit    func(domain.Series) error
	before  *domain.Bar  // the last bar before the range, if it is known already
	filler  *fill.Filler // nil before the first bar
	next    time.Time    // where the next bar can open
	skipped int          // of dropped

	skippedUnreadable int // of those of the task
}

func newGapFiller(
	t *task, within domain.Range, dropped *[]time.Time, emit func(domain.Series) error,
) *gapFiller {
	return &gapFiller{task: t, within: within, dropped: dropped, emit: emit, next: within.Start}
}

// startAt has the filler begin later in its range, before the first bar is added.
func (g *gapFiller) startAt(start time.Time) { g.within.Start, g.next = start, start }

// add receives the next bars.
func (g *gapFiller) add(ctx context.Context, bars domain.Series) error {
	if err := g.begin(ctx, bars.OpenTime(0)); err != nil {
		return err
	}

	for bars.Len() > 0 {
		if err := g.fillTo(ctx, bars.OpenTime(0)); err != nil {
			return err
		}

		if err := g.beginStep(ctx); err != nil {
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
	if err := g.fillTo(ctx, g.within.End); err != nil {
		return err
	}

	if err := g.beginStep(ctx); err != nil {
		return err
	}

	return g.put(g.filler.Flush())
}

// begin finds the bar before the range once the first bar in it, or its end, is known.
func (g *gapFiller) begin(ctx context.Context, first time.Time) error {
	if g.filler != nil {
		return nil
	}

	t, before := g.task, g.before
	if before == nil {
		var err error
		if before, err = t.barBefore(ctx, g.within.Start, first); err != nil {
			return err
		}
	}

	g.filler = fill.New(t.query.key(), g.within, g.within.Subtract(t.route.covered), before)

	return nil
}

// beginStep prepares the filler for the next piece. It is an error when the time of the request is over.
func (g *gapFiller) beginStep(ctx context.Context) error {
	for _, at := range (*g.dropped)[g.skipped:] {
		g.filler.Skip(at)
	}
	g.skipped = len(*g.dropped)
	for _, bar := range g.task.result.unreadable[g.skippedUnreadable:] {
		g.filler.Skip(bar.At)
	}
	g.skippedUnreadable = len(g.task.result.unreadable)

	return g.task.query.call.CheckTime(ctx)
}

// fillTo fills a long gap in steps, up to where the rest is short.
func (g *gapFiller) fillTo(ctx context.Context, end time.Time) error {
	for step := g.stepEnd(); step.Before(end); step = g.stepEnd() {
		if err := g.beginStep(ctx); err != nil {
			return err
		}
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
// slot has to be filled, where there is no such bar, or where a slot between is not covered or has a dropped bar.
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
	if err != nil || result.Series.Len() == 0 || len(result.Uncovered) > 0 || len(result.Quality.Dropped) > 0 {
		return nil, err
	}

	bar := result.Series.At(0)

	return &bar, nil
}
