package query

import (
	"context"
	"errors"
	"slices"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/checkpoint"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/blockhash"
	"github.com/gal-friday/marketdata/ports"
)

// pageCheck compares the checkpoint of the pages before with the present states of their series, and makes that of all
// pages so far.
type pageCheck struct {
	before   *checkpoint.Checkpoint // nil for the first page
	all      checkpoint.Checkpoint
	restated bool
}

// newPageCheck returns the check of a page, from its start to the position behind it. It returns nil where no part of
// the request was answered yet.
func newPageCheck(before *checkpoint.Checkpoint, page domain.Range) *pageCheck {
	p := &pageCheck{before: before, all: checkpoint.Checkpoint{Range: page}}
	if before != nil {
		p.all.Range.Start = before.Range.Start
	}
	if p.all.Range.Empty() {
		return nil
	}

	return p
}

// prober reads the last row of r, or all, and the state of the series with the parts of the query. It returns the
// state, nil where the store keeps no versions, and the hash of the rows, 0 where there is none.
type prober func(ctx context.Context, r domain.Range, last int, q ports.StateQuery) (*domain.SeriesState, uint64, error)

// addSeries adds a series that this page or one before read, in the state that reads holds the request to. before is
// its checkpoint. It returns access.ErrStateChanged where the series changes meanwhile.
func (p *pageCheck) addSeries(
	ctx context.Context, before checkpoint.Series, reads *access.Continuity, probe prober,
) error {
	state, read := reads.State()
	if !before.Range.Empty() && (state == nil || state.Version != before.Version || state.Version == domain.Version{}) {
		q := ports.StateQuery{Range: before.Range.Hull(read), Known: before.Version}
		if state != nil {
			q.Known = domain.Version{}
		}

		rows := 1
		if before.Cut == (domain.Version{}) {
			rows = 0
		}
		now, last, err := probe(ctx, before.Tail(before.Range), rows, q)
		if err != nil {
			return err
		}
		if now == nil {
			p.restated = true
			return nil
		}
		if state, err = reads.Add(now, before.Range, false); err != nil {
			return err
		}

		p.restated = p.restated || !before.HoldsIn(now, last)
	}

	r := before.Range.Hull(read)
	if r.End.After(p.all.Range.End) {
		r.End = p.all.Range.End
	}
	if state == nil || r.Empty() {
		return nil
	}

	last, hasTail, err := lastRows(ctx, before, r, reads, probe)
	if err != nil {
		return err
	}

	state, _ = reads.State()
	p.all.Series = append(p.all.Series, before.Advance(state, r, last, hasTail))

	return nil
}

// lastRows returns the hash of the last row of the block that the end of r cuts, in the state of the reads; without a
// tail of the block, that of all its rows in r.
func lastRows(
	ctx context.Context, s checkpoint.Series, r domain.Range, reads *access.Continuity, probe prober,
) (last uint64, hasTail bool, err error) {
	before, _ := reads.State()
	rows := 0
	if hasTail = s.HasTail(before, r); hasTail {
		rows = 1
	}
	if hasTail && s.Ticks == "" && reads.EndsAtRow(r.End) {
		_, end := r.Micros()
		return blockhash.OfRow(domain.MicrosFloor(s.Grid.Floor((end - 1).Time())), 0), true, nil
	}

	now, last, err := probe(ctx, s.Tail(r), rows, reads.Query())
	if err != nil {
		return 0, false, err
	}
	if now == nil {
		return 0, false, access.ErrStateChanged
	}

	after, err := reads.Add(now, s.Tail(r), false)
	if err == nil && after.Version != before.Version {
		err = access.ErrStateChanged // the blocks of the pages before may be missing in it
	}

	return last, hasTail, err
}

// conflict names the call in access.ErrStateChanged. Other errors name theirs.
func conflict(call *access.Call, err error) error {
	if errors.Is(err, access.ErrStateChanged) {
		return call.Conflict(err)
	}

	return err
}

// checkPages adds the checkpoint to the result of a page, and whether the pages before hold.
func (t *task) checkPages(ctx context.Context, result *domain.Result) error {
	before := t.query.before
	if !t.query.request.Paged && before == nil {
		return nil
	}

	p := newPageCheck(before, domain.Range{Start: t.route.window.visible.Start, End: result.Next})
	if p == nil {
		return nil
	}
	if before != nil {
		t.addEarlierSeries(p)
	}

	for _, s := range t.states.series {
		series := before.Find(s.store.Name, s.key.Grid, s.ticks)
		if err := p.addSeries(ctx, series, &s.reads, t.prober(s)); err != nil {
			return conflict(t.query.call.For(s.store), err)
		}
	}

	return t.checkUncovered(ctx, p, result)
}

