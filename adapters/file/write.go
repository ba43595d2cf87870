package file

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// BarWriter writes bars as CSV that ReadBars reads: a header, then a line a bar; times in RFC 3339, numbers to the digit, an
// unknown trade count as 0. It is for one goroutine.
type BarWriter struct {
	out     *bufio.Writer
	line    []byte
	started bool
}

// NewBarWriter returns a BarWriter to w. It buffers: Flush it at the end.
func NewBarWriter(w io.Writer) *BarWriter { return &BarWriter{out: bufio.NewWriterSize(w, 64<<10)} }

// Write writes the bars after those written before.
func (w *BarWriter) Write(s domain.Series) error {
	if err := w.start(); err != nil {
		return err
	}
	for _, b := range s.All() {
		line := b.OpenTime.AppendFormat(w.line[:0], time.RFC3339Nano)
		for _, d := range [...]domain.Decimal{b.Open, b.High, b.Low, b.Close, b.Volume} {
			line, _ = d.AppendText(append(line, ','))
		}
		line = strconv.AppendInt(append(line, ','), b.Trades, 10)
		line = append(line, '\n')
		w.line = line
		if _, err := w.out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes what is buffered, the header too where no bar came.
func (w *BarWriter) Flush() error {
	if err := w.start(); err != nil {
		return err
	}
	return w.out.Flush()
}

func (w *BarWriter) start() error {
	if w.started {
		return nil
	}
	w.started = true
	_, err := w.out.WriteString(strings.Join(barColumns[:], ",") + "\n")
	return err
}
