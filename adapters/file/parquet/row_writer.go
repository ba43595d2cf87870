package parquet

import (
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

const (
	rowGroupRows = 64 << 10 // the rows that a reader of one column reads at once, and a writer keeps in memory
	flushRows    = 1 << 10  // the rows that a rowWriter passes to the library at once
)

// rowWriter writes rows of type R, whose tags define the columns. Its memory does not depend on the number of rows,
// except for the index of the file, which takes about a quarter of a byte per row.
type rowWriter[R any] struct {
	out    *pq.GenericWriter[R]
	series string // for errors
	rows   [flushRows]R
	count  int64 // of the rows written
	err    error // of the first write that failed, or of a write after close

	coverage []domain.Range // declared, in the order of the writes
	isBare   bool           // rows were written without coverage
}

// newRowWriter returns a rowWriter of a file with the series under name in its metadata.
func newRowWriter[R any](w io.Writer, name, series string) *rowWriter[R] {
	// Snappy writes much faster than zstd and in less memory, for a somewhat larger file; a bar file is better for
	// archiving. Numbers have no dictionaries, because a dictionary helps where prices repeat and costs more where they
	// do not.
	return &rowWriter[R]{
		out: pq.NewGenericWriter[R](w, pq.Compression(&pq.Snappy), pq.MaxRowsPerRowGroup(rowGroupRows),
			pq.KeyValueMetadata(name, series)),
		series: series,
	}
}

// flush writes the first n rows.
func (w *rowWriter[R]) flush(n int) error {
	w.count += int64(n)
	if _, err := w.out.Write(w.rows[:n]); err != nil {
		w.err = fmt.Errorf("write parquet %s: %w", w.series, err)
	}

	return w.err
}

// cover declares r, which must include rows; the zero Range declares nothing. A file has coverage for all of its rows
// or for none. Errors wrap domain.ErrInvalid.
func (w *rowWriter[R]) cover(rows, r domain.Range) error {
	isBare := r == domain.Range{}
	if isBare && len(w.coverage) > 0 || !isBare && w.isBare {
		return fmt.Errorf("write parquet %s: rows with and without coverage in one file: %w", w.series, domain.ErrInvalid)
	}
	if isBare {
		w.isBare = w.isBare || !rows.Empty()
		return nil
	}

	if r.Empty() || !r.Covers(rows) {
		return fmt.Errorf("write parquet %s: coverage %s does not include the rows of %s: %w",
			w.series, r, rows, domain.ErrInvalid)
	}
	if n := len(w.coverage); n > 0 && w.coverage[n-1].End.Equal(r.Start) {
		w.coverage[n-1].End = r.End
	} else {
		w.coverage = append(w.coverage, r)
	}

	return nil
}

// close writes buffered rows, the coverage, and the index of the file.
func (w *rowWriter[R]) close() error {
	if w.err != nil {
		return w.err
	}
	if len(w.coverage) > 0 {
		text, err := file.EncodeRanges(w.coverage, w.count)
		if err != nil {
			w.err = fmt.Errorf("write parquet %s: %w", w.series, err)
			return w.err
		}

		w.out.SetKeyValueMetadata(CoverageName, text)
	}

	w.err = errors.New("write parquet: the writer is closed")
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("write parquet %s: %w", w.series, err)
	}

	return nil
}
