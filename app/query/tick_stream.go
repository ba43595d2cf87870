package query

import (
	"context"
	"errors"
	"iter"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// StreamTrades yields the trades of FetchTrades piece by piece, in bounded memory however long the range: the pieces
// concatenate to what FetchTrades returns without Limits.MaxBars, and the TickResult, without its Ticks, equals that of
// FetchTrades. A piece may end between two trades of one instant, except where First ends the last one. First and Last
// are bound by Limits.MaxBars, and their trades are in memory at once. Its other promises are those of Stream; trades
// that are added behind the last one while the stream runs are no conflict.
func (p *Provider) StreamTrades(
	ctx context.Context, r domain.TickRequest,
) (iter.Seq2[domain.Trades, error], func() domain.TickResult[domain.Trade]) {
	return streamTicks(ctx, p, access.Trades(), r)
}

// StreamQuotes is StreamTrades for quotes.
func (p *Provider) StreamQuotes(
	ctx context.Context, r domain.TickRequest,
) (iter.Seq2[domain.Quotes, error], func() domain.TickResult[domain.Quote]) {
	return streamTicks(ctx, p, access.Quotes(), r)
}

func streamTicks[T domain.Tick](
	ctx context.Context, p *Provider, port access.TickPort[T], r domain.TickRequest,
) (iter.Seq2[domain.Ticks[T], error], func() domain.TickResult[T]) {
	empty, _ := domain.NewTicks[T](r.Symbol) // an invalid symbol is refused by run
	return newStream(string(r.Symbol), domain.TickResult[T]{Ticks: empty},
		func(yield func(domain.Ticks[T], error) bool) (domain.TickResult[T], error) {
			q, err := newTickQuery("stream", p, port, r)
			if err != nil {
				return domain.TickResult[T]{}, err
			}
			if _, err := p.symbols.Resolve(ctx, &q.call, []domain.Symbol{r.Symbol}); err != nil {
				return domain.TickResult[T]{}, err
			}

			result, err := q.stream(ctx, yield)
			result.Ticks = empty

			return result, err
		})
}

// stream yields the ticks of the request and returns the result without them. It begins again where the ticks change
// before one was yielded.
func (q *tickQuery[T]) stream(
	ctx context.Context, yield func(domain.Ticks[T], error) bool,
) (domain.TickResult[T], error) {
	if q.request.First > 0 || q.request.Last > 0 {
		return q.streamLimited(ctx, yield)
	}

	for attempt := 1; ; attempt++ {
		s := tickStream[T]{query: q, yield: yield}
		result, err := s.run(ctx)
		if s.read.ticks > 0 || attempt == maxPlanAttempts || !errors.Is(err, access.ErrStateChanged) {
			return result, err
		}
	}
}

// streamLimited yields the ticks of First or Last, which are read whole first.
func (q *tickQuery[T]) streamLimited(
	ctx context.Context, yield func(domain.Ticks[T], error) bool,
) (domain.TickResult[T], error) {
	result, err := q.run(ctx)
	ticks, page := result.Ticks, q.limits.Steps.Stream
	for from := 0; err == nil && from < ticks.Len(); from += page {
		if !yield(ticks.Slice(from, min(from+page, ticks.Len())), nil) {
			err = errStopped
		}
	}

	return result, err
}

// tickStream is one attempt at the ticks of a request without a limit.
type tickStream[T domain.Tick] struct {
	query *tickQuery[T]
	yield func(domain.Ticks[T], error) bool
	read  tickTotals // of the yielded pieces
}

func (s *tickStream[T]) run(ctx context.Context) (domain.TickResult[T], error) {
	q := s.query
	before, err := q.coverage(ctx)
	if err != nil {
		return domain.TickResult[T]{}, err
	}

	w := q.window.withCoverage(before)
	query := ports.TickQuery{Symbol: q.request.Symbol, Range: w.visible, First: q.limits.Steps.Stream}
	reads := access.Continuity{Layout: domain.TickBlocks()}
	for page, err := range access.TickPages(ctx, &q.call, q.port, query, &reads) {
		if err == nil {
			err = s.give(page)
		}
		if err != nil {
			return domain.TickResult[T]{}, err
		}
	}

	return q.result(ctx, w, before, s.read)
}

// give yields the ticks of a page, and keeps its state.
func (s *tickStream[T]) give(page ports.Piece[domain.Ticks[T]]) error {
	if page.State != nil {
		s.read.state = page.State
	}
	if page.Rows.Len() == 0 {
		return nil
	}

	if s.read.ticks == 0 {
		s.read.returned = page.Rows.Range()
	}
	s.read.returned.End = page.Rows.Range().End
	s.read.ticks += page.Rows.Len()
	if !s.yield(page.Rows, nil) {
		return errStopped
	}

	return nil
}
