package app

import (
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Source is one store, under the name by which results, errors and logs speak of it. What it can do is what is not nil; which
// bars it is asked for is Takes. Sources come as a list, the preferred one first: of those that take a frequency the first is
// written to, and read where several hold a bar; the first with Ticks holds trades and quotes; what several catalogs know of a
// symbol is the first's word.
//
// Two servers that share the frequencies at one hour:
//
//	[]app.Source{
//		{Name: "postgres", Bars: pg, Takes: app.Frequencies{From: domain.Hour1}, Ticks: pg, Catalog: pg, Health: pg},
//		{Name: "influx", Bars: app.WithClaims(influx, pg), Takes: app.Frequencies{Below: domain.Hour1}, Catalog: influx, Health: influx},
//	}
type Source struct {
	Name    string
	Bars    ports.Store
	Takes   Frequencies // of its Bars; the zero value is all
	Ticks   ports.TickStore
	Catalog ports.SymbolCatalog
	Health  ports.HealthChecker    // nil for a store that is healthy as long as the process is
	Pool    func() ports.PoolStats // nil for a store without connections

	// Cache is Bars again where a cache stands before them: what it has near is answered without waiting.
	Cache ports.CachedReader

	// Aggregate makes bars of the trades in Ticks where they lie; nil has them read and aggregated here.
	Aggregate ports.TradeAggregator

	// Explain tells how the server of Bars reads them; nil for a store that has nothing to tell.
	Explain ports.ReadExplainer

	// Local declares that no call waits for anything but memory. Such calls run on the caller's goroutine, and only the caller's
	// context, no limit of ours, ends them.
	Local bool
}

// Frequencies is the bars from one length up and below another, by nominal length. A zero end is open.
type Frequencies struct {
	From  domain.Frequency
	Below domain.Frequency
}

// Contain reports whether f is one of them.
func (fs Frequencies) Contain(f domain.Frequency) bool {
	return f.Nominal() >= fs.From.Nominal() && (fs.Below == 0 || f.Nominal() < fs.Below.Nominal())
}

// validateSources reports every fault of the list.
func validateSources(list []Source) error {
	var faults []error
	names := map[string]bool{}
	if len(list) == 0 {
		faults = append(faults, errors.New("sources: none; name at least one store"))
	}
	for i, s := range list {
		switch {
		case s.Name == "":
			faults = append(faults, fmt.Errorf("source %d: it has no name", i))
		case names[s.Name]:
			faults = append(faults, fmt.Errorf("source %s: two have this name", s.Name))
		}

		names[s.Name] = true
		if s.Bars == nil && s.Ticks == nil && s.Catalog == nil {
			faults = append(faults, fmt.Errorf("source %s: it has neither bars nor ticks nor a catalog", s.Name))
		}
		if s.Bars == nil && (s.Cache != nil || s.Explain != nil) || s.Ticks == nil && s.Aggregate != nil {
			faults = append(faults, fmt.Errorf("source %s: a cache or a plan of bars or ticks that it has not", s.Name))
		}
		if t := s.Takes; t.Below != 0 && t.From.Nominal() >= t.Below.Nominal() {
			faults = append(faults, fmt.Errorf("source %s: no frequency is from %s and below %s", s.Name, t.From, t.Below))
		}
	}

	return errors.Join(faults...)
}
