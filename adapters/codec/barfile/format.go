package barfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

// ErrCorrupt is wrapped by the error for a file that a Writer cannot have written.
var ErrCorrupt = errors.New("corrupt bar file")

const (
	magic       = "barfile\x01"
	trailerSize = 8 + 4 + 4 + len(magic)

	// maxChunkSize limits the memory that a damaged index can make a reader allocate. A chunk of twelve columns of
	// plain words takes less than half of it.
	maxChunkSize = 1 << 20
)

// index lists the contents of the file.
type index struct {
	Series []seriesIndex `json:"series"`
}

type seriesIndex struct {
	Key      seriesKey    `json:"key"`
	Coverage []microRange `json:"claims"`
	Chunks   []chunkIndex `json:"chunks"` // in order of time
}

// seriesKey is a domain.SeriesKey with the names of the file format, which must not change.
type seriesKey struct {
	Symbol    domain.Symbol    `json:"symbol"`
	Grid      domain.Grid      `json:"grid"`
	PriceType domain.PriceType `json:"kind"`
}

// microRange is a half-open range.
type microRange struct {
	Start domain.Micros `json:"start"`
	End   domain.Micros `json:"end"`
}

// chunkIndex describes one chunk, so that a read loads no chunk outside its range.
type chunkIndex struct {
	Offset int64         `json:"at"`
	Size   int           `json:"size"` // bytes
	Bars   int           `json:"bars"`
	First  domain.Micros `json:"first"` // open times
	Last   domain.Micros `json:"last"`
}

// appendTrailer appends the trailer of the encoded index, which begins at the given offset of the file.
func appendTrailer(b, encoded []byte, offset int64) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(offset))
	b = binary.LittleEndian.AppendUint32(b, checksum(encoded, b[start:]))
	b = binary.LittleEndian.AppendUint32(b, 0)

	return append(b, magic...)
}

// parseTrailer returns the offset of the index in a file of the given size, and the checksum of the index.
func parseTrailer(b []byte, size int64) (offset int64, sum uint32, err error) {
	if got := string(b[16:]); got != magic || binary.LittleEndian.Uint32(b[12:]) != 0 {
		return 0, 0, fmt.Errorf("the trailer is not that of a bar file, version 1: %w", ErrCorrupt)
	}

	offset = int64(binary.LittleEndian.Uint64(b))
	if offset < int64(len(magic)) || offset > size-int64(trailerSize) {
		return 0, 0, fmt.Errorf("index at byte %d of %d: %w", offset, size, ErrCorrupt)
	}

	return offset, binary.LittleEndian.Uint32(b[8:]), nil
}

// checksum returns the checksum of the encoded index and of its offset, as the trailer contains them.
func checksum(encoded, offset []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(encoded, table), table, offset)
}

// parseIndex parses an index whose checksum is correct. All chunks must end at or before the offset end.
func parseIndex(encoded []byte, end int64) (index, error) {
	var x index
	if err := json.Unmarshal(encoded, &x); err != nil {
		return index{}, fmt.Errorf("index: %w: %w", err, ErrCorrupt)
	}

	seen := map[domain.SeriesKey]bool{}
	for _, s := range x.Series {
		key := s.key()
		if err := key.Validate(); err != nil {
			return index{}, fmt.Errorf("index: %w: %w", err, ErrCorrupt)
		}
		if seen[key] {
			return index{}, fmt.Errorf("index: series %s is repeated: %w", key, ErrCorrupt)
		}

		if err := s.validateCoverage(); err != nil {
			return index{}, err
		}

		seen[key] = true
		for i, c := range s.Chunks {
			isOrdered := c.First <= c.Last && (i == 0 || s.Chunks[i-1].Last < c.First)
			if !isOrdered || !c.isInside(end) || c.Bars < 1 || c.Bars > codec.MaxBars {
				return index{}, fmt.Errorf("index: invalid chunk %d of %s: %w", i, key, ErrCorrupt)
			}
		}
	}

	return x, nil
}

func (s seriesIndex) key() domain.SeriesKey { return domain.SeriesKey(s.Key) }

// validateCoverage returns an error unless the covered ranges are ascending, disjoint, and cut no bar.
func (s seriesIndex) validateCoverage() error {
	for i, c := range s.Coverage {
		r, err := domain.NewRange(c.Start.Time(), c.End.Time())
		isOrdered := !r.Empty() && (i == 0 || s.Coverage[i-1].End <= c.Start)
		if err != nil || !isOrdered || !s.Key.Grid.Aligned(r.Start) || !s.Key.Grid.Aligned(r.End) {
			return fmt.Errorf("index: invalid coverage from %d to %d of %s: %w", c.Start, c.End, s.key(), ErrCorrupt)
		}
	}

	return nil
}

// isInside reports whether the chunk lies between the magic bytes and the offset end, and has a valid size.
func (c chunkIndex) isInside(end int64) bool {
	return c.Offset >= int64(len(magic)) && c.Offset <= end &&
		c.Size > 0 && c.Size <= maxChunkSize && int64(c.Size) <= end-c.Offset
}
