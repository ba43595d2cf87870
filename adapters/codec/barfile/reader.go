package barfile

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sort"
	"sync/atomic"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

// batchChunks is how many chunks Bars joins into one piece: with full chunks 262,144 bars, about 15 MB of columns.
const batchChunks = 64

// File is an open file. It is safe for concurrent use.
type File struct {
	path    string
	reader  io.ReaderAt
	keys    []domain.SeriesKey
	byKey   map[domain.SeriesKey]seriesIndex
	extents []domain.Extent
}

// Open opens a file and reads its index; bars are read when they are asked for. The function returned closes the file. What is
// not a whole file is refused with an error that wraps ErrCorrupt.
func Open(path string) (*File, func(), error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open bar file: %w", err)
	}

	f, err := open(path, file)
	if err != nil {
		_ = file.Close() // opened to read, nothing can be lost
		return nil, nil, fmt.Errorf("open bar file %s: %w", path, err)
	}

	return f, func() { _ = file.Close() }, nil
}

func open(path string, file *os.File) (*File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}

	return newFile(path, file, info.Size())
}

// newFile reads the index of a file of size bytes.
func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	if size < int64(len(magic)+trailerSize) {
		return nil, fmt.Errorf("%d bytes are too few: %w", size, ErrCorrupt)
	}

	head, trailer := make([]byte, len(magic)), make([]byte, trailerSize)
	if err := readAt(r, head, 0); err != nil {
		return nil, err
	}
	if string(head) != magic {
		return nil, fmt.Errorf("begins as no bar file of version 1 does: %w", ErrCorrupt)
	}
	if err := readAt(r, trailer, size-int64(trailerSize)); err != nil {
		return nil, err
	}

	at, sum, err := parseTrailer(trailer, size)
	if err != nil {
		return nil, err
	}

	encoded := make([]byte, size-int64(trailerSize)-at)
	if err := readAt(r, encoded, at); err != nil {
		return nil, err
	}
	if checksum(encoded, trailer[:8]) != sum {
		return nil, fmt.Errorf("checksum of the index: %w", ErrCorrupt)
	}

	x, err := parseIndex(encoded, at)
	if err != nil {
		return nil, err
	}

	f := &File{path: path, reader: r, byKey: map[domain.SeriesKey]seriesIndex{}}
	for _, s := range x.Series {
		f.keys, f.byKey[s.Key] = append(f.keys, s.Key), s
		for _, c := range s.Claims {
			r := domain.Range{Start: timeOf(c.Start), End: timeOf(c.End)}
			f.extents = append(f.extents, domain.Extent{Key: s.Key, Range: r})
		}
	}

	f.extents = domain.MergeExtents(f.extents)
	return f, nil
}

// readAt fills b.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil // io.EOF may come with the last byte
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("ends before byte %d: %w", at+int64(len(b)), ErrCorrupt)
	}

	return err
}

// Keys is the series of the file, in the order in which they were first written. Nobody may change the slice.
func (f *File) Keys() []domain.SeriesKey { return f.keys }

// Extents is what was claimed to be complete, by key and time. Nobody may change the slice.
func (f *File) Extents() []domain.Extent { return f.extents }

// Range is from the key's first bar to the end of its last; the zero Range where the file has no bar of it.
func (f *File) Range(key domain.SeriesKey) domain.Range {
	chunks := f.byKey[key].Chunks
	if len(chunks) == 0 {
		return domain.Range{}
	}

	return domain.Range{Start: timeOf(chunks[0].First), End: key.Grid.Next(timeOf(chunks[len(chunks)-1].Last))}
}

// Bars yields the key's bars whose open time is in r, in order, in pieces of up to 64 chunks, and reads and checks no chunk
// besides. A key that the file does not have yields nothing. The sequence is lazy and single use; an error is its last pair, and
// wraps ErrCorrupt where the file is damaged.
func (f *File) Bars(key domain.SeriesKey, r domain.Range) iter.Seq2[domain.Series, error] {
	var used atomic.Bool
	return func(yield func(domain.Series, error) bool) {
		if used.Swap(true) {
			yield(domain.Series{}, fmt.Errorf("read %s of %s: a sequence is ranged over once; ask for another: %w",
				key, f.path, domain.ErrInvalid))
			return
		}

		var buffer []byte
		for chunks := within(f.byKey[key].Chunks, r); len(chunks) > 0; {
			n := min(batchChunks, len(chunks))
			var s domain.Series
			var err error
			if s, buffer, err = f.read(key, r, chunks[:n], buffer); err != nil {
				yield(domain.Series{}, fmt.Errorf("read %s of %s: %w", key, f.path, err))
				return
			}
			if s.Len() > 0 && !yield(s, nil) {
				return
			}

			chunks = chunks[n:]
		}
	}
}

// within is the chunks that may hold a bar of r.
func within(chunks []chunkIndex, r domain.Range) []chunkIndex {
	start, end := r.Micros()
	from := sort.Search(len(chunks), func(i int) bool { return chunks[i].Last >= start })
	to := sort.Search(len(chunks), func(i int) bool { return chunks[i].First >= end })
	return chunks[from:max(from, to)]
}

// read decodes the bars of r in the chunks. It reads them into buffer, which it returns, perhaps grown.
func (f *File) read(key domain.SeriesKey, r domain.Range, chunks []chunkIndex, buffer []byte) (domain.Series, []byte, error) {
	size := 0
	for _, x := range chunks {
		size += x.Size
	}
	if size > cap(buffer) {
		buffer = make([]byte, size)
	}
	rest := buffer[:size]
	opened := make([]codec.Chunk, len(chunks))
	for i, x := range chunks {
		b := rest[:x.Size:x.Size]
		rest = rest[x.Size:]
		if err := readAt(f.reader, b, x.At); err != nil {
			return domain.Series{}, nil, err
		}

		c, err := codec.Open(b)
		if err != nil {
			return domain.Series{}, nil, fmt.Errorf("chunk at byte %d: %w: %w", x.At, err, ErrCorrupt)
		}
		if first, last := c.Bounds(); c.Len() != x.Bars || first != x.First || last != x.Last {
			return domain.Series{}, nil, fmt.Errorf("chunk at byte %d is not the one of the index: %w", x.At, ErrCorrupt)
		}

		opened[i] = c.Clip(r)
	}

	s, err := codec.Join(key, opened...)
	if err != nil {
		return domain.Series{}, nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}

	return s, buffer, nil
}
