package domain

import (
	"math"
	"time"
)

const (
	// MaxBlockBars is the maximum number of bars in a block: on a grid whose bars all have one length, a block without a
	// gap has as many.
	MaxBlockBars = 4096

	calendarBlockBars = 4000 // mean bars of a block on any other grid, where short months and days let a few more begin
)

// The bounds of AllYears, which are those of blocks.
var (
	firstInstant = MicrosFloor(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	lastInstant  = MicrosFloor(time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC))
)

// AllYears returns the range of the times that data can have: the years 1 to 9999, without the last microsecond.
func AllYears() Range { return Range{Start: firstInstant.Time(), End: lastInstant.Time()} }

// isWithinYears reports whether t is in the years 1 to 9999.
func isWithinYears(t Micros) bool { return firstInstant <= t && t <= lastInstant }

// BlockLayout divides a series into blocks, which are ranges of fixed length: the units in which stores keep versions
// and caches keep bars. A bar belongs to the block that contains its open time. A block of bars has at most 4096 of
// them; a block of ticks is a UTC day. The cuts are part of every stored format: a grid has always the same ones.
type BlockLayout struct{ lengthMicros int64 }

// BarBlocks returns the blocks of a series of bars on the grid.
func BarBlocks(g Grid) BlockLayout {
	f := g.Frequency()
	bars := int64(MaxBlockBars)
	if f.Unit() == UnitMonth || f.Unit() >= UnitDay && g.Zone() != "" {
		bars = calendarBlockBars
	}

	bar := f.Nominal().Microseconds()

	return BlockLayout{bar * min(bars, int64(lastInstant-firstInstant)/bar+1)} // bars of many years would overflow
}

// TickBlocks returns the blocks of trades and of quotes.
func TickBlocks() BlockLayout { return BlockLayout{(24 * time.Hour).Microseconds()} }

// LengthMicros returns the length of every block. Block i starts i lengths after 1970.
func (b BlockLayout) LengthMicros() int64 { return b.lengthMicros }

// Index returns the number of the block that contains m. Blocks are numbered in order of time; the first block at or
// after 1970 is 0.
func (b BlockLayout) Index(m Micros) int64 { return floorDiv(int64(m), b.lengthMicros) }

// Span returns the numbers of the blocks that overlap r: from the first up to, not including, the last.
func (b BlockLayout) Span(r Range) (from, to int64) {
	if r.Empty() {
		return 0, 0
	}

	start, end := r.Micros()

	return b.Index(start), b.Index(end-1) + 1
}

// Bounds returns the start and the end of block i, within the years 1 to 9999.
func (b BlockLayout) Bounds(i int64) (start, end Micros) { return b.start(i), b.start(i + 1) }

// Range returns the range of the blocks [from, to). Range and Span are inverse.
func (b BlockLayout) Range(from, to int64) Range {
	return Range{Start: b.start(from).Time(), End: b.start(to).Time()}
}

func (b BlockLayout) start(i int64) Micros {
	if i >= math.MaxInt64/b.lengthMicros {
		return lastInstant
	}
	if i <= math.MinInt64/b.lengthMicros {
		return firstInstant
	}

	return min(max(Micros(i*b.lengthMicros), firstInstant), lastInstant)
}
