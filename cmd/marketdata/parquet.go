package main

import (
	"bufio"
	"errors"
	"io"
	"iter"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
)

// formatParquet is a value of fetch's --output and of export's --format, and the extension of a file.
const formatParquet = "parquet"

// parquetWriter writes rows as Parquet.
type parquetWriter[S any] interface {
	WriteCovered(rows S, r domain.Range) error
	Close() error
}

// newParquet creates the writer of a Parquet file.
type newParquet[S any] func(w io.Writer) (parquetWriter[S], error)

// newBarParquet returns the constructor of a Parquet writer for bars of the key.
func newBarParquet(key domain.SeriesKey) newParquet[domain.Series] {
	return func(w io.Writer) (parquetWriter[domain.Series], error) { return parquet.NewBarWriter(w, key) }
}

// writeParquet writes the rows and their coverage as one Parquet file.
func writeParquet[S ingest.Rows[S]](w io.Writer, rows S, coverage []domain.Range, create newParquet[S]) error {
	out, err := create(w)
	if err != nil {
		return err
	}
	if err := writeCovered(out, rows, coverage); err != nil {
		return err
	}

	return out.Close()
}

// writeCovered writes the rows of each range, which include all of them.
func writeCovered[S ingest.Rows[S]](out parquetWriter[S], rows S, coverage []domain.Range) error {
	for _, r := range coverage {
		if err := out.WriteCovered(rows.Clip(r), r); err != nil {
			return err
		}
	}

	return nil
}

// parquetSink writes a Parquet file.
type parquetSink[S ingest.Rows[S]] struct {
	file *atomicFile
	out  *bufio.Writer
	rows parquetWriter[S]
}

func newParquetSink[S ingest.Rows[S]](path string, create newParquet[S]) (*parquetSink[S], error) {
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

func (s *parquetSink[S]) write(rows S, coverage []domain.Range) error {
	return writeCovered(s.rows, rows, coverage)
}

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
	return mapBatches(userErrors(pieces), func(b parquet.Batch) batch { return newBatch(b.Bars, b.Range) })
}

// parquetTicks yields the trades or quotes of a Parquet file as batches for the target.
func parquetTicks[T domain.Tick](
	in *input, symbol domain.Symbol, counter io.Writer, from tickSource[T],
	newBatch func(domain.Ticks[T], domain.Range, bool) batch,
) iter.Seq2[batch, error] {
	cfg := parquet.TickConfig{Name: in.name, Symbol: symbol}
	pieces := from.parquet(countingReaderAt{in.table, counter}, in.size, cfg)
	return mapBatches(userErrors(pieces), func(b parquet.TickBatch[T]) batch {
		next := newBatch(b.Ticks, b.Range, b.Positional)
		next.truncated = b.Truncated

		return next
	})
}

// storedBars yields the bars of the key in a bar file as batches for the target.
func storedBars(
	in *input, key domain.SeriesKey, counter io.Writer, newBatch func(domain.Series, domain.Range) batch,
) iter.Seq2[batch, error] {
	counted, err := barfile.NewFile(in.name, countingReaderAt{in.table, counter}, in.size)
	if err != nil {
		return func(yield func(batch, error) bool) { yield(batch{}, userError{err}) }
	}

	return mapBatches(userErrors(counted.Batches(key)), func(b barfile.Batch) batch { return newBatch(b.Bars, b.Range) })
}

// userErrors makes every error of a sequence one of the user's input.
func userErrors[A any](items iter.Seq2[A, error]) iter.Seq2[A, error] {
	return func(yield func(A, error) bool) {
		for item, err := range items {
			if err != nil {
				err = userError{err}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}
