// Package barfile is the file on disk that holds the bars of one or many series as codec chunks: what a backtest loads into
// memory, what is copied to another machine. A file is written once, from front to back, and appears under its name when it is
// whole; nobody changes it after that. Nothing else lives here: no store (one that can be written to is sqlite), no chunk format
// (that is package codec's).
//
// # A file, version 1
//
//	"barfile", then the version, 1
//	the chunks, each as codec.Append makes it
//	the index: JSON, for each series its key, the ranges claimed to be complete, and where its chunks are
//	u64 where the index begins
//	u32 CRC-32C of the index and of the u64 after it
//	u32 zero
//	"barfile", then the version
//
// Numbers are little endian, times are microseconds since 1970. A reader skips members of the index that it does not know.
package barfile
