package query

import (
	"context"
	"errors"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/checkpoint"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// FetchTrades returns the requested trades, all before TickResult.Now. Ranges that are not covered are in
// TickResult.Uncovered. First ends with a whole instant: trades at the time of the last one come too, so that a reader
// that continues at Next misses none and gets none twice. Its errors are those of Fetch, ErrTooLarge for more trades
// than Limits.MaxBars, and ErrInvalid where no store of trades is configured.
func (p *Provider) FetchTrades(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Trade], error) {
	return fetchTicks(ctx, p, access.Trades(), r)
}

// FetchQuotes is FetchTrades for quotes.
func (p *Provider) FetchQuotes(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Quote], error) {
	return fetchTicks(ctx, p, access.Quotes(), r)
}

// tickQuery is a request for trades or quotes, validated and clamped to one instant of the clock. It never changes once
// it is made.
type tickQuery[T domain.Tick] struct {
	port    access.TickPort[T]
	request domain.TickRequest
	before  *checkpoint.Checkpoint // of the pages before; nil if there are none
	window  window[access.Instants]
	call    access.Call
	now     time.Time
	limits  Limits
}

func fetchTicks[T domain.Tick](
	ctx context.Context, s *Provider, port access.TickPort[T], r domain.TickRequest,
) (domain.TickResult[T], error) {
	q, err := newTickQuery("fetch", s, port, r)
	if err != nil {
		return domain.TickResult[T]{}, err
	}

	q.call.SetDefaultDeadline(ctx, s.stores)
	if _, err := s.symbols.Resolve(ctx, &q.call, []domain.Symbol{r.Symbol}); err != nil {
		return domain.TickResult[T]{}, err
	}

	return q.run(ctx)
}

// newTickQuery validates and clamps the request. It does no I/O.
func newTickQuery[T domain.Tick](
	verb string, s *Provider, port access.TickPort[T], r domain.TickRequest,
) (*tickQuery[T], error) {
	op := verb + " " + string(port.Kind)
	if err := r.Validate(); err != nil {
		return nil, access.Refusal(op, "", err)
	}

	q := &tickQuery[T]{port: port, request: r, now: s.clock.Now().UTC(), limits: s.limits}
	q.call = access.Call{Op: op, Subject: access.Text(r.Symbol), Store: s.stores.ForTicks(), Settings: s.settings}
	if q.call.Store == nil {
		return nil, q.call.Refuse(access.ErrNoTicks())
	}
	if err := s.limits.checkRows(max(r.First, r.Last)); err != nil {
		return nil, q.call.Refuse(err)
	}

	var err error
	if q.before, err = checkpoint.Decode(r.Checkpoint); err != nil {
		return nil, q.call.Refuse(err)
	}
	if q.window, err = newWindow(access.Instants{}, r.Start, r.End, q.now); err != nil {
		return nil, q.call.Refuse(err)
	}

	return q, nil
}

// run answers the request, again where the ticks change while they are read.
func (q *tickQuery[T]) run(ctx context.Context) (domain.TickResult[T], error) {
	for attempt := 1; ; attempt++ {
		result, err := q.readOnce(ctx)
		if attempt == maxPlanAttempts || !errors.Is(err, access.ErrStateChanged) {
			return result, err
		}
	}
}

// readOnce answers the request from one state of the ticks.
func (q *tickQuery[T]) readOnce(ctx context.Context) (domain.TickResult[T], error) {
	before, err := q.coverage(ctx)
	if err != nil {
		return domain.TickResult[T]{}, err
	}

	w := q.window.withCoverage(before)
	read, err := q.read(ctx, w.visible)
	if err != nil {
		return domain.TickResult[T]{}, err
	}

	result, err := q.result(ctx, w, before, tickTotals{read.Rows.Range(), read.Rows.Len(), read.State})
	result.Ticks = read.Rows

	return result, err
}

// tickTotals describes the ticks of a result without the ticks themselves.
type tickTotals struct {
	returned domain.Range
	ticks    int
	state    *domain.SeriesState // nil where the store keeps no versions
}

// result returns the result without its ticks. before is the coverage that the window was opened with.
func (q *tickQuery[T]) result(
	ctx context.Context, w window[access.Instants], before []domain.Range, read tickTotals,
) (domain.TickResult[T], error) {
	covered, err := q.coverageOf(ctx, read.state)
	if err != nil {
		return domain.TickResult[T]{}, err
	}

	// A state has the coverage of its ticks. Of a store without versions it was read before the ticks and after them.
	isOne := read.state != nil || sameWithin(before, covered, w.visible)
	if !isOne || q.window.start.IsZero() && !sameStart(before, covered) {
		return domain.TickResult[T]{}, q.call.Conflict(access.ErrStateChanged)
	}

	result := domain.TickResult[T]{Clamped: w.clamped, Now: q.now, Store: q.call.Store.Name}
	result.Range = w.resultRange(read.returned, read.ticks, q.request.First, q.request.Last)
	result.Uncovered = w.uncovered(result.Range, covered)
	result.Next = w.next(result.Range, result.Uncovered, read.returned)

	if err := q.checkPages(ctx, &result, read.state, covered); err != nil {
		return domain.TickResult[T]{}, err
	}

	return result, nil
}

// sameStart reports whether both coverages begin at one instant.
func sameStart(a, b []domain.Range) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}

	return a[0].Start.Equal(b[0].Start)
}

// coverageOf returns the coverage of the state, or asks the store where it keeps no versions.
func (q *tickQuery[T]) coverageOf(ctx context.Context, state *domain.SeriesState) ([]domain.Range, error) {
	if state != nil {
		return state.Coverage, nil
	}

	return q.coverage(ctx)
}

// coverage returns the covered ranges of the symbol's ticks: ascending, disjoint.
func (q *tickQuery[T]) coverage(ctx context.Context) ([]domain.Range, error) {
	extents, err := access.Do(ctx, &q.call, access.ReadTickExtents, []domain.Symbol{q.request.Symbol})
	if err != nil {
		return nil, err
	}

	return rangesOfTicks(extents, q.request.Symbol, q.port.Kind), nil
}

// read returns the ticks of the range, within First or Last, and their state. It reads one more than First, to learn
// whether First ends within an instant.
func (q *tickQuery[T]) read(ctx context.Context, r domain.Range) (ports.Piece[domain.Ticks[T]], error) {
	first := q.request.First
	if first == 0 {
		return q.readStore(ctx, ports.TickQuery{Symbol: q.request.Symbol, Range: r, Last: q.request.Last}, q.limits.MaxBars)
	}

	read, err := q.readStore(ctx, ports.TickQuery{Symbol: q.request.Symbol, Range: r, First: first + 1}, 0)
	if err != nil || read.Rows.Len() <= first {
		return read, err
	}

	last := read.Rows.Time(first - 1)
	if read.Rows.Time(first).After(last) {
		read.Rows = read.Rows.Slice(0, first)
		return read, nil
	}

	r.End = last.Add(time.Microsecond)
	whole, err := q.readStore(ctx, ports.TickQuery{Symbol: q.request.Symbol, Range: r}, q.limits.MaxBars)
	if err == nil && read.State != nil && whole.State.Version != read.State.Version {
		err = q.call.Conflict(access.ErrStateChanged)
	}

	return whole, err
}

func (q *tickQuery[T]) readStore(
	ctx context.Context, query ports.TickQuery, maxRows int,
) (ports.Piece[domain.Ticks[T]], error) {
	return access.ReadTicks(ctx, &q.call, q.port, query, maxRows)
}
