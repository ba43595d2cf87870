// Package replay plays stored bars back to a strategy. It merges the bars of many series by the time at which each bar
// closed and drives a clock along. A request to the application over the same clock then returns only data that was
// known at that instant.
//
//   - [Replay] merges the bars and drives the clock.
//   - [Lookahead] returns the bar that follows the clock's time. It is for an execution simulator only.
//
// A Replay and a Lookahead read ahead of the clock, so both take a store (a ports.BarReader), which ignores the clock.
// A strategy must get a ports.HistoricalDataProvider and the bars of the replay, and neither of these readers, because
// a reader would show it the future. backtest.NewSession puts all of this together; package record keeps the requests.
package replay
