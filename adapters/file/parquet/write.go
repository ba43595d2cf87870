package parquet

import (
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
)

const (
	rowGroupRows = 64 << 10 // what a reader of one column reads at once, and what a writer holds in memory
	blockRows    = 1 << 10  // rows handed over at a time
)

// sheet is a file of rows, whose tags are the schema. It takes memory that does not grow with their number but for the file's
// index (a quarter of a byte a row, about).
type sheet[R any] struct {
	out    *pq.GenericWriter[R]
	series string // for errors
	rows   [blockRows]R
	err    error // of the first write that failed
}

// newSheet is a file whose metadata names the series.
func newSheet[R any](w io.Writer, name, series string) *sheet[R] {
	// Snappy, since it writes much faster than zstd, and in less memory, for a somewhat larger file: what is to be kept is better off
	// in a bar file. No dictionaries of numbers: they help where prices repeat and cost more where they do not.
	return &sheet[R]{
		out: pq.NewGenericWriter[R](w, pq.Compression(&pq.Snappy), pq.MaxRowsPerRowGroup(rowGroupRows),
			pq.KeyValueMetadata(name, series)),
		series: series,
	}
}

// flush writes the first n rows.
func (s *sheet[R]) flush(n int) error {
	if _, err := s.out.Write(s.rows[:n]); err != nil {
		s.err = fmt.Errorf("write parquet %s: %w", s.series, err)
	}
	return s.err
}

// close writes what is buffered and the file's index.
func (s *sheet[R]) close() error {
	if s.err != nil {
		return s.err
	}

	s.err = errors.New("write parquet: the writer is closed")
	if err := s.out.Close(); err != nil {
		return fmt.Errorf("write parquet %s: %w", s.series, err)
	}

	return nil
}
