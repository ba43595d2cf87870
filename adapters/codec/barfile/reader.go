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

// batchChunks is the maximum number of chunks that Bars joins into one Series: full chunks have 262,144 bars, about 15
// MB of columns.
const batchChunks = 64

// File is an open bar file. It is safe for concurrent use.
type File struct {
	path    string
	reader  io.ReaderAt
	keys    []domain.SeriesKey
	byKey   map[domain.SeriesKey]seriesIndex
	extents []domain.Extent
}

// Open opens a file and reads its index; Bars reads the bars. The returned function closes the file. Open returns an
// error that wraps ErrCorrupt if the file is not a complete bar file.
func Open(path string) (*File, func(), error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open bar file: %w", err)
	}

	f, err := open(path, file)
	if err != nil {
		_ = file.Close() // opened for reading, so that nothing can be lost
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

// NewFile is Open for a file of size bytes that is open already. Errors name it path.
func NewFile(path string, r io.ReaderAt, size int64) (*File, error) {
	f, err := newFile(path, r, size)
	if err != nil {
		return nil, fmt.Errorf("open bar file %s: %w", path, err)
	}

	return f, nil
}

// newFile reads the index of a file of size bytes.
func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	x, err := readIndex(r, size)
	if err != nil {
		return nil, err
	}

	f := &File{path: path, reader: r, byKey: map[domain.SeriesKey]seriesIndex{}}
	for _, s := range x.Series {
		key := s.key()
		f.keys, f.byKey[key] = append(f.keys, key), s
		for _, c := range s.Coverage {
			r := domain.Range{Start: c.Start.Time(), End: c.End.Time()}
			f.extents = append(f.extents, domain.Extent{Key: key, Range: r})
		}
	}

	f.extents = domain.MergeExtents(f.extents)

	return f, nil
}

// readIndex reads and verifies the index of a file of size bytes.
func readIndex(r io.ReaderAt, size int64) (index, error) {
	if size < int64(len(magic)+trailerSize) {
		return index{}, fmt.Errorf("%d bytes are too short for a bar file: %w", size, ErrCorrupt)
	}

	head, trailer := make([]byte, len(magic)), make([]byte, trailerSize)
	if err := readAt(r, head, 0); err != nil {
		return index{}, err
	}
	if string(head) != magic {
		return index{}, fmt.Errorf("the first bytes are not those of a bar file, version 1: %w", ErrCorrupt)
	}
	if err := readAt(r, trailer, size-int64(trailerSize)); err != nil {
		return index{}, err
	}

	offset, sum, err := parseTrailer(trailer, size)
	if err != nil {
		return index{}, err
	}

	encoded := make([]byte, size-int64(trailerSize)-offset)
	if err := readAt(r, encoded, offset); err != nil {
		return index{}, err
	}
	if checksum(encoded, trailer[:8]) != sum {
		return index{}, fmt.Errorf("wrong checksum of the index: %w", ErrCorrupt)
	}

	return parseIndex(encoded, offset)
}

// readAt reads exactly len(b) bytes.
func readAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil // io.EOF may accompany the last byte
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the file ends before byte %d: %w", offset+int64(len(b)), ErrCorrupt)
	}

	return err
}

// Keys returns the keys of the file's series, in the order in which they were first written. The caller must not modify
// the slice.
func (f *File) Keys() []domain.SeriesKey { return f.keys }

// Extents returns the coverage of the file, ordered by key and time. The caller must not modify the slice.
func (f *File) Extents() []domain.Extent { return f.extents }

// Range returns the range from the open time of the key's first bar to the end of its last, or the zero Range if the
// file contains no bar of the key.
func (f *File) Range(key domain.SeriesKey) domain.Range {
	chunks := f.byKey[key].Chunks
	if len(chunks) == 0 {
		return domain.Range{}
	}

	return domain.Range{Start: chunks[0].First.Time(), End: key.Grid.Next(chunks[len(chunks)-1].Last.Time())}
}

// Bars yields the bars of key whose open time is in r, in order, in parts of at most 64 chunks. It reads and verifies
// only the chunks of r. It yields nothing for a key that the file does not contain. The sequence is lazy and may be
// used once. An error is its last pair and wraps ErrCorrupt if the file is damaged.
func (f *File) Bars(key domain.SeriesKey, r domain.Range) iter.Seq2[domain.Series, error] {
	var used atomic.Bool
	return func(yield func(domain.Series, error) bool) {
		if used.Swap(true) {
			yield(domain.Series{}, fmt.Errorf("read %s of %s: the sequence was already used; call Bars again: %w",
				key, f.path, domain.ErrInvalid))
			return
		}

		var buf []byte
		for chunks := chunksInRange(f.byKey[key].Chunks, r); len(chunks) > 0; {
			n := min(batchChunks, len(chunks))
			var s domain.Series
			var err error
			if s, buf, err = f.readChunks(key, r, chunks[:n], buf); err != nil {
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

// chunksInRange returns the chunks that may contain a bar of r.
func chunksInRange(chunks []chunkIndex, r domain.Range) []chunkIndex {
	start, end := r.Micros()
	from := sort.Search(len(chunks), func(i int) bool { return chunks[i].Last >= start })
	to := sort.Search(len(chunks), func(i int) bool { return chunks[i].First >= end })
	return chunks[from:max(from, to)]
}

// readChunks reads the chunks into buf, which it may replace by a larger one, and decodes their bars in r. It returns
// the buffer for the next call.
func (f *File) readChunks(
	key domain.SeriesKey, r domain.Range, chunks []chunkIndex, buf []byte,
) (domain.Series, []byte, error) {
	size := 0
	for _, x := range chunks {
		size += x.Size
	}
	if size > cap(buf) {
		buf = make([]byte, size)
	}

	rest := buf[:size]
	opened := make([]codec.Chunk, len(chunks))
	for i, x := range chunks {
		b := rest[:x.Size:x.Size]
		rest = rest[x.Size:]
		c, err := f.readChunk(x, b)
		if err != nil {
			return domain.Series{}, nil, err
		}

		opened[i] = c.Clip(r)
	}

	s, err := codec.Join(key, opened...)
	if err != nil {
		return domain.Series{}, nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}

	return s, buf, nil
}

// readChunk reads a chunk into b and verifies that it is the one of the index.
func (f *File) readChunk(x chunkIndex, b []byte) (codec.Chunk, error) {
	if err := readAt(f.reader, b, x.Offset); err != nil {
		return codec.Chunk{}, err
	}

	c, err := codec.Open(b)
	if err != nil {
		return codec.Chunk{}, fmt.Errorf("chunk at byte %d: %w: %w", x.Offset, err, ErrCorrupt)
	}
	if first, last := c.Bounds(); c.Len() != x.Bars || first != x.First || last != x.Last {
		return codec.Chunk{}, fmt.Errorf("chunk at byte %d differs from its index entry: %w", x.Offset, ErrCorrupt)
	}

	return c, nil
}
