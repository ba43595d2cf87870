package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"path/filepath"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// formatParquet is a form of rows in fetch's --output and export's --format, and a file's ending.
const formatParquet = "parquet"

func isParquet(name string) bool { return filepath.Ext(name) == "."+formatParquet }

// errParquetOnTerminal keeps bytes off a screen.
var errParquetOnTerminal = userError{errors.New("--output parquet is not for a terminal: send it to a file, like > rows.parquet")}

// parquetWriter writes rows as Parquet.
type parquetWriter[S any] interface {
	Write(rows S) error
	Close() error
}

// parquetOf makes the writer of a file.
type parquetOf[S any] func(w io.Writer) (parquetWriter[S], error)

func barsAsParquet(key domain.SeriesKey) parquetOf[domain.Series] {
	return func(w io.Writer) (parquetWriter[domain.Series], error) { return parquet.NewBarWriter(w, key) }
}

// writeParquet writes the rows as one file.
func writeParquet[S any](w io.Writer, rows S, as parquetOf[S]) error {
	out, err := as(w)
	if err != nil {
		return err
	}
	if err := out.Write(rows); err != nil {
		return err
	}

	return out.Close()
}

// parquetSink is a Parquet file of rows.
type parquetSink[S any] struct {
	file *wholeFile
	out  *bufio.Writer
	rows parquetWriter[S]
}

func newParquetSink[S any](path string, as parquetOf[S]) (*parquetSink[S], error) {
	f, err := createWhole(path)
	if err != nil {
		return nil, err
	}

	s := &parquetSink[S]{file: f, out: bufio.NewWriter(f)}
	if s.rows, err = as(s.out); err != nil {
		f.discard()
		return nil, err
	}

	return s, nil
}

func (s *parquetSink[S]) write(rows S, _ []domain.Range) error { return s.rows.Write(rows) }

func (s *parquetSink[S]) finish() error {
	if err := errors.Join(s.rows.Close(), s.out.Flush()); err != nil {
		return err
	}
	return s.file.finish()
}

func (s *parquetSink[S]) discard() { s.file.discard() }

// countedAt counts what is read.
type countedAt struct {
	io.ReaderAt

	count io.Writer
}

func (r countedAt) ReadAt(b []byte, off int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(b, off)
	_, _ = r.count.Write(b[:n])
	return n, err
}

// parquetBars yields the bars of a Parquet file for the target.
func parquetBars(md *app.Service, in *input, key domain.SeriesKey, counter io.Writer) iter.Seq2[batch, error] {
	pieces := parquet.ReadBars(countedAt{in.table, counter}, in.size, parquet.Config{Name: in.name, Key: key})
	return touching(pieces, domain.Series.Range, func(bars domain.Series, claim domain.Range) batch {
		return batch{
			rows:  bars.Len(),
			write: func(ctx context.Context) (ports.WriteReport, error) { return md.Ingest(ctx, bars, claim) },
		}
	})
}

// parquetTicks yields the trades or quotes of a Parquet file for the target.
func parquetTicks[T domain.Tick](
	md *app.Service, in *input, symbol domain.Symbol, counter io.Writer, from tickSource[T],
) iter.Seq2[batch, error] {
	pieces := from.parquet(countedAt{in.table, counter}, in.size, parquet.TickConfig{Name: in.name, Symbol: symbol})
	rangeOf := func(b parquet.TickBatch[T]) domain.Range { return b.Ticks.Range() }
	return touching(pieces, rangeOf, func(b parquet.TickBatch[T], claim domain.Range) batch {
		return batch{
			rows: b.Ticks.Len(), truncated: b.Truncated,
			write: func(ctx context.Context) (ports.WriteReport, error) { return from.ingest(md, ctx, b.Ticks, claim) },
		}
	})
}

// touching makes batches of a Parquet file's pieces. Their claim is that of a CSV file: from the first row to the end of the last.
func touching[P any](pieces iter.Seq2[P, error], rangeOf func(P) domain.Range, f func(piece P, claim domain.Range) batch) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		var claim domain.Range
		for piece, err := range pieces {
			if err != nil {
				yield(batch{}, userError{err})
				return
			}

			own := rangeOf(piece)
			if claim.Start = claim.End; claim.Start.IsZero() {
				claim.Start = own.Start
			}
			claim.End = own.End
			b := f(piece, claim)
			b.span, b.locate = claim, func(err error) error { return err }
			if !yield(b, nil) {
				return
			}
		}
	}
}
