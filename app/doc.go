// Package app is what we do: it answers requests for bars, trades and quotes from the stores that hold them, clamped to a clock and
// judged; writes what it would itself accept; tells what is known and held; and says how the stores are. The services are Provider,
// Catalog, Ingester and Diagnostics; Marketdata, made by New, is all of them over a list of Sources.
//
// A request for bars goes through these files: fetch.go clamps it and finds where its bars come from, with what held.go knows of
// the stores and package plan makes of it; read.go reads the legs of the plan, and few.go their first or last bars, each query by
// ask.go, which takes what a cache has near without waiting; what was read is judged, made into bars, and filled by fill.go.
// stream.go hands out the same piece by piece, many.go for many requests, and explain.go the plan alone.
//
// Router and ClaimedStore make one ports.Store of several.
//
// The package knows ports and domain only. No adapter, driver, SQL or configuration file is named here, and no global: stores,
// clock, cache and logger are handed in.
package app
