// Package redis stores blocks of series in a Redis server that processes share: a blockcache.SharedCache over
// redis/go-redis. It does not decide which blocks are stored or valid: a block is right if its version is that of the
// state of the series, and the caller compares them. So a block needs no deletion, and its expiry after seven days only
// frees memory.
//
// # Failures
//
// A failure is a miss. A round trip takes 25 ms at most, and a call makes no other after one without an answer. After
// three failures in a row the server is not used for five seconds.
//
// # Trust
//
// Every value ends with an authentication code of its key in Redis and of its bytes. Other programs may write to the
// server: a value that no process with Config.Key put under the key is a counted miss, and so is one that is truncated,
// oversized, damaged, or of another format version. Who can write to the server can remove blocks, or bring back an
// earlier block of a key; the earlier block has another version.
//
// # Key and value, version 3
//
// The key of a block in Redis is the prefix and "store symbol grid price-type index". All integers are little endian.
//
//	 0  "mdblock", then the format version, 3
//	 8  u8  flags; bit 0: validated
//	 9  i64 revision and u64 nonce of the version of the block
//	25  the bars, as adapters/codec packs them
//	    16 bytes: the first half of an HMAC-SHA256 with Config.Key over the u32 length of the key in Redis, the key, and
//	    all bytes of the value before
//
// Half of the code is enough: a forger without the key can only guess, with a chance of 1 in 2^128 for each value, and
// RFC 2104 recommends at least half of the hash.
package redis
