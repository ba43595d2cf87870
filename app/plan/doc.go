// Package plan decides where the bars of a request come from. Make is a pure function: from the request and from what each
// source holds it makes the cheapest Plan that covers the range. No input or output, no context and no clock lives here; whoever
// has the extents at hand can plan, and whoever can read can execute.
//
// For each bar the ways to get it are tried in this order, and the first that gives it is taken:
//
//  1. the stored bars of the grid asked for, where they are claimed
//  2. claimed bars of a finer grid that divides it, the coarsest grid first, since it needs the fewest rows
//  3. the stored bars of the grid asked for, where they are assumed only
//  4. bars of a finer grid, claimed in part or assumed only, the coarsest grid first
//  5. trades, or quotes, aggregated
//
// So a claim weighs more than an assumption, bars weigh more than ticks, and among equals the rows to read decide. A bar is made
// of rows of one stored grid, which may lie in several sources: a week can begin in one store and end in another. Where two
// sources hold the same row, a claim goes before an assumption, then the source that routing by frequency sends the rows to goes
// first, then Source.Priority decides, then the name: never the order of the list, and never a measured rate, so that equal
// requests get equal answers from one day to the next.
package plan
