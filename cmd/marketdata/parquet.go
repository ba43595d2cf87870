package main

import (
	"bufio"
	"errors"
	"io"
	"iter"
	"path/filepath"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
)

// formatParquet is a value of fetch's --output and of export's --format, and the extension of a file.
const formatParquet = "parquet"

func isParquet(name string) bool { return filepath.Ext(name) == "."+formatParquet }

// parquetWriter writes rows as Parquet.
type parquetWriter[S any] interface {
	Write(rows S) error
	Close() error
}

// newParquet creates the writer of a Parquet file.
type newParquet[S any] func(w io.Writer) (parquetWriter[S], error)

// newBarParquet returns the constructor of a Parquet writer for bars of the key.
func newBarParquet(key domain.SeriesKey) newParquet[domain.Series] {
	return func(w io.Writer) (parquetWriter[domain.Series], error) { return parquet.NewBarWriter(w, key) }
}

// writeParquet writes the rows as one Parquet file.
func writeParquet[S any](w io.Writer, rows S, create newParquet[S]) error {
	out, err := create(w)
	if err != nil {
		return err
	}
	if err := out.Write(rows); err != nil {
		return err
	}

	return out.Close()
}

// parquetSink writes a Parquet file.
type parquetSink[S any] struct {
	file *atomicFile
	out  *bufio.Writer
	rows parquetWriter[S]
}

func newParquetSink[S any](path string, create newParquet[S]) (*parquetSink[S], error) {
	f, err := createAtomic(path)
	if err != nil {
		return nil, err
	}

	s := &parquetSink[S]{file: f, out: bufio.NewWriter(f)}
	if s.rows, err = create(s.out); err != nil {
		f.discard()
		return nil, err
	}

	return s, nil
}

func (s *parquetSink[S]) write(rows S, _ []domain.Range) error { return s.rows.Write(rows) }

func (s *parquetSink[S]) commit() error {
	if err := errors.Join(s.rows.Close(), s.out.Flush()); err != nil {
		return err
	}

	return s.file.commit()
}

func (s *parquetSink[S]) discard() { s.file.discard() }

// countingReaderAt writes everything it reads to count as well.
type countingReaderAt struct {
	io.ReaderAt

	count io.Writer
}

// ReadAt reads from the underlying reader.
func (r countingReaderAt) ReadAt(b []byte, off int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(b, off)
	_, _ = r.count.Write(b[:n])
	return n, err
}

// parquetBars yields the bars of a Parquet file as batches for the target.
func parquetBars(
	in *input, key domain.SeriesKey, counter io.Writer, newBatch func(domain.Series, domain.Range) batch,
) iter.Seq2[batch, error] {
	pieces := parquet.ReadBars(countingReaderAt{in.table, counter}, in.size, parquet.Config{Name: in.name, Key: key})
	return touchingBatches(pieces, domain.Series.Range, newBatch)
}

// parquetTicks yields the trades or quotes of a Parquet file as batches for the target.
func parquetTicks[T domain.Tick](
	in *input, symbol domain.Symbol, counter io.Writer, from tickSource[T],
	newBatch func(domain.Ticks[T], domain.Range, bool) batch,
) iter.Seq2[batch, error] {
	cfg := parquet.TickConfig{Name: in.name, Symbol: symbol}
	pieces := from.parquet(countingReaderAt{in.table, counter}, in.size, cfg)
	rangeOf := func(b parquet.TickBatch[T]) domain.Range { return b.Ticks.Range() }
	return touchingBatches(pieces, rangeOf, func(b parquet.TickBatch[T], coverage domain.Range) batch {
		next := newBatch(b.Ticks, coverage, b.Positional)
		next.truncated = b.Truncated

		return next
	})
}

// touchingBatches makes a batch of each piece of a Parquet file. The coverage of the batches touches, so that, as with
// a CSV file, the whole file is covered from its first row to the end of its last.
func touchingBatches[P any](
	pieces iter.Seq2[P, error], rangeOf func(P) domain.Range, newBatch func(piece P, coverage domain.Range) batch,
) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		var coverage domain.Range
		for piece, err := range pieces {
			if err != nil {
				yield(batch{}, userError{err})
				return
			}

			r := rangeOf(piece)
			if coverage.Start = coverage.End; coverage.Start.IsZero() {
				coverage.Start = r.Start
			}
			coverage.End = r.End
			b := newBatch(piece, coverage)
			b.locate = func(err error) error { return err }
			if !yield(b, nil) {
				return
			}
		}
	}
}
