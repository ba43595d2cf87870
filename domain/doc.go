// Package domain models market data: symbols, frequencies and the grids that bars lie on, exact decimals, bars and the
// columnar Series that holds them, trades and quotes, time ranges, requests and results, and the quality rules for
// bars.
//
// The types are values with invariants. Constructors return an error that wraps ErrInvalid, a *RuleError or a
// *TickError if an argument breaks an invariant, and the values that they return do not change. The package imports
// only the standard library. It does no input or output, does not log, and reads no clock: callers pass the
// current time.
package domain
