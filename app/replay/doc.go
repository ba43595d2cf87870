// Package replay plays history back to a strategy: the bars of many series, merged by the time at which each became
// known, while a clock follows. What the strategy then asks of the application over the same clock is what was known at
// that instant.
//
//	Replay     merges the bars and drives the clock
//	Lookahead  tells an execution simulator, and nobody else, the bar that comes next
//	Recorder   notes what a strategy asked for and what it was told, as a Report that compares with an earlier run's
//
// A Replay and a Lookahead read past the clock, so both take a store, a ports.BarReader, which no clock holds back. A
// strategy is given a ports.HistoricalDataProvider and the bars of the replay, and neither of these readers.
package replay
