// Package ports declares the interfaces of the hexagon and the kinds of errors that cross them. The driving ports are
// the interfaces that the application implements for its callers. The driven ports are those that stores, caches and
// clocks implement for the application. Implementations are in the packages app and adapters.
//
// Package tests/contract has a law for each promise of a driven port, and tests any implementation against the laws.
package ports
