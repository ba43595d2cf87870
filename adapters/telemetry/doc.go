// Package telemetry measures operations in the memory of the process: durations in histograms, errors by their kind,
// rows, and requests that a cache answered. It depends on nothing. Metrics and traces for other programs are another
// implementation of the port.
package telemetry
