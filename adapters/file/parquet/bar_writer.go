package parquet

import (
	"fmt"
	"io"
	"time"

	"github.com/gal-friday/marketdata/adapters/file/internal/covered"
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
	Trades *int64 `parquet:"trades"` // nil if unknown
}

// number returns the cell of the field.
func (r *barRow) number(f domain.Field) *number {
	return [...]*number{&r.Open, &r.High, &r.Low, &r.Close, &r.Volume}[f]
}

// BarWriter writes the bars of one series as a Parquet file. Its memory does not depend on the number of bars, except
// for the index of the file, which takes about a quarter of a byte per bar. It is not safe for concurrent use.
type BarWriter struct {
	out  *rowWriter[barRow]
	key  domain.SeriesKey
	last time.Time // open time of the newest bar; zero before the first
}

// NewBarWriter returns a BarWriter that writes bars of the key to w. The caller must call Close, because the file is
// not readable without it.
func NewBarWriter(w io.Writer, key domain.SeriesKey) (*BarWriter, error) {
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("write parquet: %w", err)
	}
	return &BarWriter{out: newRowWriter[barRow](w, KeyName, key.String()), key: key}, nil
}

// Write writes the bars, which must have the key of the writer and come after those written before. Otherwise it
// returns an error that wraps domain.ErrInvalid, after which the writer can be used. It cannot be used after another
// error. The file says nothing about coverage: a reader takes it as complete from its first bar to its last.
func (w *BarWriter) Write(s domain.Series) error { return w.WriteCovered(s, domain.Range{}) }

// WriteCovered writes the bars, which may be none, as Write does, and declares that r, which must include them and
// begin and end at an edge of their grid, is complete. A file has either coverage for all bars, or Write was used for
// all.
func (w *BarWriter) WriteCovered(s domain.Series, r domain.Range) error {
	if w.out.err != nil {
		return w.out.err
	}
	if err := w.accept(s, r); err != nil {
		return err
	}
	if s.Len() == 0 {
		return nil
	}

	w.last = s.OpenTime(s.Len() - 1)
	for from := 0; from < s.Len(); from += flushRows {
		if err := w.writeRows(s.Slice(from, min(from+flushRows, s.Len())).Columns()); err != nil {
			return err
		}
	}

	return nil
}

// accept declares the coverage, or returns an error that wraps domain.ErrInvalid if the bars must not be written.
func (w *BarWriter) accept(s domain.Series, r domain.Range) error {
	if s.Len() > 0 {
		if s.Key() != w.key {
			return fmt.Errorf("write parquet: bars of %s for a file of %s: %w", s.Key(), w.key, domain.ErrInvalid)
		}
		if first := s.OpenTime(0); !w.last.IsZero() && !first.After(w.last) {
			return fmt.Errorf("write parquet %s: the bar of %s comes after that of %s: %w", w.key,
				first.Format(time.RFC3339Nano), w.last.Format(time.RFC3339Nano), domain.ErrInvalid)
		}
	}
	if r != (domain.Range{}) {
		if err := covered.Validate([]domain.Range{r}, w.key.Grid); err != nil {
			return fmt.Errorf("write parquet %s: %w", w.key, err)
		}
	}

	return w.out.cover(s.Range(), r)
}

// writeRows writes at most flushRows bars.
func (w *BarWriter) writeRows(c domain.Columns) error {
	rows := w.out.rows[:len(c.OpenMicros)]
	for i := range rows {
		rows[i].Time, rows[i].Trades = c.OpenMicros[i], nil
		if c.HasTradeCount(i) {
			rows[i].Trades = &c.Trades[i]
		}
	}
	for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
		column, scale := c.Field(f)
		r := newRescaler(scale, domain.MaxScale)
		for i, lo := range column.Lo {
			hi := lo >> 63
			if column.Hi != nil {
				hi = column.Hi[i]
			}
			rows[i].number(f).set(r.convert(coefficient{hi, uint64(lo)}))
		}
	}

	return w.out.flush(len(rows))
}

// Close writes buffered bars and the index of the file. It does not close the underlying writer.
func (w *BarWriter) Close() error { return w.out.close() }
