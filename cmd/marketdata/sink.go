package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

// sink is a new file that rows are written to, in order. The caller must call discard at the end, also after commit.
type sink[S any] interface {
	write(rows S, coverage []domain.Range) error // coverage, ascending, includes the rows
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

	about := file.Coverage{Kind: file.KindBars, Series: key.String()}

	return newTextSink(format, path, about,
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

	about := file.Coverage{Kind: file.Kind(view.kind), Series: string(symbol)}

	return newTextSink(format, path, about,
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

// textSink writes a file of CSV or of JSON lines, and its coverage file.
type textSink[S any] struct {
	file     *atomicFile
	out      *bufio.Writer
	encode   func(S) error
	flush    func() error // writes rows that encode buffers
	about    file.Coverage
	coverage []domain.Range // of all writes
}

// newTextSink creates a file of the kind and series of about.
func newTextSink[S, R any](
	format, path string, about file.Coverage,
	newCSV func(io.Writer) csvWriter[S], all func(S) iter.Seq2[int, R],
) (*textSink[S], error) {
	f, err := createAtomic(path)
	if err != nil {
		return nil, err
	}

	s := &textSink[S]{file: f, out: bufio.NewWriter(f), about: about}
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

func (s *textSink[S]) write(rows S, coverage []domain.Range) error {
	s.coverage = append(s.coverage, coverage...)
	return s.encode(rows)
}

// commit moves the coverage file to its name before the file that it describes. If the program ends in between, an
// import sees that the coverage is of another file; it never sees a file without its coverage.
func (s *textSink[S]) commit() error {
	if err := errors.Join(s.flush(), s.out.Flush()); err != nil {
		return err
	}

	about, err := s.writeCoverage()
	if err != nil {
		return err
	}

	defer about.discard()
	if err := about.commit(); err != nil {
		return err
	}

	err = s.file.commit()
	if old, statErr := os.Stat(s.file.path); err != nil && (statErr != nil || !old.Mode().IsRegular()) {
		err = errors.Join(err, os.Remove(about.path)) // because there is no file that it could be taken to describe
	}

	return err
}

// writeCoverage writes the coverage file of the complete file.
func (s *textSink[S]) writeCoverage() (*atomicFile, error) {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}

	coverage, err := file.NewCoverage(s.file, s.about.Kind, s.about.Series, s.coverage)
	if err != nil {
		return nil, err
	}

	f, err := createAtomic(s.file.path + file.CoverageSuffix)
	if err != nil {
		return nil, err
	}
	if err := coverage.Write(f); err != nil {
		f.discard()
		return nil, err
	}

	return f, nil
}

func (s *textSink[S]) discard() { s.file.discard() }
