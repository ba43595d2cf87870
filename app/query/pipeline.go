package query

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// consumer receives the rows of a route and the bars made of them. The pipeline reads legs and reads from the head, or
// from the tail where the request has Last, in steps: a step is one query of stored bars, or one run of slots whose
// bars are made of other rows.
type consumer interface {
	// stepSize returns the size of the next step of the leg, in rows or slots, given the size of the step before (0 for
	// the first). 0 is all that is left. more is false where no further step is needed.
	stepSize(l plan.Leg, before int) (size int, more bool)

	// filter receives rows as they were read, ascending within a step, and returns those that bars are made of.
	filter(rows blockcache.Bars) (domain.Series, error)

	// add receives the bars of the step, ascending.
	add(ctx context.Context, bars domain.Series) error

	// endStep follows the last bars of a step.
	endStep()
}

// read returns the bars of the route: all of them, or the first or last.
func (t *task) read(ctx context.Context) (domain.Series, error) {
	if t.query.limit() > 0 {
		return t.readLimited(ctx)
	}

	t.all = allBars{task: t, maxBars: t.provider.limits.MaxBars}
	t.all.pieces = t.all.buf[:0]
	t.derivedRows = t.provider.limits.Steps.Derived
	if err := t.all.read(ctx); err != nil {
		return domain.Series{}, err
	}

	return domain.ConcatSeries(t.query.empty(), t.all.pieces)
}

// allBars is the consumer of a request without a limit: it validates rows as they come, and fills gaps.
type allBars struct {
	task       *task
	validator  *quality.Validator
	filler     *gapFiller                      // nil without a fill policy
	storedRows int                             // of a query of stored bars; 0 is one query
	yield      func(domain.Series, error) bool // receives the pieces of a stream; nil keeps them
	maxBars    int                             // kept; 0 is no limit

	bars   int
	pieces []domain.Series
	buf    [1]domain.Series // of pieces
}

// read reads the route of the task.
func (a *allBars) read(ctx context.Context) error {
	t := a.task
	if t.query.request.Fill != domain.FillNone {
		a.filler = newGapFiller(t, t.query.grid().Align(t.route.window.visible), &t.result.report.Dropped, a.emit)
	}

	for _, leg := range t.route.legs {
		a.validator = quality.NewValidator(leg.Range, t.query.now)
		if err := t.readLeg(ctx, leg, a); err != nil {
			return err
		}
	}
	if a.filler != nil {
		return a.filler.close(ctx)
	}

	return nil
}

func (a *allBars) stepSize(l plan.Leg, _ int) (int, bool) {
	if a.task.query.isTargetGrid(l) {
		return a.storedRows, true
	}

	return 0, true
}

func (a *allBars) filter(rows blockcache.Bars) (domain.Series, error) {
	return a.task.check(a.validator, rows)
}

func (a *allBars) add(ctx context.Context, bars domain.Series) error {
	if a.filler != nil {
		return a.filler.add(ctx, bars)
	}

	return a.emit(bars)
}

func (a *allBars) endStep() {}

// errStopped ends the reading of a stream whose caller broke off.
var errStopped = errors.New("the caller broke off")

// emit hands bars to the caller of a stream, or keeps them.
func (a *allBars) emit(bars domain.Series) error {
	if a.yield != nil {
		a.task.result.record(bars, a.task.route.legs)
		if !a.yield(bars, nil) {
			return errStopped
		}

		return nil
	}

	if a.bars += bars.Len(); a.maxBars > 0 && a.bars > a.maxBars {
		return a.task.query.call.Refuse(access.BarRows().TooManyRows(a.task.query.window.visible, a.maxBars))
	}
	a.pieces = append(a.pieces, bars)

	return nil
}

// readLeg reads a leg step by step into the consumer.
func (t *task) readLeg(ctx context.Context, l plan.Leg, c consumer) error {
	if !t.query.isTargetGrid(l) {
		return t.readDerivedLeg(ctx, l, c)
	}

	for i := range l.Reads {
		if t.query.backward() {
			i = len(l.Reads) - 1 - i
		}
		if err := t.readPages(ctx, l, &l.Reads[i], c); err != nil {
			return err
		}
	}

	return nil
}

