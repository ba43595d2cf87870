package query

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
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
	window  window[access.Instants]
	call    access.Call
	now     time.Time
	limits  Limits
}

func fetchTicks[T domain.Tick](
	ctx context.Context, s *Provider, port access.TickPort[T], r domain.TickRequest,
) (domain.TickResult[T], error) {
	q, err := newTickQuery(s, port, r)
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
func newTickQuery[T domain.Tick](s *Provider, port access.TickPort[T], r domain.TickRequest) (*tickQuery[T], error) {
	op := "fetch " + string(port.Kind)
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
	if q.window, err = newWindow(access.Instants{}, r.Start, r.End, q.now); err != nil {
		return nil, q.call.Refuse(err)
	}

	return q, nil
}

// run answers the request. Coverage is read before the ticks, as for bars.
func (q *tickQuery[T]) run(ctx context.Context) (domain.TickResult[T], error) {
	covered, err := q.coverage(ctx)
	if err != nil {
		return domain.TickResult[T]{}, err
	}

	w := q.window.withCoverage(covered)
	result := domain.TickResult[T]{Clamped: w.clamped, Now: q.now, Store: q.call.Store.Name}
	if result.Ticks, err = q.read(ctx, w.visible); err != nil {
		return domain.TickResult[T]{}, err
	}

	returned := result.Ticks.Range()
	result.Range = w.resultRange(returned, result.Ticks.Len(), q.request.First, q.request.Last)
	result.Uncovered = w.uncovered(result.Range, covered)
	result.Next = w.next(result.Range, result.Uncovered, returned)

	return result, nil
}

// coverage returns the covered ranges of the symbol's ticks: ascending, disjoint.
func (q *tickQuery[T]) coverage(ctx context.Context) ([]domain.Range, error) {
	extents, err := access.Do(ctx, &q.call, access.ReadTickExtents, []domain.Symbol{q.request.Symbol})
	if err != nil {
		return nil, err
	}

	var covered []domain.Range
	for _, e := range extents {
		if e.Symbol == q.request.Symbol && e.Kind == q.port.Kind {
			covered = append(covered, e.Range)
		}
	}

	return domain.MergeRanges(covered), nil
}

// read returns the ticks of the range, within First or Last. It reads one more than First, to learn whether First ends
// within an instant.
func (q *tickQuery[T]) read(ctx context.Context, r domain.Range) (domain.Ticks[T], error) {
	first := q.request.First
	if first == 0 {
		return q.readStore(ctx, ports.TickQuery{Symbol: q.request.Symbol, Range: r, Last: q.request.Last}, q.limits.MaxBars)
	}

	ticks, err := q.readStore(ctx, ports.TickQuery{Symbol: q.request.Symbol, Range: r, First: first + 1}, 0)
	if err != nil || ticks.Len() <= first {
		return ticks, err
	}

	last := ticks.Time(first - 1)
	if ticks.Time(first).After(last) {
		return ticks.Slice(0, first), nil
	}

	r.End = last.Add(time.Microsecond)
	return q.readStore(ctx, ports.TickQuery{Symbol: q.request.Symbol, Range: r}, q.limits.MaxBars)
}

func (q *tickQuery[T]) readStore(ctx context.Context, query ports.TickQuery, maxRows int) (domain.Ticks[T], error) {
	return access.ReadTicks(ctx, &q.call, q.port, query, maxRows)
}
