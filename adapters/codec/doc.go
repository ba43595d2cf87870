// Package codec holds the packed binary form of a domain.Series: what sqlite keeps in a blob, redis in a value and a file on disk.
// Append packs 1 to MaxBars bars into a chunk, Open checks a chunk once, and a Chunk gives the bars back: whole, in part, or
// a single column. Nothing else lives here: no store, no file, no cache policy, no key (whoever holds a chunk knows whose it is).
//
// # A chunk, version 1
//
// Little endian throughout.
//
//	 0  "bar", then the version, 1
//	 4  u16 count of bars, 1 to 4096
//	 6  u8  count of columns
//	 7  u8  zero
//	 8  u64 unit: the greatest common divisor of all steps between open times, in microseconds; 1 for a single bar
//	16  the columns, 8 bytes each:
//	      u8  id: 1 time, 2 close, 3 open, 4 high, 5 low, 6 volume, 7 trades; plus 128 the high words of a column whose
//	          values do not fit 64 bits, which is then two columns
//	      u8  flags; bit 0: values are zigzag encoded
//	      u8  scale: digits after the point, one for the four prices, 0 for time and trades
//	      u8  zero
//	      u32 where the column's section ends, counted from the chunk's first byte
//	    the sections, in the order of the columns
//	    8 zero bytes, so that a word can be loaded at any packed byte
//	    u32 CRC-32C of all before it
//
// A reader skips a column whose id it does not know, so that more can come without a new version; it refuses flags that it does
// not know. The seven columns of a bar are always there.
//
// Bars are cut into blocks of 128, the last one shorter. A section is
//
//	time and close only: u64 anchor for each block, the block's first open time or first close
//	u16 meta for each block: width (7 bits), bytes of an exception's high part (4 bits), count of exceptions (5 bits)
//	the blocks: the low width bits of each value, value i at bit i*width, the last group of 8 padded with zeros;
//	then the exceptions, each a u8 index within the block and the bits above width
//
// so any block of any column decodes alone. Widths are those at which one 8-byte load holds any value: 0 to 58, 60 and 64.
//
// The values are 64-bit words made small, with arithmetic that wraps, so that any word survives:
//
//	time:   step to this bar / unit - 1; 0 for a block's first
//	close:  zigzag(close - close before); 0 for a block's first
//	open:   zigzag(open - close before); for a block's first, its own close
//	high:   high - max(open, close)
//	low:    min(open, close) - low
//	volume, trades, high words: as they are
//
// The last three lines are zigzag encoded where one of a column's values is negative, which its flag then says.
//
// Prices share the smallest scale that spells all of them in this chunk exactly; volume has its own.
package codec

//go:generate go run ./internal/gen -o unpack_gen.go
