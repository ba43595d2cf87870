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
	Read func(ports.TickStore, context.Context, ports.TickQuery) iter.Seq2[domain.Ticks[T], error]
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

// ReadTicks reads the whole result of q. More than maxRows ticks are ErrTooLarge; 0 is no maximum.
func ReadTicks[T domain.Tick](ctx context.Context, c *Call, port TickPort[T], q ports.TickQuery, maxRows int) (domain.Ticks[T], error) {
	empty, err := domain.NewTicks[T](q.Symbol)
	if err != nil || q.Range.Empty() {
		return empty, err
	}

	return Do(ctx, c, func(ctx context.Context, s *Store, q ports.TickQuery) (domain.Ticks[T], error) {
		result := Collector[domain.Ticks[T]]{
			Type: port.Rows, Store: s, Empty: empty, Range: q.Range, Limit: max(q.First, q.Last), MaxRows: maxRows,
		}
		if err := result.Collect(port.Read(s.Ticks, ctx, q)); err != nil {
			return empty, err
		}

		return domain.ConcatTicks(empty, result.Pieces)
	}, q)
}

// TickPages reads the ticks of r in queries of at most page rows; 0 is one query. A yielded piece ends with a whole
// instant, so a page with more ticks in one instant is larger.
func TickPages[T domain.Tick](
	ctx context.Context, c *Call, port TickPort[T], symbol domain.Symbol, r domain.Range, page int,
) iter.Seq2[domain.Ticks[T], error] {
	return func(yield func(domain.Ticks[T], error) bool) {
		q := ports.TickQuery{Symbol: symbol, Range: r, First: page}
		for !q.Range.Empty() {
			ticks, next, err := tickPage(ctx, c, port, q)
			if err != nil {
				yield(ticks, err)
				return
			}
			if ticks.Len() > 0 && !yield(ticks, nil) {
				return
			}

			q.Range.Start = next
		}
	}
}

// tickPage returns the first ticks of q up to a whole instant, and where the next page starts.
func tickPage[T domain.Tick](ctx context.Context, c *Call, port TickPort[T], q ports.TickQuery) (domain.Ticks[T], time.Time, error) {
	ticks, err := ReadTicks(ctx, c, port, q, 0)
	n := ticks.Len()
	if err != nil || n < q.First || q.First == 0 {
		return ticks, q.Range.End, err
	}

	last := ticks.Time(n - 1)
	if whole := ticks.Clip(domain.Range{Start: q.Range.Start, End: last}); whole.Len() > 0 {
		return whole, last, nil
	}

	next := last.Add(time.Microsecond) // the page lies within one instant
	q.First, q.Range = 0, domain.Range{Start: last, End: next}
	ticks, err = ReadTicks(ctx, c, port, q, 0)

	return ticks, next, err
}
