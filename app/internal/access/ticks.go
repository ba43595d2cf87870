package access

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TickPort describes how one kind of tick is read from a ports.TickStore.
type TickPort[T domain.Tick] struct {
	Kind domain.TickKind
	Rows RowType[domain.Ticks[T]]
	Read func(ports.TickStore, context.Context, ports.TickQuery) ports.Sequence[domain.Ticks[T]]
}

// Trades is the port of trades.
func Trades() TickPort[domain.Trade] {
	return TickPort[domain.Trade]{
		Kind: domain.TickTrades,
		Rows: tickRows(func(t domain.Trade) int64 { return t.Seq }),
		Read: ports.TickStore.ReadTrades,
	}
}

// Quotes is the port of quotes.
func Quotes() TickPort[domain.Quote] {
	return TickPort[domain.Quote]{
		Kind: domain.TickQuotes,
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

	return Do(ctx, c, func(ctx context.Context, s *Store, q ports.TickQuery) (ports.Piece[domain.Ticks[T]], error) {
		result := Collector[domain.Ticks[T]]{
			Type: port.Rows, Store: s, Empty: empty, Range: q.Range, Limit: max(q.First, q.Last), MaxRows: maxRows,
		}
		asPiece := func(t domain.Ticks[T]) domain.Ticks[T] { return t }
		if err := CollectSequence(&result, port.Read(s.Ticks, ctx, q), asPiece); err != nil {
			return ports.Piece[domain.Ticks[T]]{}, err
		}

		ticks, err := domain.ConcatTicks(empty, result.Pieces)

		return ports.Piece[domain.Ticks[T]]{Rows: ticks, State: result.State}, err
	}, q)
}

// TickPages reads the ticks of q in queries of at most q.First rows; 0 is one query. A yielded piece ends with a whole
// instant, so a page with more ticks in one instant is larger. A piece has the state of the series where that is
// another one than the piece before saw; it is nil where the store keeps no versions. An error wraps ErrStateChanged
// where ticks that were yielded before changed meanwhile.
func TickPages[T domain.Tick](
	ctx context.Context, c *Call, port TickPort[T], q ports.TickQuery,
) iter.Seq2[ports.Piece[domain.Ticks[T]], error] {
	return func(yield func(ports.Piece[domain.Ticks[T]], error) bool) {
		continuity := Continuity{Layout: domain.TickBlocks()}
		for !q.Range.Empty() {
			q.State = continuity.Query()
			read, next, err := tickPage(ctx, c, port, q)
			if err == nil && read.State != nil {
				before := continuity.state
				read.State, err = continuity.Add(read.State, domain.Range{Start: q.Range.Start, End: next})
				err = c.Conflict(err)
				if read.State == before {
					read.State = nil
				}
			}
			if err != nil {
				yield(ports.Piece[domain.Ticks[T]]{}, err)
				return
			}
			if (read.Rows.Len() > 0 || read.State != nil) && !yield(read, nil) {
				return
			}

			q.Range.Start = next
		}
	}
}

// tickPage returns the first ticks of q up to a whole instant, and where the next page starts.
func tickPage[T domain.Tick](
	ctx context.Context, c *Call, port TickPort[T], q ports.TickQuery,
) (ports.Piece[domain.Ticks[T]], time.Time, error) {
	read, err := ReadTicks(ctx, c, port, q, 0)
	n := read.Rows.Len()
	if err != nil || n < q.First || q.First == 0 {
		return read, q.Range.End, err
	}

	last := read.Rows.Time(n - 1)
	if whole := read.Rows.Clip(domain.Range{Start: q.Range.Start, End: last}); whole.Len() > 0 {
		read.Rows = whole
		return read, last, nil
	}

	next := last.Add(time.Microsecond) // the page lies within one instant
	q.First, q.Range = 0, domain.Range{Start: last, End: next}
	read, err = ReadTicks(ctx, c, port, q, 0)

	return read, next, err
}
