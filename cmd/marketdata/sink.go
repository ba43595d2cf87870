package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

// sink is a new file that rows are written to, in order. The caller must call discard at the end, also after commit.
type sink[S any] interface {
	write(rows S, coverage []domain.Range) error // coverage, ascending, includes the rows; only bar files keep it
	commit() error                               // finishes the file and moves it to its name
	discard()                                    // removes the file unless it was committed
}

// newBarSink creates a file of the format for the bars of the key. A bar file may get bars of other keys too.
func newBarSink(format, path string, key domain.SeriesKey) (sink[domain.Series], error) {
	switch format {
	case formatBars:
		w, err := barfile.Create(path)
		if err != nil {
			return nil, err
		}

		return barSink{w}, nil
	case formatParquet:
		return newParquetSink(path, newBarParquet(key))
	}

	return newTextSink(format, path,
		func(w io.Writer) csvWriter[domain.Series] { return file.NewBarWriter(w) },
		func(s domain.Series) iter.Seq2[int, domain.Bar] { return s.All() })
}

// newTickSink creates a file of the format for trades or quotes of the symbol.
func newTickSink[T domain.Tick](
	format, path string, view tickView[T], symbol domain.Symbol,
) (sink[domain.Ticks[T]], error) {
	if format == formatParquet {
		return newParquetSink(path, view.newParquetOf(symbol))
	}

	return newTextSink(format, path,
		func(w io.Writer) csvWriter[domain.Ticks[T]] { return view.newWriter(w) },
		func(t domain.Ticks[T]) iter.Seq2[int, T] { return t.All() })
}

// barSink writes a bar file.
type barSink struct{ w *barfile.Writer }

func (s barSink) write(bars domain.Series, coverage []domain.Range) error {
	for _, r := range coverage {
		if err := s.w.Write(bars.Clip(r), r); err != nil {
			return err
		}
	}

	return nil
}

func (s barSink) commit() error { return s.w.Close() }
func (s barSink) discard()      { s.w.Discard() }

// csvWriter writes rows as CSV.
type csvWriter[S any] interface {
	Write(rows S) error
	Flush() error
}

// textSink writes a file of CSV or of JSON lines.
type textSink[S any] struct {
	file   *atomicFile
	out    *bufio.Writer
	encode func(S) error
	flush  func() error // writes rows that encode buffers
}

func newTextSink[S, R any](
	format, path string, newCSV func(io.Writer) csvWriter[S], all func(S) iter.Seq2[int, R],
) (*textSink[S], error) {
	f, err := createAtomic(path)
	if err != nil {
		return nil, err
	}

	s := &textSink[S]{file: f, out: bufio.NewWriter(f)}
	if format == formatCSV {
		w := newCSV(s.out)
		s.encode, s.flush = w.Write, w.Flush
		return s, nil
	}

	lines := json.NewEncoder(s.out)
	s.flush = func() error { return nil }
	s.encode = func(rows S) error {
		for _, row := range all(rows) {
			if err := lines.Encode(row); err != nil {
				return err
			}
		}

		return nil
	}

	return s, nil
}

func (s *textSink[S]) write(rows S, _ []domain.Range) error { return s.encode(rows) }

func (s *textSink[S]) commit() error {
	if err := errors.Join(s.flush(), s.out.Flush()); err != nil {
		return err
	}

	return s.file.commit()
}

func (s *textSink[S]) discard() { s.file.discard() }
