// Package barfile reads and writes bar files. A bar file contains the bars of one or many series as codec chunks: a
// backtest loads it into memory, and a copy moves bars to another machine. A file is written once, from front to back,
// appears under its name only when it is complete, and never changes after that.
//
// The package must not contain stores (sqlite is the store that can be written to) or the format of a chunk, which is
// in package codec.
//
// # Format of a file, version 1
//
//	"barfile", then the version, 1
//	the chunks, as codec.Append packs them
//	the index: JSON with the key, the coverage ("claims") and the chunks of each series
//	u64 offset of the index
//	u32 CRC-32C of the index and of the u64 after it
//	u32 zero
//	"barfile", then the version
//
// Numbers are little endian, times are microseconds since 1970. A reader skips members of the index that it does not
// know.
package barfile