// addEarlierSeries adds the series of the pages before to those that this page reads.
func (t *task) addEarlierSeries(p *pageCheck) {
	stores := t.provider.stores
	for _, s := range p.before.Series {
		i := slices.IndexFunc(stores, func(store *access.Store) bool {
			return store.Name == s.Store && (s.Ticks != "" && store.Ticks != nil || s.Ticks == "" && store.Bars != nil)
		})
		if i < 0 {
			p.restated = true
			continue
		}

		key := t.query.key()
		key.Grid = s.Grid
		t.states.continuity(stores[i], key, s.Ticks)
	}
}

// checkUncovered compares what the pages before told as uncovered, and finishes the result.
func (t *task) checkUncovered(ctx context.Context, p *pageCheck, result *domain.Result) error {
	isPartial := t.unversioned || slices.ContainsFunc(result.Uncovered, func(r domain.Range) bool {
		return r.Start.Before(p.all.Range.End)
	})
	if p.before != nil && p.before.Uncovered != 0 {
		now, err := t.hashUncovered(ctx, p.before.Range)
		if err != nil {
			return err
		}

		isPartial = true
		p.restated = p.restated || now != p.before.Uncovered
	}
	if isPartial {
		var err error
		if p.all.Uncovered, err = t.hashUncovered(ctx, p.all.Range); err != nil {
			return err
		}
	}

	result.Checkpoint, result.Restated = p.all.Encode(), p.restated

	return nil
}

// hashUncovered returns the hash of the parts of r that no store covers, as a plan for r tells.
func (t *task) hashUncovered(ctx context.Context, r domain.Range) (uint64, error) {
	bars, err := t.extents.plan(ctx, &t.query, r, plan.Limits{Reads: t.provider.limits.MaxReads})
	return blockhash.OfRanges(t.query.window.uncovered(r, coveredBy(bars.Legs))), err
}

// prober returns that of a stored series.
func (t *task) prober(s *seriesRead) prober {
	call := t.query.call.For(s.store)
	switch s.ticks {
	case domain.TickTrades:
		return tickProber(call, access.Trades(), t.query.symbol[0])
	case domain.TickQuotes:
		return tickProber(call, access.Quotes(), t.query.symbol[0])
	}

	return func(ctx context.Context, r domain.Range, last int, q ports.StateQuery) (*domain.SeriesState, uint64, error) {
		t.beginReading(s.store, ports.BarQuery{
			Key: s.key, Range: r, Last: last, State: q, ReportUnreadable: t.query.reportsUnreadable(),
		})
		t.reading.collector.MaxRows = 0 // the bars of a block are few, and not returned
		bars, err := access.Do(ctx, call, readBars, t)
		var hash uint64
		for _, p := range bars {
			if hash += blockhash.OfBars(p.Bars); last > 0 {
				hash = blockhash.OfRow(domain.MicrosFloor(p.Bars.OpenTime(0)), 0)
			}
		}

		return t.reading.collector.State, hash, err
	}
}

func tickProber[T domain.Tick](call *access.Call, port access.TickPort[T], symbol domain.Symbol) prober {
	return func(ctx context.Context, r domain.Range, last int, q ports.StateQuery) (*domain.SeriesState, uint64, error) {
		read, err := access.ReadTicks(ctx, call, port, ports.TickQuery{Symbol: symbol, Range: r, Last: last, State: q}, 0)
		if last == 0 {
			return read.State, blockhash.OfTicks(read.Rows), err
		}
		if err != nil || read.Rows.Len() == 0 {
			return read.State, 0, err
		}

		return read.State, blockhash.OfRow(domain.MicrosFloor(read.Rows.Time(0)), read.Rows.Seq(0)), nil
	}
}

// checkPages adds the checkpoint to the result of a page, and whether the pages before hold. state is that of the ticks
// of the result, or nil where the store keeps no versions; covered is their coverage.
func (q *tickQuery[T]) checkPages(
	ctx context.Context, result *domain.TickResult[T], state *domain.SeriesState, covered []domain.Range,
) error {
	if !q.request.Paged && q.before == nil {
		return nil
	}

	p := newPageCheck(q.before, domain.Range{Start: result.Range.Start, End: result.Next})
	if p == nil {
		return nil
	}

	reads := access.Continuity{Layout: domain.TickBlocks()}
	if state != nil {
		if _, err := reads.Add(state, result.Range, false); err != nil {
			return q.call.Conflict(err)
		}
	} else {
		p.all.Uncovered = blockhash.OfRanges(domain.ClipRanges(covered, p.all.Range))
	}

	series := p.before.Find(q.call.Store.Name, domain.Grid{}, q.port.Kind)
	if err := p.addSeries(ctx, series, &reads, tickProber(&q.call, q.port, q.request.Symbol)); err != nil {
		return conflict(&q.call, err)
	}
	if b := p.before; b != nil && b.Uncovered != 0 {
		p.restated = p.restated || b.Uncovered != blockhash.OfRanges(domain.ClipRanges(covered, b.Range))
	}

	result.Checkpoint, result.Restated = p.all.Encode(), p.restated

	return nil
}
