// Package ingest writes bars, trades and quotes. It refuses before any I/O what no query may return: a bar that breaks
// a fatal rule, a row outside the coverage that is declared with it, and rows that are not closed by the clock, less
// the settle time.
//
// File formats are not known here: callers pass Series and Ticks.
package ingest
