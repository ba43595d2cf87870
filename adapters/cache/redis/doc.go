// Package redis keeps chunks of series in a Redis server that processes share, and carries their invalidations between
// them: ports.SeriesCache and ports.Invalidations over redis/go-redis. What to keep and for how long never lives here.
//
// The cache fails open. An operation takes 25 ms at most, after three failures in a row the server is left alone for
// five seconds, and what it does not answer is a miss. A value says whose it is and carries a checksum: one that is
// damaged, truncated, oversized or foreign is a miss and counted.
//
// # What makes it safe
//
// A process that looked for a chunk, read the store, and puts what it read may be late: the store was written in the
// meantime, and the chunk deleted; or the server did what it was asked long after it was given up. So a Put is done by
// the server only where what the first Get saw is there still, by its first 24 bytes, which hold a random number; else
// the key is deleted. What is deleted leaves such a number behind for ten minutes. A Put without a Get before keeps
// nothing.
//
// What was to be deleted or put, and the server did not say that it was, is owed: it is deleted in the background as
// soon as the server answers, and until then this process is served nothing. 1024 keys are remembered; where there are
// more, the server is given a new generation, a random text under "generation", which every value has to be of: all
// that was there is then a miss for everybody.
//
// A generation is the server's run's, too. A server that restarts from a file, or takes another's place, may bring back
// what was deleted since: to every process that is a miss.
//
// What remains: a process that dies before it made good what it owes, at the same time as the server is away. Those
// that were running and heard of the write delete the chunks as well; one that starts later may be served them until
// their time to live is over.
//
// # A value, version 2
//
// Little endian throughout. Every version begins with the name and its number and ends with the checksum. Processes of
// two versions may share a server: to each, a sound value of the other is a miss, which it replaces, and not counted as
// poisoned. Keys do not name the version, so that either deletes what the other put.
//
//	 0  "mdchunk", then the version, 2
//	 8  16 random bytes, of this value alone
//	24  u8  flags; bit 0: clean
//	25  i64 settled, i64 read, i64 fresh, i64 expires: as in ports.Chunk
//	57  i64 start, i64 end: as in ports.ChunkKey
//	73  u64, u64 claims: as in ports.Chunk
//	89  u16 length of the key's text, the text
//	    u8  length of the generation, the text: the server's run, a space, what it has under its key
//	    u16 count of bars, 0 to 4096
//	    the bars as adapters/codec packs them, nothing where there is none
//	    u32 CRC-32C of all before it
package redis
