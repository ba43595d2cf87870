package file

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// writer writes rows of a form, the header first.
type writer struct {
	out     *bufio.Writer
	form    form
	line    []byte
	started bool
}

func newWriter(w io.Writer, f form) writer {
	return writer{out: bufio.NewWriterSize(w, 64<<10), form: f}
}

// row writes a line: a time, and what follows it.
func (w *writer) row(at time.Time, rest func(line []byte) []byte) error {
	w.line = append(rest(at.AppendFormat(w.line[:0], time.RFC3339Nano)), '\n')
	_, err := w.out.Write(w.line)
	return err
}

// Flush writes what is buffered, the header too where no row came.
func (w *writer) Flush() error {
	if err := w.start(); err != nil {
		return err
	}
	return w.out.Flush()
}

func (w *writer) start() error {
	if w.started {
		return nil
	}

	w.started = true
	_, err := w.out.WriteString(w.form.header() + "\n")
	return err
}

// header is the line that names the form's columns.
func (f form) header() string { return strings.Join(f.columns, ",") }

func appendNumbers(line []byte, numbers ...domain.Decimal) []byte {
	for _, d := range numbers {
		line, _ = d.AppendText(append(line, ','))
	}
	return line
}

// BarWriter writes bars as CSV that ReadBars reads: a header, then a line a bar; times in RFC 3339, numbers to the digit, an
// unknown trade count as 0. It is for one goroutine.
type BarWriter struct{ writer }

// NewBarWriter returns a BarWriter to w. It buffers: Flush it at the end.
func NewBarWriter(w io.Writer) *BarWriter { return &BarWriter{newWriter(w, barForm)} }

// Write writes the bars after those written before.
func (w *BarWriter) Write(s domain.Series) error {
	if err := w.start(); err != nil {
		return err
	}

	for _, b := range s.All() {
		err := w.row(b.OpenTime, func(line []byte) []byte {
			line = appendNumbers(line, b.Open, b.High, b.Low, b.Close, b.Volume)
			return strconv.AppendInt(append(line, ','), b.Trades, 10)
		})
		if err != nil {
			return err
		}
	}

	return nil
}

// TickWriter writes trades or quotes as CSV that ReadTrades or ReadQuotes reads, their numbers included. It is for one goroutine.
type TickWriter[T domain.Tick] struct {
	writer

	rest func(line []byte, tick T) []byte // of a row, behind time and number
}

// NewTradeWriter returns a TickWriter of trades to w. It buffers: Flush it at the end.
func NewTradeWriter(w io.Writer) *TickWriter[domain.Trade] {
	return &TickWriter[domain.Trade]{newWriter(w, tradeForm), func(line []byte, t domain.Trade) []byte {
		line = append(appendNumbers(line, t.Price, t.Size), ',')
		if t.Side == domain.SideUnknown {
			return line
		}

		return append(line, t.Side.String()...)
	}}
}

// NewQuoteWriter returns a TickWriter of quotes to w. It buffers: Flush it at the end.
func NewQuoteWriter(w io.Writer) *TickWriter[domain.Quote] {
	return &TickWriter[domain.Quote]{newWriter(w, quoteForm), func(line []byte, q domain.Quote) []byte {
		return appendNumbers(line, q.Bid, q.Ask, q.BidSize, q.AskSize)
	}}
}

// Write writes the ticks after those written before.
func (w *TickWriter[T]) Write(ticks domain.Ticks[T]) error {
	if err := w.start(); err != nil {
		return err
	}

	for _, tick := range ticks.All() {
		at := placeOf(tick)
		err := w.row(at.time, func(line []byte) []byte {
			return w.rest(strconv.AppendInt(append(line, ','), at.seq, 10), tick)
		})
		if err != nil {
			return err
		}
	}

	return nil
}
