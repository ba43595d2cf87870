package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// Source is one store under the name by which results, errors and logs refer to it. Its fields say what it can do; nil
// means that it cannot.
//
// The symbols of a source without a Catalog must be registered in the Catalog of another source: with
// Service.SetSymbols, or by a write of the same symbol to the store of that catalog. A symbol that no catalog knows is
// not found, whatever the stores have of it. A list without any Catalog is refused.
//
// An optional source may have nothing but Health: it is diagnosed, and nothing else.
//
// Sources come as a list, the preferred one first. Of those that take a frequency the first is written to, and is read
// where several have a bar; the first with Ticks holds trades and quotes; of a symbol in several catalogs the first
// one's metadata counts.
//
// Two servers that divide the frequencies at one hour:
//
//	ledgered := ingest.WithLedger("influx", "", ts, pg)
//	[]app.Source{
//		{Name: "postgres", Bars: pg, Takes: domain.FrequencyRange{From: domain.Hour1}, Ticks: pg, Catalog: pg},
//		{Name: "influx", Bars: ledgered, Takes: domain.FrequencyRange{Below: domain.Hour1}, Catalog: ts},
//	}
type Source struct {
	Name    domain.StoreName
	Bars    ports.Store
	Takes   domain.FrequencyRange // frequencies that are routed to Bars; the zero value is all
	Ticks   ports.TickStore
	Catalog ports.SymbolCatalog
	Health  ports.HealthChecker    // nil for a store that is healthy as long as the process is
	Pool    func() ports.PoolStats // nil for a store without connections

	// Cache is Bars again where Bars is a cache: results in memory are returned without waiting.
	Cache blockcache.Reader

	// Unfinished reports the writes to Bars that did not finish. Nil is for stores whose writes are transactions.
	Unfinished ports.UnfinishedReporter

	// Aggregate makes bars of the trades in Ticks on the server. Nil aggregates them in this process.
	Aggregate ports.TradeAggregator

	// Explain returns the query plans of the server of Bars. Nil has none.
	Explain ports.ReadExplainer

	// Optional declares that requests are served without the store, such as a shared cache: where its check fails, it is
	// degraded and not down.
	Optional bool

	isClosed bool // it could not be opened

	// Local declares that no call waits for anything but memory. Calls then run on the caller's goroutine and are ended
	// by the caller's context alone, not by Config.StoreTimeout.
	Local bool
}

// newStores returns the sources with their counters at 0.
func newStores(sources []Source) access.Stores {
	stores := make(access.Stores, len(sources))
	for i, s := range sources {
		store := &access.Store{
			Name: s.Name, Bars: s.Bars, Route: s.Takes, Ticks: s.Ticks, Catalog: s.Catalog, Health: s.Health, Pool: s.Pool,
			Cache: s.Cache, Aggregate: s.Aggregate, Explain: s.Explain, Local: s.Local,
			Unfinished: s.Unfinished, Optional: s.Optional, Closed: s.isClosed,
		}
		if s.Cache != nil {
			store.LocalCoverage = s.Cache
		} else if s.Local {
			store.LocalCoverage, _ = s.Bars.(ports.LocalCoverage)
			store.LocalCatalog, _ = s.Catalog.(ports.LocalCatalog)
		}
		stores[i] = store
	}

	return stores
}

// validateSources reports every fault of the list, as an ErrInvalid.
func validateSources(sources []Source) error {
	var faults []error
	if len(sources) == 0 {
		faults = append(faults, errors.New("sources: none; name at least one store"))
	}

	faults = append(faults, validateCatalogs(sources))
	names := map[domain.StoreName]bool{}
	for i, s := range sources {
		switch {
		case s.Name == "":
			faults = append(faults, fmt.Errorf("source %d: it has no name", i))
		case names[s.Name]:
			faults = append(faults, fmt.Errorf("source %s: two have this name", s.Name))
		}
		names[s.Name] = true
		faults = append(faults, s.validate())
	}

	if err := errors.Join(faults...); err != nil {
		return access.Refusal("new application", "", err)
	}

	return nil
}

// validateCatalogs returns an error if no source has a catalog, because no symbol could be found.
func validateCatalogs(sources []Source) error {
	var names []string
	for _, s := range sources {
		if s.Catalog != nil {
			return nil
		}
		names = append(names, string(s.Name))
	}
	if len(names) == 0 {
		return nil
	}

	return fmt.Errorf("sources %s: none has a Catalog, so that no symbol could be found; "+
		"set Catalog of one to a ports.SymbolCatalog, such as the store itself", strings.Join(names, ", "))
}

// validate reports every fault of the source but its name.
func (s Source) validate() error {
	var faults []error
	if s.Bars == nil && s.Ticks == nil && s.Catalog == nil && (s.Health == nil || !s.Optional) {
		faults = append(faults, fmt.Errorf("source %s: it has neither bars nor ticks nor a catalog", s.Name))
	}
	if s.Bars == nil && (s.Cache != nil || s.Explain != nil) {
		faults = append(faults, fmt.Errorf("source %s: Cache and Explain need Bars", s.Name))
	}
	if s.Ticks == nil && s.Aggregate != nil {
		faults = append(faults, fmt.Errorf("source %s: Aggregate needs Ticks", s.Name))
	}
	if s.Takes.Empty() {
		err := fmt.Errorf("source %s: no frequency is from %s and below %s", s.Name, s.Takes.From, s.Takes.Below)
		faults = append(faults, err)
	}

	return errors.Join(faults...)
}
