package file

import (
	"bufio"
	"io"
	"strconv"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// rowWriter writes the header of a schema and then rows.
type rowWriter struct {
	out       *bufio.Writer
	schema    schema
	line      []byte // scratch
	hasHeader bool
}

func newRowWriter(w io.Writer, s schema) rowWriter {
	return rowWriter{out: bufio.NewWriterSize(w, 64<<10), schema: s}
}

// writeRow writes a line: the time, and the cells that appendRest appends.
func (w *rowWriter) writeRow(t time.Time, appendRest func(line []byte) []byte) error {
	w.line = append(appendRest(t.AppendFormat(w.line[:0], time.RFC3339Nano)), '\n')
	_, err := w.out.Write(w.line)
	return err
}

// writeHeader writes the header unless it is already written.
func (w *rowWriter) writeHeader() error {
	if w.hasHeader {
		return nil
	}

	w.hasHeader = true
	_, err := w.out.WriteString(w.schema.header() + "\n")

	return err
}

func (w *rowWriter) flush() error {
	if err := w.writeHeader(); err != nil {
		return err
	}
	return w.out.Flush()
}

func appendNumbers(line []byte, numbers ...domain.Decimal) []byte {
	for _, d := range numbers {
		line, _ = d.AppendText(append(line, ','))
	}
	return line
}

// BarWriter writes bars as CSV that ReadBars reads: a header, then one line per bar. Times are in RFC 3339, numbers are
// exact, an unknown trade count is empty. It is not safe for concurrent use.
type BarWriter struct{ rows rowWriter }

// NewBarWriter returns a BarWriter that writes to w. It buffers, so the caller must call Flush after the last Write.
func NewBarWriter(w io.Writer) *BarWriter { return &BarWriter{newRowWriter(w, barSchema)} }

// Write writes the bars, which must come after those written before.
func (w *BarWriter) Write(s domain.Series) error {
	if err := w.rows.writeHeader(); err != nil {
		return err
	}

	for _, b := range s.All() {
		err := w.rows.writeRow(b.OpenTime, func(line []byte) []byte {
			line = appendNumbers(line, b.Open, b.High, b.Low, b.Close, b.Volume)
			if line = append(line, ','); b.HasTradeCount() {
				line = strconv.AppendInt(line, b.Trades, 10)
			}

			return line
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// Flush writes buffered rows, and the header if there are no rows.
func (w *BarWriter) Flush() error { return w.rows.flush() }

// TickWriter writes trades or quotes as CSV that ReadTrades or ReadQuotes reads, sequence numbers included. It is not
// safe for concurrent use.
type TickWriter[T domain.Tick] struct {
	rows       rowWriter
	appendTick func(line []byte, tick T) []byte // appends the cells after time and sequence number
}

// NewTradeWriter returns a TickWriter that writes trades to w. It buffers, so the caller must call Flush after the last
// Write.
func NewTradeWriter(w io.Writer) *TickWriter[domain.Trade] {
	return &TickWriter[domain.Trade]{newRowWriter(w, tradeSchema), func(line []byte, t domain.Trade) []byte {
		line = append(appendNumbers(line, t.Price, t.Size), ',')
		if t.Side == domain.SideUnknown {
			return line
		}

		return append(line, t.Side.String()...)
	}}
}

// NewQuoteWriter returns a TickWriter that writes quotes to w. It buffers, so the caller must call Flush after the last
// Write.
func NewQuoteWriter(w io.Writer) *TickWriter[domain.Quote] {
	return &TickWriter[domain.Quote]{newRowWriter(w, quoteSchema), func(line []byte, q domain.Quote) []byte {
		return appendNumbers(line, q.Bid, q.Ask, q.BidSize, q.AskSize)
	}}
}

// Write writes the ticks, which must come after those written before.
func (w *TickWriter[T]) Write(ticks domain.Ticks[T]) error {
	if err := w.rows.writeHeader(); err != nil {
		return err
	}

	for _, tick := range ticks.All() {
		at := positionOf(tick)
		err := w.rows.writeRow(at.time, func(line []byte) []byte {
			return w.appendTick(strconv.AppendInt(append(line, ','), at.seq, 10), tick)
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// Flush writes buffered rows, and the header if there are no rows.
func (w *TickWriter[T]) Flush() error { return w.rows.flush() }
