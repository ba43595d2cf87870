// Package wiring holds the configuration of the whole product. Below it is one package for each way to put the product
// together: production (PostgreSQL and InfluxDB), embedded (one SQLite file) and backtest (a store and a clock that are
// passed in). Each is a Wire injector: wire.go lists the providers, and the generated wire_gen.go is the plain Go that
// is compiled.
//
// Logic must not live here, and this package itself links no driver.
package wiring
