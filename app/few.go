package app

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// fewer is the first or last bars on their way: legs are read from that end, each only as far as is needed. What is not needed in
// the end is not judged, so that it cannot fail the request.
type fewer struct {
	*fetch
	backward bool
	need     int                // bars that are still to be found
	rows     []ports.CachedBars // what was read, to be judged, in the order of reading
	bars     []domain.Series    // what it makes, without what will be dropped, in the order of reading
	roomRows [1]ports.CachedBars
	roomBars [1]domain.Series
}

// readFew returns the first or last bars.
func (f *fetch) readFew(ctx context.Context) (domain.Series, error) {
	w := fewer{fetch: f, backward: f.request.Last > 0, need: max(f.request.First, f.request.Last)}
	w.rows, w.bars = w.roomRows[:0], w.roomBars[:0]
	for i := range f.legs {
		at := i
		if w.backward {
			at = len(f.legs) - 1 - i
		}
		if w.need <= 0 {
			break
		}

		var err error
		if leg := f.legs[at]; f.native(leg) {
			err = w.stored(ctx, leg)
		} else {
			err = w.made(ctx, leg)
		}
		if err != nil {
			return domain.Series{}, err
		}
	}

	if w.backward {
		slices.Reverse(w.rows)
		slices.Reverse(w.bars)
	}

	n := 0
	for _, s := range w.bars {
		n += s.Len()
	}
	bars, err := joined(domain.EmptySeries(f.request.Key), w.bars, n)
	if err != nil {
		return domain.Series{}, err
	}

	bars, kept := w.trim(bars)
	if w.request.Fill != domain.FillNone {
		if bars, kept, err = w.fillFew(ctx, bars, kept); err != nil {
			return domain.Series{}, err
		}
	}

	return bars, w.check(kept)
}

// trim is the bars without those that are too many, and what is left of the range then: where there are enough, it ends with the
// last that counts.
func (w *fewer) trim(bars domain.Series) (domain.Series, domain.Range) {
	kept := w.edges.Align(w.within)
	switch {
	case w.need > 0:
	case w.backward:
		bars = bars.Slice(-w.need, bars.Len())
		kept.Start = bars.OpenTime(0)
	default:
		bars = bars.Slice(0, bars.Len()+w.need)
		kept.End = bars.Range().End
	}

	return bars, kept
}

// check judges what was read in the range.
func (w *fewer) check(kept domain.Range) error {
	var judge *domain.Validator
	var grid domain.Grid
	for _, rows := range w.rows {
		if judge == nil || rows.Bars.Key().Grid != grid {
			grid = rows.Bars.Key().Grid
			judge = domain.NewValidator(kept, w.now)
		}

		rows.Bars = rows.Bars.Clip(kept)
		if _, err := w.judge(judge, rows); err != nil {
			return err
		}
	}

	return nil
}

// found notes rows, ascending, and the bars that they make.
func (w *fewer) found(rows []ports.CachedBars, bars domain.Series) {
	if w.backward {
		for _, r := range slices.Backward(rows) {
			w.rows = append(w.rows, r)
		}
	} else {
		w.rows = append(w.rows, rows...)
	}
	if bars.Len() > 0 {
		w.bars = append(w.bars, bars)
		w.need -= bars.Len()
	}
}

// stored reads a leg of the bars asked for. It asks for as many as it needs, and for more where many turned out to be dropped.
func (w *fewer) stored(ctx context.Context, l plan.Leg) error {
	for i := range l.Reads {
		at := i
		if w.backward {
			at = len(l.Reads) - 1 - i
		}
		read := &l.Reads[at]
		q := ports.BarQuery{Key: w.request.Key, Range: read.Range}
		for ask := w.need; w.need > 0 && !q.Range.Empty(); ask = max(w.need, double(ask)) {
			if w.backward {
				q.Last = ask
			} else {
				q.First = ask
			}

			rows, err := w.ask(ctx, read, q)
			if err != nil {
				return err
			}

			switch {
			case w.answer.rows < ask:
				q.Range = domain.Range{}
			case w.backward:
				q.Range.End = rows[0].Bars.OpenTime(0)
			default:
				q.Range.Start = rows[len(rows)-1].Bars.Range().End
			}

			for i := range rows {
				p := rows[i]
				if w.backward {
					p = rows[len(rows)-1-i]
				}
				w.rows = append(w.rows, p)
				w.found(nil, w.sound(p))
			}
		}
	}
	return nil
}

// made reads a leg of which bars are made, step by step: each is as many slots as bars are needed, and twice the one before where
// that was not enough.
func (w *fewer) made(ctx context.Context, l plan.Leg) error {
	open := l.Range
	for slots := w.need; w.need > 0 && !open.Empty(); slots = double(slots) {
		step := w.slots(open, slots, w.backward)
		if w.backward {
			open.End = step.Start
		} else {
			open.Start = step.End
		}
		if err := w.readStep(ctx, l.Clip(step)); err != nil {
			return err
		}
	}

	return nil
}

// slots is so many slots at the head of r, or at its tail; all of r where there are no more, or for 0.
func (f *fetch) slots(r domain.Range, slots int, tail bool) domain.Range {
	if slots == 0 || int64(slots) >= f.edges.Slots(r) {
		return r
	}

	part := r
	if tail {
		part.Start = r.End
	} else {
		part.End = r.Start
	}

	for range slots {
		if tail {
			part.Start = f.edges.Floor(part.Start.Add(-time.Microsecond))
		} else {
			part.End = f.edges.Next(part.End)
		}
	}

	return part
}

// readStep reads one step, which lies on edges, and makes its bars.
func (w *fewer) readStep(ctx context.Context, l plan.Leg) error {
	var rows []ports.CachedBars
	builder := domain.NewSeriesBuilder(w.request.Key, 0)
	note := func(p ports.CachedBars) (domain.Series, error) {
		rows = append(rows, p)
		return w.sound(p), nil
	}
	for bars, err := range w.legBars(ctx, l, w.sizes.made, note) {
		if err == nil {
			err = builder.AppendSeries(bars)
		}
		if err != nil {
			return w.madeError(err)
		}
	}

	bars, err := builder.Series()
	if err != nil {
		return w.madeError(err)
	}

	w.found(rows, bars)
	return nil
}

func double(n int) int {
	if n > math.MaxInt/2 {
		return math.MaxInt
	}
	return 2 * n
}
