// Package ingest writes bars, trades and quotes. An Ingestor refuses before any I/O the rows that no query may return:
// a bar that breaks a fatal rule, a row outside the coverage that is declared with it, and rows that are not closed by
// the clock, less the settle time.
//
// Copy makes a Dataset equal to a sequence of pages, and Diff compares two sequences of bars, both in bounded memory.
// Retain deletes rows by their age.
// The sequences come from a store (Pages, StreamPages, StreamBars), are resampled (ResampleBars), or are the caller's
// own:
//
//	dataset.go  Pages, BarsOf, TradesOf, QuotesOf: the rows of one series in one store
//	preview.go  PreviewBars, PreviewTicks: the effect of a write
//	copy.go     Copy
//	retain.go   Retain
//	diff.go     Diff
//	stream.go   StreamPages, StreamBars, ResampleBars, ComparableRanges
//
// WithLedger makes the writes to a store without transactions atomic, and its reads verifiable:
//
//	ledgered.go           the store and its listings; ledgered_identity.go  which store a ledger describes
//	ledgered_write.go     writes under intents; ledgered_plan.go  the changes that a write has to make
//	ledgered_read.go      reads of one series, ledgered_batch.go  of many; ledgered_blocks.go  blocks and their sums
//
// File formats are not known here: callers pass Series and Ticks.
package ingest
