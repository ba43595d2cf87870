package app

import (
	"github.com/gal-friday/marketdata/app/query"
	"github.com/gal-friday/marketdata/ports"
)

// NewStepping is New with few rows read and filled at a time, so that small markets take many steps.
func NewStepping(rows int, sources []Source, clock ports.Clock, cfg Config) (*Service, error) {
	return newService(sources, clock, nil, cfg, query.StepSizes{Derived: rows, Stream: rows, Fill: rows})
}
