package codec

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/gal-friday/marketdata/domain"
)

const (
	// MaxBars is the maximum number of bars in a chunk.
	MaxBars = 4096
	// Version is the format version that Append writes.
	Version = 1

	magic = "bar"

	headerSize    = 16
	directorySize = 8 // bytes of a column's entry in the directory
	paddingSize   = 8
	checksumSize  = 4

	groupBars   = 128
	octetValues = 8 // values are packed and unpacked 8 at a time: an octet of width w takes w bytes

	zigzagFlag  = 1 << 0
	highWordsID = 1 << 7 // set in the id of a column of high words
)

// ErrCorrupt is wrapped by the error for bytes that Append cannot have written.
var ErrCorrupt = errors.New("corrupt chunk")

// ErrVersion is wrapped by the error for a chunk whose version byte is unknown, because a newer program wrote the chunk
// or because the byte is damaged.
var ErrVersion = errors.New("unknown chunk version")

// column numbers the columns of 64-bit words. The directory of a chunk contains column c under the id c+1, and the high
// words of a decimal column under the id of that column plus highWordsID.
type column uint8

const (
	timeColumn column = iota
	closeColumn
	openColumn
	highColumn
	lowColumn
	volumeColumn
	tradesColumn
	columnCount
)

// The high words of the five decimal columns follow the columns above: those of column c are column c +
// highWordsOffset.
const (
	highWordsOffset = columnCount - closeColumn
	maxColumnCount  = volumeColumn + highWordsOffset + 1
)

// id returns the id of the column in the directory.
func (c column) id() byte {
	if c >= columnCount {
		return byte(c-highWordsOffset+1) | highWordsID
	}
	return byte(c + 1)
}

// columnFromID returns the column with the given id; ok is false for an unknown id, which a later program may have
// written.
func columnFromID(id byte) (c column, ok bool) {
	c = column(id&^highWordsID) - 1 // id 0 wraps to a number above columnCount
	if id&highWordsID == 0 {
		return c, c < columnCount
	}

	return c + highWordsOffset, c >= closeColumn && c <= volumeColumn
}

// hasAnchors reports whether the section of the column begins with one anchor for each group.
func (c column) hasAnchors() bool { return c == timeColumn || c == closeColumn }

// mayZigzag reports whether the column may have the zigzag flag. Time, close and open may not: the values of time are
// never negative, and those of close and open are zigzag encoded in any case.
func (c column) mayZigzag() bool { return c > openColumn }

// isPrice reports whether the column contains the low or high words of a price.
func (c column) isPrice() bool {
	return c >= closeColumn && c <= lowColumn || c >= columnCount && c < volumeColumn+highWordsOffset
}

// isVolume reports whether the column contains the low or high words of the volume.
func (c column) isVolume() bool { return c == volumeColumn || c == volumeColumn+highWordsOffset }

// columnOfField returns the column of the field's low words.
func columnOfField(f domain.Field) column {
	switch f {
	case domain.FieldOpen:
		return openColumn
	case domain.FieldHigh:
		return highColumn
	case domain.FieldLow:
		return lowColumn
	case domain.FieldClose:
		return closeColumn
	case domain.FieldVolume:
		return volumeColumn
	}
	panic("codec: unknown field " + f.String())
}

// groupCount returns the number of groups of n bars.
func groupCount(n int) int { return (n + groupBars - 1) / groupBars }

// octetCount returns the number of octets in the given group of n bars.
func octetCount(n, group int) int {
	return (min(n-group*groupBars, groupBars) + octetValues - 1) / octetValues
}

// A meta describes how one group of one column is packed.
type meta uint16

const maxExceptions = 31

func newMeta(width, highBytes, exceptions int) meta {
	return meta(width | highBytes<<7 | exceptions<<11)
}

func (m meta) width() int      { return int(m & 127) }
func (m meta) highBytes() int  { return int(m >> 7 & 15) } // bytes of an exception's high part
func (m meta) exceptions() int { return int(m >> 11) }

// size returns the size in bytes of a group of the given number of octets.
func (m meta) size(octets int) int { return octets*m.width() + m.exceptions()*(1+m.highBytes()) }

func (m meta) isValid() bool { return isValidWidth(m.width()) && m.highBytes() <= 8 }

// isValidWidth reports whether every value of that width lies within the 8 bytes that begin with the value's first
// byte.
func isValidWidth(w int) bool { return w <= 58 || w == 60 || w == 64 }

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func u16(b []byte, offset int) uint16 { return binary.LittleEndian.Uint16(b[offset:]) }
func u32(b []byte, offset int) uint32 { return binary.LittleEndian.Uint32(b[offset:]) }
func u64(b []byte, offset int) uint64 { return binary.LittleEndian.Uint64(b[offset:]) }
