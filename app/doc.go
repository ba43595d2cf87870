// Package app is what we do: it answers requests for bars from a store, clamped to a clock and judged; writes bars that it would
// itself accept; and tells what is held. Each service has one file: Provider, Catalog, Ingester; Marketdata is the three of them.
//
// The package knows ports and domain only. No adapter, driver, SQL or configuration file is named here, and no global: store,
// clock and logger are handed in.
package app
