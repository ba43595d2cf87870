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

// TickWriter writes the trades or the quotes of one symbol as a Parquet file, in memory that does not grow with their number but
// for the file's index (a quarter of a byte a row, about). It is for one goroutine.
type TickWriter[T domain.Tick] struct {
	symbol domain.Symbol
	block  func(ticks domain.Ticks[T]) error // writes at most blockRows
	close  func() error
	time   time.Time // of the newest tick; zero before the first
	seq    int64     // likewise
}

// NewTradeWriter returns a TickWriter of the symbol's trades to w. Close it at the end: without that there is no file.
func NewTradeWriter(w io.Writer, symbol domain.Symbol) (*TickWriter[domain.Trade], error) {
	return newTickWriter(w, symbol, (*tradeRow).set)
}

// NewQuoteWriter returns a TickWriter of the symbol's quotes to w. Close it at the end: without that there is no file.
func NewQuoteWriter(w io.Writer, symbol domain.Symbol) (*TickWriter[domain.Quote], error) {
	return newTickWriter(w, symbol, (*quoteRow).set)
}

// newTickWriter writes rows that set fills.
func newTickWriter[T domain.Tick, R any](w io.Writer, symbol domain.Symbol, set func(row *R, tick T)) (*TickWriter[T], error) {
	if err := symbol.Validate(); err != nil {
		return nil, fmt.Errorf("write parquet: %w", err)
	}

	out := newSheet[R](w, SymbolName, string(symbol))
	block := func(ticks domain.Ticks[T]) error {
		if out.err != nil {
			return out.err
		}

		for i, tick := range ticks.All() {
			set(&out.rows[i], tick)
		}
		return out.flush(ticks.Len())
	}

	return &TickWriter[T]{symbol: symbol, block: block, close: out.close}, nil
}

// Write writes the ticks after those written before. It refuses ticks of another symbol, and ticks that do not come later by time
// and number; after a refusal the next Write may do better, after another error none may.
func (w *TickWriter[T]) Write(ticks domain.Ticks[T]) error {
	n := ticks.Len()
	if n == 0 {
		return nil
	}
	if ticks.Symbol() != w.symbol {
		return fmt.Errorf("write parquet: ticks of %s for a file of %s: %w", ticks.Symbol(), w.symbol, domain.ErrInvalid)
	}

	first, seq := ticks.Time(0), ticks.Seq(0)
	if !w.time.IsZero() && (first.Before(w.time) || first.Equal(w.time) && seq <= w.seq) {
		return fmt.Errorf("write parquet %s: %s #%d comes after %s #%d: %w", w.symbol,
			first.Format(time.RFC3339Nano), seq, w.time.Format(time.RFC3339Nano), w.seq, domain.ErrInvalid)
	}

	w.time, w.seq = ticks.Time(n-1), ticks.Seq(n-1)
	for from := 0; from < n; from += blockRows {
		if err := w.block(ticks.Slice(from, min(from+blockRows, n))); err != nil {
			return err
		}
	}

	return nil
}

// Close writes what is buffered and the file's index. It does not close the writer below.
func (w *TickWriter[T]) Close() error { return w.close() }
