package main

import "github.com/gal-friday/marketdata/wiring"

// readLimits says how much one request reads, so that the limits of the configuration do not refuse it.
type readLimits struct {
	rows  int   // of a page
	slots int64 // of the range of a stream
}

// newReadLimits returns the limits under which every one of the configurations accepts a request.
func newReadLimits(configs ...wiring.Config) readLimits {
	limits := readLimits{rows: 100_000, slots: 10_000_000}
	for _, cfg := range configs {
		service := cfg.WithDefaults().Service
		if most := *service.MaxBars; most > 0 {
			limits.rows = min(limits.rows, max(1, most-1))
		}
		if most := *service.MaxSlots; most > 0 {
			limits.slots = min(limits.slots, max(1, most-1))
		}
	}

	return limits
}
