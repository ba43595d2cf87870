// Package domain is what is true of market data: symbols, frequencies and the grids they are laid on, exact decimals,
// bars and the columnar series that holds them, ranges and their algebra, requests and results, and the quality rules a
// bar must pass.
//
// Everything here is a value with its invariants: constructors refuse what breaks them, and what they return never
// changes. The package knows the standard library and apd. It holds no context, no input or output, no clock (whoever
// needs "now" is handed it) and no logging.
package domain
