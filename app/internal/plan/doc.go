// Package plan decides where the bars of a request come from. New is a pure function: from the request and the coverage
// of each source it makes the cheapest Plan that covers the range. I/O, contexts and clocks must not be used here.
//
// For each bar the candidates are tried in this order, and the first that covers it is taken:
//
//  1. stored bars of the requested grid, where their coverage is declared
//  2. bars of a finer grid that divides it, with declared coverage, the coarsest grid first, because it needs the
//     fewest rows
//  3. stored bars of the requested grid, where their coverage is inferred
//  4. bars of a finer grid, with coverage partly or only inferred, the coarsest grid first
//  5. trades, or quotes, aggregated
//
// Declared coverage outweighs inferred coverage, bars outweigh ticks, and among equals the number of rows decides. A
// bar is made of rows of one stored grid, which may lie in several sources: a week can begin in one store and end in
// another. Where two sources have the same row, declared coverage goes first, then Source.Priority decides, then the
// name. The order of the list and measured rates must not choose between plans, because equal requests must get equal
// results from one day to the next.
package plan
