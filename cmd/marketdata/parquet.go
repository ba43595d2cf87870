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

// formatParquet is a form of bars in fetch's --output and export's --format, and a file's ending.
const formatParquet = "parquet"

func isParquet(name string) bool { return filepath.Ext(name) == "."+formatParquet }

// writeParquet writes the bars as one file.
func writeParquet(w io.Writer, s domain.Series) error {
	out, err := parquet.NewBarWriter(w, s.Key())
	if err != nil {
		return err
	}
	if err := out.Write(s); err != nil {
		return err
	}
	return out.Close()
}

// parquetSink is a Parquet file of bars.
type parquetSink struct {
	file *wholeFile
	out  *bufio.Writer
	bars *parquet.BarWriter
}

func newParquetSink(path string, key domain.SeriesKey) (*parquetSink, error) {
	f, err := createWhole(path)
	if err != nil {
		return nil, err
	}
	s := &parquetSink{file: f, out: bufio.NewWriter(f)}
	if s.bars, err = parquet.NewBarWriter(s.out, key); err != nil {
		f.discard()
		return nil, err
	}
	return s, nil
}

func (s *parquetSink) write(bars domain.Series, _ []domain.Range) error { return s.bars.Write(bars) }

func (s *parquetSink) finish() error {
	if err := errors.Join(s.bars.Close(), s.out.Flush()); err != nil {
		return err
	}
	return s.file.finish()
}

func (s *parquetSink) discard() { s.file.discard() }

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

// parquetBatches yields the bars of a Parquet file for the target. Its claim is that of a CSV file: from the first row to the end
// of the last.
func parquetBatches(md *app.Marketdata, in *input, key domain.SeriesKey, counter io.Writer) iter.Seq2[batch, error] {
	return func(yield func(batch, error) bool) {
		var span domain.Range
		for bars, err := range parquet.ReadBars(countedAt{in.table, counter}, in.size, parquet.Config{Name: in.name, Key: key}) {
			if err != nil {
				yield(batch{}, userError{err})
				return
			}
			if span.Start = span.End; span.Start.IsZero() {
				span.Start = bars.Range().Start
			}
			span.End = bars.Range().End
			claim := span
			b := batch{
				rows: bars.Len(), span: claim, locate: func(err error) error { return err },
				write: func(ctx context.Context) (ports.WriteReport, error) { return md.Ingest(ctx, bars, claim) },
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}
