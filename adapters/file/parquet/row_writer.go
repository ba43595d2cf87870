package parquet

import (
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
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
	err    error // of the first write that failed, or of a write after close
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
	if _, err := w.out.Write(w.rows[:n]); err != nil {
		w.err = fmt.Errorf("write parquet %s: %w", w.series, err)
	}
	return w.err
}

// close writes buffered rows and the index of the file.
func (w *rowWriter[R]) close() error {
	if w.err != nil {
		return w.err
	}

	w.err = errors.New("write parquet: the writer is closed")
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("write parquet %s: %w", w.series, err)
	}

	return nil
}
