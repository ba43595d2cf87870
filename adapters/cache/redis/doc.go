// Package redis keeps chunks of series in a Redis server that processes share, and carries their invalidations between them:
// ports.SeriesCache and ports.Invalidations over redis/go-redis. What to keep and for how long never lives here.
//
// The cache fails open. An operation takes 25 ms at most, after three failures in a row the server is left alone for five seconds,
// and what it does not answer is a miss. A value says whose it is and carries a checksum: one that is damaged, truncated, oversized
// or foreign is a miss and counted. After a write that the server did not acknowledge, whatever was read from a store before then is
// no longer believed, since the server may still have it, or get it late.
//
// # A value, version 2
//
// Little endian throughout. Every version begins with the name and its number and ends with the checksum. Processes of two versions
// may share a server: to each, a sound value of the other is a miss, which it replaces, and not counted as poisoned. Keys do not
// name the version, so that either deletes what the other put.
//
//	 0  "mdchunk", then the version, 2
//	 8  u8  flags; bit 0: clean
//	 9  i64 settled, i64 read, i64 fresh, i64 expires: as in ports.Chunk
//	41  i64 start, i64 end: as in ports.ChunkKey
//	57  u64, u64 claims: as in ports.Chunk
//	73  u16 length of the key's text, the text
//	    u16 count of bars, 0 to 4096
//	    the bars as adapters/codec packs them, nothing where there is none
//	    u32 CRC-32C of all before it
package redis
