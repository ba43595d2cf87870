// Package codec packs a domain.Series into chunks, a compressed columnar format. SQLite stores a chunk in a blob, Redis
// in a value, and package barfile in a file. Append packs 1 to MaxBars bars into a chunk. Open verifies a chunk once;
// the Chunk it returns decodes all bars, a part of them, or a single column.
//
// The package must not contain stores, file access, cache policy or keys. A chunk does not contain the key of its
// series, because whoever stores a chunk stores it under the key.
//
// # Format of a chunk, version 1
//
// All integers are little endian.
//
//	 0  "bar", then the version, 1
//	 4  u16 number of bars, 1 to 4096
//	 6  u8  number of columns
//	 7  u8  zero
//	 8  u64 unit: the greatest common divisor of all steps between open times, in microseconds; 1 for a single bar
//	16  the column directory, 8 bytes for each column:
//	      u8  id: 1 time, 2 close, 3 open, 4 high, 5 low, 6 volume, 7 trades. Id + 128 is the column of the high
//	          words: a column whose values do not fit 64 bits is stored as two columns
//	      u8  flags; bit 0: the values are zigzag encoded
//	      u8  scale: digits after the decimal point, one scale for the four prices, 0 for time and trades
//	      u8  zero
//	      u32 offset of the end of the column's section, from the first byte of the chunk
//	    the sections, in the order of the directory
//	    8 bytes of zero padding, because a decoder loads 8 bytes at any packed byte
//	    u32 CRC-32C of all bytes before it
//
// A reader skips a column whose id it does not know, so that columns can be added without a new version. It rejects
// flags that it does not know. The seven columns of a bar are always present.
//
// Bars are divided into groups of 128; the last group may be shorter. A section consists of
//
//	time and close only: u64 anchor for each group, the open time or the close of the group's first bar
//	u16 meta for each group: width (7 bits), bytes of an exception's high part (4 bits), number of exceptions (5 bits)
//	the groups: the low width bits of each value, value i at bit i*width, padded with zeros to a multiple of 8 values;
//	then the exceptions, each a u8 index within the group and the bits above width
//
// Any group of any column can therefore be decoded alone. The valid widths, 0 to 58, 60 and 64, are those at which one
// 8-byte load contains any value.
//
// The values are 64-bit words, reduced by wrapping arithmetic, so that every word can be restored:
//
//	time:   step to this bar / unit - 1; 0 for the first bar of a group
//	close:  zigzag(close - previous close); 0 for the first bar of a group
//	open:   zigzag(open - previous close); the first bar of a group uses its own close
//	high:   high - max(open, close)
//	low:    min(open, close) - low
//	volume, trades, high words: unchanged
//
// The last three lines are zigzag encoded if one value of the column is negative; the column's flag says so.
//
// The prices of a chunk share the smallest scale that represents all of them exactly. Volume has its own scale.
package codec

//go:generate go run ./internal/gen -o unpack_gen.go
