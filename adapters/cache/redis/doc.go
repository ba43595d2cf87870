// Package redis keeps chunks of series in a Redis server that processes share, and carries their invalidations between them:
// ports.SeriesCache and ports.Invalidations over redis/go-redis. What to keep and for how long never lives here.
//
// The cache fails open. An operation takes 25 ms at most, after three failures in a row the server is left alone for five seconds,
// and what it does not answer is a miss. A value says whose it is and carries a checksum: one that is damaged, truncated, oversized,
// foreign or of another version is a miss and counted. After a write that the server did not acknowledge, whatever was read from a
// store before then is no longer believed, since the server may still have it, or get it late.
//
// # A value, version 1
//
// Little endian throughout.
//
//	 0  "mdchunk", then the version, 1
//	 8  u8  flags; bit 0: clean
//	 9  i64 settled, i64 read, i64 fresh, i64 expires: as in ports.Chunk
//	41  i64 start, i64 end: as in ports.ChunkKey
//	57  u16 length of the key's text, the text
//	    u16 count of bars, 0 to 4096
//	    the bars as adapters/codec packs them, nothing where there is none
//	    u32 CRC-32C of all before it
package redis
