package barfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

// ErrCorrupt is wrapped by every refusal of a file that is not as Create writes it.
var ErrCorrupt = errors.New("corrupt bar file")

const (
	magic       = "barfile\x01"
	trailerSize = 8 + 4 + 4 + len(magic)

	// maxChunkSize bounds what an index can make a reader allocate; a chunk of twelve columns of plain words takes less than half.
	maxChunkSize = 1 << 20
)

// index is what the file says of itself.
type index struct {
	Series []seriesIndex `json:"series"`
}

type seriesIndex struct {
	Key    domain.SeriesKey `json:"key"`
	Claims []span           `json:"claims"`
	Chunks []chunkIndex     `json:"chunks"` // in order of time
}

// span is a half-open range of time.
type span struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// chunkIndex says where a chunk is and what it holds, so that a read touches no other.
type chunkIndex struct {
	At    int64 `json:"at"`
	Size  int   `json:"size"`
	Bars  int   `json:"bars"`
	First int64 `json:"first"` // open times
	Last  int64 `json:"last"`
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// appendTrailer appends what follows the index that begins at the given byte.
func appendTrailer(b, encoded []byte, at int64) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(at))
	b = binary.LittleEndian.AppendUint32(b, checksum(encoded, b[start:]))
	b = binary.LittleEndian.AppendUint32(b, 0)
	return append(b, magic...)
}

// parseTrailer is where the index begins in a file of the given size, and its checksum.
func parseTrailer(b []byte, size int64) (at int64, sum uint32, err error) {
	if got := string(b[16:]); got != magic || binary.LittleEndian.Uint32(b[12:]) != 0 {
		return 0, 0, fmt.Errorf("ends as no bar file of version 1 does: %w", ErrCorrupt)
	}

	at = int64(binary.LittleEndian.Uint64(b))
	if at < int64(len(magic)) || at > size-int64(trailerSize) {
		return 0, 0, fmt.Errorf("index at byte %d of %d: %w", at, size, ErrCorrupt)
	}

	return at, binary.LittleEndian.Uint32(b[8:]), nil
}

func checksum(encoded, at []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(encoded, table), table, at)
}

// parseIndex reads an index whose checksum is right, for chunks that lie before end.
func parseIndex(encoded []byte, end int64) (index, error) {
	var x index
	if err := json.Unmarshal(encoded, &x); err != nil {
		return index{}, fmt.Errorf("index: %w: %w", err, ErrCorrupt)
	}

	seen := map[domain.SeriesKey]bool{}
	for _, s := range x.Series {
		if err := s.Key.Validate(); err != nil {
			return index{}, fmt.Errorf("index: %w: %w", err, ErrCorrupt)
		}
		if seen[s.Key] {
			return index{}, fmt.Errorf("index: %s is there twice: %w", s.Key, ErrCorrupt)
		}

		seen[s.Key] = true
		for i, c := range s.Chunks {
			ordered := c.First <= c.Last && (i == 0 || s.Chunks[i-1].Last < c.First)
			within := c.At >= int64(len(magic)) && c.Size > 0 && c.Size <= maxChunkSize && c.At <= end && int64(c.Size) <= end-c.At
			if !ordered || !within || c.Bars < 1 || c.Bars > codec.MaxBars {
				return index{}, fmt.Errorf("index: chunk %d of %s: %w", i, s.Key, ErrCorrupt)
			}
		}
	}

	return x, nil
}
