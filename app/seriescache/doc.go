// Package seriescache is a store decorated with a cache. Store wraps any ports.Store and is one itself; reads take
// blocks of bars from the memory of this process, from a cache that processes share, or from the store. Where the
// blocks are kept is decided by a blockcache.Cache and a blockcache.SharedCache; the package must not know which.
//
// # Content is right by its version
//
// A series is cut into blocks, domain.BarBlocks. A read takes the state of the series first: its version, its coverage,
// and the version of each block. Then it takes each block from wherever it is. A block is used if and only if its
// version is that of the state, so that a cached block never becomes stale, only useless. An older version of the last
// block that is in the tail of the state is extended: only the bars behind its last one are read.
//
// # A state is believed for a lease
//
// A state is believed for a lease, 2 s by default, from before it was asked for. Nothing but an answer of the store
// renews a lease. A write through this Store, and a hint of another process, end it. So a process sees its own writes
// at once, and those of other processes a lease after they were committed at the latest, also where hints are lost.
//
//	          question sent                 answer, epoch as when it was sent
//	unknown ------------------> asked ------------------------------------------> believed
//	   ^                          |                                                  |
//	   |   answer, epoch raised   |                                                  | lease is over:
//	   +--------------------------+                                                  | the next read asks
//	   ^                                                                             |
//	   +-----------------------------------------------------------------------------+
//	                own write, hint, an answer that differs (each raises the epoch)
//
// # Stores without versions
//
// Where a store keeps no versions, the package gives each series and its blocks versions of its own. They end with a
// change of the coverage, a write through this Store, a hint, or their time, 300 s by default. They mean nothing to
// other processes, so that the blocks stay out of the shared cache.
//
// A store may have both: series with versions, and series that others write, whose state is the zero one. With
// Dependencies.Foreign, the bars of the latter are not cached.
package seriescache
