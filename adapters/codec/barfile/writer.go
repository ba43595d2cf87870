package barfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

// Writer writes a new file. The file does not appear under its name before Close. A Writer is not safe for concurrent
// use.
type Writer struct {
	path    string
	file    *os.File // nil after Close or Discard
	buf     *bufio.Writer
	written int64  // bytes
	packed  []byte // scratch
	series  []*seriesWriter
	byKey   map[domain.SeriesKey]*seriesWriter
	err     error // the first write error, after which the file cannot be completed
}

// seriesWriter collects the bars and the index of one series.
type seriesWriter struct {
	index    seriesIndex
	coverage []domain.Range
	last     domain.Micros         // open time of the last bar
	bars     int                   // number of all bars
	pending  *domain.SeriesBuilder // bars that do not fill a chunk yet
}

// Create creates a file under a temporary name in the folder of path. The caller must call Close to put the file in
// place, or Discard to remove it.
func Create(path string) (*Writer, error) {
	// The name must be free and not secret, because O_EXCL refuses a name that is taken.
	suffix := strconv.FormatUint(rand.Uint64(), 36)
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+suffix+".tmp")
	//nolint:gosec // the file is for sharing, so the umask decides about its mode
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("create bar file: %w", err)
	}

	w := &Writer{
		path: path, file: file, buf: bufio.NewWriterSize(file, 1<<20), byKey: map[domain.SeriesKey]*seriesWriter{},
	}
	w.writeBytes([]byte(magic))

	return w, nil
}

// Write appends bars and declares that covered is complete, which must include them and begin and end at an edge of the
// grid. The bars must come after those of the same key that were written before. Write accepts coverage without bars,
// and series in any order; up to one chunk of bars per key waits in memory. After an error that does not wrap
// domain.ErrInvalid the file cannot be completed.
func (w *Writer) Write(bars domain.Series, covered domain.Range) error {
	if w.file == nil {
		return w.invalid(bars.Key(), "the file is closed")
	}
	if w.err != nil {
		return w.err
	}
	if err := w.validate(bars, covered); err != nil {
		return err
	}

	s := w.byKey[bars.Key()]
	if s == nil {
		s = &seriesWriter{index: seriesIndex{Key: seriesKey(bars.Key())}, pending: domain.NewSeriesBuilder(bars.Key(), 0)}
		w.series, w.byKey[bars.Key()] = append(w.series, s), s
	}

	s.coverage = domain.MergeRanges(append(s.coverage, covered))
	if n := bars.Len(); n > 0 {
		s.bars, s.last = s.bars+n, domain.MicrosFloor(bars.OpenTime(n-1))
	}
	for bars.Len() > 0 && w.err == nil {
		n := min(bars.Len(), codec.MaxBars-s.pending.Len())
		if n == codec.MaxBars {
			w.writeChunk(s, bars.Slice(0, n))
		} else if err := s.pending.AppendSeries(bars.Slice(0, n)); err != nil {
			w.setError(err)
		} else if s.pending.Len() == codec.MaxBars {
			w.flushPending(s)
		}

		bars = bars.Slice(n, bars.Len())
	}

	return w.err
}

// validate returns an error that wraps domain.ErrInvalid if Write must not accept the bars.
func (w *Writer) validate(bars domain.Series, covered domain.Range) error {
	key := bars.Key()
	if err := key.Validate(); err != nil {
		return err
	}
	if !covered.Covers(bars.Range()) {
		return w.invalid(key, fmt.Sprintf("coverage %s does not include the bars %s", covered, bars.Range()))
	}

	if g := key.Grid; !covered.Empty() && (!g.Aligned(covered.Start) || !g.Aligned(covered.End)) {
		return w.invalid(key, fmt.Sprintf("coverage %s begins or ends within a bar", covered))
	}

	s := w.byKey[key]
	if s != nil && s.bars > 0 && bars.Len() > 0 && domain.MicrosFloor(bars.OpenTime(0)) <= s.last {
		return w.invalid(key, fmt.Sprintf("bars %s must come after %s", bars.Range(), s.last.Time()))
	}

	return nil
}

func (w *Writer) invalid(key domain.SeriesKey, reason string) error {
	return fmt.Errorf("write %s to %s: %s: %w", key, w.path, reason, domain.ErrInvalid)
}

// setError records err unless an earlier error is recorded.
func (w *Writer) setError(err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("write %s: %w", w.path, err)
	}
}

func (w *Writer) writeBytes(b []byte) {
	n, err := w.buf.Write(b)
	w.written += int64(n)
	w.setError(err)
}

// flushPending writes the pending bars as a chunk.
func (w *Writer) flushPending(s *seriesWriter) {
	bars, err := s.pending.Series()
	if err != nil {
		w.setError(err)
		return
	}

	if bars.Len() > 0 {
		w.writeChunk(s, bars)
	}
}

func (w *Writer) writeChunk(s *seriesWriter, bars domain.Series) {
	packed, err := codec.Append(w.packed[:0], bars)
	if err != nil {
		w.setError(err)
		return
	}

	w.packed = packed
	n := bars.Len()
	s.index.Chunks = append(s.index.Chunks, chunkIndex{
		Offset: w.written, Size: len(packed), Bars: n,
		First: domain.MicrosFloor(bars.OpenTime(0)), Last: domain.MicrosFloor(bars.OpenTime(n - 1)),
	})
	w.writeBytes(packed)
}

// Close writes the pending bars and the index, syncs the file to disk, and renames it to its path, where it replaces an
// older file. After an error the older file is unchanged and the new one is removed.
func (w *Writer) Close() error {
	if w.file == nil {
		return fmt.Errorf("close %s: the file is already closed: %w", w.path, domain.ErrInvalid)
	}

	defer w.Discard()
	w.writeIndex()
	if w.err != nil {
		return w.err
	}

	name := w.file.Name()
	err := errors.Join(w.file.Sync(), w.file.Close())
	if err == nil {
		err = os.Rename(name, w.path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}

	w.file = nil

	return syncFolder(filepath.Dir(w.path))
}

// writeIndex writes the pending bars, the index and the trailer.
func (w *Writer) writeIndex() {
	var x index
	for _, s := range w.series {
		w.flushPending(s)
		for _, r := range s.coverage {
			start, end := r.Micros()
			s.index.Coverage = append(s.index.Coverage, microRange{Start: start, End: end})
		}

		x.Series = append(x.Series, s.index)
	}

	encoded, err := json.Marshal(x)
	w.setError(err)
	offset := w.written
	w.writeBytes(encoded)
	w.writeBytes(appendTrailer(nil, encoded, offset))
	w.setError(w.buf.Flush())
}

// Discard closes and removes a file that is not complete. It does nothing after Close.
func (w *Writer) Discard() {
	if w.file == nil {
		return
	}

	name := w.file.Name()
	_ = w.file.Close() // the file is removed, so that nothing can be lost
	_ = os.Remove(name)
	w.file = nil
}

// syncFolder syncs a folder, so that a rename in it survives a crash.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}

	return nil
}
