// Package redis keeps chunks of series in a Redis server that processes share, and carries their invalidations between
// them: ports.SeriesCache and ports.Invalidations over redis/go-redis. Which values to keep, and for how long, must not
// be decided here.
//
// The cache fails open. An operation takes 25 ms at most, after three failures in a row the server is left alone for
// five seconds, and a command without an answer is a miss. A value says whose it is and carries a checksum: one that is
// damaged, truncated, oversized or foreign is a miss and counted.
//
// # Safety
//
// A process that missed a chunk, read the store and puts the chunk may be late: the store was written and the chunk
// deleted meanwhile, or the server ran the command long after the process gave it up. Therefore the server runs a Put
// only where the value that the first Get observed is still there, by its first 24 bytes, which hold a random number;
// else it deletes the key. A deleted value leaves a tombstone with such a number for ten minutes. A Put without a Get
// before it keeps nothing.
//
// A key whose deletion or put the server did not confirm is pending: it is deleted in the background as soon as the
// server answers, and until then this process reads nothing from the cache. 1024 keys are remembered; where there are
// more, the server is given a new generation, a random text under "generation", which every value has to be of: every
// older value is then a miss for every process.
//
// A generation is the server's run's, too. A server that restarts from a file, or takes another's place, may bring back
// deleted values: to every process they are misses.
//
// One hazard remains: a process dies with pending keys while the server is away. Processes that run and hear of the
// write delete the chunks as well; a process that starts later may read them until their time to live ends.
//
// # A value, version 2
//
// Little endian throughout. Every version begins with the name and its number and ends with the checksum. Processes of
// two versions may share a server: to each, a sound value of the other is a miss, which it replaces, and not counted as
// poisoned. Keys do not name the version, so that each deletes the values of the other.
//
//	 0  "mdchunk", then the version, 2
//	 8  16 random bytes, of this value alone
//	24  u8  flags; bit 0: clean
//	25  i64 settled, i64 read, i64 fresh, i64 expires: as in ports.Chunk
//	57  i64 start, i64 end: as in ports.ChunkKey
//	73  u64, u64 claims: as in ports.Chunk
//	89  u16 length of the key's text, the text
//	    u8  length of the generation, the text: the server's run, a space, the value under its key
//	    u16 count of bars, 0 to 4096
//	    the bars as adapters/codec packs them, nothing where there are no bars
//	    u32 CRC-32C of all before it
package redis
