package query

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/domain/sorting"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// limitedBars is the consumer of a request with First or Last. Legs are read from that end, each only as far as needed.
// Rows are validated once it is known which of them count, because an unused bar must not fail the request.
type limitedBars struct {
	task *task
	need int // bars still to be found; negative where a step found too many

	rows    []blockcache.Bars // read, in the order of reading
	bars    []domain.Series   // made of rows without those that the policy drops, in the order of reading
	dropped []time.Time       // open times of the rows that the policy drops, and of unreadable ones for fill

	stepRows []blockcache.Bars // of the step under way, ascending
	stepBars []domain.Series

	buf struct { // for the single piece that most requests read
		rows, stepRows [1]blockcache.Bars
		bars, stepBars [1]domain.Series
	}
}

// readLimited returns the first or last bars of the route.
func (t *task) readLimited(ctx context.Context) (domain.Series, error) {
	t.limited = limitedBars{task: t, need: t.query.limit()}
	w := &t.limited
	w.rows, w.bars = w.buf.rows[:0], w.buf.bars[:0]
	w.stepRows, w.stepBars = w.buf.stepRows[:0], w.buf.stepBars[:0]
	t.derivedRows = t.provider.limits.Steps.Derived

	legs := t.route.legs
	for i := range legs {
		if t.query.backward() {
			i = len(legs) - 1 - i
		}
		if w.need <= 0 {
			break
		}
		if err := t.readLeg(ctx, legs[i], w); err != nil {
			return domain.Series{}, err
		}
	}

	if t.query.backward() {
		slices.Reverse(w.rows)
		slices.Reverse(w.bars)
	}
	bars, err := domain.ConcatSeries(t.query.empty(), w.bars)
	if err != nil {
		return domain.Series{}, err
	}

	bars, used := w.trim(bars)
	if t.query.request.Fill != domain.FillNone {
		if bars, used, err = w.fill(ctx, bars, used); err != nil {
			return domain.Series{}, err
		}
	}

	return bars, w.validate(used)
}

// stepSize asks for as many bars as are needed, and for twice the step before where many of its bars were dropped or
// missing.
func (w *limitedBars) stepSize(_ plan.Leg, before int) (int, bool) {
	if w.need <= 0 {
		return 0, false
	}
	if before == 0 {
		return w.need, true
	}
	if before > math.MaxInt/2 {
		return math.MaxInt, true
	}

	return max(w.need, 2*before), true
}

func (w *limitedBars) filter(rows blockcache.Bars) (domain.Series, error) {
	w.stepRows = append(w.stepRows, rows)
	kept, dropped := w.task.withoutFatal(rows)
	w.dropped = append(w.dropped, dropped...)

	return kept, nil
}

func (w *limitedBars) add(_ context.Context, bars domain.Series) error {
	w.stepBars = append(w.stepBars, bars)
	w.need -= bars.Len()

	return nil
}

// endStep keeps the step in the order of reading.
func (w *limitedBars) endStep() {
	if w.task.query.backward() {
		slices.Reverse(w.stepRows)
		slices.Reverse(w.stepBars)
	}
	w.rows = append(w.rows, w.stepRows...)
	w.bars = append(w.bars, w.stepBars...)
	w.stepRows, w.stepBars = w.stepRows[:0], w.stepBars[:0]
}

// trim returns the bars within the limit, and the range that decides them: where there are enough bars it ends with the
// last that counts.
func (w *limitedBars) trim(bars domain.Series) (domain.Series, domain.Range) {
	used := w.task.query.grid().Align(w.task.route.window.visible)
	switch {
	case w.need > 0:
	case w.task.query.backward():
		bars = bars.Slice(-w.need, bars.Len())
		used.Start = bars.OpenTime(0)
	default:
		bars = bars.Slice(0, bars.Len()+w.need)
		used.End = bars.Range().End
	}

	return bars, used
}

