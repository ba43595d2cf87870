package parquet

import (
	"fmt"
	"io"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// tradeRow is a row of a file of trades.
type tradeRow struct {
	Time  int64  `parquet:"time,timestamp(microsecond),delta"`
	Seq   int64  `parquet:"seq,delta"`
	Price number `parquet:"price,decimal(18:38)"`
	Size  number `parquet:"size,decimal(18:38)"`
	Side  string `parquet:"side,dict"`
}

// quoteRow is a row of a file of quotes.
type quoteRow struct {
	Time    int64  `parquet:"time,timestamp(microsecond),delta"`
	Seq     int64  `parquet:"seq,delta"`
	Bid     number `parquet:"bid,decimal(18:38)"`
	Ask     number `parquet:"ask,decimal(18:38)"`
	BidSize number `parquet:"bid_size,decimal(18:38)"`
	AskSize number `parquet:"ask_size,decimal(18:38)"`
}

func (r *tradeRow) set(t domain.Trade) {
	r.Time, r.Seq, r.Side = t.Time.UnixMicro(), t.Seq, t.Side.String()
	r.Price.setDecimal(t.Price)
	r.Size.setDecimal(t.Size)
}

func (r *quoteRow) set(q domain.Quote) {
	r.Time, r.Seq = q.Time.UnixMicro(), q.Seq
	r.Bid.setDecimal(q.Bid)
	r.Ask.setDecimal(q.Ask)
	r.BidSize.setDecimal(q.BidSize)
	r.AskSize.setDecimal(q.AskSize)
}

// TickWriter writes the trades or the quotes of one symbol as a Parquet file. Its memory does not depend on the number
// of ticks, except for the index of the file, which takes about a quarter of a byte per tick. It is not safe for
// concurrent use.
type TickWriter[T domain.Tick] struct {
	symbol    domain.Symbol
	writeRows func(ticks domain.Ticks[T]) error // writes at most flushRows ticks
	cover     func(rows, r domain.Range) error
	close     func() error
	lastTime  time.Time // of the newest tick; zero before the first
	lastSeq   int64     // of the newest tick
}

// NewTradeWriter returns a TickWriter that writes trades of the symbol to w. The caller must call Close, because the
// file is not readable without it.
func NewTradeWriter(w io.Writer, symbol domain.Symbol) (*TickWriter[domain.Trade], error) {
	return newTickWriter(w, symbol, (*tradeRow).set)
}

// NewQuoteWriter returns a TickWriter that writes quotes of the symbol to w. The caller must call Close, because the
// file is not readable without it.
func NewQuoteWriter(w io.Writer, symbol domain.Symbol) (*TickWriter[domain.Quote], error) {
	return newTickWriter(w, symbol, (*quoteRow).set)
}

// newTickWriter returns a TickWriter that fills rows with set.
func newTickWriter[T domain.Tick, R any](
	w io.Writer, symbol domain.Symbol, set func(row *R, tick T),
) (*TickWriter[T], error) {
	if err := symbol.Validate(); err != nil {
		return nil, fmt.Errorf("write parquet: %w", err)
	}

	out := newRowWriter[R](w, SymbolName, string(symbol))
	writeRows := func(ticks domain.Ticks[T]) error {
		if out.err != nil {
			return out.err
		}

		for i, tick := range ticks.All() {
			set(&out.rows[i], tick)
		}

		return out.flush(ticks.Len())
	}

	return &TickWriter[T]{symbol: symbol, writeRows: writeRows, cover: out.cover, close: out.close}, nil
}

// Write writes the ticks, which must have the symbol of the writer and come after those written before, by time and
// sequence number. Otherwise it returns an error that wraps domain.ErrInvalid, after which the writer can be used. It
// cannot be used after another error. The file says nothing about coverage: a reader takes it as complete from its
// first tick to its last.
func (w *TickWriter[T]) Write(ticks domain.Ticks[T]) error {
	return w.WriteCovered(ticks, domain.Range{})
}

// WriteCovered writes the ticks, which may be none, as Write does, and declares that r, which must include them, is
// complete. A file has either coverage for all ticks, or Write was used for all.
func (w *TickWriter[T]) WriteCovered(ticks domain.Ticks[T], r domain.Range) error {
	n := ticks.Len()
	if n > 0 {
		if err := w.validate(ticks); err != nil {
			return err
		}
	}
	if err := w.cover(ticks.Range(), r); err != nil || n == 0 {
		return err
	}

	w.lastTime, w.lastSeq = ticks.Time(n-1), ticks.Seq(n-1)
	for from := 0; from < n; from += flushRows {
		if err := w.writeRows(ticks.Slice(from, min(from+flushRows, n))); err != nil {
			return err
		}
	}

	return nil
}

// validate returns an error that wraps domain.ErrInvalid if the ticks, at least one, must not be written.
func (w *TickWriter[T]) validate(ticks domain.Ticks[T]) error {
	if ticks.Symbol() != w.symbol {
		return fmt.Errorf("write parquet: ticks of %s for a file of %s: %w",
			ticks.Symbol(), w.symbol, domain.ErrInvalid)
	}

	first, seq := ticks.Time(0), ticks.Seq(0)
	if !w.lastTime.IsZero() && (first.Before(w.lastTime) || first.Equal(w.lastTime) && seq <= w.lastSeq) {
		return fmt.Errorf("write parquet %s: %s #%d comes after %s #%d: %w", w.symbol,
			first.Format(time.RFC3339Nano), seq, w.lastTime.Format(time.RFC3339Nano), w.lastSeq, domain.ErrInvalid)
	}

	return nil
}

// Close writes buffered ticks and the index of the file. It does not close the underlying writer.
func (w *TickWriter[T]) Close() error { return w.close() }
