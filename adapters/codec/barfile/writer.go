package barfile

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

// Writer writes a new file. Nothing is seen under the file's name before Close. A Writer is used by one goroutine at a time.
type Writer struct {
	path   string
	file   *os.File // nil after Close or Discard
	buffer *bufio.Writer
	at     int64 // bytes written
	packed []byte
	series []*writing
	byKey  map[domain.SeriesKey]*writing
	err    error // of an earlier call; the file cannot be finished
}

// writing is what the file has of one series so far.
type writing struct {
	index   seriesIndex
	claims  []domain.Range
	last    int64                 // open time of the last bar
	bars    int                   // in all
	pending *domain.SeriesBuilder // bars that do not fill a chunk yet
}

// Create begins a file, beside its place and under a temporary name. The caller calls Close to put it in place, or Discard.
func Create(path string) (*Writer, error) {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".tmp")
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) //nolint:gosec // data to share; the umask decides
	if err != nil {
		return nil, fmt.Errorf("create bar file: %w", err)
	}

	w := &Writer{path: path, file: file, buffer: bufio.NewWriterSize(file, 1<<20), byKey: map[domain.SeriesKey]*writing{}}
	w.write([]byte(magic))
	return w, nil
}

// Write adds bars, which come after those of their key that are there, and claims that claim, which covers them, is complete. A
// claim without a bar is allowed. Pieces of several keys may come by turns; up to one chunk a key waits in memory. After an error
// other than domain.ErrInvalid the file is lost.
func (w *Writer) Write(bars domain.Series, claim domain.Range) error {
	if w.file == nil {
		return w.refuse(bars.Key(), "the file is closed")
	}
	if w.err != nil {
		return w.err
	}
	if err := bars.Key().Validate(); err != nil {
		return err
	}
	if !claim.Covers(bars.Range()) {
		return w.refuse(bars.Key(), fmt.Sprintf("claim %s does not cover the bars", claim))
	}

	s := w.byKey[bars.Key()]
	if s != nil && s.bars > 0 && bars.Len() > 0 && bars.OpenTime(0).UnixMicro() <= s.last {
		return w.refuse(bars.Key(), fmt.Sprintf("bars %s do not come after %s", bars.Range(), timeOf(s.last)))
	}

	if s == nil {
		s = &writing{index: seriesIndex{Key: bars.Key()}, pending: domain.NewSeriesBuilder(bars.Key(), 0)}
		w.series, w.byKey[bars.Key()] = append(w.series, s), s
	}

	s.claims = domain.MergeRanges(append(s.claims, claim))
	if n := bars.Len(); n > 0 {
		s.bars, s.last = s.bars+n, bars.OpenTime(n-1).UnixMicro()
	}
	for bars.Len() > 0 && w.err == nil {
		n := min(bars.Len(), codec.MaxBars-s.pending.Len())
		if n == codec.MaxBars {
			w.chunk(s, bars.Slice(0, n))
		} else if err := s.pending.AppendSeries(bars.Slice(0, n)); err != nil {
			w.fail(err)
		} else if s.pending.Len() == codec.MaxBars {
			w.flush(s)
		}

		bars = bars.Slice(n, bars.Len())
	}

	return w.err
}

func (w *Writer) refuse(key domain.SeriesKey, reason string) error {
	return fmt.Errorf("write %s to %s: %s: %w", key, w.path, reason, domain.ErrInvalid)
}

// fail keeps the first error.
func (w *Writer) fail(err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("write %s: %w", w.path, err)
	}
}

func (w *Writer) write(b []byte) {
	n, err := w.buffer.Write(b)
	w.at += int64(n)
	w.fail(err)
}

// flush writes the bars that wait.
func (w *Writer) flush(s *writing) {
	bars, err := s.pending.Series()
	if err != nil {
		w.fail(err)
		return
	}

	if bars.Len() > 0 {
		w.chunk(s, bars)
	}
}

func (w *Writer) chunk(s *writing, bars domain.Series) {
	packed, err := codec.Append(w.packed[:0], bars)
	if err != nil {
		w.fail(err)
		return
	}

	w.packed = packed
	n := bars.Len()
	s.index.Chunks = append(s.index.Chunks, chunkIndex{
		At: w.at, Size: len(packed), Bars: n, First: bars.OpenTime(0).UnixMicro(), Last: bars.OpenTime(n - 1).UnixMicro(),
	})
	w.write(packed)
}

// Close writes what is pending and the index, waits until the disk has it all, and puts the file in its place, where it takes that of
// an older one. After an error the older one is untouched and nothing of the new one is left.
func (w *Writer) Close() error {
	if w.file == nil {
		return fmt.Errorf("close %s: it was closed before: %w", w.path, domain.ErrInvalid)
	}

	defer w.Discard()
	w.finish()
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

// finish writes what follows the last whole chunk.
func (w *Writer) finish() {
	var x index
	for _, s := range w.series {
		w.flush(s)
		for _, r := range s.claims {
			start, end := r.Micros()
			s.index.Claims = append(s.index.Claims, span{Start: start, End: end})
		}

		x.Series = append(x.Series, s.index)
	}

	encoded, err := json.Marshal(x)
	w.fail(err)
	at := w.at
	w.write(encoded)
	w.write(appendTrailer(nil, encoded, at))
	w.fail(w.buffer.Flush())
}

// Discard gives up a file that is not closed yet and leaves nothing of it. After Close it does nothing.
func (w *Writer) Discard() {
	if w.file == nil {
		return
	}

	name := w.file.Name()
	_ = w.file.Close() // its bytes are of no interest
	_ = os.Remove(name)
	w.file = nil
}

// syncFolder makes a rename survive a crash.
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
