// Package ports holds the interfaces of the hexagon and the kinds of errors that cross them. Driving ports say what the
// application promises its callers; driven ports say what it asks of stores, caches and clocks. An adapter here is not
// a port: nothing in this package runs.
//
// Every promise of a driven port is a law in tests/contract, which any implementation can be held to.
package ports
