package codec

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/gal-friday/marketdata/domain"
)

const (
	// MaxBars is the most bars that a chunk holds.
	MaxBars = 4096
	// Version is the version that Append writes.
	Version = 1

	magic = "bar"

	headerSize = 16
	columnSize = 8 // of a column's line in the header
	slackSize  = 8
	sumSize    = 4

	blockBars = 128
	groupBars = 8

	zigzagFlag = 1 << 0
	highBit    = 1 << 7 // of a column id
)

// ErrCorrupt is wrapped by every refusal of bytes that are not a chunk as Append writes it.
var ErrCorrupt = errors.New("corrupt chunk")

// ErrVersion is wrapped by the refusal of a chunk whose version byte is that of a newer program, or damaged.
var ErrVersion = errors.New("unknown chunk version")

// column numbers the columns as they are held in memory. In a chunk the id of column c is c+1, with highBit for high words.
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

// The high words of the five decimals come after the columns above: those of column c are column c + highWords.
const (
	highWords  = columnCount - closeColumn
	planeCount = volumeColumn + highWords + 1
)

// id is how the header names the column.
func (c column) id() byte {
	if c >= columnCount {
		return byte(c-highWords+1) | highBit
	}
	return byte(c + 1)
}

// columnOf is the column that the header names so; ok is false for an id of a later program.
func columnOf(id byte) (c column, ok bool) {
	c = column(id&^highBit) - 1 // id 0 wraps beyond columnCount
	if id&highBit == 0 {
		return c, c < columnCount
	}

	return c + highWords, c >= closeColumn && c <= volumeColumn
}

// anchored reports whether the column's section opens with an anchor for each block.
func (c column) anchored() bool { return c == timeColumn || c == closeColumn }

// mayZigzag reports whether the column may have the zigzag flag; the others are never negative, or always zigzag encoded.
func (c column) mayZigzag() bool { return c > openColumn }

// isPrice reports whether the column, or the one whose high words it holds, is a price.
func (c column) isPrice() bool {
	return c >= closeColumn && c <= lowColumn || c >= columnCount && c < volumeColumn+highWords
}

// isVolume reports whether the column is volume or its high words.
func (c column) isVolume() bool { return c == volumeColumn || c == volumeColumn+highWords }

// columnOfField is where a field's low words are.
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
	panic("codec: no such field: " + f.String())
}

// blocks is how many blocks n bars fill.
func blocks(n int) int { return (n + blockBars - 1) / blockBars }

// groups is how many groups of 8 the given block of n bars holds.
func groups(n, block int) int {
	return (min(n-block*blockBars, blockBars) + groupBars - 1) / groupBars
}

// A meta describes one block of one column.
type meta uint16

const maxExceptions = 31

func newMeta(width, high, exceptions int) meta { return meta(width | high<<7 | exceptions<<11) }

func (m meta) width() int      { return int(m & 127) }
func (m meta) high() int       { return int(m >> 7 & 15) } // bytes of an exception's high part
func (m meta) exceptions() int { return int(m >> 11) }

// size is how many bytes a block of so many groups takes.
func (m meta) size(groups int) int { return groups*m.width() + m.exceptions()*(1+m.high()) }

func (m meta) valid() bool { return validWidth(m.width()) && m.high() <= 8 }

// validWidth reports whether any value of that width lies within the 8 bytes from its first one.
func validWidth(w int) bool { return w <= 58 || w == 60 || w == 64 }

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func u16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