// readPages reads stored bars of the requested grid, one query a step.
func (t *task) readPages(ctx context.Context, l plan.Leg, read *plan.Read, c consumer) error {
	q := ports.BarQuery{Key: t.query.key(), Range: read.Range}
	for size, more := c.stepSize(l, 0); more && !q.Range.Empty(); size, more = c.stepSize(l, size) {
		q.First, q.Last = size, 0
		if t.query.backward() {
			q.First, q.Last = 0, size
		}
		rows, err := t.readStore(ctx, read, q)
		if err != nil {
			return err
		}

		switch complete := size == 0 || t.reading.collector.RowsRead() < size; {
		case complete:
			q.Range = domain.Range{}
		case t.query.backward():
			q.Range.End = t.reading.rowRange().Start
		default:
			q.Range.Start = t.reading.rowRange().End
		}
		if err := addRows(ctx, t.withoutHoles(l, rows), c); err != nil {
			return err
		}
	}

	return nil
}

// addRows passes the pieces of one step to the consumer.
func addRows(ctx context.Context, rows []blockcache.Bars, c consumer) error {
	for _, p := range rows {
		bars, err := c.filter(p)
		if err == nil && bars.Len() > 0 {
			err = c.add(ctx, bars)
		}
		if err != nil {
			return err
		}
	}
	c.endStep()

	return nil
}

// readDerivedLeg makes the bars of a leg of other rows, one run of slots a step.
func (t *task) readDerivedLeg(ctx context.Context, l plan.Leg, c consumer) error {
	open := l.Range
	for slots, more := c.stepSize(l, 0); more && !open.Empty(); slots, more = c.stepSize(l, slots) {
		step := t.takeSlots(l.Trim(open), slots)
		if t.query.backward() {
			open.End = step.Start
		} else {
			open.Start = step.End
		}

		for bars, err := range t.deriveBars(ctx, l.Clip(step), c) {
			if err == nil {
				err = c.add(ctx, bars)
			}
			if err != nil {
				return t.resampleError(err)
			}
		}
		c.endStep()
	}

	return nil
}

// deriveBars makes the bars of a leg of other rows, which are read in queries of derivedRows. The consumer filters rows
// as they were read; of trades and quotes it filters the bars aggregated from them.
func (t *task) deriveBars(ctx context.Context, l plan.Leg, c consumer) iter.Seq2[domain.Series, error] {
	key, store := t.query.key(), t.provider.stores.ByName(l.Reads[0].Source)
	switch {
	case l.Rows == ports.RowTrades && store.Aggregate != nil:
		return filterPieces(c, t.aggregatePages(ctx, l))
	case l.Rows == ports.RowTrades:
		return filterPieces(c, asPieces(l.FromTrades(key, tickPages(ctx, t, access.Trades(), l))))
	case l.Rows == ports.RowQuotes:
		return filterPieces(c, asPieces(l.FromQuotes(key, tickPages(ctx, t, access.Quotes(), l))))
	}

	return t.withoutUnreadable(l.FromBars(key, filterPieces(c, t.finerPages(ctx, l))))
}

// asPieces wraps bars of which nothing more is known.
func asPieces(bars iter.Seq2[domain.Series, error]) iter.Seq2[blockcache.Bars, error] {
	return func(yield func(blockcache.Bars, error) bool) {
		bars(func(s domain.Series, err error) bool { return yield(access.AsPiece(s), err) })
	}
}

// filterPieces yields the rows that the consumer keeps.
func filterPieces(c consumer, pieces iter.Seq2[blockcache.Bars, error]) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for piece, err := range pieces {
			var bars domain.Series
			if err == nil {
				bars, err = c.filter(piece)
			}
			if err != nil {
				yield(domain.Series{}, err)
				return
			}
			if bars.Len() > 0 && !yield(bars, nil) {
				return
			}
		}
	}
}

