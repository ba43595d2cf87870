package parquet

import (
	"fmt"
	"io"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// barRow is a row of a file of bars.
type barRow struct {
	Time   int64  `parquet:"time,timestamp(microsecond),delta"`
	Open   number `parquet:"open,decimal(18:38)"`
	High   number `parquet:"high,decimal(18:38)"`
	Low    number `parquet:"low,decimal(18:38)"`
	Close  number `parquet:"close,decimal(18:38)"`
	Volume number `parquet:"volume,decimal(18:38)"`
	Trades int64  `parquet:"trades,delta"`
}

// number is the row's cell of the field.
func (r *barRow) number(f domain.Field) *number {
	return [...]*number{&r.Open, &r.High, &r.Low, &r.Close, &r.Volume}[f]
}

// BarWriter writes the bars of one series as a Parquet file, in memory that does not grow with their number but for the file's
// index (a quarter of a byte a bar, about). It is for one goroutine.
type BarWriter struct {
	out  *sheet[barRow]
	key  domain.SeriesKey
	last time.Time // open time of the newest bar; zero before the first
}

// NewBarWriter returns a BarWriter of the key's bars to w. Close it at the end: without that there is no file.
func NewBarWriter(w io.Writer, key domain.SeriesKey) (*BarWriter, error) {
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("write parquet: %w", err)
	}
	return &BarWriter{out: newSheet[barRow](w, KeyName, key.String()), key: key}, nil
}

// Write writes the bars after those written before. It refuses bars of another key, and bars that do not come later; after a
// refusal the next Write may do better, after another error none may.
func (w *BarWriter) Write(s domain.Series) error {
	if w.out.err != nil || s.Len() == 0 {
		return w.out.err
	}
	if s.Key() != w.key {
		return fmt.Errorf("write parquet: bars of %s for a file of %s: %w", s.Key(), w.key, domain.ErrInvalid)
	}
	if first := s.OpenTime(0); !w.last.IsZero() && !first.After(w.last) {
		return fmt.Errorf("write parquet %s: the bar of %s comes after that of %s: %w", w.key,
			first.Format(time.RFC3339Nano), w.last.Format(time.RFC3339Nano), domain.ErrInvalid)
	}

	w.last = s.OpenTime(s.Len() - 1)
	for from := 0; from < s.Len(); from += blockRows {
		if err := w.block(s.Slice(from, min(from+blockRows, s.Len())).Columns()); err != nil {
			return err
		}
	}

	return nil
}

// block writes at most blockRows bars.
func (w *BarWriter) block(c domain.Columns) error {
	rows := w.out.rows[:len(c.OpenMicros)]
	for i := range rows {
		rows[i].Time, rows[i].Trades = c.OpenMicros[i], c.Trades[i]
	}
	for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
		column, scale := c.Field(f)
		over := newRescale(scale, domain.MaxScale)
		for i, lo := range column.Lo {
			hi := lo >> 63
			if column.Hi != nil {
				hi = column.Hi[i]
			}
			rows[i].number(f).set(over.of(coefficient{hi, uint64(lo)}))
		}
	}

	return w.out.flush(len(rows))
}

// Close writes what is buffered and the file's index. It does not close the writer below.
func (w *BarWriter) Close() error { return w.out.close() }