// validate validates the rows in the range that decided the result.
func (w *limitedBars) validate(used domain.Range) error {
	var validator *quality.Validator
	var grid domain.Grid
	for _, rows := range w.rows {
		if validator == nil || rows.Bars.Key().Grid != grid {
			grid = rows.Bars.Key().Grid
			validator = quality.NewValidator(used, w.task.query.now)
		}

		rows.Bars = rows.Bars.Clip(used)
		if _, err := w.task.check(validator, rows); err != nil {
			return err
		}
	}

	return nil
}

// fill fills the gaps between the bars of used, and returns as many bars as requested and the range that they depend
// on.
func (w *limitedBars) fill(
	ctx context.Context, bars domain.Series, used domain.Range,
) (domain.Series, domain.Range, error) {
	t, limit := w.task, w.task.query.limit()
	for _, bar := range t.result.unreadable {
		w.dropped = append(w.dropped, bar.At)
	}
	sorting.Func(w.dropped, time.Time.Compare)
	collected := filledBars{limit: limit, backward: t.query.backward()}
	filler := newGapFiller(t, used, &w.dropped, collected.add)
	rest := bars
	if t.query.backward() {
		filler.startAt(w.fillStart(bars, used))
		n := bars.Clip(domain.Range{Start: used.Start, End: filler.within.Start}).Len()
		if rest = bars.Slice(n, bars.Len()); n > 0 {
			filler.before = new(bars.At(n - 1))
		}
	}
	var err error
	if rest.Len() > 0 {
		err = filler.add(ctx, rest)
	}
	if err == nil {
		err = filler.close(ctx)
	}
	if err != nil && !errors.Is(err, errStopped) {
		return domain.Series{}, used, err
	}

	filled, err := domain.ConcatSeries(t.query.empty(), collected.pieces)
	if err != nil || filled.Len() == 0 {
		return filled, used, err
	}

	surplus := max(0, filled.Len()-limit)
	if t.query.backward() {
		filled = filled.Slice(surplus, filled.Len())
		before := bars.Clip(domain.Range{Start: used.Start, End: t.query.grid().Next(filled.OpenTime(0))})
		if n := before.Len(); n > 0 {
			used.Start = before.OpenTime(n - 1) // the bar that fills the head of the result
		}
	} else if filled = filled.Slice(0, filled.Len()-surplus); filled.Len() == limit {
		used.End = filled.Range().End
	}
	t.result.filled = domain.ClipRanges(t.result.filled, filled.Range())

	return filled, used, nil
}

// fillStart returns where the last bars of a filled result begin at the earliest. Only the slots from there on are
// filled, because a range may have slots for billions of bars. Behind a gap, slots are filled from the first bar on; at
// the start of the range perhaps from a bar before it.
func (w *limitedBars) fillStart(bars domain.Series, used domain.Range) time.Time {
	grid, need := w.task.query.grid(), int64(w.task.query.limit())
	gaps := used.Subtract(w.task.route.covered)
	for _, at := range w.dropped {
		slot := domain.Range{Start: grid.Floor(at), End: grid.Next(at)}
		if bars.Clip(slot).Len() == 0 {
			gaps = append(gaps, slot)
		}
	}

	parts := used.Subtract(gaps)
	for _, part := range slices.Backward(parts) {
		if !part.Start.Equal(used.Start) {
			inside := bars.Clip(part)
			if part.Start = part.End; inside.Len() > 0 {
				part.Start = inside.OpenTime(0)
			}
		}
		slots := grid.Slots(part)
		if slots >= need {
			return tailSlots(grid, part, int(need)).Start
		}
		need -= slots
	}

	return used.Start
}

// filledBars keeps the pieces of a filled series that the limit can need.
type filledBars struct {
	limit    int
	backward bool
	pieces   []domain.Series
	bars     int
}

// add keeps a piece. It returns errStopped once the first bars are complete.
func (f *filledBars) add(bars domain.Series) error {
	f.pieces = append(f.pieces, bars)
	f.bars += bars.Len()
	if !f.backward && f.bars >= f.limit {
		return errStopped
	}

	for f.backward && f.bars-f.pieces[0].Len() >= f.limit {
		f.bars -= f.pieces[0].Len()
		f.pieces = f.pieces[1:]
	}

	return nil
}