// finerPages yields the stored bars of a leg of a finer grid.
func (t *task) finerPages(ctx context.Context, l plan.Leg) iter.Seq2[blockcache.Bars, error] {
	return func(yield func(blockcache.Bars, error) bool) {
		key := t.query.key()
		key.Grid = l.Grid
		for i := range l.Reads {
			read := &l.Reads[i]
			q := ports.BarQuery{Key: key, Range: read.Range, First: t.derivedRows}
			for more := true; more && !q.Range.Empty(); {
				rows, err := t.readStore(ctx, read, q)
				if err != nil {
					yield(blockcache.Bars{}, err)
					return
				}

				if more = t.reading.collector.RowsRead() == q.First; more {
					q.Range.Start = t.reading.rowRange().End
				}
				for _, p := range t.withoutHoles(l, rows) {
					if !yield(p, nil) {
						return
					}
				}
			}
		}
	}
}

// withoutHoles returns the parts of the rows that were read which lie outside of the leg's holes, and of the slots of
// unreadable bars.
func (t *task) withoutHoles(l plan.Leg, rows []blockcache.Bars) []blockcache.Bars {
	if unreadable := t.reading.collector.Unreadable; len(unreadable) > 0 {
		l.Holes = domain.MergeRanges(append(slotsOf(t.reading.query.Key.Grid, unreadable), l.Holes...))
	}
	if len(l.Holes) == 0 {
		return rows
	}

	var parts []blockcache.Bars
	for _, p := range rows {
		for _, p.Bars = range plan.WithoutHoles(l, p.Bars) {
			parts = append(parts, p)
		}
	}

	return parts
}

// aggregatePages yields the bars that the store makes of the trades of a leg, derivedRows slots in each query.
func (t *task) aggregatePages(ctx context.Context, l plan.Leg) iter.Seq2[blockcache.Bars, error] {
	return func(yield func(blockcache.Bars, error) bool) {
		for open := l.Range; !open.Empty(); {
			step := headSlots(t.query.grid(), open, t.derivedRows)
			open.Start = step.End
			rows, err := t.aggregateTrades(ctx, &l.Reads[0], step)
			if err != nil {
				yield(blockcache.Bars{}, err)
				return
			}

			for _, p := range t.withoutHoles(l, rows) {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// tickPages yields the trades or quotes of a leg.
func tickPages[T domain.Tick](
	ctx context.Context, t *task, port access.TickPort[T], l plan.Leg,
) iter.Seq2[domain.Ticks[T], error] {
	return func(yield func(domain.Ticks[T], error) bool) {
		for _, read := range l.Reads {
			call := t.query.call.For(t.provider.stores.ByName(read.Source))
			q := ports.TickQuery{Symbol: t.query.symbol[0], Range: read.Range, First: t.derivedRows}
			reads := t.states.continuity(call.Store, t.query.key(), port.Kind)
			for page, err := range access.TickPages(ctx, call, port, q, reads) {
				if err == nil && page.State != nil {
					err = t.checkTickState(ctx, call, port.Kind, read.Range, page.State)
				}
				if err != nil {
					yield(domain.Ticks[T]{}, err)
					return
				}
				if page.Rows.Len() > 0 && !yield(page.Rows, nil) {
					return
				}
			}

			state, _ := reads.State()
			if err := t.checkTickState(ctx, call, port.Kind, read.Range, state); err != nil {
				yield(domain.Ticks[T]{}, err)
				return
			}
		}
	}
}

// takeSlots returns the next slots of r from the end that the query reads first; all of r for 0.
func (t *task) takeSlots(r domain.Range, slots int) domain.Range {
	if t.query.backward() {
		return tailSlots(t.query.grid(), r, slots)
	}

	return headSlots(t.query.grid(), r, slots)
}

// headSlots returns the first slots of r; all of r where it has no more, or for 0.
func headSlots(g domain.Grid, r domain.Range, slots int) domain.Range {
	if slots == 0 || int64(slots) >= g.Slots(r) {
		return r
	}

	r.End = r.Start
	for range slots {
		r.End = g.Next(r.End)
	}

	return r
}

// tailSlots returns the last slots of r; all of r where it has no more, or for 0.
func tailSlots(g domain.Grid, r domain.Range, slots int) domain.Range {
	if slots == 0 || int64(slots) >= g.Slots(r) {
		return r
	}

	r.Start = r.End
	for range slots {
		r.Start = g.Floor(r.Start.Add(-time.Microsecond))
	}

	return r
}
