// Package chunks is the policy of the series cache: a store decorated so that its bars are read once. Store wraps any ports.Store
// and is one itself; reads go through the cache, writes pass through and invalidate what they touch. What is kept, for how long,
// and what a write makes untrue is decided here. How values are kept is a ports.SeriesCache's.
//
// # What is kept
//
// The open times of a series are cut at fixed instants into chunks of 4096 bars at most, so that requests that overlap or slide
// share them, and one chunk is one packed Series. Everything that a store returned in a chunk's range, whole and without an error,
// is kept: 24 h by default. Two things may still change, and are believed for a shorter while: bars that closed less than the settle
// time ago, with all that open later (the tail of a chunk: one bar's length, 300 s at most), and a chunk without a bar (300 s). When
// a tail is no longer believed, only the tail is read again. Every time to live is shortened at random by up to a tenth.
//
// # What makes it safe
//
// A read notes the version of its series, which every write changes before it begins and after it ended. What was read under
// another version is not kept, and an answer put together from several chunks is given only if no write fell in between. So no
// answer is older than the last write of this process that returned before the read began, and none is half old.
//
// What a store says it holds is kept too, for 10 s, and every write makes it untrue. It is asked again after each read of bars, and the
// bars are kept only where it said the same before; a chunk carries a fingerprint of it. Where the store says something else later,
// the chunk is not believed. So a kept emptiness never passes for a time without trades that somebody else claimed since.
//
// Writes of other processes reach this one through ports.Invalidations. As long as they are not heard, the cache is neither used nor
// filled, and when they are heard again nothing from before is believed. Where there is nobody to hear, no other process may write.
// A process that dies between a write and telling of it leaves the others with bars of before until their time is over. Processes that
// share a cache need clocks that agree to within five seconds; what one of them puts too late, the cache refuses (ports.Cache). Of a
// shared cache only what was read since this process hears the others is believed: a writer before may not have reached it.
package chunks
