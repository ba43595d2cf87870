package access

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TickPort describes how one kind of tick is read from a ports.TickStore.
type TickPort[T domain.Tick] struct {
	Kind domain.TickKind
	op   string // for telemetry
	Rows RowType[domain.Ticks[T]]
	Read func(ports.TickStore, context.Context, ports.TickQuery) ports.Sequence[domain.Ticks[T]]
}

// Trades is the port of trades.
func Trades() TickPort[domain.Trade] {
	return TickPort[domain.Trade]{
		Kind: domain.TickTrades,
		op:   "read trades",
		Rows: tickRows(func(t domain.Trade) int64 { return t.Seq }),
		Read: ports.TickStore.ReadTrades,
	}
}

// Quotes is the port of quotes.
func Quotes() TickPort[domain.Quote] {
	return TickPort[domain.Quote]{
		Kind: domain.TickQuotes,
		op:   "read quotes",
		Rows: tickRows(func(q domain.Quote) int64 { return q.Seq }),
		Read: ports.TickStore.ReadQuotes,
	}
}

// ReadTicks reads the whole result of q, and the state of the series. More than maxRows ticks are ErrTooLarge; 0 is no
// maximum.
func ReadTicks[T domain.Tick](
	ctx context.Context, c *Call, port TickPort[T], q ports.TickQuery, maxRows int,
) (ports.Piece[domain.Ticks[T]], error) {
	empty, err := domain.NewTicks[T](q.Symbol)
	if err != nil || q.Range.Empty() {
		return ports.Piece[domain.Ticks[T]]{Rows: empty}, err
	}

	read := func(ctx context.Context, s *Store, q ports.TickQuery) (ports.Piece[domain.Ticks[T]], error) {
		result := Collector[domain.Ticks[T]]{
			Type: port.Rows, Store: s, Empty: empty, Range: q.Range, Limit: max(q.First, q.Last), MaxRows: maxRows,
		}
		asPiece := func(t domain.Ticks[T]) domain.Ticks[T] { return t }
		if err := CollectSequence(&result, port.Read(s.Ticks, ctx, q), asPiece); err != nil {
			return ports.Piece[domain.Ticks[T]]{}, err
		}

		ticks, err := domain.ConcatTicks(empty, result.Pieces)

		return ports.Piece[domain.Ticks[T]]{Rows: ticks, State: result.State}, err
	}
	rows := func(p ports.Piece[domain.Ticks[T]]) int { return p.Rows.Len() }

	return Do(ctx, c, Operation[ports.TickQuery, ports.Piece[domain.Ticks[T]]]{Name: port.op, Run: read, Rows: rows}, q)
}

// TickPages reads the ticks of q in queries of at most q.First new rows; 0 is one query. A page ends with its last
// tick, and the next one may begin at the same instant. A piece has the state of the series where that is another one
// than the piece before saw; it is nil where the store keeps no versions. An error wraps ErrStateChanged where ticks
// that were yielded before changed meanwhile. reads holds them, and what was read before, to one state.
func TickPages[T domain.Tick](
	ctx context.Context, c *Call, port TickPort[T], q ports.TickQuery, reads *Continuity,
) iter.Seq2[ports.Piece[domain.Ticks[T]], error] {
	return func(yield func(ports.Piece[domain.Ticks[T]], error) bool) {
		pages := tickPages[T]{call: c, port: port, size: q.First, rest: q, reads: reads}
		for !pages.rest.Range.Empty() {
			page, err := pages.next(ctx)
			if err != nil {
				yield(ports.Piece[domain.Ticks[T]]{}, err)
				return
			}
			if (page.Rows.Len() > 0 || page.State != nil) && !yield(page, nil) {
				return
			}
		}
	}
}

// tickPages reads ticks page by page. A page begins with the last instant of the one before, because ticks of one
// instant differ by their sequence numbers and a query cannot; those that were yielded are left out.
type tickPages[T domain.Tick] struct {
	call  *Call
	port  TickPort[T]
	size  int             // new rows of a page; 0 is all
	rest  ports.TickQuery // what is not yielded yet, and the ticks of its first instant
	reads *Continuity

	again int   // ticks of the first instant of rest that were yielded
	seq   int64 // of the last of them
}

// next reads the next page.
func (p *tickPages[T]) next(ctx context.Context) (ports.Piece[domain.Ticks[T]], error) {
	q := p.rest
	q.State = p.reads.Query()
	if p.size > 0 {
		q.First = p.size + p.again
	}
	page, err := ReadTicks(ctx, p.call, p.port, q, 0)
	if err != nil {
		return page, err
	}

	isLast := p.size == 0 || page.Rows.Len() < q.First
	told := q.Range
	if !isLast {
		told.End = page.Rows.Range().End
	}
	if page.State, err = p.addState(page.State, told, !isLast); err != nil {
		return page, err
	}

	rows := page.Rows
	page.Rows = p.withoutYielded(rows)
	if p.rest.Range.Start = q.Range.End; !isLast {
		p.moveTo(rows)
	}

	return page, nil
}

// addState holds the pages to one state, and returns it where it is another one than that of the page before.
func (p *tickPages[T]) addState(
	state *domain.SeriesState, told domain.Range, endsAtRow bool,
) (*domain.SeriesState, error) {
	if state == nil {
		return nil, nil
	}

	before := p.reads.state
	state, err := p.reads.Add(state, told, endsAtRow)
	if err != nil || state == before {
		return nil, p.call.Conflict(err)
	}

	return state, nil
}

// withoutYielded returns the rows behind the last one that was yielded.
func (p *tickPages[T]) withoutYielded(rows domain.Ticks[T]) domain.Ticks[T] {
	n := 0
	for p.again > 0 && n < rows.Len() && rows.Time(n).Equal(p.rest.Range.Start) && rows.Seq(n) <= p.seq {
		n++
	}

	return rows.Slice(n, rows.Len())
}

// moveTo continues behind the last of the rows.
func (p *tickPages[T]) moveTo(rows domain.Ticks[T]) {
	last := rows.Len() - 1
	p.rest.Range.Start, p.seq = rows.Time(last), rows.Seq(last)
	for p.again = 1; p.again <= last && rows.Time(last-p.again).Equal(p.rest.Range.Start); p.again++ {
	}
}
