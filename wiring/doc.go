// Package wiring holds the configuration of the whole product, and below it one package for each way to put it together:
// embedded (one sqlite file and the system's clock) and backtest (a store and a clock handed in). Each is a Wire injector: wire.go
// says what is joined, the generated wire_gen.go is the plain Go that is compiled.
//
// There is no logic here, and this package itself links no driver.
package wiring
