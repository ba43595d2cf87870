// Package app is what we do: it answers requests for bars, trades and quotes from the stores that hold them, clamped to a clock and
// judged; writes what it would itself accept; tells what is known and held; and says how the stores are. Each service has one
// file: Provider, Catalog, Ingester, Diagnostics; Marketdata, made by New, is all of them over a list of Sources.
//
// Router and ClaimedStore make one ports.Store of several.
//
// The package knows ports and domain only. No adapter, driver, SQL or configuration file is named here, and no global: stores,
// clock, cache and logger are handed in.
package app
