package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/domain"
)

const (
	rowGroupBars = 64 << 10 // what a reader of one column reads at once, and what the writer holds in memory
	blockBars    = 1 << 10  // rows handed over at a time
)

// number is a coefficient of DECIMAL(38, 18): 128 bits, two's complement, big endian.
type number [16]byte

// row is a row of a file; its tags are the schema.
type row struct {
	Time   int64  `parquet:"time,timestamp(microsecond),delta"`
	Open   number `parquet:"open,decimal(18:38)"`
	High   number `parquet:"high,decimal(18:38)"`
	Low    number `parquet:"low,decimal(18:38)"`
	Close  number `parquet:"close,decimal(18:38)"`
	Volume number `parquet:"volume,decimal(18:38)"`
	Trades int64  `parquet:"trades,delta"`
}

// number is the row's cell of the field.
func (r *row) number(f domain.Field) *number {
	return [...]*number{&r.Open, &r.High, &r.Low, &r.Close, &r.Volume}[f]
}

// BarWriter writes the bars of one series as a Parquet file, in memory that does not grow with their number but for the file's
// index (a few hundred bytes per 65,536 bars). It is for one goroutine.
type BarWriter struct {
	out  *pq.GenericWriter[row]
	key  domain.SeriesKey
	rows []row
	last time.Time // open time of the newest bar; zero before the first
	err  error     // of the first write that failed
}

// NewBarWriter returns a BarWriter of the key's bars to w. Close it at the end: without that there is no file.
func NewBarWriter(w io.Writer, key domain.SeriesKey) (*BarWriter, error) {
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("write parquet: %w", err)
	}
	return &BarWriter{
		out: pq.NewGenericWriter[row](w, pq.Compression(&pq.Zstd), pq.MaxRowsPerRowGroup(rowGroupBars),
			pq.KeyValueMetadata(KeyName, key.String())),
		key:  key,
		rows: make([]row, blockBars),
	}, nil
}

// Write writes the bars after those written before. It refuses bars of another key, and bars that do not come later; after a
// refusal the next Write may do better, after another error none may.
func (w *BarWriter) Write(s domain.Series) error {
	if w.err != nil || s.Len() == 0 {
		return w.err
	}
	if s.Key() != w.key {
		return fmt.Errorf("write parquet: bars of %s for a file of %s: %w", s.Key(), w.key, domain.ErrInvalid)
	}
	if first := s.OpenTime(0); !w.last.IsZero() && !first.After(w.last) {
		return fmt.Errorf("write parquet %s: the bar of %s comes after that of %s: %w", w.key,
			first.Format(time.RFC3339Nano), w.last.Format(time.RFC3339Nano), domain.ErrInvalid)
	}
	w.last = s.OpenTime(s.Len() - 1)
	for from := 0; from < s.Len() && w.err == nil; from += blockBars {
		w.err = w.block(s.Slice(from, min(from+blockBars, s.Len())).Columns())
	}
	return w.err
}

// block writes at most blockBars bars.
func (w *BarWriter) block(c domain.Columns) error {
	rows := w.rows[:len(c.Time)]
	for i := range rows {
		rows[i].Time, rows[i].Trades = c.Time[i], c.Trades[i]
	}
	for _, f := range fields {
		column, scale := c.Field(f)
		factor := pow10(domain.MaxScale - scale)
		for i, lo := range column.Lo {
			hi := lo >> 63
			if column.Hi != nil {
				hi = column.Hi[i]
			}
			rows[i].number(f).set(hi, uint64(lo), factor)
		}
	}
	if _, err := w.out.Write(rows); err != nil {
		return fmt.Errorf("write parquet %s: %w", w.key, err)
	}
	return nil
}

// set makes the number hi<<64 | lo, times the factor. No bit is lost: a decimal has 38 digits at most.
func (n *number) set(hi int64, lo, factor uint64) {
	carry, low := bits.Mul64(lo, factor)
	binary.BigEndian.PutUint64(n[:8], uint64(hi)*factor+carry)
	binary.BigEndian.PutUint64(n[8:], low)
}

// pow10 is ten to the power n, which is at most domain.MaxScale.
func pow10(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// Close writes what is buffered and the file's index. It does not close the writer below.
func (w *BarWriter) Close() error {
	if w.err != nil {
		return w.err
	}
	w.err = errors.New("write parquet: the writer is closed")
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("write parquet %s: %w", w.key, err)
	}
	return nil
}
