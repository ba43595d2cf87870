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

// fileWriter is what the writers of package file write to.
type fileWriter = io.Writer

// sink is a file that rows are written to, in order.
type sink[S any] interface {
	write(rows S, held []domain.Range) error // rows of a range of which these parts, ascending, are held
	finish() error                           // puts the file in its place
	discard()                                // leaves nothing of it, unless it is finished
}

// newBarSink is a file of the form, which holds bars of the key, or, as a bar file, of any.
func newBarSink(format, path string, key domain.SeriesKey) (sink[domain.Series], error) {
	switch format {
	case formatBars:
		w, err := barfile.Create(path)
		if err != nil {
			return nil, err
		}

		return barSink{w}, nil
	case formatParquet:
		return newParquetSink(path, barsAsParquet(key))
	}
	return newTextSink(format, path, func(w fileWriter) csvWriter[domain.Series] { return file.NewBarWriter(w) },
		func(s domain.Series) iter.Seq2[int, domain.Bar] { return s.All() })
}

// newTickSink is a file of the form, which holds trades or quotes of the symbol.
func newTickSink[T domain.Tick](format, path string, view tickView[T], symbol domain.Symbol) (sink[domain.Ticks[T]], error) {
	if format == formatParquet {
		return newParquetSink(path, view.asParquet(symbol))
	}
	return newTextSink(format, path, func(w fileWriter) csvWriter[domain.Ticks[T]] { return view.newWriter(w) },
		func(t domain.Ticks[T]) iter.Seq2[int, T] { return t.All() })
}

// barSink is a bar file.
type barSink struct{ w *barfile.Writer }

func (s barSink) write(bars domain.Series, held []domain.Range) error {
	for _, claim := range held {
		if err := s.w.Write(bars.Clip(claim), claim); err != nil {
			return err
		}
	}
	return nil
}

func (s barSink) finish() error { return s.w.Close() }
func (s barSink) discard()      { s.w.Discard() }

// csvWriter writes rows as CSV.
type csvWriter[S any] interface {
	Write(rows S) error
	Flush() error
}

// textSink is a file of CSV or of JSON lines.
type textSink[S any] struct {
	file *wholeFile
	out  *bufio.Writer
	put  func(S) error
	end  func() error // of what put holds back
}

func newTextSink[S, R any](
	format, path string, csv func(fileWriter) csvWriter[S], all func(S) iter.Seq2[int, R],
) (*textSink[S], error) {
	f, err := createWhole(path)
	if err != nil {
		return nil, err
	}

	s := &textSink[S]{file: f, out: bufio.NewWriter(f)}
	if format == formatCSV {
		w := csv(s.out)
		s.put, s.end = w.Write, w.Flush
		return s, nil
	}

	lines := json.NewEncoder(s.out)
	s.end = func() error { return nil }
	s.put = func(rows S) error {
		for _, row := range all(rows) {
			if err := lines.Encode(row); err != nil {
				return err
			}
		}
		return nil
	}

	return s, nil
}

func (s *textSink[S]) write(rows S, _ []domain.Range) error { return s.put(rows) }

func (s *textSink[S]) finish() error {
	if err := errors.Join(s.end(), s.out.Flush()); err != nil {
		return err
	}
	return s.file.finish()
}

func (s *textSink[S]) discard() { s.file.discard() }
